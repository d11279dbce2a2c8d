// Copies of a call that race each other: which of them wins, and what becomes of the others.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "engine/policy/breaker.hpp"
#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::ElementsAre;

constexpr std::string_view hedge_2s = R"({ "hedge": { "delay": "2s" } })";

Answer streams(Duration first_token, Duration takes) {
  return {.takes = takes, .first_token = first_token};
}

TEST(HedgeLayer, AFastCallIsNotHedged) {
  // 0s asks | 1s succeeds | 2s nothing
  Stage stage(fmt::format("[{}]", hedge_2s));
  stage.script("gpt-4", {succeeds(1s)});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(), ElementsAre("0s call 1 asks gpt-4", "1s call 1 succeeds at gpt-4",
                                       "1s call 1 ends: success"));
  EXPECT_TRUE(stage.is_quiet());
}

TEST(HedgeLayer, TheHedgeWinsAndTheFirstIsCutAtThatInstant) {
  // 0s asks | 2s hedges | 3s the hedge succeeds: the first, which would take 10s, is forgotten
  Stage stage(fmt::format("[{}]", hedge_2s));
  stage.script("gpt-4", {succeeds(10s), succeeds(1s)});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "2s call 1 hedges", "2s call 1 asks gpt-4",
                          "3s call 1 succeeds at gpt-4", "3s call 1 fails at gpt-4: cancelled",
                          "3s call 1 ends: success"));
  EXPECT_EQ(*stage.outcome(1).reply.text, "reply 1 from openai/gpt-4");
  EXPECT_TRUE(stage.is_quiet());
}

TEST(HedgeLayer, TheFirstWinsAndTheHedgeIsCut) {
  // 0s asks | 2s hedges | 3s the first succeeds
  Stage stage(fmt::format("[{}]", hedge_2s));
  stage.script("gpt-4", {succeeds(3s), succeeds(10s)});
  stage.call({});
  stage.run();
  EXPECT_EQ(stage.now(), at(3s)) << "nobody waits for the loser";
  EXPECT_EQ(*stage.outcome(1).reply.text, "reply 0 from openai/gpt-4");
  EXPECT_TRUE(stage.is_quiet());
}

TEST(HedgeLayer, AFailureStartsTheNextCopyAtOnceAndDoesNotWin) {
  // 0s asks | 1s fails, hedges | 2s the hedge succeeds
  Stage stage(fmt::format("[{}]", hedge_2s));
  stage.script("gpt-4", {fails(server_error, 1s), succeeds(1s)});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "1s call 1 fails at gpt-4: server_error",
                          "1s call 1 hedges", "1s call 1 asks gpt-4", "2s call 1 succeeds at gpt-4",
                          "2s call 1 ends: success"));
}

TEST(HedgeLayer, TheLastFailureEndsTheCall) {
  // 0s asks | 2s hedges | 3s the first fails, the hedge runs on | 4s it fails too
  Stage stage(fmt::format("[{}]", hedge_2s));
  stage.script("gpt-4", {fails(server_error, 3s), fails(overloaded, 2s)});
  stage.call({});
  stage.run();
  EXPECT_EQ(stage.outcome(1).kind, overloaded);
  EXPECT_EQ(stage.now(), at(4s));
  EXPECT_TRUE(stage.is_quiet());
}

TEST(HedgeLayer, AHedgeThatABreakerRefusesAtOnceLeavesTheFirstAlone) {
  // Call 1 opens the breaker at 1s, call 2 is under way since 0s: its hedge at 2s is refused, and
  // the first copy goes on.
  Stage stage(fmt::format(R"([{}, {{ "breaker": {{ "consecutive_failures": 1 }} }}])", hedge_2s));
  stage.script("gpt-4", {succeeds(5s), fails(invalid_request, 1s), fails(server_error, 500ms)});
  stage.call({.id = 2});
  stage.call_at(1s, {.id = 1});
  stage.call_at(1100ms, {.id = 3});
  stage.run();
  EXPECT_TRUE(stage.outcome(2).ok());
  EXPECT_EQ(stage.outcome(2).route, 0);
  EXPECT_TRUE(stage.is_quiet());
}

TEST(HedgeLayer, ACallersCancelReachesEveryCopy) {
  // 0s asks | 2s hedges | 4s hedges | 5s the caller leaves
  Stage stage(R"([{ "hedge": { "delay": "2s", "max_hedges": 2 } }])");
  stage.script("gpt-4", {hangs(), hangs(), hangs()});
  stage.call({});
  stage.later(5s, [&] { stage.cancel(1); });
  stage.run();
  EXPECT_EQ(stage.transport().started(), 3U);
  EXPECT_EQ(stage.transport().in_flight(), 0U);
  EXPECT_TRUE(stage.is_quiet());
  EXPECT_FALSE(stage.has_ended(1));
}

TEST(HedgeLayer, EveryCopyRidesThroughTheLayersBelowAndCutOnesGiveTheirPermitsBack) {
  // A half-open breaker has one permit: held by a copy that is cut, it must come back.
  Stage stage(fmt::format(
      R"([{}, {{ "breaker": {{ "consecutive_failures": 1, "open_for": "10s", "probes": 2 }} }}])",
      hedge_2s));
  stage.script("gpt-4",
               {fails(invalid_request, 1s), fails(server_error, 1s), hangs(), succeeds(1s)});
  stage.call({.id = 1});
  stage.call_at(1s, {.id = 2});
  stage.call_at(20s, {.id = 3});
  stage.run();
  EXPECT_TRUE(stage.outcome(3).ok());
  EXPECT_EQ(stage.breaker("main").probes_in_flight(), 0U);
  EXPECT_EQ(stage.breaker("main").state(), BreakerState::closed);
  EXPECT_TRUE(stage.is_quiet());
}

TEST(HedgeLayer, ARetryBelowRunsInEachCopyOnItsOwn) {
  // first: fails at 1s, waits until 11s. hedge: 2s asks, 3s succeeds. The wait is given up.
  Stage stage(fmt::format(
      R"([{}, {{ "retry": {{ "max_attempts": 2, "wait": {{ "fixed": "10s" }} }} }}])", hedge_2s));
  stage.script("gpt-4", {fails(server_error, 1s), succeeds(1s)});
  stage.call({});
  stage.run();
  EXPECT_TRUE(stage.outcome(1).ok());
  EXPECT_EQ(stage.now(), at(3s));
  EXPECT_TRUE(stage.is_quiet());
}

TEST(HedgeLayer, ARetryAboveRepeatsTheWholeRace) {
  // 0s asks | 2s hedges | 3s both have failed, wait | 4s asks | 5s succeeds
  Stage stage(fmt::format(
      R"([{{ "retry": {{ "max_attempts": 2, "wait": {{ "fixed": "1s" }} }} }}, {}])", hedge_2s));
  stage.script("gpt-4", {fails(server_error, 3s), fails(server_error, 1s), succeeds(1s)});
  stage.call({});
  stage.run();
  EXPECT_TRUE(stage.outcome(1).ok());
  EXPECT_EQ(stage.now(), at(5s));
  EXPECT_EQ(stage.transport().started(), 3U);
}

TEST(HedgeLayer, HedgesInsideHedgesAllEnd) {
  Stage stage(fmt::format(R"([{0}, {{ "hedge": {{ "delay": "1s" }} }}])", hedge_2s));
  stage.script("gpt-4", {hangs(), hangs(), hangs(), succeeds(1s)});
  stage.call({});
  stage.run();
  // 0s first | 1s its hedge | 2s the outer hedge | 3s that one's hedge, which succeeds at 4s
  EXPECT_EQ(stage.now(), at(4s));
  EXPECT_TRUE(stage.outcome(1).ok());
  EXPECT_EQ(stage.transport().started(), 4U);
  EXPECT_TRUE(stage.is_quiet());
}

TEST(HedgeLayer, TheFirstOutputOfAStreamSettlesTheRace) {
  // first: output at 5s, done at 9s. hedge at 2s: output at 3s, done at 20s. The hedge is the
  // caller's from 3s on, although the first would have been done sooner.
  Stage stage(fmt::format("[{}]", hedge_2s));
  stage.script("gpt-4", {streams(5s, 9s), streams(1s, 18s)});
  stage.call({.stream = true});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "2s call 1 hedges", "2s call 1 asks gpt-4",
                          "3s call 1 fails at gpt-4: cancelled", "20s call 1 succeeds at gpt-4",
                          "20s call 1 ends: success"));
  EXPECT_TRUE(stage.is_quiet());
}

TEST(HedgeLayer, NoHedgeBeginsOnceTheFirstHasSpoken) {
  // output at 1s, done at 30s; the hedge that was due at 2s is not sent
  Stage stage(fmt::format("[{}]", hedge_2s));
  stage.script("gpt-4", {streams(1s, 30s)});
  stage.call({.stream = true});
  stage.run();
  EXPECT_EQ(stage.transport().started(), 1U);
  EXPECT_TRUE(stage.outcome(1).ok());
}

TEST(HedgeLayer, AStreamThatBreaksAfterItsFirstOutputIsNotTriedAgain) {
  Stage stage(fmt::format("[{}]", hedge_2s));
  stage.script("gpt-4", {Answer{.kind = stream_truncated, .takes = 5s, .first_token = 1s}});
  stage.call({.stream = true});
  stage.run();
  EXPECT_EQ(stage.transport().started(), 1U);
  EXPECT_EQ(stage.outcome(1).kind, stream_truncated);
}

TEST(HedgeLayer, TheBudgetBoundsHedgesWhenEverythingIsSlow) {
  // 100 calls, each slow enough to hedge: 10 saved up, and one earned by every ten calls.
  Stage stage(R"([{ "hedge": { "delay": "2s", "budget": { "percent": 10, "burst": 10 } } }])");
  for (CallId id = 1; id <= 100; ++id) {
    stage.script("gpt-4", {succeeds(5s)});
    stage.call_at(10s * id, {.id = id, .prompt = id});
  }
  stage.run();
  EXPECT_LE(stage.transport().started(), 120U);
  EXPECT_GE(stage.transport().started(), 115U);
}

TEST(HedgeLayer, ALearnedDelayHedgesNobodyBeforeItKnowsEnough) {
  Stage stage(
      R"([{ "hedge": { "delay": { "quantile": 0.9, "min_samples": 20, "window": "1h" } } }])");
  std::vector<Answer> answers(20, succeeds(1s));
  answers.push_back(succeeds(30s));
  stage.script("gpt-4", answers);
  for (CallId id = 1; id <= 21; ++id) stage.call_at(10s * id, {.id = id, .prompt = id});
  stage.run();
  EXPECT_EQ(stage.transport().started(), 22U) << "the 21st is hedged after about a second";
  EXPECT_LT(stage.now(), at(213s));
}

TEST(CommitAtTheEnd, ABrokenStreamIsTriedAgainBecauseTheCallerHasSeenNothing) {
  const std::string_view rest = R"("to": "openai/gpt-4", "commit": "complete")";
  const std::string_view retry =
      R"([{ "retry": { "max_attempts": 2, "wait": { "fixed": "1s" } } }])";
  Stage stage(policy_of(retry, rest));
  stage.script("gpt-4",
               {Answer{.kind = stream_truncated, .takes = 5s, .first_token = 1s}, streams(1s, 2s)});
  stage.call({.stream = true});
  stage.run();
  EXPECT_TRUE(stage.outcome(1).ok());
  EXPECT_EQ(stage.transport().started(), 2U);
}

// Whatever the answers, the instants of cancellation and the shape: everything is given back.
RC_GTEST_PROP(HedgeLayerProperty, EverythingIsGivenBackWheneverTheCallersLeave, ()) {
  static const std::vector<std::string> pipelines{
      fmt::format(R"([{}, {{ "breaker": {{ "consecutive_failures": 2, "open_for": "3s" }} }}])",
                  hedge_2s),
      fmt::format(R"([{{ "cache": {{ "single_flight": true }} }}, {},
                      {{ "retry": {{ "max_attempts": 2, "wait": {{ "fixed": "1s" }} }} }}])",
                  hedge_2s),
      fmt::format(R"([{0}, {{ "retry": {{ "max_attempts": 2, "wait": {{ "fixed": "1s" }} }} }},
                      {{ "hedge": {{ "delay": "500ms", "max_hedges": 2 }} }},
                      {{ "breaker": {{ "consecutive_failures": 2, "open_for": "3s" }} }}])",
                  hedge_2s)};
  Stage stage(*rc::gen::elementOf(pipelines));
  const auto answers = *rc::gen::container<std::vector<int>>(24, rc::gen::inRange(0, 5));
  for (const int answer : answers) {
    const Answer choices[] = {succeeds(1s), succeeds(6s), fails(server_error, 1s), hangs(),
                              fails(invalid_request, 2s)};
    stage.script("gpt-4", {choices[answer]});
  }
  const int calls = *rc::gen::inRange(1, 5);
  for (int id = 1; id <= calls; ++id) {
    const auto call = static_cast<CallId>(id);
    stage.call_at(700ms * id, {.id = call, .prompt = call % 2, .deadline = at(40s)});
    const int leaves = *rc::gen::inRange(0, 200);
    if (leaves > 0) stage.later(100ms * leaves, [&stage, call] { stage.cancel(call); });
  }
  stage.run();
  RC_ASSERT(stage.is_quiet());
  for (int id = 1; id <= calls; ++id) RC_ASSERT(stage.ends(static_cast<CallId>(id)) <= 1U);
}

}  // namespace
}  // namespace brownout::testing
