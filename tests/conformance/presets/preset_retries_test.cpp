// What each preset's retry does, against vectors worked out by hand from the source its file names.
// u is the draw: 0, 1/2 and (nearly) 1. Where a library subtracts its jitter, its u runs the other
// way; what it waits is spread the same.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>

#include "tests/conformance/presets/presets.hpp"

namespace brownout::conformance {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using testing::DoubleNear;
using testing::Pointwise;

using Waits = std::vector<double>;

Waits backoff_at(const std::string& name, double u, std::size_t count,
                 const Outcome& cause = http_failure(500)) {
  return backoff_of(retry_of(name), Waits(count, u), cause);
}

void expect_waits(const Waits& found, const Waits& expected, double tolerance = 0.001) {
  EXPECT_THAT(found, Pointwise(DoubleNear(tolerance), expected));
}

// ------------------------------------------------------------------------------- attempts

TEST(PresetRetries, MakeAsManyAttemptsAsTheLibraryByDefault) {
  const std::map<std::string, std::uint32_t> attempts{
      {"openai-node", 1 + 2},   {"openai-python", 1 + 2},  {"anthropic-ts", 1 + 2},
      {"anthropic-python", 3},  {"vercel-ai", 1 + 2},      {"langchain-js", 1 + 6},
      {"langchain-py", 3},      {"litellm-router", 1 + 2}, {"portkey", 1 + 5},
      {"cockatiel", 1 + 3},     {"failsafe-go", 1 + 2},    {"polly-standard-handler", 1 + 3},
      {"aws-standard", 3},      {"aws-2026", 3},           {"grpc-a6-old", 4},
      {"grpc-a6-new", 4},       {"envoy", 1 + 1},          {"resilience4j-defaults", 3},
      {"finagle", 1 + 100 / 5},  // a fifth of the balance of a budget at rest: 10/s for 10 s
      {"google-sre", 3},
  };
  std::size_t with_retry = 0;
  for (const std::string& name : preset_names()) {
    const Policy policy = preset(name);
    const auto* retry = find_layer<RetryOptions>(policy.pipeline);
    if (retry == nullptr) continue;
    ++with_retry;
    ASSERT_TRUE(attempts.contains(name)) << name;
    EXPECT_EQ(retry->max_attempts, attempts.at(name)) << name;
  }
  EXPECT_EQ(with_retry, attempts.size());
}

TEST(PresetRetries, StopWhenTheirAttemptsAreSpent) {
  for (const char* name : {"openai-python", "polly-standard-handler", "grpc-a6-new"}) {
    const RetryOptions options = retry_of(name);
    RetryState state{.attempts = options.max_attempts - 1};
    Draws draws = draws_at(0.5);
    EXPECT_TRUE(next_retry(options, state, http_failure(503), {}, never, draws).retries()) << name;
    state.attempts = options.max_attempts;
    EXPECT_EQ(next_retry(options, state, http_failure(503), {}, never, draws).stop,
              RetryStop::attempts_spent)
        << name;
  }
}

// ------------------------------------------------------------------------------- waits

// min(.5 * 2^n, 8) * (1 - .25 u): openai-node 6.49.0 client.js, openai-python@e43b422
// _base_client.py, both of Anthropic's.
TEST(PresetRetries, OfTheSdksWaitHalfASecondDoublingToEightLessAQuarterAtMost) {
  for (const char* name : {"openai-node", "openai-python", "anthropic-ts", "anthropic-python"}) {
    SCOPED_TRACE(name);
    expect_waits(backoff_at(name, 0, 6), {.5 * .75, 1 * .75, 2 * .75, 4 * .75, 8 * .75, 8 * .75});
    expect_waits(backoff_at(name, .5, 6), {.4375, .875, 1.75, 3.5, 7, 7});
    expect_waits(backoff_at(name, 1, 6), {.5, 1, 2, 4, 8, 8});
  }
}

// 2000 ms * 2^n, no jitter, no cap: ai 6.0.326.
TEST(PresetRetries, OfVercelDoubleFromTwoSecondsWithoutEnd) {
  for (const double u : {0., .5, 1.})
    expect_waits(backoff_at("vercel-ai", u, 6), {2, 4, 8, 16, 32, 64});
}

// round((1 + u) * 1000 * 2^(k-1)) ms: @langchain/core 1.4.0 dist/utils/p-retry/index.js.
TEST(PresetRetries, OfLangChainJsAreStretchedByUpToTwo) {
  expect_waits(backoff_at("langchain-js", 0, 6), {1, 2, 4, 8, 16, 32});
  expect_waits(backoff_at("langchain-js", .5, 6), {1.5, 3, 6, 12, 24, 48});
  expect_waits(backoff_at("langchain-js", 1, 6), {2, 4, 8, 16, 32, 64});
}

// min(1 * 2^(k-1) + U(0, 1), infinity): tenacity 8.2.2 wait_exponential_jitter.
TEST(PresetRetries, OfLangChainPyAddUpToASecond) {
  expect_waits(backoff_at("langchain-py", 0, 6), {1, 2, 4, 8, 16, 32});
  expect_waits(backoff_at("langchain-py", .5, 6), {1.5, 2.5, 4.5, 8.5, 16.5, 32.5});
  expect_waits(backoff_at("langchain-py", 1, 6), {2, 3, 5, 9, 17, 33});
}

// async-retry with randomize false: 1000 ms * 2^n. Portkey-AI/gateway@669825c retryHandler.ts.
TEST(PresetRetries, OfPortkeyDoubleFromASecond) {
  for (const double u : {0., 1.}) expect_waits(backoff_at("portkey", u, 5), {1, 2, 4, 8, 16});
}

// Polly@173d6d1 RetryHelper.cs, DecorrelatedJitterBackoffV2 with d = 2 s:
//   t = n + u; next = 2^t * tanh(sqrt(4 t)); wait = (next - before) / 1.4 * d
// The root is steep at 0, where a draw of 2^-18 is 8 ms already.
TEST(PresetRetries, OfPollyAreItsDecorrelatedJitter) {
  const auto at = [](double u) { return backoff_at("polly-standard-handler", u, 6); };
  expect_waits(at(0), {0, 2.754, 2.920, 5.732, 11.436, 22.861}, 0.02);
  expect_waits(at(.5), {1.795, 2.186, 4.072, 8.092, 16.167, 32.327});
  expect_waits(at(1), {2.754, 2.920, 5.732, 11.436, 22.861, 45.716}, 0.002);
  expect_waits(
      backoff_of(retry_of("polly-standard-handler"), {.9, .1, .9, .1, .9, .1}, http_failure(500)),
      {2.549, .423, 7.669, 1.588, 30.413, 6.343}, 0.002);
}

// cockatiel 3.2.1 ExponentialBackoffGenerators.js: Polly's formula with d = 128 ms, then at most
// 30 s. 0.064 = 0.128 / 2 turns the vectors above into these.
TEST(PresetRetries, OfCockatielArePollysFrom128Milliseconds) {
  const auto at = [](double u, std::size_t n) { return backoff_at("cockatiel", u, n); };
  expect_waits(at(0, 4), {0, 2.754 * .064, 2.920 * .064, 5.732 * .064}, 0.002);
  expect_waits(at(.5, 4), {1.795 * .064, 2.186 * .064, 4.072 * .064, 8.092 * .064});
  expect_waits(at(1, 4), {2.754 * .064, 2.920 * .064, 5.732 * .064, 11.436 * .064});
  EXPECT_NEAR(at(1, 12).back(), 30, 1e-9) << "the cap comes last";
}

TEST(PresetRetries, OfLibrariesWithoutBackoffAreConstant) {
  for (const double u : {0., 1.}) {
    expect_waits(backoff_at("resilience4j-defaults", u, 2), {.5, .5});  // waitDuration 500 ms
    expect_waits(backoff_at("failsafe-go", u, 2), {0, 0});              // delay 0
    expect_waits(backoff_at("litellm-router", u, 2), {0, 0});           // another one is healthy
    expect_waits(backoff_at("finagle", u, 2), {0, 0});                  // a requeue
    expect_waits(backoff_at("google-sre", u, 2), {0, 0});               // at once, elsewhere
  }
}

// min(u * 2^n, 20): boto/botocore retries/standard.py.
TEST(PresetRetries, OfAwsStandardFillASecondDoublingToTwenty) {
  expect_waits(backoff_at("aws-standard", 0, 6), {0, 0, 0, 0, 0, 0});
  expect_waits(backoff_at("aws-standard", .5, 6), {.5, 1, 2, 4, 8, 10});
  expect_waits(backoff_at("aws-standard", 1, 6), {1, 2, 4, 8, 16, 20});
}

// floor(u * min(base * 2^n, 20 000)) ms, base 50, after throttling 1000: @smithy/core 3.41.0
// DefaultRetryBackoffStrategy.js.
TEST(PresetRetries, OfAws2026WaitLongerAfterThrottling) {
  expect_waits(backoff_at("aws-2026", 0, 4), {0, 0, 0, 0});
  expect_waits(backoff_at("aws-2026", .5, 4), {.025, .05, .1, .2});
  expect_waits(backoff_at("aws-2026", 1, 4), {.05, .1, .2, .4});
  const Outcome throttled = http_failure(429);
  expect_waits(backoff_at("aws-2026", .5, 6, throttled), {.5, 1, 2, 4, 8, 10});
  expect_waits(backoff_at("aws-2026", 1, 6, throttled), {1, 2, 4, 8, 16, 20});
  // The decision itself takes the special wait, and both count the same retries: 1000 ms * 2^1.
  const RetryOptions options = retry_of("aws-2026");
  RetryState state{.attempts = 1};
  Draws first = draws_at(1);
  next_retry(options, state, http_failure(500), {}, never, first);
  Draws second = draws_at(1);
  const RetryDecision decision = next_retry(options, state, throttled, {}, never, second);
  EXPECT_NEAR(static_cast<double>((decision.at - Instant{}).count()) * 1e-9, 2, 0.001);
}

// U(0, min(.1 * 2^n, 1)) until 2024; since, min(.1 * 2^n, 1) * U(.8, 1.2), which may exceed the cap
// and spreads the first wait too: grpc/proposal A6, and pull request 452.
TEST(PresetRetries, OfGrpcChangedTheirJitterIn2024) {
  expect_waits(backoff_at("grpc-a6-old", 0, 6), {0, 0, 0, 0, 0, 0});
  expect_waits(backoff_at("grpc-a6-old", .5, 6), {.05, .1, .2, .4, .5, .5});
  expect_waits(backoff_at("grpc-a6-old", 1, 6), {.1, .2, .4, .8, 1, 1});
  expect_waits(backoff_at("grpc-a6-new", 0, 6), {.08, .16, .32, .64, .8, .8});
  expect_waits(backoff_at("grpc-a6-new", .5, 6), {.1, .2, .4, .8, 1, 1});
  expect_waits(backoff_at("grpc-a6-new", 1, 6), {.12, .24, .48, .96, 1.2, 1.2});
}

// One retry, uniform in [0, base) with base 25 ms.
TEST(PresetRetries, OfEnvoyComeWithin25Milliseconds) {
  expect_waits(backoff_at("envoy", 0, 1), {0});
  expect_waits(backoff_at("envoy", .5, 1), {.0125}, 1e-5);
  expect_waits(backoff_at("envoy", 1, 1), {.025}, 1e-5);
}

// ------------------------------------------------------------------------------- statuses

// "408 429 500-599" as a set.
std::set<int> statuses(const std::string& text) {
  std::set<int> found;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const int first = std::stoi(text.substr(i, 3));
    int last = first;
    if (i + 3 < text.size() && text[i + 3] == '-') {
      i += 4;
      last = std::stoi(text.substr(i, 3));
    }
    for (int status = first; status <= last; ++status) found.insert(status);
  }
  return found;
}

TEST(PresetRetries, TryTheStatusesAgainThatTheLibraryDoesAndNoOther) {
  const std::string sdk = "408 409 429 500-599";
  const std::map<std::string, std::string> retried{
      {"openai-node", sdk},
      {"openai-python", sdk},
      {"anthropic-ts", sdk},
      {"anthropic-python", sdk},
      {"vercel-ai", sdk},
      {"litellm-router", sdk},
      {"langchain-js", "408 410-412 414-599"},  // all but 400-407, 409 and 413
      {"langchain-py", "400-599"},              // every exception
      {"portkey", "429 500 502-504"},
      {"polly-standard-handler", "408 429 500-599"},
      {"resilience4j-defaults", "400-599"},
      {"cockatiel", "400-599"},
      {"failsafe-go", "429 500 502-599"},  // all 5xx but 501
      {"aws-standard", "429 500 502-504"},
      {"aws-2026", "429 500 502-504"},
      {"grpc-a6-old", "429 502-504"},  // what maps to UNAVAILABLE
      {"grpc-a6-new", "429 502-504"},
      {"envoy", "500-599"},
      {"finagle", ""},
      {"google-sre", "429 500-599"},
  };
  for (const auto& [name, expected] : retried) {
    const RetryOptions options = retry_of(name);
    std::set<int> found;
    for (int status = 400; status <= 599; ++status) {
      const Outcome failure = http_failure(static_cast<std::uint16_t>(status));
      // LangChain retries no 429 that does not say when.
      if (first_decision(options, with_hint(failure, 1s)).retries()) found.insert(status);
    }
    EXPECT_EQ(found, statuses(expected)) << name;
  }
}

TEST(PresetRetries, TryAgainWithoutAnAnswerAsTheLibraryDoes) {
  const std::array kinds{connection, timed_out, malformed_reply, stream_truncated, breaker_open};
  const std::map<std::string, std::string> retried{
      // connection, timed_out, malformed_reply, stream_truncated, breaker_open
      {"openai-node", "yy---"},
      {"openai-python", "yy---"},
      {"anthropic-ts", "yy---"},
      {"anthropic-python", "yy---"},
      {"vercel-ai", "y----"},
      {"litellm-router", "yy---"},
      {"langchain-js", "y-y--"},  // aborts and ECONNABORTED are not
      {"langchain-py", "yyyyy"},
      {"portkey", "y----"},  // a timeout is a 408 there
      {"polly-standard-handler", "yy---"},
      {"resilience4j-defaults", "yyyyy"},
      {"cockatiel", "yyyyy"},
      {"failsafe-go", "yy--y"},
      {"aws-standard", "yy---"},
      {"aws-2026", "yy---"},
      {"grpc-a6-old", "y----"},  // a deadline is no UNAVAILABLE
      {"grpc-a6-new", "y----"},
      {"envoy", "yy---"},
      {"finagle", "y----"},
      {"google-sre", "yyyy-"},
  };
  for (const auto& [name, expected] : retried) {
    std::string found;
    for (const OutcomeKind kind : kinds) {
      found += first_decision(retry_of(name), Outcome::failure(kind)).retries() ? 'y' : '-';
    }
    EXPECT_EQ(found, expected) << name;
  }
}

TEST(PresetRetries, TellAnEmptyAccountFromARateLimitWhereTheLibraryDoes) {
  const Outcome quota = with_hint(Outcome::failure(quota_exhausted, 429), 1s);
  for (const char* name : {"langchain-js", "aws-standard", "aws-2026", "google-sre"}) {
    EXPECT_EQ(first_decision(retry_of(name), quota).stop, RetryStop::not_retryable) << name;
  }
  for (const char* name : {"openai-node", "openai-python", "vercel-ai", "portkey",
                           "polly-standard-handler", "failsafe-go"}) {
    EXPECT_TRUE(first_decision(retry_of(name), quota).retries()) << name;
  }
}

}  // namespace
}  // namespace brownout::conformance
