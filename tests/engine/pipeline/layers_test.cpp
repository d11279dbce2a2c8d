// Each layer alone, and two of them in either order.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::ElementsAre;

std::vector<Limits> limits_of_attempts(const Stage& stage) {
  std::vector<Limits> limits;
  for (const Event& event : stage.events()) {
    if (event.what == Event::What::asked) limits.push_back(event.limits);
  }
  return limits;
}

TEST(BarePipeline, GivesTheAttemptsOutcomeToTheCaller) {
  // 0s asks | 2s succeeds
  Stage stage("[]");
  stage.script("gpt-4", {succeeds(2s)});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(), ElementsAre("0s call 1 asks gpt-4", "2s call 1 succeeds at gpt-4",
                                       "2s call 1 ends: success"));
  EXPECT_EQ(*stage.outcome(1).reply.text, "reply 0 from openai/gpt-4");
  EXPECT_EQ(stage.outcome(1).route, 0);
  EXPECT_TRUE(stage.is_quiet());
}

TEST(BarePipeline, AnUnansweredCallEndsAtTheDeadlineOfTheCallerOrThePolicyWhicheverIsSooner) {
  Stage stage(policy_of("[]", R"("to": "openai/gpt-4", "deadline": "10s")"));
  stage.script("gpt-4", {hangs(), hangs()});
  stage.call({.id = 1, .deadline = at(4s)});
  stage.call({.id = 2, .deadline = at(1min)});
  stage.run();
  EXPECT_THAT(stage.log_of(1),
              ElementsAre("0s call 1 asks gpt-4", "4s call 1 fails at gpt-4: timed_out",
                          "4s call 1 ends: timed_out"));
  EXPECT_THAT(stage.log_of(2),
              ElementsAre("0s call 2 asks gpt-4", "10s call 2 fails at gpt-4: timed_out",
                          "10s call 2 ends: timed_out"));
}

TEST(BarePipeline, ACallThatComesAtItsDeadlineAsksNobody) {
  Stage stage("[]");
  stage.call({.deadline = at(0s)});
  EXPECT_FALSE(stage.has_ended(1)) << "not from inside start()";
  stage.run();
  EXPECT_THAT(stage.log(), ElementsAre("0s call 1 ends: deadline_exceeded"));
}

constexpr std::string_view retry_3 =
    R"({ "retry": { "max_attempts": 3, "wait": { "fixed": "4s" } } })";

Stage retry_stage() {
  return Stage(fmt::format("[{}]", retry_3));
}

TEST(RetryLayer, AsksAgainUntilItSucceeds) {
  // 0s asks | 1s fails | 5s asks | 6s fails | 10s asks | 11s succeeds
  Stage stage = retry_stage();
  stage.script("gpt-4", {fails(server_error, 1s), fails(connection, 1s), succeeds(1s)});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "1s call 1 fails at gpt-4: server_error",
                          "1s call 1 waits until 5s", "5s call 1 asks gpt-4",
                          "6s call 1 fails at gpt-4: connection", "6s call 1 waits until 10s",
                          "10s call 1 asks gpt-4", "11s call 1 succeeds at gpt-4",
                          "11s call 1 ends: success"));
}

TEST(RetryLayer, NumbersTheAttemptsAtATargetFromZero) {
  Stage stage = retry_stage();
  stage.script("gpt-4", {fails(server_error, 1s), fails(server_error, 1s)});
  stage.call({});
  stage.run();
  std::vector<std::uint32_t> numbers;
  for (const Event& event : stage.events()) {
    if (event.what == Event::What::asked) numbers.push_back(event.nth);
  }
  EXPECT_THAT(numbers, ElementsAre(0U, 1U, 2U));
}

TEST(RetryLayer, GivesBackTheLastErrorWithItsFactsWhenAttemptsAreSpent) {
  Stage stage = retry_stage();
  stage.script("gpt-4", {fails(server_error, 1s),
                         fails(server_error, 1s),
                         {.kind = overloaded, .takes = 1s, .retry_after = 9s, .status = 529}});
  stage.call({});
  stage.run();
  const Outcome& outcome = stage.outcome(1);
  EXPECT_EQ(outcome.kind, overloaded);
  EXPECT_EQ(outcome.status, 529);
  EXPECT_EQ(outcome.retry_after, 9s);
  EXPECT_EQ(stage.transport().started(), 3U);
}

TEST(RetryLayer, AWrongKeyStopsAtOnce) {
  Stage stage = retry_stage();
  stage.script("gpt-4", {{.kind = authentication, .takes = 1s, .status = 401}});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "1s call 1 fails at gpt-4: authentication",
                          "1s call 1 ends: authentication"));
}

TEST(RetryLayer, AWaitThatCannotFitIsNotSleptAndTheRealErrorComesBack) {
  // 0s asks | 1s fails, told to come back in 30s; the deadline is at 20s
  Stage stage = retry_stage();
  stage.script("gpt-4", {{.kind = rate_limited, .takes = 1s, .retry_after = 30s, .status = 429}});
  stage.call({.deadline = at(20s)});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "1s call 1 fails at gpt-4: rate_limited",
                          "1s call 1 ends: rate_limited"));
  EXPECT_EQ(stage.outcome(1).retry_after, 30s);
  EXPECT_EQ(stage.outcome(1).status, 429);
}

TEST(RetryLayer, AWaitThatEndsAtTheDeadlineIsNotSleptAndOneThatEndsBeforeItIs) {
  Stage stage = retry_stage();
  stage.script("gpt-4", {fails(server_error, 1s), fails(server_error, 1s)});
  stage.call({.id = 1, .deadline = at(5s)});
  stage.call({.id = 2, .deadline = at(5s + 1ns)});
  stage.run();
  EXPECT_THAT(stage.log_of(1),
              ElementsAre("0s call 1 asks gpt-4", "1s call 1 fails at gpt-4: server_error",
                          "1s call 1 ends: server_error"));
  EXPECT_THAT(stage.log_of(2),
              ElementsAre("0s call 2 asks gpt-4", "1s call 2 fails at gpt-4: server_error",
                          "1s call 2 waits until 5s", "5s call 2 asks gpt-4",
                          "5.000000001s call 2 fails at gpt-4: timed_out",
                          "5.000000001s call 2 ends: timed_out"));
}

TEST(RetryLayer, AStreamThatHasReachedTheCallerIsNotStartedAgain) {
  // Both streams break after 3s; only the first had its first token by then.
  Stage stage = retry_stage();
  stage.script("gpt-4", {{.kind = stream_truncated, .takes = 3s, .first_token = 1s},
                         {.kind = stream_truncated, .takes = 3s}});
  stage.call({.id = 1, .stream = true});
  stage.call({.id = 2, .stream = true});
  stage.run();
  EXPECT_EQ(stage.outcome(1).kind, stream_truncated);
  EXPECT_TRUE(stage.outcome(1).committed);
  EXPECT_EQ(stage.log_of(1).size(), 3U);
  EXPECT_EQ(stage.outcome(2).kind, success);
}

TEST(TimeoutLayer, BoundsAnAttemptAndTheFirstTokenAndTheSilence) {
  Stage stage(R"([{ "timeout": { "attempt": "30s", "first_token": "10s", "idle": "5s" } }])");
  stage.script(
      "gpt-4",
      {hangs(), hangs(), {.takes = 29s, .first_token = 9s}, {.takes = 12s, .first_token = 8s}});
  stage.call({.id = 1, .stream = false});
  stage.call({.id = 2, .stream = true});
  stage.call({.id = 3, .stream = true});
  stage.call({.id = 4, .stream = true});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "0s call 2 asks gpt-4", "0s call 3 asks gpt-4",
                          "0s call 4 asks gpt-4", "10s call 2 fails at gpt-4: timed_out",
                          "10s call 2 ends: timed_out", "12s call 4 succeeds at gpt-4",
                          "12s call 4 ends: success", "14s call 3 fails at gpt-4: timed_out",
                          "14s call 3 ends: timed_out", "30s call 1 fails at gpt-4: timed_out",
                          "30s call 1 ends: timed_out"));
}

TEST(TimeoutLayer, BelowARetryItBoundsEachAttemptAnew) {
  // 0s asks | 2s cut | 6s asks | 8s cut | 12s asks | 14s cut
  Stage stage(fmt::format(R"([{}, {{ "timeout": {{ "attempt": "2s" }} }}])", retry_3));
  stage.script("gpt-4", {hangs(), hangs(), hangs()});
  stage.call({});
  stage.run();
  std::vector<Instant> ends;
  for (const Limits& limits : limits_of_attempts(stage)) ends.push_back(limits.end);
  EXPECT_THAT(ends, ElementsAre(at(2s), at(8s), at(14s)));
  EXPECT_EQ(stage.now(), at(14s));
}

TEST(TimeoutLayer, AboveARetryItBoundsAllAttemptsAndWaits) {
  // 0s asks | 1s fails | 5s asks | 6s fails; another wait would end at 10s, after the 9s
  Stage stage(fmt::format(R"([{{ "timeout": {{ "attempt": "9s" }} }}, {}])", retry_3));
  stage.script("gpt-4", {fails(server_error, 1s), fails(server_error, 1s)});
  stage.call({});
  stage.run();
  EXPECT_EQ(stage.transport().started(), 2U);
  EXPECT_EQ(stage.outcome(1).kind, server_error);
  EXPECT_EQ(stage.now(), at(6s));
}

TEST(TimeoutLayer, OneRoutesLimitsAreNotTheNexts) {
  Stage stage(policy_of(R"([{ "fallback": { "routes": [
      { "name": "a", "to": "x/a", "pipeline": [
          { "timeout": { "attempt": "2s", "first_token": "1s", "idle": "3s" } } ] },
      { "name": "b", "to": "x/b", "pipeline": [ { "timeout": { "idle": "7s" } } ] },
      { "name": "c", "to": "x/c", "pipeline": [] } ] } }])",
                        R"("deadline": "1m")"));
  stage.script("a", {fails(server_error, 1s)});
  stage.script("b", {fails(server_error, 1s)});
  stage.call({});
  stage.run();
  const auto limits = limits_of_attempts(stage);
  ASSERT_EQ(limits.size(), 3U);
  EXPECT_EQ(limits[0].end, at(2s));
  EXPECT_EQ(limits[0].first_token, 1s);
  EXPECT_EQ(limits[0].idle, 3s);
  EXPECT_EQ(limits[1].end, at(1min));
  EXPECT_EQ(limits[1].first_token, forever);
  EXPECT_EQ(limits[1].idle, 7s);
  EXPECT_EQ(limits[2].end, at(1min));
  EXPECT_EQ(limits[2].idle, forever);
}

constexpr std::string_view breaker_2 =
    R"({ "breaker": { "consecutive_failures": 2, "open_for": "60s", "probe_lease": "20s" } })";

TEST(BreakerLayer, OpensRefusesProbesAndCloses) {
  // 0s and 10s fail, opening at 11s | 20s refused | 71s probe | 71.5s refused | 72s closes
  Stage stage(fmt::format("[{}]", breaker_2));
  stage.script("gpt-4", {fails(server_error, 1s), fails(server_error, 1s), succeeds(1s)});
  stage.call_at(0s, {.id = 1});
  stage.call_at(10s, {.id = 2});
  stage.call_at(20s, {.id = 3});
  stage.call_at(71s, {.id = 4});
  stage.call_at(71500ms, {.id = 5});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "1s call 1 fails at gpt-4: server_error",
                          "1s call 1 ends: server_error", "10s call 2 asks gpt-4",
                          "11s call 2 fails at gpt-4: server_error", "11s breaker main opens",
                          "11s call 2 ends: server_error", "20s call 3 is refused by main",
                          "20s call 3 ends: breaker_open", "1m11s breaker main half-opens",
                          "1m11s call 4 asks gpt-4", "1m11.5s call 5 is refused by main",
                          "1m11.5s call 5 ends: breaker_open", "1m12s call 4 succeeds at gpt-4",
                          "1m12s breaker main closes", "1m12s call 4 ends: success"));
  EXPECT_EQ(stage.outcome(3).retry_after, 51s) << "what is left of the open period";
  EXPECT_EQ(stage.outcome(5).retry_after, 19500ms) << "what is left of the lease";
  EXPECT_TRUE(stage.is_quiet());
}

TEST(BreakerLayer, NeitherTheCallersNorTheOperatorsMistakesOpenIt) {
  Stage stage(fmt::format("[{}]", breaker_2));
  const std::vector<OutcomeKind> mistakes{context_length, authentication, content_policy,
                                          invalid_request, rate_limited};
  for (std::size_t i = 0; i < mistakes.size(); ++i) {
    stage.script("gpt-4", {fails(mistakes[i], 1s)});
    stage.call({.id = i});
  }
  stage.run();
  EXPECT_EQ(stage.breaker("main").state(), BreakerState::closed);
}

TEST(BreakerLayer, ACancelledProbeGivesItsPermitBack) {
  // 0s and 1s fail | 61s probe hangs | 62s it is cancelled and another call may probe
  Stage stage(fmt::format("[{}]", breaker_2));
  stage.script("gpt-4", {fails(server_error, 0s), fails(server_error, 0s), hangs()});
  stage.call_at(0s, {.id = 1});
  stage.call_at(1s, {.id = 2});
  stage.call_at(61s, {.id = 3});
  stage.later(62s, [&] {
    EXPECT_EQ(stage.breaker("main").probes_in_flight(), 1U);
    stage.cancel(3);
    EXPECT_EQ(stage.breaker("main").probes_in_flight(), 0U);
    EXPECT_EQ(stage.breaker("main").state(), BreakerState::half_open);
    stage.call({.id = 4});
  });
  stage.run();
  EXPECT_EQ(stage.ends(3), 0U);
  EXPECT_TRUE(stage.outcome(4).ok());
}

TEST(BreakerAroundRetry, CountsExhaustedRetriesAndSoNeedsSixAttemptsToOpen) {
  Stage stage(fmt::format("[{}, {}]", breaker_2, retry_3));
  stage.script("gpt-4", std::vector<Answer>(6, fails(server_error, 1s)));
  stage.call_at(0s, {.id = 1});
  stage.call_at(100s, {.id = 2});
  stage.call_at(120s, {.id = 3});
  stage.run_until(99s);
  EXPECT_EQ(stage.transport().started(), 3U);
  EXPECT_EQ(stage.breaker("main").state(), BreakerState::closed);
  stage.run();
  EXPECT_EQ(stage.transport().started(), 6U);
  EXPECT_EQ(stage.outcome(3).kind, breaker_open);
}

TEST(RetryAroundBreaker, CountsEveryAttemptAndDoesNotRetryARefusal) {
  // 0s fails at 1s | 5s fails at 6s, opening | 10s refused
  Stage stage(fmt::format("[{}, {}]", retry_3, breaker_2));
  stage.script("gpt-4", {fails(server_error, 1s), fails(server_error, 1s)});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "1s call 1 fails at gpt-4: server_error",
                          "1s call 1 waits until 5s", "5s call 1 asks gpt-4",
                          "6s call 1 fails at gpt-4: server_error", "6s breaker main opens",
                          "6s call 1 waits until 10s", "10s call 1 is refused by main",
                          "10s call 1 ends: breaker_open"));
}

TEST(RetryAroundBreaker, ARefusalMayBeRetriedAndThenWaitsForTheOpenPeriodToEnd) {
  // 0s opens | 1s refused until 60s | 60s probe
  Stage stage(R"([{ "retry": { "max_attempts": 3, "wait": { "fixed": "1s" },
                               "on": [ "breaker_open", "server_error" ] } },
                  { "breaker": { "consecutive_failures": 1, "open_for": "60s" } }])");
  stage.script("gpt-4", {fails(server_error, 0s)});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "0s call 1 fails at gpt-4: server_error",
                          "0s breaker main opens", "0s call 1 waits until 1s",
                          "1s call 1 is refused by main", "1s call 1 waits until 1m",
                          "1m breaker main half-opens", "1m call 1 asks gpt-4",
                          "1m1s call 1 succeeds at gpt-4", "1m1s breaker main closes",
                          "1m1s call 1 ends: success"));
}

TEST(RetryAroundRetry, MultipliesAttempts) {
  Stage stage(R"([{ "retry": { "max_attempts": 2, "wait": { "fixed": "10s" } } },
                  { "retry": { "max_attempts": 3, "wait": { "fixed": "1s" } } }])");
  stage.transport().set_otherwise(fails(server_error, 0s));
  stage.call({});
  stage.run();
  EXPECT_EQ(stage.transport().started(), 6U);
  EXPECT_EQ(stage.now(), at(14s)) << "1s, 1s, 10s, 1s, 1s";
}

TEST(PipelineNames, BreakersAreNamedAfterTheRouteTheyStandIn) {
  const auto names = [](const Stage& stage) { return stage.names().breakers; };
  EXPECT_THAT(names(Stage(fmt::format("[{}]", breaker_2))), ElementsAre("main"));
  EXPECT_THAT(names(Stage(policy_of(fmt::format("[{0}, {0}]", breaker_2),
                                    R"("route": "gpt-4", "to": "openai/gpt-4")"))),
              ElementsAre("gpt-4", "gpt-4#2"));
  const std::string tree = fmt::format(R"([ {0}, {{ "fallback": {{ "routes": [
      {{ "name": "gpt-4", "to": "x/a", "pipeline": [ {0}, {0}, {0} ] }},
      {{ "name": "backup", "to": "x/b", "pipeline": [ {0} ] }} ] }} }} ])",
                                       breaker_2);
  EXPECT_THAT(names(Stage(policy_of(tree, ""))),
              ElementsAre("pipeline", "gpt-4", "gpt-4#2", "gpt-4#3", "backup"));
}

}  // namespace
}  // namespace brownout::testing
