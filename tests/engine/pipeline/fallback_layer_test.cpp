// Fallback chains on the stage: the order of routes, and what answers when none does.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <utility>

#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::ElementsAre;

// Three bare routes a, b and c; `rest` are further members of the fallback.
Policy three_routes(std::string_view rest = "", std::string_view of_policy = "") {
  return policy_of(fmt::format(R"([{{ "fallback": {{ "routes": [
      {{ "name": "a", "to": "x/a", "pipeline": [] }},
      {{ "name": "b", "to": "x/b", "pipeline": [] }},
      {{ "name": "c", "to": "x/c", "pipeline": [] }} ]{}{} }} }}])",
                               rest.empty() ? "" : ", ", rest),
                   of_policy);
}

constexpr std::string_view cached_then_default =
    R"("then": [ { "cached": { "ttl": "1h" } }, { "default": "sorry" } ])";

TEST(FallbackLayer, TriesRoutesInOrderUntilOneAnswers) {
  Stage stage(three_routes());
  stage.script("a", {fails(server_error, 1s)});
  stage.script("b", {fails(rate_limited, 2s)});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(), ElementsAre("0s call 1 asks a", "1s call 1 fails at a: server_error",
                                       "1s call 1 asks b", "3s call 1 fails at b: rate_limited",
                                       "3s call 1 asks c", "4s call 1 succeeds at c",
                                       "4s call 1 ends: success"));
  EXPECT_EQ(stage.outcome(1).route, 2);
}

TEST(FallbackLayer, GivesBackTheFirstFailureWhenAllRoutesFail) {
  Stage stage(three_routes());
  stage.script("a", {{.kind = overloaded, .takes = 1s, .retry_after = 7s, .status = 529}});
  stage.script("b", {fails(server_error, 1s)});
  stage.script("c", {fails(connection, 1s)});
  stage.call({});
  stage.run();
  EXPECT_EQ(stage.outcome(1).kind, overloaded);
  EXPECT_EQ(stage.outcome(1).status, 529);
  EXPECT_EQ(stage.outcome(1).retry_after, 7s);
  EXPECT_EQ(stage.outcome(1).route, 0);
}

TEST(FallbackLayer, GivesBackWhatAProviderSaidRatherThanARefusal) {
  // Call 1 opens a's breaker; call 2 is refused there and fails at b.
  Stage stage(policy_of(R"([{ "fallback": { "routes": [
      { "name": "a", "to": "x/a", "pipeline": [ { "breaker": { "consecutive_failures": 1 } } ] },
      { "name": "b", "to": "x/b", "pipeline": [] } ] } }])",
                        ""));
  stage.script("a", {fails(server_error, 1s)});
  stage.script("b", {fails(timed_out, 1s), fails(connection, 1s)});
  stage.call_at(0s, {.id = 1});
  stage.call_at(10s, {.id = 2});
  stage.run();
  EXPECT_EQ(stage.outcome(1).kind, server_error);
  EXPECT_THAT(stage.log_of(2),
              ElementsAre("10s call 2 is refused by a", "10s call 2 asks b",
                          "11s call 2 fails at b: connection", "11s call 2 ends: connection"));
}

TEST(FallbackLayer, GivesBackWhatStopsItWhateverFailedBefore) {
  Stage stage(three_routes(cached_then_default));
  stage.script("a", {fails(server_error, 1s)});
  stage.script("b", {{.kind = authentication, .takes = 1s, .status = 401}});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(), ElementsAre("0s call 1 asks a", "1s call 1 fails at a: server_error",
                                       "1s call 1 asks b", "2s call 1 fails at b: authentication",
                                       "2s call 1 ends: authentication"));
  EXPECT_EQ(stage.outcome(1).status, 401);
}

TEST(FallbackLayer, APromptThatIsTooLongIsNeitherRetriedNorCountedNorSentElsewhere) {
  Stage stage(policy_of(R"([{ "fallback": { "routes": [
      { "name": "a", "to": "x/a", "pipeline": [
          { "retry": { "max_attempts": 3 } }, { "breaker": { "consecutive_failures": 1 } } ] },
      { "name": "b", "to": "x/b", "pipeline": [] } ],
      "then": [ "cached", { "default": "sorry" } ] } }])",
                        ""));
  stage.script("a", {fails(context_length, 1s)});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(), ElementsAre("0s call 1 asks a", "1s call 1 fails at a: context_length",
                                       "1s call 1 ends: context_length"));
  EXPECT_EQ(stage.breaker("a").state(), BreakerState::closed);
}

TEST(FallbackLayer, AStreamThatHasReachedTheCallerIsNotStartedElsewhere) {
  Stage stage(three_routes(cached_then_default));
  stage.script("a", {{.kind = stream_truncated, .takes = 3s, .first_token = 1s}});
  stage.call({.stream = true});
  stage.run();
  EXPECT_THAT(stage.log(), ElementsAre("0s call 1 asks a", "3s call 1 fails at a: stream_truncated",
                                       "3s call 1 ends: stream_truncated"));
}

TEST(FallbackLayer, AStreamThatBreaksOnALaterRouteIsNotRepeatedByARetryAbove) {
  // a fails before any output, b after: what comes back is b's failure, which is committed.
  Stage stage(policy_of(R"([{ "retry": { "max_attempts": 3 } }, { "fallback": { "routes": [
      { "name": "a", "to": "x/a", "pipeline": [] },
      { "name": "b", "to": "x/b", "pipeline": [] } ] } }])",
                        ""));
  stage.script("a", {fails(server_error, 1s)});
  stage.script("b", {{.kind = stream_truncated, .takes = 3s, .first_token = 1s}});
  stage.call({.stream = true});
  stage.run();
  EXPECT_EQ(stage.transport().started(), 2U);
  EXPECT_EQ(stage.outcome(1).kind, stream_truncated);
  EXPECT_TRUE(stage.outcome(1).committed);
  EXPECT_EQ(stage.outcome(1).route, 1);
}

TEST(FallbackLayer, AnswersAtTheDeadlineWithTheDefaultReplyInsteadOfAnotherRoute) {
  // 0s asks a | 5s the deadline cuts it; b could not begin
  Stage stage(three_routes(cached_then_default, R"("deadline": "5s")"));
  stage.script("a", {hangs()});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(), ElementsAre("0s call 1 asks a", "5s call 1 fails at a: timed_out",
                                       "5s call 1 ends: default reply"));
  EXPECT_EQ(*stage.outcome(1).reply.text, "\"sorry\"");
  EXPECT_EQ(end_of(stage.outcome(1)), CallEnd::degraded);
}

// Call 1 succeeds at 1s; later everything fails, and call 2 asks for the same prompt so that the
// cache is looked at exactly at `when`.
Stage& fail_later(Stage& stage, Duration when) {
  stage.transport().set_otherwise(fails(server_error, 0s));
  stage.script("a", {succeeds(1s)});
  stage.call_at(0s, {.id = 1, .prompt = 7});
  stage.call_at(when, {.id = 2, .prompt = 7});
  stage.call_at(when, {.id = 3, .prompt = 8});
  stage.run();
  return stage;
}

TEST(FallbackLayer, AnswersFromTheCacheWhileTheReplyIsFreshEnough) {
  Stage stage(three_routes(cached_then_default));
  fail_later(stage, 1h + 1s - 1ns);
  EXPECT_EQ(end_of(stage.outcome(2)), CallEnd::cached);
  EXPECT_EQ(*stage.outcome(2).reply.text, "reply 0 from x/a");
  EXPECT_EQ(end_of(stage.outcome(3)), CallEnd::degraded) << "another prompt";
  EXPECT_EQ(stage.transport().started(), 7U) << "every route was tried first";
}

TEST(FallbackLayer, AnswersByDefaultOnceTheCachedReplyIsTooOld) {
  Stage stage(three_routes(cached_then_default));
  fail_later(stage, 1h + 1s);
  EXPECT_EQ(end_of(stage.outcome(2)), CallEnd::degraded);
}

TEST(FallbackLayer, AnswersWithAStaleReplyRatherThanByDefaultWhenThePolicySaysSo) {
  // 1s: the reply is stored | 1h1s: no longer fresh, stale | 24h1s: too old
  constexpr std::string_view then =
      R"("then": [ { "cached": { "ttl": "1h", "stale": "24h" } }, { "default": "sorry" } ])";
  const auto end_at = [&](Duration when) {
    Stage stage(three_routes(then));
    const Outcome outcome = fail_later(stage, when).outcome(2);
    return std::pair(outcome.served, end_of(outcome));
  };
  EXPECT_EQ(end_at(1h + 1s - 1ns), std::pair(Served::cached, CallEnd::cached));
  EXPECT_EQ(end_at(1h + 1s), std::pair(Served::stale, CallEnd::degraded));
  EXPECT_EQ(end_at(24h + 1s - 1ns), std::pair(Served::stale, CallEnd::degraded));
  EXPECT_EQ(end_at(24h + 1s), std::pair(Served::fallback, CallEnd::degraded));
}

std::vector<LookupEvent::Result> lookups_of(const Stage& stage, CallId id) {
  std::vector<LookupEvent::Result> results;
  for (const Event& event : stage.events()) {
    if (event.what == Event::What::looked && event.call == id) results.push_back(event.lookup);
  }
  return results;
}

TEST(FallbackLayer, SaysWhatItsLookupsFound) {
  using enum LookupEvent::Result;
  constexpr std::string_view then = R"("then": [ { "cached": { "ttl": "1h", "stale": "24h" } } ])";
  const auto found_at = [&](Duration when) {
    Stage stage(three_routes(then));
    fail_later(stage, when);
    EXPECT_THAT(lookups_of(stage, 1), ElementsAre()) << "it had no need to look";
    EXPECT_THAT(lookups_of(stage, 3), ElementsAre(miss)) << "nothing is stored for it";
    return lookups_of(stage, 2);
  };
  EXPECT_THAT(found_at(1h), ElementsAre(hit));
  EXPECT_THAT(found_at(2h), ElementsAre(stale));
  EXPECT_THAT(found_at(25h), ElementsAre(miss));
}

TEST(FallbackLayer, ACacheLayerAboveKeepsRepliesForAsLongAsTheFallbackWantsThem) {
  // The cache stores last, under the same key; a store that drops what nobody wants any more must
  // not drop the stale reply after the cache's ten minutes.
  Stage stage(policy_of(R"([{ "cache": { "ttl": "10m" } }, { "fallback": { "routes": [
      { "name": "a", "to": "x/a", "pipeline": [] } ],
      "then": [ { "cached": { "ttl": "1h", "stale": "24h" } } ] } }])",
                        ""));
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.store().kept_for(), ElementsAre(24h, 24h));
}

TEST(FallbackLayer, GivesTheFirstFailureBackWhenTheCacheHasNothingAndThereIsNoDefault) {
  Stage stage(three_routes(R"("then": [ "cached" ])"));
  stage.script("a", {fails(overloaded, 0s)});
  stage.transport().set_otherwise(fails(server_error, 0s));
  stage.store().set_delay(2s);
  stage.call({});
  stage.run();
  EXPECT_EQ(stage.outcome(1).kind, overloaded);
  EXPECT_EQ(stage.now(), at(2s)) << "it waited for the store";
  EXPECT_TRUE(stage.is_quiet());
}

TEST(FallbackLayer, KeepsNothingUnlessItMayAnswerFromTheCache) {
  Stage stage(three_routes(R"("then": [ { "default": "sorry" } ])"));
  stage.call({});
  stage.run();
  EXPECT_EQ(stage.store().replies().size(), 0U);
}

TEST(FallbackLayer, MayStandInsideARouteOfAnother) {
  Stage stage(policy_of(R"([{ "fallback": { "routes": [
      { "name": "near", "pipeline": [ { "fallback": { "routes": [
          { "name": "a", "to": "x/a", "pipeline": [] },
          { "name": "b", "to": "x/b", "pipeline": [] } ] } } ] },
      { "name": "far", "to": "x/c", "pipeline": [] } ] } }])",
                        ""));
  stage.script("a", {fails(server_error, 1s)});
  stage.script("b", {fails(server_error, 1s)});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(), ElementsAre("0s call 1 asks a", "1s call 1 fails at a: server_error",
                                       "1s call 1 asks b", "2s call 1 fails at b: server_error",
                                       "2s call 1 asks c", "3s call 1 succeeds at c",
                                       "3s call 1 ends: success"));
  EXPECT_EQ(stage.engine().pipeline().routes()[stage.outcome(1).route].name, "far");
}

TEST(FallbackLayer, APromptThatIsTooLongGoesToTheRouteWithTheLargerWindowAlone) {
  Stage stage(policy_of(R"([{ "fallback": { "routes": [
      { "name": "a", "to": "x/a", "pipeline": [] },
      { "name": "b", "to": "x/b", "pipeline": [] },
      { "name": "large", "to": "x/large", "for": [ "context_length" ], "pipeline": [] } ] } }])",
                        ""));
  stage.script("a", {fails(context_length, 1s), fails(server_error, 1s)});
  stage.script("b", {fails(server_error, 1s)});
  stage.call_at(0s, {.id = 1});
  stage.call_at(10s, {.id = 2});
  stage.run();
  EXPECT_THAT(stage.log_of(1),
              ElementsAre("0s call 1 asks a", "1s call 1 fails at a: context_length",
                          "1s call 1 asks large", "2s call 1 succeeds at large",
                          "2s call 1 ends: success"));
  EXPECT_THAT(
      stage.log_of(2),
      ElementsAre("10s call 2 asks a", "11s call 2 fails at a: server_error", "11s call 2 asks b",
                  "12s call 2 fails at b: server_error", "12s call 2 ends: server_error"));
}

TEST(FallbackLayer, APoisonedRequestDoesNotOpenTheBreakersOfAllRoutes) {
  // C78: the request that no model can answer. The caller's fault goes nowhere; one that looks like
  // the providers' stops after max_routes.
  constexpr std::string_view routes = R"([{{ "fallback": {{ "max_routes": 2, "routes": [
      {{ "name": "a", "to": "x/a", "pipeline": [ {0} ] }},
      {{ "name": "b", "to": "x/b", "pipeline": [ {0} ] }},
      {{ "name": "c", "to": "x/c", "pipeline": [ {0} ] }} ] }} }}])";
  const auto policy = [&] {
    return policy_of(fmt::format(routes, R"({ "breaker": { "consecutive_failures": 1 } })"), "");
  };
  const auto open_after = [&](OutcomeKind kind) {
    Stage stage(policy());
    stage.transport().set_otherwise(fails(kind, 1s));
    stage.call({});
    stage.run();
    int open = 0;
    for (const char* name : {"a", "b", "c"}) {
      open += stage.breaker(name).state() == BreakerState::open;
    }
    return open;
  };
  EXPECT_EQ(open_after(invalid_request), 0);
  EXPECT_EQ(open_after(server_error), 2);
}

// Two routes whose breakers open at the first failure, for 20s and 5s.
Policy two_breakers(std::string_view rest) {
  return policy_of(fmt::format(R"([{{ "fallback": {{ "routes": [
      {{ "name": "a", "to": "x/a", "pipeline": [
          {{ "breaker": {{ "consecutive_failures": 1, "open_for": "20s" }} }} ] }},
      {{ "name": "b", "to": "x/b", "pipeline": [
          {{ "breaker": {{ "consecutive_failures": 1, "open_for": "5s" }} }} ] }} ]{} }} }}])",
                               rest),
                   "");
}

// Call 1 opens a at 1s, until 21s, and b at 2s, until 7s; call 2 comes at 3s.
Stage& refuse_everywhere(Stage& stage, const CallPlan& second = {.id = 2}) {
  stage.script("a", {fails(server_error, 1s)});
  stage.script("b", {fails(server_error, 1s)});
  stage.call_at(0s, {.id = 1});
  stage.call_at(3s, second);
  stage.run();
  EXPECT_TRUE(stage.is_quiet());
  return stage;
}

TEST(FallbackLayer, SaysWhenTheFirstRouteWillBeBackWhenAllRefuse) {
  // C35, C64: the first refusal is a's, with 18s to go; b is back in 4s.
  Stage stage(two_breakers(""));
  refuse_everywhere(stage);
  EXPECT_EQ(stage.outcome(2).kind, breaker_open);
  EXPECT_EQ(stage.outcome(2).retry_after, 4s);
}

TEST(FallbackLayer, WaitsForTheFirstRouteToBeBackWhenThePolicySaysSo) {
  // C64: 3s both refuse | 7s b is back
  Stage stage(two_breakers(R"(, "when_all_refuse": { "wait": { "at_most": "4s" } })"));
  refuse_everywhere(stage);
  EXPECT_THAT(stage.log_of(2),
              ElementsAre("3s call 2 is refused by a", "3s call 2 is refused by b",
                          "3s call 2 waits for a route until 7s", "7s call 2 asks b",
                          "8s call 2 succeeds at b", "8s call 2 ends: success"));
  const auto wait = std::ranges::find(stage.events(), Event::What::waited, &Event::what);
  ASSERT_NE(wait, stage.events().end());
  EXPECT_EQ(wait->reason, WaitReason::route);
  EXPECT_EQ(wait->route, 1);
}

TEST(FallbackLayer, FailsAtOnceWhenTheWaitWouldBeLongerThanAtMost) {
  Stage stage(two_breakers(R"(, "when_all_refuse": { "wait": { "at_most": "3999ms" } })"));
  refuse_everywhere(stage);
  EXPECT_THAT(stage.log_of(2), ElementsAre("3s call 2 is refused by a", "3s call 2 is refused by b",
                                           "3s call 2 ends: breaker_open"));
}

TEST(FallbackLayer, FailsAtOnceWhenTheWaitDoesNotFitTheDeadline) {
  Stage stage(two_breakers(R"(, "when_all_refuse": { "wait": {} })"));
  refuse_everywhere(stage, {.id = 2, .deadline = at(7s)});
  EXPECT_THAT(stage.log_of(2), ElementsAre("3s call 2 is refused by a", "3s call 2 is refused by b",
                                           "3s call 2 ends: breaker_open"));
  EXPECT_EQ(stage.outcome(2).retry_after, 4s);
}

TEST(FallbackLayer, WaitsForARouteOnceAndThenTakesTheLastResort) {
  // 3s both refuse, calls 3 and 2 wait | 7s call 3 is b's probe, call 2 is refused again
  Stage stage(
      two_breakers(R"(, "when_all_refuse": { "wait": {} }, "then": [ { "default": "sorry" } ])"));
  stage.call_at(3s, {.id = 3});
  refuse_everywhere(stage);
  EXPECT_EQ(stage.outcome(3).served, Served::live);
  EXPECT_THAT(stage.log_of(2),
              ElementsAre("3s call 2 is refused by a", "3s call 2 is refused by b",
                          "3s call 2 waits for a route until 7s", "7s call 2 is refused by b",
                          "7s call 2 ends: default reply"));
}

TEST(FallbackLayer, ACallCancelledWhileItWaitsForARouteIsGone) {
  Stage stage(two_breakers(R"(, "when_all_refuse": { "wait": {} })"));
  stage.later(5s, [&] { stage.cancel(2); });
  refuse_everywhere(stage);
  EXPECT_FALSE(stage.has_ended(2));
  EXPECT_EQ(stage.transport().started(), 2U);
}

TEST(FallbackLayer, DrawsTheFirstRouteByWeightAndGoesOnByWeight) {
  // 4,000 calls one after the other; a fails all of them. b to c as 1 to 2, whether first or next.
  Stage stage(policy_of(R"([{ "fallback": { "order": "weighted", "routes": [
      { "name": "a", "to": "x/a", "weight": 3, "pipeline": [] },
      { "name": "b", "to": "x/b", "weight": 1, "pipeline": [] },
      { "name": "c", "to": "x/c", "weight": 2, "pipeline": [] } ] } }])",
                        ""));
  constexpr int calls = 4000;
  stage.script("a", std::vector<Answer>(calls, fails(server_error, 1ms)));
  for (CallId id = 1; id <= calls; ++id) stage.call_at(1s * id, {.id = id});
  stage.run();
  std::map<CallId, std::vector<TargetId>> asked;
  for (const Event& event : stage.events()) {
    if (event.what == Event::What::asked) asked[event.call].push_back(event.target);
  }
  std::map<TargetId, int> first;
  std::map<TargetId, int> last;
  for (const auto& [id, targets] : asked) {
    ++first[targets.front()];
    ++last[targets.back()];
  }
  // Five standard deviations of a count around p n are 5 sqrt(n p (1 - p)).
  EXPECT_NEAR(first[0], calls / 2, 158);
  EXPECT_NEAR(first[1], calls / 6, 118);
  EXPECT_NEAR(last[1], calls / 3, 149);
  EXPECT_EQ(last[1] + last[2], calls);
}

TEST(FallbackLayer, NestedAsDeepAsAFileGoesEveryRouteIsTriedOnce) {
  // C74: a route cannot name another, so fallbacks form a tree: 15 deep with a route on every
  // level.
  std::string pipeline = "[]";
  int leaves = 1;
  for (int depth = 0; depth < 12; ++depth) {
    const std::string to = leaves == 1 ? R"("to": "x/end", )" : "";
    pipeline = fmt::format(R"([{{ "fallback": {{ "routes": [
        {{ "name": "deeper{0}", {1}"pipeline": {2} }},
        {{ "name": "r{0}", "to": "x/r{0}", "pipeline": [] }} ] }} }}])",
                           depth, to, pipeline);
    ++leaves;
  }
  Stage stage(policy_of(pipeline, ""));
  stage.transport().set_otherwise(fails(server_error, 1s));
  stage.call({});
  stage.run();
  EXPECT_EQ(stage.transport().started(), static_cast<std::size_t>(leaves));
  EXPECT_EQ(stage.outcome(1).kind, server_error);
}

}  // namespace
}  // namespace brownout::testing
