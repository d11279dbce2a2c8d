// What an engine decides by itself needs no transport; but what it decides it by is what transports
// have told it. Over both it refuses the same calls by the same words, and asks nobody for them.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/pipeline/engine.hpp"
#include "engine/policy_file/policy.hpp"
#include "engine/store/memory_store.hpp"
#include "tests/conformance/transport/attempts.hpp"
#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;

constexpr JobName begin_job{"calls begin"};

struct Refusal {
  OutcomeKind kind;
  const char* layers;
  const char* fault;      // of the provider
  CallId calls;           // the last of them is refused
  bool together = false;  // all begin at once, else each when the one before has ended
  Duration deadline = forever;
};

const std::vector<Refusal>& refusals() {
  static const std::vector<Refusal> all{
      {breaker_open,
       R"([{ "breaker": { "consecutive_failures": 2, "open_for": "1h", "close_after": 1 } }])",
       R"("outage": true)", 3},
      {throttled, R"([{ "throttle": { "multiplier": 2, "window": "10m" } }])", R"("outage": true)",
       60},
      {bulkhead_full, R"([{ "bulkhead": { "max_concurrent": 1 } }])", R"("hang": true)", 2, true,
       1s},
      {client_rate_limited,
       R"([{ "rate_limit": { "requests_per_minute": 1, "request_burst": 1, "max_wait": "1s" } }])",
       R"("error": "overloaded")", 2, true},
      {deadline_exceeded, "[]", R"("outage": true)", 1, false, 0s},
  };
  return all;
}

// Passes everything on.
class Counting final : public Transport {
 public:
  explicit Counting(Transport& to) : to_(to) {}
  Handle start(const Attempt& attempt, AttemptListener& listener) override {
    ++asked;
    return to_.start(attempt, listener);
  }
  Outcome detach(Handle handle) override { return to_.detach(handle); }

  std::size_t asked = 0;

 private:
  Transport& to_;
};

class Calls final : private CallListener, private Observer, private Timer {
 public:
  Calls(TransportStage& stage, const Refusal& refusal)
      : Timer(begin_job), stage_(stage), refusal_(refusal), transport_(stage.transport()) {
    const Policy policy = policy_of(refusal.layers, R"("to": "openai/p0")");
    engine_ = std::make_unique<Engine>(
        stage.runtime(), transport_, store_, static_cast<Observer&>(*this),
        std::make_shared<Pipeline>(policy, std::vector<std::string>{"openai/p0"},
                                   std::vector<TargetId>{0}, stage.runtime().seed()));
    request_.body = std::make_shared<const std::string>("hello");
    request_.input_tokens = 100;
    request_.tag = said_tokens;
  }
  ~Calls() override { stage_.runtime().disarm(*this); }

  void begin() { stage_.runtime().post(*this); }

  std::vector<std::string> ends;  // by call
  std::size_t asked() const { return transport_.asked; }
  std::size_t unfinished() const { return engine_->unfinished(); }

 private:
  void fire() override {
    do {
      const Instant now = stage_.runtime().now();
      ends.emplace_back();
      engine_->start(begun_++, request_, after(now, refusal_.deadline), *this);
    } while (refusal_.together && begun_ < refusal_.calls);
  }

  void on_call_end(CallId call, Outcome&& outcome) override {
    EXPECT_EQ(ends[call], "") << "an end for each";
    ends[call] = to_string(outcome.kind);
    if (!refusal_.together && begun_ < refusal_.calls) stage_.runtime().post(*this);
  }

  TransportStage& stage_;
  const Refusal& refusal_;
  Counting transport_;
  MemoryStore store_;
  Request request_;
  CallId begun_ = 0;
  std::unique_ptr<Engine> engine_;
};

struct Told {
  std::vector<std::string> ends;
  std::size_t asked = 0;
};

Told tell(World world, const Refusal& refusal) {
  const mock::Script script = script_of({{.name = "refused", .faults = {refusal.fault}}});
  const auto stage = TransportStage::open(world, script);
  Told told;
  {
    Calls calls(*stage, refusal);
    stage->run([&] { calls.begin(); });
    EXPECT_EQ(calls.unfinished(), 0U);
    told = {calls.ends, calls.asked()};
  }
  EXPECT_EQ(stage->leftovers(), std::vector<std::string>{});
  return told;
}

class EnginesOnBothTransports : public ::testing::TestWithParam<Refusal> {};

TEST_P(EnginesOnBothTransports, RefuseTheSameCallsAndAskNobody) {
  const Refusal& refusal = GetParam();
  const Told simulated = tell(World::simulated, refusal);
  const Told real = tell(World::real, refusal);
  EXPECT_EQ(real.ends, simulated.ends);
  EXPECT_EQ(real.asked, simulated.asked);
  const auto refused =
      static_cast<std::size_t>(std::ranges::count(simulated.ends, to_string(refusal.kind)));
  EXPECT_GT(refused, 0U);
  EXPECT_EQ(simulated.asked, refusal.calls - refused);
}

INSTANTIATE_TEST_SUITE_P(Refusals, EnginesOnBothTransports, ::testing::ValuesIn(refusals()),
                         [](const auto& one) { return std::string(to_string(one.param.kind)); });

TEST(EnginesOwnKinds, HaveACaseForEveryKindThatIsTheirOwn) {
  std::set<OutcomeKind> covered;
  for (const Refusal& refusal : refusals()) covered.insert(refusal.kind);
  for (std::size_t i = 0; i < outcome_kind_count; ++i) {
    const auto kind = static_cast<OutcomeKind>(i);
    const bool ours = is_own_refusal(kind) || kind == deadline_exceeded;
    EXPECT_EQ(covered.contains(kind), ours) << to_string(kind);
  }
}

}  // namespace
}  // namespace brownout::testing
