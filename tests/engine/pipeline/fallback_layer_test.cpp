// Fallback chains on the stage: the order of routes, and what answers when none does.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace brownout::testing
