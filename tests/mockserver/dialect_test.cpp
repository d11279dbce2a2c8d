#include "mockserver/dialect.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace brownout::mock {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

struct Captured {
  const char* model;
  std::int64_t limit;
  std::int64_t used;
  std::int64_t requested;
  const char* wait;
};

// Limiter messages captured from production by third parties.
constexpr Captured captured[] = {
    {"gpt-4o", 30'000, 29'937, 385, "644ms"},      {"gpt-4", 10'000, 8'554, 3'082, "9.816s"},
    {"gpt-4o", 30'000, 18'928, 11'159, "174ms"},   {"gpt-4o", 30'000, 28'039, 3'906, "3.89s"},
    {"gpt-4o", 30'000, 14'567, 24'754, "18.642s"},
};

TEST(OpenAiDialect, ReproducesFiveCapturedTokenLimitMessages) {
  for (const Captured& capture : captured) {
    Bucket bucket(capture.limit);
    ASSERT_FALSE(bucket.take(capture.used, Instant{}));
    const auto refusal = bucket.take(capture.requested, Instant{});
    ASSERT_TRUE(refusal);
    const std::string expected =
        std::string("Rate limit reached for ") + capture.model +
        " in organization org-brownout on tokens per min (TPM): Limit " +
        std::to_string(capture.limit) + ", Used " + std::to_string(capture.used) + ", Requested " +
        std::to_string(capture.requested) + ". Please try again in " + capture.wait +
        ". Visit https://platform.openai.com/account/rate-limits to learn more.";
    EXPECT_EQ(error_message(DialectId::openai, {.model = capture.model,
                                                .kind = OutcomeKind::rate_limited,
                                                .hit = {LimitKind::tokens, *refusal},
                                                .retry_after = {}}),
              expected);
  }
}

TEST(OpenAiDialect, ReproducesTheCapturedRequestLimitMessage) {
  Bucket bucket(3);
  for (int i = 0; i < 3; ++i) ASSERT_FALSE(bucket.take(1, Instant{}));
  const auto refusal = bucket.take(1, Instant{});
  ASSERT_TRUE(refusal);
  EXPECT_EQ(error_message(DialectId::openai, {.model = "gpt-4",
                                              .kind = OutcomeKind::rate_limited,
                                              .hit = {LimitKind::requests, *refusal},
                                              .retry_after = {}}),
            "Rate limit reached for gpt-4 in organization org-brownout on requests per min (RPM): "
            "Limit 3, Used 3, Requested 1. Please try again in 20s. Visit "
            "https://platform.openai.com/account/rate-limits to learn more.");
}

TEST(OpenAiDialect, ReproducesTheCapturedTooLargeMessage) {
  Bucket bucket(30'000);
  const auto refusal = bucket.take(31'538, Instant{});
  ASSERT_TRUE(refusal);
  const std::string message =
      error_message(DialectId::openai, {.model = "gpt-4o",
                                        .kind = OutcomeKind::request_too_large,
                                        .hit = {LimitKind::tokens, *refusal},
                                        .retry_after = {}});
  EXPECT_EQ(message,
            "Request too large for gpt-4o in organization org-brownout on tokens per min (TPM): "
            "Limit 30000, Requested 31538. The input or output tokens must be reduced in order to "
            "run successfully. Visit https://platform.openai.com/account/rate-limits to learn "
            "more.");
}

TEST(AnthropicDialect, NamesTheLimitWithGroupedDigits) {
  Bucket bucket(30'000);
  ASSERT_FALSE(bucket.take(30'000, Instant{}));
  const auto refusal = bucket.take(5, Instant{});
  ASSERT_TRUE(refusal);
  const ErrorFacts facts{.model = "claude",
                         .kind = OutcomeKind::rate_limited,
                         .hit = {LimitKind::input_tokens, *refusal},
                         .retry_after = {}};
  EXPECT_THAT(error_message(DialectId::anthropic, facts),
              HasSubstr("your organization's rate limit of 30,000 input tokens per minute (org: "
                        "org-brownout, model: claude)"));
}

TEST(Dialects, TellTheSameKindDifferently) {
  const auto openai = [](OutcomeKind kind) { return error_shape(DialectId::openai, kind); };
  const auto anthropic = [](OutcomeKind kind) { return error_shape(DialectId::anthropic, kind); };
  EXPECT_EQ(openai(OutcomeKind::overloaded).status, 503);
  EXPECT_EQ(openai(OutcomeKind::overloaded).code, "server_is_overloaded");
  EXPECT_EQ(anthropic(OutcomeKind::overloaded).status, 529);
  EXPECT_EQ(anthropic(OutcomeKind::overloaded).type, "overloaded_error");
  EXPECT_EQ(openai(OutcomeKind::server_error).type, "server_error");
  EXPECT_EQ(anthropic(OutcomeKind::server_error).type, "api_error");
  EXPECT_EQ(openai(OutcomeKind::authentication).status, 401);
  EXPECT_EQ(openai(OutcomeKind::authentication).code, "invalid_api_key");
  EXPECT_EQ(anthropic(OutcomeKind::authentication).type, "authentication_error");
  EXPECT_EQ(openai(OutcomeKind::context_length).param, "messages");
  EXPECT_EQ(anthropic(OutcomeKind::quota_exhausted).code, "enforced_spend_limit_reached");
}

TEST(Dialects, EveryKindAProviderCanCauseHasItsRow) {
  for (const DialectId id : {DialectId::openai, DialectId::anthropic}) {
    for (std::size_t i = 1; i < outcome_kind_count; ++i) {
      const auto kind = static_cast<OutcomeKind>(i);
      const ErrorShape shape = error_shape(id, kind);
      SCOPED_TRACE(std::string(to_string(id)) + " " + std::string(to_string(kind)));
      const bool silent = kind == OutcomeKind::connection || kind == OutcomeKind::timed_out ||
                          kind == OutcomeKind::cancelled ||
                          kind == OutcomeKind::deadline_exceeded || is_own_refusal(kind);
      const bool broken_200 =
          kind == OutcomeKind::malformed_reply || kind == OutcomeKind::stream_truncated;
      EXPECT_EQ(shape.message.empty(), silent || broken_200);
      EXPECT_EQ(!shape.message.empty(), shape.status >= 400);
      const std::string message =
          error_message(id, {.model = "m", .kind = kind, .hit = {}, .retry_after = {}});
      EXPECT_THAT(message, Not(HasSubstr("{"))) << "every placeholder is filled in";
    }
  }
}

TEST(Dialects, ARateLimitWithoutABucketPrintsNoNumbersButItsWait) {
  const ErrorFacts facts{
      .model = "gpt-4", .kind = OutcomeKind::rate_limited, .hit = {}, .retry_after = Duration{20s}};
  EXPECT_EQ(error_message(DialectId::openai, facts),
            "Rate limit reached for gpt-4 in organization org-brownout. Please try again in 20s. "
            "Visit https://platform.openai.com/account/rate-limits to learn more.");
}

TEST(Dialects, WaitsInMessagesAreRoundedUpToMilliseconds) {
  const ErrorFacts facts{.model = "gpt-4",
                         .kind = OutcomeKind::rate_limited,
                         .hit = {LimitKind::tokens, {7, 7, 1, 8'571'428'572ns}},
                         .retry_after = {}};
  EXPECT_THAT(error_message(DialectId::openai, facts), HasSubstr("try again in 8.572s."));
}

TEST(Dialects, TheProxysPageShowsTheScriptedStatus) {
  const ErrorFacts facts{.model = "gpt-4",
                         .kind = OutcomeKind::bad_gateway,
                         .hit = {},
                         .status = 530,
                         .retry_after = {}};
  EXPECT_THAT(error_message(DialectId::openai, facts), HasSubstr("<h1>530</h1>"));
}

TEST(GoDuration, PrintsAsGoDoes) {
  EXPECT_EQ(go_duration(0ns), "0s");
  EXPECT_EQ(go_duration(17ns), "17ns");
  EXPECT_EQ(go_duration(1500ns), "1.5\u00B5s");
  EXPECT_EQ(go_duration(644ms), "644ms");
  EXPECT_EQ(go_duration(1ms + 20us), "1.02ms");
  EXPECT_EQ(go_duration(9816ms), "9.816s");
  EXPECT_EQ(go_duration(20s), "20s");
  EXPECT_EQ(go_duration(8640ms), "8.64s");
  EXPECT_EQ(go_duration(6min), "6m0s");
  EXPECT_EQ(go_duration(24h), "24h0m0s");
  EXPECT_EQ(go_duration(1h + 5ms), "1h0m0.005s");
  EXPECT_EQ(go_duration(90min + 1s), "1h30m1s");
}

}  // namespace
}  // namespace brownout::mock
