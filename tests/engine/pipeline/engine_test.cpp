// The life of calls and of the engine itself, and what observers hear.

#include "engine/pipeline/engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::ElementsAre;

constexpr std::string_view everything = R"([
    { "cache": { "ttl": "1m", "single_flight": true } },
    { "fallback": { "routes": [
        { "name": "a", "to": "x/a", "pipeline": [
            { "retry": { "max_attempts": 2, "wait": { "fixed": "2s" } } },
            { "breaker": { "consecutive_failures": 2, "open_for": "20s" } },
            { "timeout": { "attempt": "10s" } } ] },
        { "name": "b", "to": "x/b", "pipeline": [ { "breaker": {} } ] } ],
      "then": [ "cached", { "default": "sorry" } ] } } ])";

Policy everything_policy() {
  return policy_of(everything, "");
}

TEST(Engine, TellsObserversEverythingInOrder) {
  // 0s a fails | 2s a again, opening | 3s b succeeds | 30s a probes for another prompt
  Stage stage(everything_policy());
  stage.script("a", {{.kind = server_error, .takes = 0s, .billed_tokens = 3},
                     {.kind = server_error, .takes = 1s, .billed_tokens = 4},
                     succeeds(1s)});
  stage.script("b", {{.takes = 1s, .billed_tokens = 50}});
  stage.call_at(0s, {.id = 1, .prompt = 1});
  stage.call_at(10s, {.id = 2, .prompt = 2});
  stage.call_at(30s, {.id = 3, .prompt = 3});
  stage.run();
  EXPECT_THAT(
      stage.full_log(),
      ElementsAre("0s call 1 looks for a reply: miss", "0s call 1 asks a",
                  "0s call 1 fails at a: server_error", "0s call 1 waits until 2s",
                  "2s call 1 asks a", "3s call 1 fails at a: server_error", "3s breaker a opens",
                  "3s call 1 asks b", "4s call 1 succeeds at b", "4s call 1 observed: success",
                  "4s call 1 ends: success", "10s call 2 looks for a reply: miss",
                  "10s call 2 is refused by a", "10s call 2 asks b", "11s call 2 succeeds at b",
                  "11s call 2 observed: success", "11s call 2 ends: success",
                  "30s call 3 looks for a reply: miss", "30s breaker a half-opens",
                  "30s call 3 asks a", "31s call 3 succeeds at a", "31s breaker a closes",
                  "31s call 3 observed: success", "31s call 3 ends: success"));
  std::vector<Event> ends;
  for (const Event& event : stage.events()) {
    if (event.what == Event::What::observed) ends.push_back(event);
  }
  ASSERT_EQ(ends.size(), 3U);
  EXPECT_EQ(ends[0].attempts, 3U);
  EXPECT_EQ(ends[0].billed, 57U) << "over all attempts";
  EXPECT_EQ(ends[0].since, at(0s));
  EXPECT_FALSE(ends[0].was_rejected);
  EXPECT_EQ(ends[1].attempts, 1U);
  EXPECT_TRUE(ends[1].was_rejected);
}

TEST(Engine, NumbersACallsAttemptsFromOneOverAllRoutes) {
  Stage stage(everything_policy());
  stage.script("a", {fails(server_error, 1s), fails(server_error, 1s)});
  stage.call({});
  stage.run();
  std::vector<std::pair<std::uint32_t, Instant>> attempts;
  for (const Event& event : stage.events()) {
    if (event.what == Event::What::answered) attempts.emplace_back(event.nth, event.since);
  }
  using Attempt = std::pair<std::uint32_t, Instant>;
  EXPECT_THAT(attempts, ElementsAre(Attempt{1, at(0s)}, Attempt{2, at(3s)}, Attempt{3, at(4s)}));
}

TEST(Engine, ACancelledCallEndsWithoutAWord) {
  // 0s asks | 3s cancelled: the transport forgets the attempt, which the observer hears of
  Stage stage(everything_policy());
  stage.script("a", {{.takes = forever, .billed_tokens = 8}});
  stage.call({});
  stage.run_until(3s);
  stage.cancel(1);
  EXPECT_THAT(stage.full_log(),
              ElementsAre("0s call 1 looks for a reply: miss", "0s call 1 asks a",
                          "3s call 1 forgets a", "3s call 1 fails at a: cancelled"));
  EXPECT_EQ(stage.events().back().outcome.billed_input_tokens, 8U);
  EXPECT_TRUE(stage.is_quiet());
  stage.run();
  EXPECT_EQ(stage.ends(1), 0U);
}

// Which calls and attempts are under way.
class UnderWay final : public Observer {
 public:
  std::set<CallId> calls;
  std::set<std::pair<CallId, std::uint32_t>> attempts;
  std::vector<std::uint32_t> copies;  // that made an attempt, in order of their beginnings
  std::vector<GiveUpEvent> given_up;

  void on_call_start(const CallStartEvent& call) override {
    EXPECT_TRUE(calls.insert(call.call).second);
  }
  void on_attempt_start(const AttemptStartEvent& attempt) override {
    EXPECT_TRUE(calls.contains(attempt.call));
    EXPECT_TRUE(attempts.emplace(attempt.call, attempt.number).second);
    copies.push_back(attempt.copy);
  }
  void on_attempt(const AttemptEvent& attempt, const Outcome&) override {
    EXPECT_TRUE(calls.contains(attempt.call));
    EXPECT_EQ(attempts.erase({attempt.call, attempt.number}), 1U);
    EXPECT_EQ(attempt.hedge, attempt.copy != 0);
  }
  void on_wait(const WaitEvent& wait) override { EXPECT_TRUE(calls.contains(wait.call)); }
  void on_call(const CallEvent& call, const Outcome&) override { end(call.call); }
  void on_give_up(const GiveUpEvent& call) override {
    end(call.call);
    given_up.push_back(call);
  }

 private:
  void end(CallId call) {
    EXPECT_EQ(calls.erase(call), 1U);
    const auto of_call = [&](const auto& attempt) { return attempt.first == call; };
    EXPECT_TRUE(std::ranges::none_of(attempts, of_call));
  }
};

TEST(Engine, TellsTheBeginningAndTheEndOfEachCallAndAttemptOnce) {
  // 0s call 1 asks | 1s fails, its copy asks | 2s hedges once more | 3s succeeds
  // 10s call 2 asks | 12s hedges | 13s its caller leaves | 20s call 3 asks | 21s shutdown
  UnderWay under_way;
  {
    Stage stage(R"([ { "hedge": { "delay": "1s", "max_hedges": 2 } } ])");
    stage.watcher = &under_way;
    stage.script("gpt-4", {fails(server_error, 1s), succeeds(2s), succeeds(8s), succeeds(9s),
                           succeeds(9s), succeeds(9s)});
    stage.call_at(0s, {.id = 1});
    stage.call_at(10s, {.id = 2});
    stage.call_at(20s, {.id = 3});
    stage.run_until(12s);
    EXPECT_THAT(under_way.calls, ElementsAre(2));
    stage.run_until(13s);
    stage.cancel(2);
    EXPECT_TRUE(under_way.calls.empty());
    stage.run_until(20s);
    EXPECT_THAT(under_way.calls, ElementsAre(3));
  }
  EXPECT_TRUE(under_way.calls.empty());
  EXPECT_TRUE(under_way.attempts.empty());
  EXPECT_THAT(under_way.copies, ElementsAre(0, 1, 2, 0, 1, 2, 0));
  ASSERT_EQ(under_way.given_up.size(), 2U);
  EXPECT_EQ(under_way.given_up[0].call, 2U);
  EXPECT_EQ(under_way.given_up[0].started, at(10s));
  EXPECT_EQ(under_way.given_up[0].at, at(13s));
  EXPECT_EQ(under_way.given_up[0].attempts, 3U);
  EXPECT_TRUE(under_way.given_up[0].by_caller);
  EXPECT_EQ(under_way.given_up[1].call, 3U);
  EXPECT_FALSE(under_way.given_up[1].by_caller);
}

TEST(Engine, ACallThatHasEndedButNotBeenToldMayStillBeCancelled) {
  Stage stage(everything_policy());
  stage.call({.deadline = at(0s)});  // the default reply, at once
  stage.cancel(1);
  stage.run();
  EXPECT_EQ(stage.ends(1), 0U);
  EXPECT_TRUE(stage.is_quiet());
}

TEST(Engine, AListenerMayStartTheNextCall) {
  Stage stage("[]");
  stage.on_end = [&](CallId id) {
    if (id < 5) stage.call({.id = id + 1});
  };
  stage.call({.id = 1});
  stage.run();
  EXPECT_EQ(stage.now(), at(5s));
  EXPECT_EQ(stage.ends(5), 1U);
}

TEST(Engine, AListenerMayCancelAnotherCall) {
  Stage stage("[]");
  stage.script("gpt-4", {succeeds(1s), succeeds(1s)});
  stage.on_end = [&](CallId id) { stage.cancel(3 - id); };
  stage.call({.id = 1});
  stage.call({.id = 2});
  stage.run();
  EXPECT_EQ(stage.ends(1), 1U);
  EXPECT_EQ(stage.ends(2), 0U);
  EXPECT_TRUE(stage.is_quiet());
}

TEST(Engine, ManyCallsAtOnceDoNotDisturbEachOther) {
  Stage stage(everything_policy());
  for (CallId id = 0; id < 200; ++id) {
    stage.call_at(10ms * id, {.id = id, .prompt = id});
    stage.script("a", {id % 3 == 0 ? fails(rate_limited, 1s) : succeeds(1s)});
  }
  stage.run();
  for (CallId id = 0; id < 200; ++id) {
    EXPECT_EQ(stage.ends(id), 1U);
    EXPECT_TRUE(stage.outcome(id).ok());
  }
  EXPECT_TRUE(stage.is_quiet());
}

// One call at each place where a call can stand: waiting, sending (as a probe), looking up, parked,
// ended but not told.
void bring_calls_everywhere(Stage& stage) {
  stage.script("a", {fails(server_error, 0s), fails(server_error, 0s)});
  stage.script("b", {hangs(), hangs(), hangs()});
  stage.call_at(0s, {.id = 1, .prompt = 1});  // opens a, hangs at b
  stage.call_at(1s, {.id = 2, .prompt = 1});  // follows call 1
  stage.later(21s, [&] { stage.script("a", {fails(rate_limited, 0s), hangs()}); });
  stage.call_at(22s, {.id = 3, .prompt = 3});  // probes a, neutral, waits
  stage.call_at(23s, {.id = 4, .prompt = 4});  // probes a, hangs
  stage.later(23500ms, [&] { stage.store().set_delay(1min); });
  stage.call_at(23600ms, {.id = 5, .prompt = 5});  // looks up
  stage.run_until(23700ms);
}

TEST(Engine, SaysWhereUnfinishedCallsStand) {
  Stage stage(everything_policy());
  bring_calls_everywhere(stage);
  EXPECT_EQ(stage.engine().unfinished(), 5U);
  EXPECT_EQ(stage.engine().describe_unfinished(3),
            "call 1 has had no answer since 2s from x/b in route b (attempts so far: 3)\n"
            "call 2 is parked at cache (attempts so far: 0)\n"
            "call 3 waits until 24s at retry in route a (attempts so far: 1)\n"
            "and 2 more\n");
  EXPECT_THAT(stage.engine().describe_unfinished(5),
              ::testing::EndsWith(
                  "call 4 has had no answer since 23s from x/a in route a (attempts so far: 1)\n"
                  "call 5 looks for a stored reply at cache (attempts so far: 0)\n"));
  EXPECT_EQ(stage.breaker("a").probes_in_flight(), 1U);
}

TEST(Engine, CancellingCallsWhereverTheyStandGivesEverythingBack) {
  Stage stage(everything_policy());
  bring_calls_everywhere(stage);
  for (CallId id = 5; id >= 1; --id) stage.cancel(id);
  EXPECT_TRUE(stage.is_quiet());
}

TEST(Engine, MayBeDestroyedWithCallsUnderWay) {
  Stage stage(everything_policy());
  bring_calls_everywhere(stage);
  stage.call({.id = 6, .deadline = at(0s)});
  stage.shut_down();
  EXPECT_EQ(stage.transport().in_flight(), 0U);
  EXPECT_EQ(stage.store().waiting(), 0U);
  const std::size_t before = stage.events().size();
  stage.run();
  EXPECT_EQ(stage.events().size(), before) << "nothing happens any more";
  for (CallId id = 1; id <= 6; ++id) EXPECT_EQ(stage.ends(id), 0U) << id;
}

TEST(Engine, TheSameSeedMakesTheSameRunAndAnotherSeedAnother) {
  const auto run = [](std::uint64_t seed) {
    Stage stage(policy_of(R"([{ "retry": { "max_attempts": 5 } }])"), seed);
    stage.transport().set_otherwise(fails(server_error, 1s));
    for (CallId id = 1; id <= 3; ++id) stage.call({.id = id});
    stage.run();
    return stage.log();
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(Engine, CallsThatFailTogetherDoNotComeBackTogether) {
  Stage stage(R"([{ "retry": { "max_attempts": 2 } }])");
  stage.transport().set_otherwise(fails(server_error, 0s));
  for (CallId id = 1; id <= 20; ++id) stage.call({.id = id});
  stage.run();
  std::set<Instant> returns;
  for (const Event& event : stage.events()) {
    if (event.what == Event::What::waited) returns.insert(event.until);
  }
  EXPECT_EQ(returns.size(), 20U);
}

}  // namespace
}  // namespace brownout::testing
