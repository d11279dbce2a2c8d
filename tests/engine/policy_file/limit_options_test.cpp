// What a policy file says of the layers that limit is what their options become, and what
// describe() tells.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/policy_file/policy.hpp"
#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

template <class Spec>
Spec read(const std::string& json) {
  const Policy policy = policy_of("[" + json + "]");
  const auto* spec =
      policy.pipeline.empty() ? nullptr : std::get_if<Spec>(&policy.pipeline.front());
  EXPECT_NE(spec, nullptr) << json;
  return spec != nullptr ? *spec : Spec{};
}

TEST(LimitOptions, ReadARateLimit) {
  const auto spec = read<RateLimitSpec>(R"({ "rate_limit": {
      "requests_per_minute": 500, "tokens_per_minute": 29000, "request_burst": 10,
      "starts_full": false, "max_wait": "20s", "learn": false, "count": "asked",
      "output_reserve": 300 } })");
  EXPECT_EQ(spec.limiter.requests_per_minute, 500);
  EXPECT_EQ(spec.limiter.tokens_per_minute, 29'000);
  EXPECT_EQ(spec.limiter.request_burst, 10);
  EXPECT_FALSE(spec.limiter.starts_full);
  EXPECT_EQ(spec.limiter.max_wait, 20s);
  EXPECT_FALSE(spec.limiter.learns);
  EXPECT_EQ(spec.count, RateLimitSpec::Count::asked);
  EXPECT_EQ(spec.output_reserve, 300U);
  EXPECT_EQ(describe(spec),
            "rate_limit: 500 requests and 29000 tokens per minute, 10 requests at once, starting "
            "empty, counting the larger of input and max_tokens, output of 300 where no max_tokens "
            "is given, waits up to 20s");
  EXPECT_EQ(describe(RateLimitSpec{}),
            "rate_limit: what the provider tells, counting what is used, output of 1000 where no "
            "max_tokens is given, waits up to 30s, learns");
}

TEST(LimitOptions, ReadABulkhead) {
  const auto spec = read<BulkheadSpec>(
      R"({ "bulkhead": { "max_concurrent": 40, "max_queued": 10, "max_wait": "2s" } })");
  EXPECT_EQ(spec.bulkhead.max_concurrent, 40U);
  EXPECT_EQ(spec.bulkhead.max_queued, 10U);
  EXPECT_EQ(spec.max_wait, 2s);
  EXPECT_EQ(describe(spec), "bulkhead: 40 at once, 10 in line for up to 2s");
  EXPECT_EQ(describe(read<BulkheadSpec>(R"({ "bulkhead": {} })")),
            "bulkhead: 25 at once, no queue");
}

TEST(LimitOptions, ReadAnAdaptiveConcurrency) {
  const auto spec = read<AdaptiveConcurrencySpec>(R"({ "adaptive_concurrency": {
      "initial_limit": 10, "min_limit": 2, "max_limit": 100, "tolerance": 1.5, "smoothing": 0.1,
      "window": "2s", "window_samples": 20, "long_window": "5m", "loss": 0.1, "backoff": 0.8,
      "max_queued": 50, "max_wait": "5s" } })");
  EXPECT_EQ(spec.concurrency.initial_limit, 10U);
  EXPECT_EQ(spec.concurrency.min_limit, 2U);
  EXPECT_EQ(spec.concurrency.max_limit, 100U);
  EXPECT_EQ(spec.concurrency.tolerance_permille, 1500U);
  EXPECT_EQ(spec.concurrency.smoothing_permille, 100U);
  EXPECT_EQ(spec.concurrency.window, 2s);
  EXPECT_EQ(spec.concurrency.window_samples, 20U);
  EXPECT_EQ(spec.concurrency.long_window, 5min);
  EXPECT_EQ(spec.concurrency.loss_permille, 100U);
  EXPECT_EQ(spec.concurrency.backoff_permille, 800U);
  EXPECT_EQ(spec.max_queued, 50U);
  EXPECT_EQ(spec.max_wait, 5s);
  EXPECT_EQ(describe(spec),
            "adaptive_concurrency: 10 at once, between 2 and 100, 50 in line for up to 5s; "
            "tolerance 1.5, smoothing 0.1, windows of 2s and 20 calls, level over 5m, to 0.8 when "
            "more than 0.1 are lost");
}

TEST(LimitOptions, WhatTheFileLeavesOutGivesWayToTheBoundsItNames) {
  const auto limits = [](const std::string& options) {
    const auto read_limits =
        read<AdaptiveConcurrencySpec>("{ \"adaptive_concurrency\": " + options + " }").concurrency;
    return fmt::format("{} {} {}", read_limits.min_limit, read_limits.initial_limit,
                       read_limits.max_limit);
  };
  EXPECT_EQ(limits("{}"), "1 20 200");
  EXPECT_EQ(limits(R"({ "max_limit": 10 })"), "1 10 10");
  EXPECT_EQ(limits(R"({ "min_limit": 30 })"), "30 30 200");
  EXPECT_EQ(limits(R"({ "min_limit": 300 })"), "300 300 300");
  EXPECT_EQ(limits(R"({ "initial_limit": 500 })"), "1 500 500");
  EXPECT_EQ(read<AdaptiveConcurrencySpec>(R"({ "adaptive_concurrency": { "window": "1h" } })")
                .concurrency.long_window,
            1h);
}

TEST(LimitOptions, ReadAThrottle) {
  const auto options = read<ThrottleOptions>(R"({ "throttle": {
      "multiplier": 1.5, "window": "5m", "max_rejection": 0.95, "allowance": 20 } })");
  EXPECT_EQ(options.multiplier, 1500U);
  EXPECT_EQ(options.window, 5min);
  EXPECT_EQ(options.max_rejection, 950'000U);
  EXPECT_EQ(options.allowance, 20U);
  EXPECT_EQ(describe(options),
            "throttle: multiplier 1.5 over 5m, rejects at most 0.95, 20 are free");
}

TEST(LimitOptions, ReadATokenLimit) {
  const auto spec = read<TokenLimitSpec>(R"({ "token_limit": { "window": 8192,
      "on_too_long": "reduce", "reserve": 128, "estimate_margin_percent": 20 } })");
  EXPECT_EQ(spec.window, 8192U);
  EXPECT_EQ(spec.limit.on_too_long, TokenLimitOptions::OnTooLong::reduce);
  EXPECT_EQ(spec.limit.reserve, 128U);
  EXPECT_EQ(spec.limit.estimate_margin_percent, 20U);
  EXPECT_EQ(describe(spec),
            "token_limit: a window of 8192, what is longer is given less output, reserve 128, "
            "estimates plus 20%");
  const auto routes = read<TokenLimitSpec>(R"({ "token_limit": { "on_too_long": "route" } })");
  EXPECT_EQ(routes.limit.on_too_long, TokenLimitOptions::OnTooLong::route);
  EXPECT_THAT(describe(routes),
              HasSubstr("the model's window, what is longer is left to the next"));
}

TEST(LimitOptions, APolicyTellsOfThemInItsOwnOrder) {
  EXPECT_EQ(describe(policy_of(R"([{ "token_limit": {} }, { "bulkhead": {} }])")),
            "policy test\n"
            "  token_limit: the model's window, what is longer fails, reserve 256, estimates plus "
            "10%\n"
            "  bulkhead: 25 at once, no queue\n"
            "  to openai/gpt-4\n");
}

}  // namespace
}  // namespace brownout::testing
