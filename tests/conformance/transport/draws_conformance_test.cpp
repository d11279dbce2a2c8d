// The same seed, the same faults: what a script leaves to chance falls the same for the same call
// over both transports, whatever the connections and their order.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/conformance/transport/attempts.hpp"
#include "tests/mockserver/scripts.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;

/// Everything comes at once, or nearly: what is looked at here takes no time.
mock::Script quick_script(const std::string& faults) {
  constexpr std::string_view models =
      R"({{"openai": {{"dialect": "openai", "models": {{"{0}": {1}}}}},
           "anthropic": {{"dialect": "anthropic", "models": {{"{2}": {1}}}}}}})";
  constexpr std::string_view quick =
      R"({"ttft": "1ms", "inter_token": "100us", "error_latency": "500us"})";
  return mock::testing::load(
      fmt::format(models, "gpt", quick, "claude"),
      fmt::format(R"([{{"phase": "hour", "until": "1h", "faults": [{}]}}])", faults), 1h);
}

/// Clients that make calls one after the other, every second of them streamed, and each a second
/// attempt if the first has failed: begun where the first has ended, from inside its listener.
class Clients final {
 public:
  Clients(TransportStage& stage, std::size_t clients, std::vector<CallId> order)
      : stage_(stage), order_(std::move(order)), ends_(order_.size()) {
    for (std::size_t i = 0; i < clients; ++i) clients_.emplace_back(*this);
  }

  /// By call: "overloaded, success".
  std::vector<std::string> run() {
    stage_.run([this] {
      for (Client& client : clients_) client.next();
    });
    return ends_;
  }

 private:
  class Client final : public AttemptListener {
   public:
    explicit Client(Clients& all) : all_(all) {
      request_.body = std::make_shared<const std::string>("hello");
      request_.input_tokens = 100;
      request_.tag = said_tokens;
    }
    void next() {
      if (nth_ == 0) {
        if (all_.begun_ == all_.order_.size()) return;
        call_ = all_.order_[all_.begun_++];
      }
      request_.stream = call_ % 2 == 0;
      all_.stage_.transport().start({.call = call_,
                                     .nth_at_target = nth_,
                                     .target = static_cast<TargetId>(call_ / 2 % 2),
                                     .request = &request_,
                                     .limits = {}},
                                    *this);
    }

   private:
    void on_end(Outcome&& outcome) override {
      std::string& ends = all_.ends_[call_];
      ends += fmt::format("{}{} {}", ends.empty() ? "" : ", ", to_string(outcome.kind),
                          outcome.committed ? outcome.billed_output_tokens : 0);
      nth_ = nth_ == 0 && !outcome.ok() ? 1 : 0;
      next();
    }

    Clients& all_;
    Request request_;
    CallId call_ = 0;
    std::uint32_t nth_ = 0;
  };

  TransportStage& stage_;
  const std::vector<CallId> order_;
  std::size_t begun_ = 0;
  std::deque<Client> clients_;
  std::vector<std::string> ends_;
};

struct How {
  std::size_t clients = 1;
  std::uint32_t connections = 1;
  bool backwards = false;
};

std::vector<std::string> ends(World world, const mock::Script& script, std::uint64_t seed,
                              CallId calls, const How& how = {}) {
  std::vector<CallId> order(calls);
  for (CallId i = 0; i < calls; ++i) order[i] = how.backwards ? calls - 1 - i : i;
  const auto stage = TransportStage::open(
      world, script, {.seed = seed, .speed = 10, .connections = how.connections});
  std::vector<std::string> list = Clients(*stage, how.clients, std::move(order)).run();
  EXPECT_EQ(stage->leftovers(), std::vector<std::string>{});
  return list;
}

TEST(DrawsOfBothTransports, AreTheSameForTheSameCallsWhateverTheConnectionsAndTheirOrder) {
  const mock::Script script = quick_script(
      R"({"on": "*", "error": "overloaded", "share": 0.3},
         {"on": "openai/*", "wire": "reset", "after_share": "uniform", "share": 0.4},
         {"on": "anthropic/*", "error": "stream_truncated", "share": 0.4})");
  constexpr CallId calls = 160;
  const auto expected = ends(World::simulated, script, 7, calls);
  EXPECT_GT(std::set<std::string>(expected.begin(), expected.end()).size(), 20U);
  for (const How& how :
       {How{1, 1, false}, How{1, 1, true}, How{16, 3, true}, How{160, 160, false}}) {
    EXPECT_EQ(ends(World::real, script, 7, calls, how), expected)
        << how.clients << " clients, " << how.connections << " connections, " << how.backwards;
  }
}

/// A fault in a file's words. Those that only a limit ends are in the table of cases: each would
/// take its time.
rc::Gen<std::string> any_fault() {
  const auto what = rc::gen::element<std::string>(
      R"("error": "overloaded")", R"("error": "rate_limited", "retry_after": "3s")",
      R"("error": "server_error", "at": {"frames": 4})", R"("error": "stream_truncated")",
      R"("error": "bad_gateway")", R"("error": "malformed_reply", "after_share": 0.5)",
      R"("outage": true)", R"("wire": "reset")", R"("wire": "close", "after_share": "uniform")",
      R"("wire": "close", "at": "after_accept")", R"("wire": "garbage", "at": {"frames": 2})",
      R"("wire": "html")", R"("wire": "empty_body")", R"("wire": "wrong_content_type")",
      R"("wire": "invalid_json")", R"("wire": "short_body")", R"("wire": "half_frame")",
      R"("wire": "missing_finish")", R"("wire": "missing_done")", R"("wire": "duplicate_frame")",
      R"("wire": "sliced")", R"("wire": "crlf")", R"("wire": "comments")");
  const auto which = rc::gen::element<std::string>(R"("share": 0.25)", R"("share": 0.1)",
                                                   R"("first": 3)", R"("first": 7)");
  const auto on = rc::gen::element<std::string>("*", "openai/*", "anthropic/claude");
  const auto one = rc::gen::map(rc::gen::tuple(on, what, which), [](const auto& parts) {
    return fmt::format(R"({{"on": "{}", {}, {}}})", std::get<0>(parts), std::get<1>(parts),
                       std::get<2>(parts));
  });
  const auto sequence =
      rc::gen::map(rc::gen::tuple(on, rc::gen::arbitrary<bool>()), [](const auto& parts) {
        return fmt::format(
            R"({{"on": "{}", "sequence": ["success", "overloaded", "stream_truncated",
                "connection"], "repeat": {}}})",
            std::get<0>(parts), std::get<1>(parts));
      });
  return rc::gen::weightedOneOf<std::string>({{4, one}, {1, sequence}});
}

RC_GTEST_PROP(DrawsOfBothTransports, AnyFaultsOnOneClientGiveTheSameSequenceOfOutcomes, ()) {
  // Four at most: the shares of more could be more than all.
  const auto list = *rc::gen::resize(4, rc::gen::container<std::vector<std::string>>(any_fault()));
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  std::string faults;
  for (const std::string& fault : list) faults += (faults.empty() ? "" : ",\n") + fault;
  const mock::Script script = quick_script(faults);
  RC_ASSERT(ends(World::real, script, seed, 12) == ends(World::simulated, script, seed, 12));
}

}  // namespace
}  // namespace brownout::testing
