// A retry layer with a budget, and what the server says about retrying.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::ElementsAre;

// Tokens for `retries` retries; a success of a first attempt brings nothing.
std::string with_budget(int retries) {
  return fmt::format(R"("to": "openai/gpt-4", "budgets": {{ "shared": {{ "quota": {{
      "capacity": {}, "retry_cost": 1, "timeout_cost": 1, "throttled_cost": 1,
      "success_gain": 0 }} }} }})",
                     retries);
}

constexpr std::string_view retry =
    R"({ "retry": { "max_attempts": 3, "wait": { "fixed": "4s" }, "budget": "shared" } })";

Policy budgeted(int retries, std::string_view below = "") {
  return policy_of(fmt::format("[{}{}]", retry, below), with_budget(retries));
}

std::size_t waits(const Stage& stage) {
  return static_cast<std::size_t>(
      std::ranges::count(stage.events(), Event::What::waited, &Event::what));
}

TEST(RetryBudgetLayer, GivesTheFailureBackAtOnceWhenTheBudgetIsSpent) {
  // C51: 0s asks | 1s fails | 5s asks | 6s fails, and there is no second retry
  Stage stage(budgeted(1));
  stage.transport().set_otherwise({.kind = overloaded, .takes = 1s, .status = 529});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "1s call 1 fails at gpt-4: overloaded",
                          "1s call 1 waits until 5s", "5s call 1 asks gpt-4",
                          "6s call 1 fails at gpt-4: overloaded", "6s call 1 ends: overloaded"));
  EXPECT_EQ(stage.outcome(1).status, 529);
}

TEST(RetryBudgetLayer, IsChargedWhenARetryIsScheduledNotWhenItIsSent) {
  // C49: a hundred calls fail at the same instant; those that wait count.
  Stage stage(budgeted(7));
  stage.transport().set_otherwise(fails(server_error, 1s));
  for (CallId id = 1; id <= 100; ++id) stage.call({.id = id});
  stage.run();
  EXPECT_EQ(waits(stage), 7U);
  EXPECT_EQ(stage.transport().started(), 107U);
}

TEST(RetryBudgetLayer, GetsBackWhatASuccessfulRetryCost) {
  Stage stage(budgeted(1));
  stage.script("gpt-4",
               {fails(server_error, 1s), succeeds(1s), fails(server_error, 1s), succeeds(1s)});
  stage.call_at(0s, {.id = 1});
  stage.call_at(10s, {.id = 2});
  stage.run();
  EXPECT_TRUE(stage.outcome(1).ok());
  EXPECT_TRUE(stage.outcome(2).ok());
}

TEST(RetryBudgetLayer, GetsBackWhatACallThatLeftWhileItWaitedWasCharged) {
  // C48: 1s call 1 waits until 5s | 2s it leaves | 11s call 2 may still retry
  Stage stage(budgeted(1));
  stage.script("gpt-4", {fails(server_error, 1s), fails(server_error, 1s), succeeds(1s)});
  stage.call_at(0s, {.id = 1});
  stage.later(2s, [&] { stage.cancel(1); });
  stage.call_at(10s, {.id = 2});
  stage.run();
  EXPECT_TRUE(stage.outcome(2).ok());
}

TEST(RetryBudgetLayer, DoesNotGetBackWhatARetryUnderWayWasCharged) {
  Stage stage(budgeted(1));
  stage.transport().set_otherwise(fails(server_error, 2s));
  stage.call_at(0s, {.id = 1});
  stage.later(7s, [&] { stage.cancel(1); });
  stage.call_at(10s, {.id = 2});
  stage.run();
  EXPECT_THAT(stage.log_of(2),
              ElementsAre("10s call 2 asks gpt-4", "12s call 2 fails at gpt-4: server_error",
                          "12s call 2 ends: server_error"));
}

TEST(RetryBudgetLayer, GetsBackWhatARetryThatABreakerRefusedWasCharged) {
  // 1s call 1 fails and opens the breaker | 5s its retry is refused: nothing was sent
  // 100s call 2 is a probe and fails | 104s so there is a token for its retry, also refused
  Stage stage(budgeted(1, R"(, { "breaker": { "consecutive_failures": 1, "open_for": "60s" } })"));
  stage.transport().set_otherwise(fails(server_error, 1s));
  stage.call_at(0s, {.id = 1});
  stage.call_at(100s, {.id = 2});
  stage.run();
  EXPECT_EQ(waits(stage), 2U);
  EXPECT_THAT(stage.log_of(2),
              ElementsAre("1m40s call 2 asks gpt-4", "1m41s call 2 fails at gpt-4: server_error",
                          "1m41s call 2 waits until 1m45s", "1m45s call 2 is refused by main",
                          "1m45s call 2 ends: breaker_open"));
}

TEST(RetryBudgetLayer, IsSharedByTheRetriesThatNameIt) {
  Stage stage(
      policy_of(fmt::format(R"([{{ "fallback": {{ "routes": [
      {{ "name": "a", "to": "x/a", "pipeline": [ {0} ] }},
      {{ "name": "b", "to": "x/b", "pipeline": [ {0} ] }} ] }} }}])",
                            retry),
                with_budget(3).substr(std::string_view(R"("to": "openai/gpt-4", )").size())));
  stage.transport().set_otherwise(fails(server_error, 1s));
  stage.call({});
  stage.run();
  EXPECT_EQ(waits(stage), 3U) << "two at a, one at b";
}

// --- what the server says ---------------------------------------------------------------------

constexpr std::string_view obedient = R"([{ "retry": { "wait": { "fixed": "4s" },
    "retry_after": { "obey_should_retry": "always" } } }])";

TEST(RetryLayer, ObeysTheServersNo) {
  Stage stage(R"([{ "retry": { "wait": { "fixed": "4s" } } }])");
  stage.script("gpt-4", {{.kind = overloaded, .takes = 1s, .should_retry = false}});
  stage.call({});
  stage.run();
  EXPECT_EQ(stage.transport().started(), 1U);
  EXPECT_EQ(stage.outcome(1).kind, overloaded);
}

TEST(RetryLayer, ObeysTheServersYesWhenThePolicySaysSo) {
  // 0s asks | 1s 409 with x-should-retry: true | 5s asks
  Stage stage(obedient);
  stage.script("gpt-4",
               {{.kind = invalid_request, .takes = 1s, .should_retry = true, .status = 409}});
  stage.call({});
  stage.run();
  EXPECT_EQ(stage.transport().started(), 2U);
  EXPECT_TRUE(stage.outcome(1).ok());
}

TEST(RetryLayer, AHintOf55HoursIsNotSleptOnButTold) {
  // C28, C29
  Stage stage(R"([{ "retry": { "wait": { "fixed": "4s" } } }])");
  stage.script("gpt-4", {{.kind = rate_limited, .takes = 1s, .retry_after = 198'300s}});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "1s call 1 fails at gpt-4: rate_limited",
                          "1s call 1 ends: rate_limited"));
  EXPECT_EQ(stage.outcome(1).retry_after, 198'300s);
}

TEST(RetryLayer, AHintIsAboutTheWaitAfterItAndNoOther) {
  // C31, C32: 1s fails, back in 10s | 11s asks | 12s fails without a hint | 16s asks
  Stage stage(R"([{ "retry": { "wait": { "fixed": "4s" } } }])");
  stage.script("gpt-4",
               {{.kind = rate_limited, .takes = 1s, .retry_after = 10s}, fails(server_error, 1s)});
  stage.call({});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "1s call 1 fails at gpt-4: rate_limited",
                          "1s call 1 waits until 11s", "11s call 1 asks gpt-4",
                          "12s call 1 fails at gpt-4: server_error", "12s call 1 waits until 16s",
                          "16s call 1 asks gpt-4", "17s call 1 succeeds at gpt-4",
                          "17s call 1 ends: success"));
}

}  // namespace
}  // namespace brownout::testing
