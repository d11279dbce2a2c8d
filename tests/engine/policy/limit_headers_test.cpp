#include "engine/policy/limit_headers.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace brownout {
namespace {

using namespace std::chrono_literals;

constexpr SystemTime noon =
    std::chrono::sys_days{std::chrono::year{2025} / 8 / 21} + 12h + 40min + 40s;

LimitHeaders parse(const std::vector<HeaderView>& fields, SystemTime now = noon) {
  return parse_limit_headers(fields, now);
}

std::optional<Duration> reset_of(std::string_view text, SystemTime now = noon) {
  return parse({{"x-ratelimit-reset-tokens", text}}, now).tokens.reset;
}

TEST(LimitHeaders, ReadsWhatOpenAiDocuments) {
  const LimitHeaders expected{.requests = {60, 59, 1s}, .tokens = {150'000, 149'984, 6min}};
  EXPECT_EQ(parse({{"x-ratelimit-limit-requests", "60"},
                   {"x-ratelimit-limit-tokens", "150000"},
                   {"x-ratelimit-remaining-requests", "59"},
                   {"x-ratelimit-remaining-tokens", "149984"},
                   {"x-ratelimit-reset-requests", "1s"},
                   {"x-ratelimit-reset-tokens", "6m0s"}}),
            expected);
}

TEST(LimitHeaders, ReadsWhatAnthropicWasSeenToSend) {
  const LimitHeaders expected{.requests = {1000, 999, 19s},
                              .tokens = {96'000, 96'000, 19s},
                              .input_tokens = {80'000, 79'000, 19s},
                              .output_tokens = {16'000, 15'000, 20s}};
  EXPECT_EQ(parse({{"anthropic-ratelimit-requests-limit", "1000"},
                   {"anthropic-ratelimit-requests-remaining", "999"},
                   {"anthropic-ratelimit-requests-reset", "2025-08-21T12:40:59Z"},
                   {"anthropic-ratelimit-tokens-limit", "96000"},
                   {"anthropic-ratelimit-tokens-remaining", "96000"},
                   {"anthropic-ratelimit-tokens-reset", "2025-08-21T12:40:59Z"},
                   {"anthropic-ratelimit-input-tokens-limit", "80000"},
                   {"anthropic-ratelimit-input-tokens-remaining", "79000"},
                   {"anthropic-ratelimit-input-tokens-reset", "2025-08-21T12:40:59Z"},
                   {"anthropic-ratelimit-output-tokens-limit", "16000"},
                   {"anthropic-ratelimit-output-tokens-remaining", "15000"},
                   {"anthropic-ratelimit-output-tokens-reset", "2025-08-21T12:41:00Z"}}),
            expected);
}

TEST(LimitHeaders, ReadsTheOneHeaderAzureWasSeenToSend) {
  const LimitHeaders expected{.tokens = {.reset = 55s}};
  EXPECT_EQ(parse({{"x-rate-limit-reset-tokens", "55"}}), expected);
}

TEST(LimitHeaders, AnAnswerWithoutThemTellsNothing) {
  EXPECT_EQ(parse({}), LimitHeaders{});
  EXPECT_EQ(parse({{"retry-after", "1"},
                   {"x-ratelimit-limit", "5"},
                   {"x-ratelimit-limit-images", "5"},
                   {"x-ratelimit-requests-limit", "5"},
                   {"anthropic-ratelimit-limit-requests", "5"},
                   {"anthropic-ratelimit-unified-reset", "5"},
                   {"x-ratelimit-limit-requests-1", "5"},
                   {"y-x-ratelimit-limit-requests", "5"},
                   {std::string_view{}, "5"},
                   {"anthropic-ratelimit-output-tokens-remaining-and-a-tail", "5"}}),
            LimitHeaders{});
}

TEST(LimitHeaders, NamesAreReadWithoutRegardToCase) {
  EXPECT_EQ(parse({{"X-RateLimit-Limit-Requests", "60"}}).requests.limit, 60);
  EXPECT_EQ(parse({{"ANTHROPIC-RATELIMIT-OUTPUT-TOKENS-REMAINING", "7"}}).output_tokens.remaining,
            7);
}

TEST(LimitHeaders, ReadsGoDurationsAndPlainSeconds) {
  EXPECT_EQ(reset_of("17ms"), 17ms);
  EXPECT_EQ(reset_of("8.64s"), 8640ms);
  EXPECT_EQ(reset_of("6m0s"), 6min);
  EXPECT_EQ(reset_of("24h0m0s"), 24h);
  EXPECT_EQ(reset_of("120\xC2\xB5s"), 120us);
  EXPECT_EQ(reset_of("0s"), 0s);
  EXPECT_EQ(reset_of("55"), 55s);
  EXPECT_EQ(reset_of("0.25"), 250ms);
  EXPECT_EQ(reset_of(" 1s\t"), 1s);
}

TEST(LimitHeaders, ReadsEveryFormOfRfc3339) {
  EXPECT_EQ(reset_of("2025-08-21T12:40:40.5Z"), 500ms);
  EXPECT_EQ(reset_of("2025-08-21t12:40:40.000000001z"), 1ns);
  EXPECT_EQ(reset_of("2025-08-21 12:40:40.0000000019Z"), 1ns) << "digits too fine are dropped";
  EXPECT_EQ(reset_of("2025-08-21T14:40:41+02:00"), 1s);
  EXPECT_EQ(reset_of("2025-08-21T04:10:41-08:30"), 1s);
  EXPECT_EQ(reset_of("2025-08-21T12:40:60Z"), 20s) << "a leap second is the next minute";
  EXPECT_EQ(reset_of("2026-01-01T00:00:00Z"), 24h * 132 + 11h + 19min + 20s);
}

TEST(LimitHeaders, AResetThatHasPassedIsNow) {
  EXPECT_EQ(reset_of("2025-08-21T12:40:40Z"), 0s);
  EXPECT_EQ(reset_of("2025-08-21T12:40:39Z"), 0s);
  EXPECT_EQ(reset_of("1970-01-01T00:00:00Z"), 0s);
}

TEST(LimitHeaders, AResetMoreThanAYearAwayIsNotBelieved) {
  EXPECT_EQ(reset_of("31622400"), 24h * 366);
  EXPECT_EQ(reset_of("31622401"), std::nullopt);
  EXPECT_EQ(reset_of("1755780059"), std::nullopt) << "a Unix time";
  EXPECT_EQ(reset_of("2027-01-01T00:00:00Z"), std::nullopt);
}

TEST(LimitHeaders, GarbageIsAsGoodAsAbsent) {
  for (const std::string_view text : {"",
                                      " ",
                                      "-1",
                                      "-1s",
                                      "+5",
                                      "1,5s",
                                      "soon",
                                      "1x",
                                      "s",
                                      ".",
                                      "1.",
                                      ".5",
                                      "5 s",
                                      "1s1h",
                                      "1e3",
                                      "0x10",
                                      "nan",
                                      "99999999999999999999",
                                      "2025-08-21",
                                      "2025-08-21T12:40:41",
                                      "2025-02-29T00:00:00Z",
                                      "2025-13-01T00:00:00Z",
                                      "2025-08-21T24:00:00Z",
                                      "2025-08-21T12:60:00Z",
                                      "2025-08-21T12:40:61Z",
                                      "2025-08-21T12:40:41.Z",
                                      "2025-08-21T12:40:41+24:00",
                                      "2025-08-21T12:40:41+0200",
                                      "2025-08-21T12:40:41ZZ",
                                      "1969-12-31T23:59:59Z",
                                      "2201-01-01T00:00:00Z",
                                      "2025/08/21T12:40:41Z"}) {
    EXPECT_EQ(reset_of(text), std::nullopt) << text;
  }
  for (const std::string_view text : {"", "-1", "+1", "1.5", "1e3", "1,000", "x", "1 2",
                                      "1000000000001", "99999999999999999999"}) {
    EXPECT_EQ(parse({{"x-ratelimit-remaining-tokens", text}}).tokens.remaining, std::nullopt)
        << text;
  }
}

TEST(LimitHeaders, NothingMayRemainButALimitOfNothingIsNoLimit) {
  const LimitHeaders headers =
      parse({{"x-ratelimit-limit-tokens", "0"}, {"x-ratelimit-remaining-tokens", "0"}});
  EXPECT_EQ(headers.tokens.limit, std::nullopt);
  EXPECT_EQ(headers.tokens.remaining, 0);
  EXPECT_EQ(parse({{"x-ratelimit-limit-tokens", "1000000000000"}}).tokens.limit, 1'000'000'000'000);
}

TEST(LimitHeaders, OfAHeaderSentTwiceTheFirstUsableValueCounts) {
  const LimitHeaders headers = parse({{"x-ratelimit-limit-tokens", "0"},
                                      {"x-ratelimit-limit-tokens", "100"},
                                      {"x-ratelimit-limit-tokens", "200"},
                                      {"x-ratelimit-remaining-tokens", "-1"},
                                      {"x-ratelimit-remaining-tokens", "5"},
                                      {"x-ratelimit-reset-tokens", "?"},
                                      {"x-ratelimit-reset-tokens", "2s"},
                                      {"x-ratelimit-reset-tokens", "1s"}});
  const LimitHeader expected{100, 5, 2s};
  EXPECT_EQ(headers.tokens, expected);
}

RC_GTEST_PROP(LimitHeaders, ReadsBackEveryDurationAsItIsWritten, ()) {
  const Duration wait{*rc::gen::inRange<std::int64_t>(0, Duration{24h * 366}.count())};
  RC_ASSERT(reset_of(format_duration(wait)) == wait);
}

RC_GTEST_PROP(LimitHeaders, WhateverTheBytesEveryNumberIsInRange, ()) {
  const auto name = *rc::gen::element<std::string>(
      "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens");
  const auto value = *rc::gen::container<std::string>(
      rc::gen::elementOf(std::string("0123456789.-+:TZhmsu\xC2\xB5 ")));
  const LimitHeader told = parse({{name, value}}).tokens;
  RC_ASSERT(!told.limit || (*told.limit >= 1 && *told.limit <= 1'000'000'000'000));
  RC_ASSERT(!told.remaining || (*told.remaining >= 0 && *told.remaining <= 1'000'000'000'000));
  RC_ASSERT(!told.reset || (*told.reset >= 0s && *told.reset <= 24h * 366));
}

}  // namespace
}  // namespace brownout
