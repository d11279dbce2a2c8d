// What the presets make of a server's hints. Waits are those of the largest draw: where a hint does
// not count, a preset waits its whole first backoff.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/conformance/presets/presets.hpp"

namespace brownout::conformance {
namespace {

using namespace std::chrono_literals;

// The wait after a first failure that came with this hint, in seconds; -1 when there is no retry.
double wait_after(const std::string& name, Duration hint, std::uint16_t status = 429) {
  const RetryDecision decision =
      first_decision(retry_of(name), with_hint(http_failure(status), hint));
  if (!decision.retries()) return -1;
  return static_cast<double>((decision.at - Instant{}).count()) / 1e9;
}

double wait_without_hint(const std::string& name, std::uint16_t status = 429) {
  const RetryDecision decision = first_decision(retry_of(name), http_failure(status));
  if (!decision.retries()) return -1;
  return static_cast<double>((decision.at - Instant{}).count()) / 1e9;
}

constexpr double stop = -1;
constexpr double near = 0.0001;

// openai-python@e43b422: 0 < ra <= 120 verbatim, above no retry, else .5 s.
TEST(PresetHints, OpenaiPythonObeys120SecondsAndStopsAt121) {
  EXPECT_EQ(wait_after("openai-python", 100ms), 0.1) << "also when that is sooner";
  EXPECT_EQ(wait_after("openai-python", 120s), 120);
  EXPECT_EQ(wait_after("openai-python", 120s + 1ns), stop);
  EXPECT_EQ(wait_after("openai-python", 121s), stop);
  EXPECT_NEAR(wait_after("openai-python", 0s), 0.5, near);
}

// openai-node 6.49.0: any defined value, 55 hours too.
TEST(PresetHints, OpenaiNodeSleepsAsLongAsItIsTold) {
  EXPECT_EQ(wait_after("openai-node", 0s), 0);
  EXPECT_EQ(wait_after("openai-node", 100ms), 0.1);
  EXPECT_EQ(wait_after("openai-node", 198'300s), 198'300);
  EXPECT_NEAR(wait_after("openai-node", 2'147'483'648ms), 0.5, near) << "its timer's end";
}

// @anthropic-ai/sdk 1.12.0: 0 < ms <= 2^31 - 1, else default.
TEST(PresetHints, AnthropicTsSleepsAsLongButNotForNothing) {
  EXPECT_NEAR(wait_after("anthropic-ts", 0s), 0.5, near);
  EXPECT_EQ(wait_after("anthropic-ts", 2'147'483'647ms), 2'147'483.647);
  EXPECT_NEAR(wait_after("anthropic-ts", 2'147'483'648ms), 0.5, near);
}

// anthropic-sdk-python: 0 < ra <= 60, else default.
TEST(PresetHints, AnthropicPythonIgnoresMoreThanAMinute) {
  EXPECT_EQ(wait_after("anthropic-python", 60s), 60);
  EXPECT_NEAR(wait_after("anthropic-python", 61s), 0.5, near);
}

// ai 6.0.326: 0 <= ms < 60 000 verbatim, else the backoff of 2 s.
TEST(PresetHints, VercelIgnoresAMinuteAndMore) {
  EXPECT_EQ(wait_after("vercel-ai", 0s), 0);
  EXPECT_EQ(wait_after("vercel-ai", 59'999ms), 59.999);
  EXPECT_EQ(wait_after("vercel-ai", 60s), 2);
  EXPECT_EQ(wait_after("vercel-ai", 300s), 2);
}

// @langchain/core 1.4.0: on 429, max(backoff, hint) up to 60 s, above or without one no retry.
TEST(PresetHints, LangChainJsRetriesARateLimitOnlyWhenToldWhen) {
  EXPECT_NEAR(wait_after("langchain-js", 1s), 2, near) << "the backoff is longer";
  EXPECT_EQ(wait_after("langchain-js", 60s), 60);
  EXPECT_EQ(wait_after("langchain-js", 61s), stop);
  EXPECT_EQ(wait_without_hint("langchain-js"), stop);
  EXPECT_NEAR(wait_after("langchain-js", 30s, 503), 2, near) << "other statuses' are not read";
  EXPECT_NEAR(wait_without_hint("langchain-js", 503), 2, near);
}

// Portkey-AI/gateway@669825c: on 429, verbatim below 60 s, else stop.
TEST(PresetHints, PortkeyReadsThemOn429Only) {
  EXPECT_EQ(wait_after("portkey", 59s), 59);
  EXPECT_EQ(wait_after("portkey", 60s), stop);
  EXPECT_EQ(wait_after("portkey", 59s, 503), 1);
}

// Polly's ShouldRetryAfterHeader: the header instead of the wait, without a bound.
TEST(PresetHints, PollyHasNoBound) {
  EXPECT_EQ(wait_after("polly-standard-handler", 0s), 0);
  EXPECT_EQ(wait_after("polly-standard-handler", 3600s), 3600);
  EXPECT_EQ(wait_after("polly-standard-handler", 7s, 503), 7);
}

// There the total timeout ends such a wait; here it is not begun.
TEST(PresetHints, PollysCallEndsAtOnceWhenTheHintOutlivesItsTotalTimeout) {
  RetryState state{.attempts = 1};
  Draws draws = draws_at(1);
  const RetryDecision decision =
      next_retry(retry_of("polly-standard-handler"), state, with_hint(http_failure(429), 31s),
                 Instant{}, Instant{} + 30s, draws);
  EXPECT_EQ(decision.stop, RetryStop::deadline);
}

// failsafehttp DelayFunc: whole seconds of 429 and 503.
TEST(PresetHints, FailsafeGoReadsThemOn429And503) {
  EXPECT_EQ(wait_after("failsafe-go", 90s), 90);
  EXPECT_EQ(wait_after("failsafe-go", 90s, 503), 90);
  EXPECT_EQ(wait_after("failsafe-go", 90s, 500), 0);
}

// max(delay, min(hint, delay + 5000 ms)): @smithy/core 3.41.0.
TEST(PresetHints, Aws2026StretchesByFiveSecondsAtMost) {
  EXPECT_NEAR(wait_after("aws-2026", 3s, 503), 3, near);
  EXPECT_NEAR(wait_after("aws-2026", 3600s, 503), 0.05 + 5, near);
  EXPECT_NEAR(wait_after("aws-2026", 3600s, 429), 1 + 5, near);
  EXPECT_NEAR(wait_after("aws-2026", 10ms, 503), 0.05, near) << "never shortens";
}

// A6: exactly that delay; the server's no is a no.
TEST(PresetHints, GrpcObeysAPushback) {
  for (const char* name : {"grpc-a6-old", "grpc-a6-new"}) {
    EXPECT_EQ(wait_after(name, 0s, 503), 0);
    EXPECT_EQ(wait_after(name, 30s, 503), 30);
    Outcome no = http_failure(503);
    no.should_retry = false;
    EXPECT_EQ(first_decision(retry_of(name), no).stop, RetryStop::refused) << name;
  }
}

TEST(PresetHints, OthersDoNotReadThem) {
  for (const char* name : {"aws-standard", "cockatiel", "envoy", "google-sre", "langchain-py",
                           "litellm-router", "resilience4j-defaults"}) {
    EXPECT_EQ(wait_after(name, 3600s, 503), wait_without_hint(name, 503)) << name;
  }
}

// x-should-retry: obeyed both ways by OpenAI's and Anthropic's clients alone.
TEST(PresetHints, TheServersWordCountsWithItsOwnClients) {
  Outcome yes = http_failure(418);
  yes.should_retry = true;
  Outcome no = http_failure(500);
  no.should_retry = false;
  for (const char* name : {"openai-node", "openai-python", "anthropic-ts", "anthropic-python"}) {
    EXPECT_TRUE(first_decision(retry_of(name), yes).retries()) << name;
    EXPECT_EQ(first_decision(retry_of(name), no).stop, RetryStop::refused) << name;
  }
  for (const char* name : {"vercel-ai", "portkey", "litellm-router", "polly-standard-handler",
                           "failsafe-go", "aws-standard", "aws-2026"}) {
    EXPECT_EQ(first_decision(retry_of(name), yes).stop, RetryStop::not_retryable) << name;
    EXPECT_TRUE(first_decision(retry_of(name), no).retries()) << name;
  }
  // "overloaded; don't retry" of the book.
  EXPECT_EQ(first_decision(retry_of("google-sre"), no).stop, RetryStop::refused);
}

}  // namespace
}  // namespace brownout::conformance
