// A client's promises, one at a time, on executors that the test runs by hand.

#include "engine/client/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/policy/breaker.hpp"
#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using enum OutcomeKind;
using ::testing::ElementsAre;
using Completion = FunctionTransport::Completion;

Outcome reply(std::string text) {
  Outcome outcome;
  outcome.status = 200;
  outcome.reply.text = std::make_shared<const std::string>(std::move(text));
  return outcome;
}

// A provider whose attempts wait until the test answers them.
struct Provider {
  struct Asked {
    std::string target;
    std::uint64_t tag;
    Completion done;
  };
  std::vector<Asked> asked;
  int cancels = 0;

  MakeTransport transport() {
    return function_transport(
        [this](const Attempt& attempt, std::string_view target, Completion done) {
          done.on_cancel([this] { ++cancels; });
          asked.push_back({std::string(target), attempt.request->tag, std::move(done)});
        });
  }
  void answer(Outcome outcome) {
    const Asked first = std::move(asked.front());
    asked.erase(asked.begin());
    first.done(std::move(outcome));
  }
};

class ClientOnOneThread : public ::testing::Test {
 protected:
  void make(const Policy& policy, ClientOptions options = {}) {
    options.executor_is_serial = true;
    auto made = Client::make(context.get_executor(), policy, provider.transport(), options);
    ASSERT_TRUE(made);
    client.emplace(std::move(*made));
  }

  // Real time takes as long as it takes.
  void run_until(const std::function<bool()>& done) {
    for (int i = 0; i < 10'000 && !done(); ++i) context.run_one_for(1ms);
    EXPECT_TRUE(done());
  }

  asio::io_context context;
  Provider provider;
  std::optional<Client> client;
  std::vector<OutcomeKind> ends;
  std::function<void(Outcome)> note = [this](Outcome outcome) { ends.push_back(outcome.kind); };
};

TEST_F(ClientOnOneThread, ACallTriesAgainAndBringsTheReply) {
  make(policy_of(R"([ { "retry": { "max_attempts": 2, "wait": { "fixed": "1ms" } } } ])"));
  std::string text;
  client->async_complete({.tag = 7}, [&](Outcome outcome) { text = *outcome.reply.text; });
  ASSERT_EQ(provider.asked.size(), 0U) << "nobody runs the executor yet";
  context.poll();
  ASSERT_EQ(provider.asked.size(), 1U);
  EXPECT_EQ(provider.asked[0].target, "openai/gpt-4");
  EXPECT_EQ(provider.asked[0].tag, 7U);
  provider.answer(Outcome::failure(overloaded, 529));
  run_until([&] { return provider.asked.size() == 1; });
  provider.answer(reply("good morning"));
  context.run();
  EXPECT_EQ(text, "good morning");
}

// What a caller was told of a stream, piece by piece, and at its end.
struct Told {
  std::vector<std::string> pieces;
  std::optional<Outcome> outcome;
  Output output() {
    return [this](std::string_view text) {
      EXPECT_FALSE(outcome) << "told after the end";
      pieces.emplace_back(text);
    };
  }
  std::function<void(Outcome)> end() {
    return [this](Outcome ended) { outcome = std::move(ended); };
  }
};

TEST_F(ClientOnOneThread, TheTextOfAStreamReachesItsCallerAsItComes) {
  make(policy_of(R"([ { "retry": { "max_attempts": 2, "wait": { "fixed": "1ms" } } } ])"));
  Told told;
  client->async_stream({}, told.output(), told.end());
  context.poll();
  provider.answer(Outcome::failure(overloaded, 529));
  run_until([&] { return provider.asked.size() == 1; });
  provider.asked[0].done.output("good");
  context.poll();
  EXPECT_THAT(told.pieces, ElementsAre("good"));
  provider.asked[0].done.output(" morning");
  provider.answer(reply("good morning"));
  context.run();
  EXPECT_THAT(told.pieces, ElementsAre("good", " morning"));
  EXPECT_EQ(*told.outcome->reply.text, "good morning");
}

TEST_F(ClientOnOneThread, TextThatThePolicyHoldsComesWholeOrNotAtAll) {
  make(policy_of(R"([ { "retry": { "max_attempts": 2, "wait": { "fixed": "1ms" } } } ])",
                 R"("to": "openai/gpt-4", "commit": "complete")"));
  Told told;
  client->async_stream({}, told.output(), told.end());
  context.poll();
  provider.asked[0].done.output("rubb");
  provider.answer(Outcome::failure(stream_truncated, 200));
  run_until([&] { return provider.asked.size() == 1; });
  provider.asked[0].done.output("good morning");
  provider.answer(reply("good morning"));
  context.run();
  EXPECT_THAT(told.pieces, ElementsAre());
  EXPECT_EQ(*told.outcome->reply.text, "good morning");
}

TEST_F(ClientOnOneThread, OfTwoCopiesOnlyTheOneThatSpokeFirstIsHeard) {
  make(policy_of(R"([ { "hedge": { "delay": "1ms" } } ])"));
  Told told;
  client->async_stream({}, told.output(), told.end());
  run_until([&] { return provider.asked.size() == 2; });
  provider.asked[1].done.output("second");
  context.poll();
  EXPECT_EQ(provider.cancels, 1);
  provider.asked[0].done.output("first");
  provider.asked[0].done(reply("first"));
  provider.asked[1].done(reply("second"));
  context.run();
  EXPECT_THAT(told.pieces, ElementsAre("second"));
  EXPECT_EQ(*told.outcome->reply.text, "second");
}

TEST_F(ClientOnOneThread, ACallerMayGiveUpInTheMiddleOfAPiece) {
  make(policy_of("[]"));
  asio::cancellation_signal signal;
  Told told;
  client->async_stream(
      {}, [&](std::string_view) { signal.emit(asio::cancellation_type::all); },
      asio::bind_cancellation_slot(signal.slot(), told.end()));
  context.poll();
  provider.asked[0].done.output("good");
  context.run();
  EXPECT_EQ(told.outcome->kind, cancelled);
  EXPECT_EQ(provider.cancels, 1);
}

TEST_F(ClientOnOneThread, ACoroutineOnTheExecutorBeginsItsCallAtOnce) {
  make(policy_of("[]"));
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 3; ++i) {
          note(co_await client->async_complete({}, asio::use_awaitable));
        }
      },
      asio::detached);
  for (int i = 0; i < 3; ++i) {
    // One handler begins it: the coroutine's start, or the end of the call before.
    context.run_one();
    ASSERT_EQ(provider.asked.size(), 1U);
    provider.answer(Outcome{});
  }
  context.run();
  EXPECT_THAT(ends, ElementsAre(success, success, success));
}

TEST_F(ClientOnOneThread, ACallNeverEndsInsideTheFunctionThatBeganIt) {
  make(policy_of(R"([ { "breaker": { "consecutive_failures": 1 } } ])"));
  asio::post(context, [&] {
    client->async_complete({}, note);
    provider.answer(Outcome::failure(server_error));
  });
  context.run();
  bool inside = false;
  asio::post(context, [&] {
    inside = true;
    client->async_complete({}, [&](const Outcome& outcome) {
      EXPECT_FALSE(inside);
      ends.push_back(outcome.kind);
    });
    inside = false;
  });
  context.restart();
  context.run();
  EXPECT_THAT(ends, ElementsAre(server_error, breaker_open));
}

TEST_F(ClientOnOneThread, CancellationReachesTheProvider) {
  make(policy_of("[]"));
  asio::cancellation_signal signal;
  client->async_complete({}, asio::bind_cancellation_slot(signal.slot(), note));
  context.poll();
  ASSERT_EQ(provider.asked.size(), 1U);
  signal.emit(asio::cancellation_type::terminal);
  EXPECT_TRUE(ends.empty()) << "not inside emit()";
  context.run();
  EXPECT_EQ(provider.cancels, 1);
  EXPECT_THAT(ends, ElementsAre(cancelled));
  signal.emit(asio::cancellation_type::terminal);  // finds nothing
}

TEST_F(ClientOnOneThread, CancellationOvertakesTheBeginningAndTheEnd) {
  make(policy_of("[]"));
  asio::cancellation_signal early;
  client->async_complete({}, asio::bind_cancellation_slot(early.slot(), note));
  early.emit(asio::cancellation_type::total);
  context.run();
  EXPECT_THAT(ends, ElementsAre(cancelled));
  context.restart();

  // The end is on its way to another executor when the signal comes.
  asio::io_context elsewhere;
  asio::cancellation_signal late;
  client->async_complete(
      {}, asio::bind_cancellation_slot(late.slot(), asio::bind_executor(elsewhere, note)));
  context.poll();
  provider.asked.erase(provider.asked.begin());  // of the first call
  provider.answer(Outcome{});
  context.run();
  late.emit(asio::cancellation_type::terminal);
  elsewhere.run();
  EXPECT_THAT(ends, ElementsAre(cancelled, success));
}

TEST_F(ClientOnOneThread, HandlersRunOnTheirOwnExecutor) {
  make(policy_of("[]"));
  asio::io_context elsewhere;
  client->async_complete({}, asio::bind_executor(elsewhere, note));
  context.poll();
  provider.answer(Outcome{});
  context.run();
  EXPECT_TRUE(ends.empty());
  elsewhere.run();
  EXPECT_THAT(ends, ElementsAre(success));
}

TEST_F(ClientOnOneThread, ExecutorsHaveSomethingToWaitForWhileACallIsUnderWay) {
  make(policy_of("[]"));
  asio::io_context elsewhere;
  client->async_complete({}, asio::bind_executor(elsewhere, note));
  context.poll();
  EXPECT_FALSE(context.stopped());
  elsewhere.poll();
  EXPECT_FALSE(elsewhere.stopped());
  provider.answer(Outcome{});
  context.run();
  elsewhere.run();
  EXPECT_TRUE(context.stopped() && elsewhere.stopped());
}

TEST_F(ClientOnOneThread, TheNearerDeadlineCounts) {
  make(policy_of("[]", R"("to": "openai/gpt-4", "deadline": "1h")"), {.deadline = 5ms});
  client->async_complete({}, note);
  client->async_complete({}, 1ms, note);
  client->async_complete({}, forever, note);
  run_until([&] { return ends.size() == 2; });
  EXPECT_THAT(ends, ElementsAre(timed_out, timed_out));
  client.reset();
  context.run();
  EXPECT_THAT(ends, ElementsAre(timed_out, timed_out, cancelled));
}

TEST_F(ClientOnOneThread, TheEndOfAClientIsTheEndOfItsCalls) {
  make(policy_of("[]"));
  client->async_complete({}, note);
  context.poll();
  client->async_complete({}, note);  // not begun yet
  client.reset();
  EXPECT_TRUE(ends.empty());
  context.run();
  EXPECT_THAT(ends, ElementsAre(cancelled, cancelled));
  EXPECT_EQ(static_cast<std::size_t>(provider.cancels), provider.asked.size());
}

TEST(Client, TheEndOfAContextIsNotToldToHandlers) {
  const auto held = std::make_shared<int>();
  Provider provider;
  {
    asio::io_context context;
    auto client = Client::make(context.get_executor(), policy_of("[]"), provider.transport());
    const auto handler = [held](const Outcome&) { FAIL(); };
    client->async_complete({}, handler);
    context.poll();
    client->async_complete({}, handler);
    EXPECT_GT(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1) << "handlers are destroyed";
}

TEST_F(ClientOnOneThread, AReloadedPolicyServesNewCallsAndOldOnesKeepTheirs) {
  make(policy_of("[]"));
  client->async_complete({}, note);
  context.poll();
  const auto patient =
      policy_of(R"([ { "retry": { "max_attempts": 2, "wait": { "fixed": "1ms" } } } ])");
  ASSERT_TRUE(client->reload(patient));
  context.poll();
  client->async_complete({}, note);
  context.poll();
  ASSERT_EQ(provider.asked.size(), 2U);
  provider.answer(Outcome::failure(server_error));
  provider.answer(Outcome::failure(overloaded));
  run_until([&] { return ends.size() == 1 && provider.asked.size() == 1; });
  EXPECT_THAT(ends, ElementsAre(server_error)) << "the first has no retry";
  provider.answer(Outcome{});
  context.run();
  EXPECT_THAT(ends, ElementsAre(server_error, success));
}

// Routes are told by number: what 0 is called depends on the policy.
TEST_F(ClientOnOneThread, EventsOfACallGoToTheObserverOfItsPolicy) {
  class Names final : public Observer {
   public:
    Names(const Pipeline& pipeline, std::vector<std::string>& heard)
        : names_(pipeline.names()), heard_(heard) {}
    void on_attempt(const AttemptEvent& attempt, const Outcome&) override {
      heard_.push_back(names_.routes[attempt.route].name);
    }

   private:
    PipelineNames names_;
    std::vector<std::string>& heard_;
  };
  std::vector<std::string> heard;
  make(policy_of("[]"), {.observer = [&](const Pipeline& pipeline) {
         return std::make_shared<Names>(pipeline, heard);
       }});
  client->async_complete({}, note);
  context.poll();
  ASSERT_TRUE(client->reload(policy_of(
      R"([ { "fallback": { "routes": [
             { "name": "first", "to": "openai/gpt-4", "pipeline": [] },
             { "name": "second", "to": "openai/gpt-4", "pipeline": [] } ] } } ])",
      "")));
  client->async_complete({}, note);
  context.poll();
  provider.answer(Outcome{});
  provider.answer(Outcome::failure(server_error));
  context.poll();
  provider.answer(Outcome{});
  context.run();
  EXPECT_THAT(heard, ElementsAre("main", "first", "second"));
}

TEST_F(ClientOnOneThread, APolicyMustLeadWhereTheTransportsGo) {
  make(policy_of("[]"), {.roles = {{"primary", "openai/gpt-4"}, {"independent", "nowhere/x"}}});
  const auto errors = client->reload(policy_of("[]", R"("to": "anthropic/claude")"));
  ASSERT_FALSE(errors);
  EXPECT_EQ(errors.error()[0].message,
            "route 'main' leads to 'anthropic/claude', which is not among the targets");
  const auto role = client->reload(policy_of("[]", R"("to": "role:independent")"));
  ASSERT_FALSE(role);
  EXPECT_EQ(role.error()[0].message,
            "route 'main' leads to role:independent, which leads to none of them");
  EXPECT_TRUE(client->reload(policy_of("[]", R"("to": "role:primary")")));
  EXPECT_THAT(client->targets(), ElementsAre("openai/gpt-4"));

  const auto unmade = Client::make(
      context.get_executor(), policy_of("[]", R"("to": "role:independent")"), provider.transport());
  EXPECT_FALSE(unmade);
}

TEST(Client, BlocksForWhoWantsToWait) {
  asio::thread_pool pool(2);
  auto client = Client::make(
      pool.get_executor(), policy_of("[]"),
      function_transport([](const Attempt&, std::string_view target, const Completion& done) {
        done(reply("from " + std::string(target)));
      }),
      {.shards = 2});
  ASSERT_TRUE(client);
  EXPECT_EQ(*client->complete({}).reply.text, "from openai/gpt-4");
  auto future = client->async_complete({}, asio::use_future);
  EXPECT_EQ(*future.get().reply.text, "from openai/gpt-4");
}

TEST(Client, AProviderOnAThreadOfItsOwnIsWaitedFor) {
  asio::io_context context;
  std::jthread elsewhere;
  auto client = Client::make(
      context.get_executor(), policy_of("[]"),
      function_transport([&](const Attempt&, std::string_view, const Completion& done) {
        elsewhere = std::jthread([done] {
          std::this_thread::sleep_for(5ms);
          done(Outcome{});
        });
      }));
  bool ended = false;
  client->async_complete({}, [&](const Outcome& outcome) { ended = outcome.ok(); });
  context.run();
  EXPECT_TRUE(ended);
}

TEST(ClientDeathTest, WaitingOnTheExecutorItselfWouldNeverEnd) {
  EXPECT_EXIT(
      {
        asio::io_context context;
        Provider provider;
        auto client = Client::make(context.get_executor(), policy_of("[]"), provider.transport(),
                                   {.executor_is_serial = true});
        asio::post(context, [&] { client->complete({}); });
        context.run();
      },
      ::testing::ExitedWithCode(70), "runs_here");
}

}  // namespace
}  // namespace brownout::testing
