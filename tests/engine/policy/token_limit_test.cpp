#include "engine/policy/token_limit.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace brownout {
namespace {

using OnTooLong = TokenLimitOptions::OnTooLong;
using enum TokenVerdict;

constexpr std::uint32_t most = 0xFFFFFFFF;

TEST(EstimateTokens, FourBytesOfAsciiOrTwoOthersAreAToken) {
  EXPECT_EQ(estimate_tokens(""), 0U);
  EXPECT_EQ(estimate_tokens("a"), 1U);
  EXPECT_EQ(estimate_tokens("four"), 1U);
  EXPECT_EQ(estimate_tokens("fours"), 2U);
  EXPECT_EQ(estimate_tokens("жить"), 4U);
  EXPECT_EQ(estimate_tokens("東京"), 3U);
  EXPECT_EQ(estimate_tokens("🙂"), 2U);
  EXPECT_EQ(estimate_tokens(std::string(4000, 'x')), 1000U);
}

RC_GTEST_PROP(EstimateTokens, NeverFallsWhenTextIsAdded, (std::string text, std::string more)) {
  RC_ASSERT(estimate_tokens(text + more) >= estimate_tokens(text));
  RC_ASSERT(estimate_tokens(text + more) <= estimate_tokens(text) + estimate_tokens(more));
}

TEST(TokenLimit, InputAndOutputTogetherMustFit) {
  const TokenDecision fitting = check_tokens({}, {.input_tokens = 7000, .max_tokens = 1192}, 8192);
  EXPECT_EQ(fitting.verdict, fits);
  EXPECT_EQ(fitting.max_tokens, 1192U);
  EXPECT_EQ(fitting.needed, 8192U);
  EXPECT_EQ(check_tokens({}, {.input_tokens = 7000, .max_tokens = 1193}, 8192).verdict, too_long);
}

TEST(TokenLimit, WithoutACapOnTheOutputTheReserveMustFit) {
  const TokenLimitOptions options{.reserve = 192};
  EXPECT_EQ(check_tokens(options, {.input_tokens = 8000}, 8192).verdict, fits);
  EXPECT_EQ(check_tokens(options, {.input_tokens = 8000}, 8192).max_tokens, 0U);
  EXPECT_EQ(check_tokens(options, {.input_tokens = 8001}, 8192).verdict, too_long);
}

// The request of a captured error: "maximum context length is 128000 tokens ... resulted in
// 202868".
TEST(TokenLimit, APromptLongerThanTheWindowCannotBeReduced) {
  const TokenNeed need{.input_tokens = 202'868, .max_tokens = 1000};
  for (const OnTooLong choice : {OnTooLong::fail, OnTooLong::reduce}) {
    EXPECT_EQ(check_tokens({.on_too_long = choice}, need, 128'000).verdict, too_long);
  }
}

TEST(TokenLimit, ReducesToTheRoomThatIsLeftAndNotBelowTheReserve) {
  const TokenLimitOptions options{.on_too_long = OnTooLong::reduce, .reserve = 100};
  const TokenDecision reduced =
      check_tokens(options, {.input_tokens = 900, .max_tokens = 500}, 1000);
  EXPECT_EQ(reduced.verdict, reduce);
  EXPECT_EQ(reduced.max_tokens, 100U);
  EXPECT_EQ(check_tokens(options, {.input_tokens = 901, .max_tokens = 500}, 1000).verdict,
            too_long);
}

TEST(TokenLimit, ASmallRequestThatFitsNeedsNoReserve) {
  const TokenLimitOptions options{.on_too_long = OnTooLong::reduce, .reserve = 100};
  EXPECT_EQ(check_tokens(options, {.input_tokens = 990, .max_tokens = 10}, 1000).verdict, fits);
}

TEST(TokenLimit, RoutingSaysHowLargeAWindowItTakes) {
  const TokenLimitOptions options{.on_too_long = OnTooLong::route};
  const TokenNeed need{.input_tokens = 9000, .max_tokens = 1000};
  const TokenDecision decision = check_tokens(options, need, 8192);
  EXPECT_EQ(decision.verdict, route);
  EXPECT_EQ(decision.needed, 10'000U);
  EXPECT_EQ(decision.max_tokens, 1000U);
  EXPECT_EQ(check_tokens(options, need, 10'000).verdict, fits);
}

TEST(TokenLimit, AnEstimateIsTakenWithItsMarginAndACountIsNot) {
  const TokenNeed counted{.input_tokens = 1001, .max_tokens = 1};
  TokenNeed estimated = counted;
  estimated.estimated = true;
  EXPECT_EQ(check_tokens({}, counted, 0).needed, 1002U);
  EXPECT_EQ(check_tokens({.estimate_margin_percent = 10}, estimated, 0).needed, 1103U)
      << "1101.1 rounded up";
}

TEST(TokenLimit, EverythingFitsAWindowThatIsNotKnown) {
  EXPECT_EQ(check_tokens({}, {.input_tokens = most, .max_tokens = most}, 0).verdict, fits);
}

TEST(TokenLimit, TheLargestNumbersDoNotOverflow) {
  const TokenNeed need{.input_tokens = most, .estimated = true, .max_tokens = most};
  const TokenDecision decision = check_tokens({.estimate_margin_percent = most}, need, most);
  EXPECT_EQ(decision.verdict, too_long);
  EXPECT_GT(decision.needed, std::uint64_t{most} * most / 100);
}

TEST(TokenLimit, VerdictsHaveNames) {
  EXPECT_EQ(to_string(fits), "fits");
  EXPECT_EQ(to_string(reduce), "reduce");
  EXPECT_EQ(to_string(too_long), "too_long");
  EXPECT_EQ(to_string(route), "route");
}

RC_GTEST_PROP(TokenLimit, WhatIsSentFitsAndWhatFitsIsSent, ()) {
  const auto below = [](std::uint32_t bound) { return *rc::gen::inRange<std::uint32_t>(0, bound); };
  TokenLimitOptions options;
  options.on_too_long = *rc::gen::element(OnTooLong::fail, OnTooLong::reduce, OnTooLong::route);
  options.reserve = 1 + below(50);
  const TokenNeed need{.input_tokens = below(150), .max_tokens = below(150)};
  const std::uint32_t window = 1 + below(150);
  const TokenDecision decision = check_tokens(options, need, window);

  RC_ASSERT((decision.verdict == fits) == (decision.needed <= window));
  if (decision.verdict == fits) RC_ASSERT(decision.max_tokens == need.max_tokens);
  if (decision.verdict == reduce) {
    RC_ASSERT(need.input_tokens + decision.max_tokens == window);
    RC_ASSERT(decision.max_tokens >= options.reserve);
    RC_ASSERT(decision.max_tokens < need.max_tokens);
    TokenNeed sent = need;
    sent.max_tokens = decision.max_tokens;
    RC_ASSERT(check_tokens(options, sent, window).verdict == fits);
  }
  if (decision.verdict == too_long && options.on_too_long == OnTooLong::reduce) {
    RC_ASSERT(need.input_tokens + options.reserve > window);
  }
}

}  // namespace
}  // namespace brownout
