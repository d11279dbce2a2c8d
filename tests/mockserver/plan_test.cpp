#include "mockserver/plan.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace brownout::mock {
namespace {

using namespace std::chrono_literals;

// Tokens at 100, 110, …, 200 ms.
Plan eleven_tokens() {
  Plan plan;
  plan.generates = true;
  plan.output_tokens = 11;
  plan.delivered_tokens = 11;
  plan.first_token = 100ms;
  plan.last_token = 200ms;
  return plan;
}

TEST(Plan, TokensLeaveEvenlySpaced) {
  const Plan plan = eleven_tokens();
  EXPECT_EQ(token_at(plan, 0), 100ms);
  EXPECT_EQ(token_at(plan, 3), 130ms);
  EXPECT_EQ(token_at(plan, 10), 200ms);
}

TEST(Plan, TokensAreGeneratedAtTheirInstantNotBefore) {
  const Plan plan = eleven_tokens();
  EXPECT_EQ(tokens_generated(plan, 0ms), 0u);
  EXPECT_EQ(tokens_generated(plan, 100ms - 1ns), 0u);
  EXPECT_EQ(tokens_generated(plan, 100ms), 1u);
  EXPECT_EQ(tokens_generated(plan, 110ms - 1ns), 1u);
  EXPECT_EQ(tokens_generated(plan, 110ms), 2u);
  EXPECT_EQ(tokens_generated(plan, 200ms), 11u);
  EXPECT_EQ(tokens_generated(plan, forever), 11u);
}

TEST(Plan, ACutBoundsWhatIsGenerated) {
  Plan plan = eleven_tokens();
  plan.delivered_tokens = 4;
  EXPECT_EQ(tokens_generated(plan, 1s), 4u);
}

TEST(Plan, AnErrorGeneratesNothing) {
  Plan plan = eleven_tokens();
  plan.generates = false;
  EXPECT_EQ(tokens_generated(plan, 1s), 0u);
}

TEST(Plan, ASingleTokenIsGeneratedAtOnce) {
  Plan plan = eleven_tokens();
  plan.output_tokens = plan.delivered_tokens = 1;
  plan.last_token = plan.first_token;
  EXPECT_EQ(token_at(plan, 0), 100ms);
  EXPECT_EQ(tokens_generated(plan, 100ms), 1u);
}

RC_GTEST_PROP(Plan, CountingTokensInvertsTheirInstants, ()) {
  Plan plan;
  plan.generates = true;
  plan.output_tokens = *rc::gen::inRange<std::uint32_t>(1, 1'000'000);
  plan.delivered_tokens = plan.output_tokens;
  plan.first_token = Duration{*rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000)};
  const auto span = *rc::gen::inRange<std::int64_t>(0, 100'000'000'000'000);
  plan.last_token = plan.first_token + Duration{plan.output_tokens == 1 ? 0 : span};
  const auto k = *rc::gen::inRange<std::uint32_t>(0, plan.output_tokens);
  const Duration instant = token_at(plan, k);
  RC_ASSERT(tokens_generated(plan, instant) >= k + 1);
  // Several tokens may share an instant, but none of them comes before it.
  if (instant > Duration{0}) RC_ASSERT(tokens_generated(plan, instant - 1ns) <= k);
}

}  // namespace
}  // namespace brownout::mock
