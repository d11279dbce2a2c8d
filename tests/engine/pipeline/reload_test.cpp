// A policy takes another's place while calls are under way.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/pipeline/shared_breaker.hpp"
#include "engine/pipeline/shared_budget.hpp"
#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::ElementsAre;

constexpr std::string_view breaker =
    R"([ { "breaker": { "consecutive_failures": 2, "open_for": "1m" } } ])";

TEST(Reload, CallsUnderWayEndInThePolicyTheyBeganIn) {
  // 0s call 1 asks | 1s reload: no retry any more | 2s call 1 fails and retries | call 2 does not
  Stage stage(R"([ { "retry": { "max_attempts": 2, "wait": { "fixed": "1s" } } } ])");
  stage.script("gpt-4", {fails(server_error, 2s), fails(server_error, 1s), succeeds(2s)});
  stage.call({.id = 1});
  stage.later(1s, [&] { stage.reload(policy_of("[]")); });
  stage.call_at(1s, {.id = 2});
  stage.run();
  EXPECT_THAT(stage.log_of(2),
              ElementsAre("1s call 2 asks gpt-4", "2s call 2 fails at gpt-4: server_error",
                          "2s call 2 ends: server_error"));
  EXPECT_TRUE(stage.outcome(1).ok());
  EXPECT_TRUE(stage.is_quiet());
}

TEST(Reload, AnOpenBreakerStaysOpenWhetherItsOptionsChangeOrNot) {
  for (const std::string_view after :
       {breaker, std::string_view(R"([ { "breaker": { "consecutive_failures": 9 } } ])")}) {
    Stage stage(breaker);
    stage.script("gpt-4", {fails(server_error, 1s), fails(server_error, 1s)});
    stage.call({.id = 1});
    stage.call_at(1s, {.id = 2});
    stage.later(5s, [&] { stage.reload(policy_of(after)); });
    stage.call_at(6s, {.id = 3});
    stage.run();
    EXPECT_EQ(stage.outcome(3).kind, breaker_open) << after;
    EXPECT_EQ(stage.breaker("main").state(), BreakerState::open);
  }
}

TEST(Reload, AFailureOfTheOldPolicysCallsCountsInTheBreakerTheyShare) {
  // Both calls begin before the reload and fail after it.
  Stage stage(breaker);
  stage.script("gpt-4", {fails(server_error, 3s), fails(server_error, 3s)});
  stage.call({.id = 1});
  stage.call({.id = 2});
  stage.later(1s, [&] { stage.reload(policy_of(breaker)); });
  stage.run_until(4s);
  EXPECT_EQ(stage.breaker("main").state(), BreakerState::open);
}

TEST(Reload, AnEmptyBudgetStaysEmpty) {
  const std::string_view budget =
      R"("to": "openai/gpt-4",
          "budgets": { "shared": { "quota": { "capacity": 5, "retry_cost": 5 } } })";
  const std::string_view retry =
      R"([ { "retry": { "max_attempts": 2, "wait": { "fixed": "1s" }, "budget": "shared" } } ])";
  Stage stage(policy_of(retry, budget));
  stage.script("gpt-4", std::vector<Answer>(4, fails(server_error, 1s)));
  stage.call({.id = 1});
  stage.later(5s, [&] { stage.reload(policy_of(retry, budget)); });
  stage.call_at(6s, {.id = 2});
  stage.run();
  EXPECT_EQ(stage.transport().started(), 3U) << "the second call has nothing to retry with";
}

TEST(Reload, ManyReloadsUnderWayLeaveNothingBehind) {
  Stage stage(R"([ { "hedge": { "delay": "1s" } } ])");
  for (CallId id = 1; id <= 20; ++id) {
    stage.script("gpt-4", {succeeds(3s)});
    stage.call_at(500ms * id, {.id = id, .prompt = id});
    stage.later(500ms * id + 1ms, [&stage, id] {
      stage.reload(policy_of(id % 2 == 0 ? R"([ { "hedge": { "delay": "1s" } } ])"
                                         : R"([ { "retry": {} }, { "breaker": {} } ])"));
    });
  }
  stage.run();
  for (CallId id = 1; id <= 20; ++id) EXPECT_TRUE(stage.outcome(id).ok()) << id;
  EXPECT_TRUE(stage.is_quiet());
}

}  // namespace
}  // namespace brownout::testing
