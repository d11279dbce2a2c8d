// When each preset's breaker opens and closes, and what its budget and its throttle allow, against
// numbers worked out by hand from the source its file names.

#include <gtest/gtest.h>

#include <array>

#include "engine/policy/budget.hpp"
#include "engine/policy/throttle.hpp"
#include "tests/conformance/presets/presets.hpp"

namespace brownout::conformance {
namespace {

using namespace std::chrono_literals;

// t       0 s  five failures, a success, six failures: the sixth opens it
//         60 s a probe fails: another 60 s
//        120 s a probe succeeds: closed
// ReadyToTrip: ConsecutiveFailures > 5. sony/gobreaker@fed8e9e.
TEST(PresetBreakers, GobreakerOpensWithTheSixthFailureInARow) {
  BreakerBench bench("gobreaker");
  bench.fail(5);
  EXPECT_TRUE(bench.is_closed());
  bench.succeed();
  bench.fail(5);
  EXPECT_TRUE(bench.is_closed());
  bench.fail(1, http_failure(400));
  EXPECT_TRUE(bench.is_open()) << "every error counts";
  bench.wait(60s - 1ns);
  EXPECT_FALSE(bench.succeed());
  bench.wait(1ns);
  EXPECT_TRUE(bench.fail());
  EXPECT_TRUE(bench.is_open());
  bench.wait(60s);
  EXPECT_TRUE(bench.succeed());
  EXPECT_TRUE(bench.is_closed());
}

// if generation != previous { return }: a result of an earlier generation is dropped.
TEST(PresetBreakers, OfAllBreakersGobreakersAloneDropsLateResults) {
  for (const std::string& name : preset_names()) {
    const Policy policy = preset(name);
    const auto* breaker = find_layer<BreakerOptions>(policy.pipeline);
    if (breaker == nullptr) continue;
    const bool drops = breaker->late_results == BreakerOptions::LateResults::ignored;
    EXPECT_EQ(drops, name == "gobreaker") << name;
  }
}

// A slow call from before the trip ends while half-open: C05, as in resilience4j, failsafe-go,
// cockatiel and opossum.
TEST(PresetBreakers, ALateSuccessClosesABreakerWithoutGenerations) {
  for (const char* name : {"failsafe-go", "cockatiel", "opossum", "hystrix"}) {
    BreakerBench bench(name);
    const auto slow = bench.breaker().acquire(bench.now());
    bench.fail(20);
    ASSERT_TRUE(bench.is_open()) << name;
    bench.breaker().record(*slow, Verdict::success, bench.now());
    EXPECT_TRUE(bench.is_open()) << name << ": while open nothing counts";

    BreakerBench other(name);
    const auto late = other.breaker().acquire(other.now());
    other.fail(20);
    other.wait(other.open_for());
    const auto probe = other.breaker().acquire(other.now());
    ASSERT_TRUE(probe) << name;
    other.breaker().record(*late, Verdict::success, other.now());
    EXPECT_TRUE(other.is_closed()) << name;
  }
}

// 10 % of at least 100 in 30 s, looked at when one fails: Polly@173d6d1 AdvancedCircuitBehavior.cs.
TEST(PresetBreakers, PollyOpensAtTenPercentOfAHundred) {
  const std::string name = "polly-standard-handler";
  BreakerBench few(name);
  few.fail(99);
  EXPECT_TRUE(few.is_closed()) << "99 are too few";
  few.fail();
  EXPECT_TRUE(few.is_open());
  EXPECT_EQ(few.open_for(), 5s);

  BreakerBench exactly(name);
  exactly.succeed(90);
  exactly.fail(9);
  EXPECT_TRUE(exactly.is_closed());
  exactly.fail();
  EXPECT_TRUE(exactly.is_open()) << "10 of 100 are enough";

  BreakerBench below(name);
  below.succeed(91);
  below.fail(9);
  EXPECT_TRUE(below.is_closed()) << "9 of 100 are not";

  BreakerBench last(name);
  last.fail(10);
  last.succeed(90);
  EXPECT_TRUE(last.is_closed()) << "a success does not make it look";
  last.fail();
  EXPECT_TRUE(last.is_open());
}

TEST(PresetBreakers, PollyForgetsAfterThirtySeconds) {
  BreakerBench bench("polly-standard-handler");
  bench.fail(99);
  bench.wait(31s);
  bench.fail(99);
  EXPECT_TRUE(bench.is_closed());
}

TEST(PresetBreakers, PollyCountsItsTransientFailuresOnly) {
  BreakerBench bench("polly-standard-handler");
  bench.fail(500, http_failure(400));
  EXPECT_TRUE(bench.is_closed());
  bench.fail(100, http_failure(429));
  EXPECT_TRUE(bench.is_open());
  bench.wait(5s);
  bench.fail(1, http_failure(404));
  EXPECT_TRUE(bench.is_closed()) << "an answer that is no transient failure closes it";
}

// >= 50 % of a ring of 100, looked at with each result; then 10 probes: resilience4j@af9e7c9.
TEST(PresetBreakers, Resilience4jOpensAtHalfOfAHundredAndClosesBelowHalfOfTen) {
  const std::string name = "resilience4j-defaults";
  BreakerBench bench(name);
  bench.fail(50);
  bench.succeed(49);
  EXPECT_TRUE(bench.is_closed()) << "99 results";
  bench.succeed();
  EXPECT_TRUE(bench.is_open()) << "50 of 100, although the hundredth is a success";
  EXPECT_EQ(bench.open_for(), 60s);
  bench.wait(60s);
  bench.succeed(5);
  bench.fail(5);
  EXPECT_TRUE(bench.is_open()) << "5 of 10";
  bench.wait(60s);
  bench.succeed(6);
  bench.fail(4);
  EXPECT_TRUE(bench.is_closed()) << "4 of 10";

  BreakerBench below(name);
  below.fail(49);
  below.succeed(51);
  EXPECT_TRUE(below.is_closed());
}

// slowCallRateThreshold 100 %, slowCallDurationThreshold 60 s.
TEST(PresetBreakers, Resilience4jOpensWhenAllOfAHundredAreSlow) {
  BreakerBench bench("resilience4j-defaults");
  std::vector<Breaker::Permit> permits;
  for (int i = 0; i < 100; ++i) permits.push_back(*bench.breaker().acquire(bench.now()));
  bench.wait(60s + 1ns);
  for (int i = 0; i < 99; ++i) {
    bench.breaker().record(permits[static_cast<std::size_t>(i)], Verdict::success, bench.now());
  }
  const bool before = bench.is_closed();
  bench.breaker().record(permits.back(), Verdict::success, bench.now());
  EXPECT_TRUE(bench.is_open());
  // Here those under way count as slow already; there each counts when it ends.
  EXPECT_FALSE(before);
}

// > 50 % of 10 s and no minimum: opossum 9.0.0 lib/circuit.js, its issue 217.
TEST(PresetBreakers, OpossumOpensWithAFirstFailure) {
  BreakerBench bench("opossum");
  bench.fail();
  EXPECT_TRUE(bench.is_open());
  EXPECT_EQ(bench.open_for(), 30s);
  bench.wait(30s);
  bench.succeed();
  EXPECT_TRUE(bench.is_closed());

  BreakerBench even("opossum");
  even.succeed();
  even.fail();
  EXPECT_TRUE(even.is_closed()) << "50 % are not more than 50 %";
  even.fail();
  EXPECT_TRUE(even.is_open());
}

// >= 50 % of at least 20 in 10 s: HystrixCommandProperties.java.
TEST(PresetBreakers, HystrixOpensAtHalfOfTwenty) {
  BreakerBench bench("hystrix");
  bench.fail(10);
  bench.succeed(9);
  EXPECT_TRUE(bench.is_closed()) << "19 are too few";
  bench.succeed();
  EXPECT_TRUE(bench.is_open()) << "its health is looked at whatever the result";
  EXPECT_EQ(bench.open_for(), 5s);
  bench.wait(5s);
  const auto probe = bench.breaker().acquire(bench.now());
  ASSERT_TRUE(probe);
  EXPECT_FALSE(bench.breaker().acquire(bench.now())) << "one probe";
  bench.breaker().record(*probe, Verdict::success, bench.now());
  EXPECT_TRUE(bench.is_closed());

  BreakerBench below("hystrix");
  below.succeed(11);
  below.fail(9);
  EXPECT_TRUE(below.is_closed());
}

// 1 failure opens for 60 s, 1 success closes: failsafe-go@5759a5e circuitbreaker.
TEST(PresetBreakers, FailsafeGoOpensWithOneFailure) {
  BreakerBench bench("failsafe-go");
  bench.fail(10, http_failure(501));
  EXPECT_TRUE(bench.is_closed());
  bench.fail();
  EXPECT_TRUE(bench.is_open());
  EXPECT_EQ(bench.open_for(), 60s);
  bench.wait(60s);
  bench.succeed();
  EXPECT_TRUE(bench.is_closed());
}

// ConsecutiveBreaker(5), halfOpenAfter 10 s: its readme.
TEST(PresetBreakers, CockatielOpensWithTheFifthFailureInARow) {
  BreakerBench bench("cockatiel");
  bench.fail(4);
  EXPECT_TRUE(bench.is_closed());
  bench.fail();
  EXPECT_TRUE(bench.is_open());
  EXPECT_EQ(bench.open_for(), 10s);
}

// 5 in a row, or success rate < .8 of at least 5 in 30 s: finagle@4feb34c FailureAccrualFactory.
TEST(PresetBreakers, FinagleMarksDeadAfterFiveInARowOrBelowEightyPercent) {
  BreakerBench row("finagle");
  row.succeed(100);
  row.fail(4);
  EXPECT_TRUE(row.is_closed());
  row.fail();
  EXPECT_TRUE(row.is_open());

  BreakerBench rate("finagle");
  rate.succeed(8);
  rate.fail(2);
  EXPECT_TRUE(rate.is_closed()) << "8 of 10 are 80 %";
  rate.fail();
  EXPECT_TRUE(rate.is_open()) << "8 of 11 are less";

  BreakerBench few("finagle");
  few.fail(2);
  few.succeed(2);
  EXPECT_TRUE(few.is_closed()) << "4 are too few";
}

// Backoff.equalJittered(5 s, 300 s): 5, then h + U(0, h) for h = 5 * 2^(k-1).
TEST(PresetBreakers, FinaglesDeadTimeIsExactAtFirstAndThenJittered) {
  const BreakerOptions options = breaker_of("finagle");
  const std::array<Duration, 8> most{5s, 10s, 20s, 40s, 80s, 160s, 300s, 300s};
  std::size_t spread = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Breaker breaker(options, DrawFamily(seed, Purpose::breaker_jitter, "finagle"));
    Instant now{};
    for (int i = 0; i < 5; ++i) breaker.record(*breaker.acquire(now), Verdict::failure, now);
    EXPECT_EQ(breaker.retry_after(now), 5s);
    for (std::size_t k = 1; k < most.size(); ++k) {
      now += breaker.retry_after(now);
      breaker.record(*breaker.acquire(now), Verdict::failure, now);
      EXPECT_LE(breaker.retry_after(now), most[k]);
      EXPECT_GE(breaker.retry_after(now), most[k] / 2);
      spread += breaker.retry_after(now) != most[k];
    }
  }
  EXPECT_GT(spread, 100U);
}

// 5 in a row eject for 30 s times the ejections, at most 300 s; each 10 s sound takes one back:
// outlier_detection.proto.
TEST(PresetBreakers, EnvoyEjectsForThirtySecondsMoreEachTime) {
  BreakerBench bench("envoy");
  bench.fail(4, http_failure(503));
  bench.fail(10, http_failure(429));
  EXPECT_TRUE(bench.is_closed()) << "a 429 is no 5xx";
  bench.fail(1, http_failure(503));
  for (const Duration ejected : {30s, 60s, 90s, 120s, 150s, 180s, 210s, 240s, 270s, 300s, 300s}) {
    ASSERT_TRUE(bench.is_open());
    EXPECT_EQ(bench.open_for(), ejected);
    bench.wait(ejected);
    bench.fail(5);
  }
  // Eleven ejections and the twelfth, less nine healthy intervals: the next is the fourth.
  bench.wait(300s);
  bench.succeed();
  bench.wait(90s);
  bench.fail(5);
  EXPECT_EQ(bench.open_for(), 120s);
}

// 429, 401 and 404 at once, or > 50 % of at least 5 of a minute; 5 s or Retry-After:
// cooldown_handlers.py.
TEST(PresetBreakers, LitellmCoolsADeploymentDown) {
  BreakerBench limited("litellm-router");
  limited.succeed(1000);
  limited.fail(1, http_failure(429));
  EXPECT_TRUE(limited.is_open());
  EXPECT_EQ(limited.open_for(), 5s);
  limited.wait(5s);
  EXPECT_TRUE(limited.succeed());
  EXPECT_TRUE(limited.is_closed()) << "there is no half-open";
  limited.fail(1, with_hint(http_failure(429), 17s));
  EXPECT_EQ(limited.open_for(), 17s);

  BreakerBench failing("litellm-router");
  failing.succeed(2);
  failing.fail(2);
  EXPECT_TRUE(failing.is_closed()) << "4 requests";
  failing.fail();
  EXPECT_TRUE(failing.is_open()) << "3 of 5";

  BreakerBench unreachable("litellm-router");
  unreachable.fail(100, Outcome::failure(OutcomeKind::connection));
  EXPECT_TRUE(unreachable.is_closed()) << "APIConnectionError is exempt";
}

// ------------------------------------------------------------------------------- budgets

// Retries that a budget grants one after the other, each after this failure and all failing.
int retries_granted(const std::string& name, const Outcome& cause, int most = 1000) {
  RetryBudget budget(budget_of(name));
  int granted = 0;
  for (; granted < most; ++granted) {
    budget.on_failure(Instant{}, cause);
    if (!budget.try_withdraw(Instant{}, cause)) break;
  }
  return granted;
}

TEST(PresetBudgets, GrantWhatTheirSourcesDo) {
  const Outcome timeout = Outcome::failure(OutcomeKind::timed_out);
  EXPECT_EQ(retries_granted("aws-standard", http_failure(500)), 500 / 5);
  EXPECT_EQ(retries_granted("aws-standard", timeout), 500 / 10);
  EXPECT_EQ(retries_granted("aws-2026", http_failure(500)), 500 / 14);
  EXPECT_EQ(retries_granted("aws-2026", timeout), 500 / 14);
  EXPECT_EQ(retries_granted("aws-2026", http_failure(429)), 500 / 5);
  // Tokens 10 - failures must be more than 5: after the fifth failure they are not.
  EXPECT_EQ(retries_granted("grpc-a6-old", http_failure(503)), 4);
  EXPECT_EQ(retries_granted("grpc-a6-new", http_failure(503)), 4);
  // 10 a second, for 10 s; and without calls a tenth of nothing.
  EXPECT_EQ(retries_granted("finagle", Outcome::failure(OutcomeKind::connection)), 100);
  EXPECT_EQ(retries_granted("google-sre", http_failure(503)), 0);
}

TEST(PresetBudgets, ShareOfCalls) {
  for (const auto& [name, expected] :
       {std::pair{"finagle", 100 + 1000 / 5}, std::pair{"google-sre", 1000 / 10}}) {
    RetryBudget budget(budget_of(name));
    for (int i = 0; i < 1000; ++i) budget.on_call(Instant{});
    int granted = 0;
    while (budget.try_withdraw(Instant{}, http_failure(503))) ++granted;
    EXPECT_EQ(granted, expected) << name;
  }
}

// p = max(0, (requests - 2 * accepts) / (requests + 1)) over 2 min: sre.google, handling-overload.
TEST(PresetThrottles, GoogleSreRejectsWhatExceedsTwiceTheAccepts) {
  const Policy policy = preset("google-sre");
  Throttle throttle(*find_layer<ThrottleOptions>(policy.pipeline));
  Draws draws = draws_at(1);
  for (int i = 0; i < 10; ++i) throttle.admit(Instant{}, draws);
  EXPECT_EQ(throttle.rejection(Instant{}), 909'090U) << "(10 - 0) / 11";
  for (int i = 0; i < 4; ++i) throttle.accepted(Instant{});
  EXPECT_EQ(throttle.rejection(Instant{}), 181'818U) << "(10 - 8) / 11";
  throttle.accepted(Instant{});
  EXPECT_EQ(throttle.rejection(Instant{}), 0U) << "half of them are accepted";
  EXPECT_EQ(throttle.rejection(Instant{} + 2min), 0U) << "and then forgotten";
}

}  // namespace
}  // namespace brownout::conformance
