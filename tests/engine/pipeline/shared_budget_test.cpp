#include "engine/pipeline/shared_budget.hpp"

#include <gmock/gmock.h>

#include <thread>

#include "tests/support/engine/stage.hpp"

namespace brownout {
namespace {

using namespace std::chrono_literals;

TEST(SharedBudget, TwoThreadsShareWhatThereIs) {
  constexpr std::uint32_t capacity = 20'000;
  SharedBudget budget(QuotaOptions{.capacity = capacity, .retry_cost = 1});
  const auto withdraw_all = [&](std::uint32_t& granted) {
    while (budget.try_withdraw(Instant{})) ++granted;
  };
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  std::thread one([&] { withdraw_all(first); });
  std::thread two([&] { withdraw_all(second); });
  one.join();
  two.join();
  EXPECT_EQ(first + second, capacity);
  EXPECT_EQ(budget.level(Instant{}), 0);
}

// 0s asks, 1s fails with overloaded: a retry costs 5 of 20 tokens.
TEST(SharedBudget, ItsLevelCanBeReadFromThePipeline) {
  testing::Stage stage(testing::policy_of(
      R"([ { "retry": { "max_attempts": 2, "budget": "all" } } ])",
      R"("to": "openai/gpt-4", "budgets": { "all": { "quota": { "capacity": 20 } } })"));
  stage.script("gpt-4", {testing::fails(OutcomeKind::overloaded, 1s), testing::hangs()});
  stage.call({.id = 1});
  stage.run_until(500ms);
  const auto budgets = stage.engine().pipeline().budgets();
  ASSERT_EQ(budgets.size(), 1U);
  EXPECT_EQ(budgets[0].name, "all");
  EXPECT_EQ(budgets[0].budget->level(stage.now()), 20'000);
  stage.run_until(1s);
  EXPECT_EQ(budgets[0].budget->level(stage.now()), 15'000);
}

TEST(PipelineNames, AreThoseOfThePolicy) {
  testing::Stage stage(testing::policy_of(R"([ { "breaker": {} }, { "fallback": { "routes": [
      { "name": "first", "to": "openai/gpt-4", "pipeline": [ { "breaker": {} } ] },
      { "name": "second", "to": "anthropic/claude", "pipeline": [] } ] } } ])",
                                          ""));
  const PipelineNames names = stage.engine().pipeline().names();
  ASSERT_EQ(names.routes.size(), 2U);
  EXPECT_EQ(names.routes[1].name, "second");
  EXPECT_EQ(names.routes[1].model, "anthropic/claude");
  ASSERT_EQ(names.breakers.size(), 2U);
  EXPECT_EQ(names.breakers[0].name, "pipeline");
  EXPECT_EQ(names.breakers[0].route, no_route);
  EXPECT_EQ(names.breakers[1].name, "first");
  EXPECT_EQ(names.breakers[1].route, 0);
}

}  // namespace
}  // namespace brownout
