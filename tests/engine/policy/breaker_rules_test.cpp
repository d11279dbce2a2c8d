// The rules by which a breaker opens.

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/engine/breaker_calls.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum BreakerState;
using enum Verdict;

BreakerOptions window_of(std::uint32_t calls) {
  BreakerOptions options;
  options.consecutive_failures = 0;
  options.window_calls = calls;
  options.minimum_calls = 1;
  return options;
}

BreakerOptions rate_of(std::uint32_t per_mille, std::uint32_t calls, std::uint32_t minimum) {
  BreakerOptions options = window_of(calls);
  options.failure_per_mille = per_mille;
  options.minimum_calls = minimum;
  return options;
}

TEST(BreakerRules, OneFailedFirstCallIsNoRateYet) {
  Breaker breaker(rate_of(500, 100, 20));
  calls(breaker, failure, 1s, 19);
  EXPECT_EQ(breaker.state(), closed) << "19 of 19";
  calls(breaker, failure, 1s, 1);
  EXPECT_EQ(breaker.state(), open) << "20 of 20";
}

TEST(BreakerRules, ARateAtItsThresholdOpensOrNotAsTheComparisonSays) {
  for (const bool above : {false, true}) {
    BreakerOptions options = rate_of(500, 10, 4);
    if (above) options.comparison = BreakerOptions::Comparison::above;
    Breaker breaker(options);
    calls(breaker, success, 1s, 2);
    calls(breaker, failure, 1s, 2);
    EXPECT_EQ(breaker.state(), above ? closed : open) << "2 of 4 are 50 %";
    if (!above) continue;
    calls(breaker, failure, 1s, 1);
    EXPECT_EQ(breaker.state(), open) << "3 of 5 are more";
  }
}

TEST(BreakerRules, AMinimumAboveTheWindowIsTheWindow) {
  Breaker breaker(rate_of(500, 5, 20));
  calls(breaker, failure, 1s, 4);
  EXPECT_EQ(breaker.state(), closed);
  calls(breaker, failure, 1s, 1);
  EXPECT_EQ(breaker.state(), open);
}

TEST(BreakerRules, FailuresThatLeftTheWindowDoNotCount) {
  Breaker breaker(rate_of(500, 4, 4));
  calls(breaker, failure, 1s, 1);
  calls(breaker, success, 1s, 4);
  calls(breaker, failure, 1s, 1);
  EXPECT_EQ(breaker.state(), closed) << "1 of the last 4";
  calls(breaker, failure, 1s, 1);
  EXPECT_EQ(breaker.state(), open) << "2 of the last 4";
}

// 0s and 1s fail | 10s the first is forgotten | 10.5s fails: 2 of 2 in the window, not 3 of 3
TEST(BreakerRules, ATimeWindowForgetsByTimeAndIdlingEmptiesIt) {
  BreakerOptions options;
  options.consecutive_failures = 0;
  options.window_time = 10s;
  options.failures_in_window = 3;
  Breaker breaker(options);
  calls(breaker, failure, 0s, 1);
  calls(breaker, failure, 1s, 1);
  calls(breaker, failure, 10500ms, 1);
  EXPECT_EQ(breaker.state(), closed);
  EXPECT_EQ(breaker.window_counts(since_start(10500ms)), (WindowCounts{2, 2, 0}));
  calls(breaker, failure, 1h, 1);
  EXPECT_EQ(breaker.window_counts(since_start(1h)), (WindowCounts{1, 1, 0}));
}

// A call of 60 s in a window of 30 s is filed when it ends.
TEST(BreakerRules, CallsLongerThanTheWindowCount) {
  BreakerOptions options;
  options.consecutive_failures = 0;
  options.window_time = 30s;
  options.failures_in_window = 2;
  Breaker breaker(options);
  const auto first = breaker.acquire(since_start(0s));
  const auto second = breaker.acquire(since_start(1s));
  breaker.record(*first, failure, since_start(60s));
  breaker.record(*second, failure, since_start(61s));
  EXPECT_EQ(breaker.state(), open);
}

TEST(BreakerRules, SoManyFailuresInTheWindowOpenItWhateverTheirShare) {
  BreakerOptions options = window_of(100);
  options.failures_in_window = 3;
  Breaker breaker(options);
  calls(breaker, failure, 1s, 2);
  calls(breaker, success, 1s, 97);
  EXPECT_EQ(breaker.state(), closed);
  calls(breaker, failure, 1s, 1);
  EXPECT_EQ(breaker.state(), open) << "3 of 100";
}

TEST(BreakerRules, RateAndCountMayBothBeRequired) {
  BreakerOptions options = rate_of(500, 100, 2);
  options.failures_in_window = 5;
  Breaker either(options);
  calls(either, failure, 1s, 2);
  EXPECT_EQ(either.state(), open) << "the rate alone";
  options.require_both = true;
  Breaker both(options);
  calls(both, failure, 1s, 4);
  EXPECT_EQ(both.state(), closed);
  calls(both, failure, 1s, 1);
  EXPECT_EQ(both.state(), open);
}

// Finagle's failure accrual: success rate below 0.8 over 30 s, or 5 failures in a row.
TEST(BreakerRules, ARateAndARowMayBothBeOn) {
  BreakerOptions options;
  options.consecutive_failures = 5;
  options.window_time = 30s;
  options.minimum_calls = 5;
  options.failure_per_mille = 200;
  options.comparison = BreakerOptions::Comparison::above;
  Breaker by_rate(options);
  calls(by_rate, success, 1s, 4);
  calls(by_rate, failure, 1s, 1);
  EXPECT_EQ(by_rate.state(), closed) << "1 of 5 is 20 %";
  calls(by_rate, failure, 1s, 1);
  EXPECT_EQ(by_rate.state(), open);

  Breaker by_row(options);
  calls(by_row, success, 1s, 100);
  calls(by_row, failure, 1s, 4);
  EXPECT_EQ(by_row.state(), closed);
  calls(by_row, failure, 1s, 1);
  EXPECT_EQ(by_row.state(), open) << "5 of 105 are no rate";
}

TEST(BreakerRules, ASuccessMayFillTheMinimumOnlyWhereEveryResultIsLookedAt) {
  for (const bool every : {false, true}) {
    BreakerOptions options = rate_of(500, 10, 4);
    if (every) options.evaluate = BreakerOptions::Evaluate::results;
    Breaker breaker(options);
    calls(breaker, failure, 1s, 3);
    calls(breaker, success, 1s, 1);
    EXPECT_EQ(breaker.state(), every ? open : closed);
  }
}

TEST(BreakerRules, AnOutcomeThatTripsOpensAtOnce) {
  BreakerOptions options;
  options.trip_on = OutcomeSet::of({OutcomeKind::rate_limited});
  Breaker breaker(options);
  const Finding finding = finding_of(options, Outcome::failure(OutcomeKind::rate_limited, 429));
  EXPECT_EQ(finding.verdict, failure) << "though it is none of `failures`";
  EXPECT_TRUE(finding.trips);
  EXPECT_TRUE(call(breaker, finding, 1s, 2s));
  EXPECT_EQ(breaker.state(), open);
}

TEST(BreakerRules, OwnRefusalsAndCancelledCallsNeverCountWhateverThePolicySays) {
  using enum OutcomeKind;
  const BreakerOptions options{.failures = OutcomeSet::any(), .trip_on = OutcomeSet::any()};
  for (const OutcomeKind kind : {breaker_open, throttled, bulkhead_full, client_rate_limited}) {
    EXPECT_EQ(judge(options, Outcome::failure(kind)), refused);
    EXPECT_FALSE(finding_of(options, Outcome::failure(kind)).trips);
  }
  EXPECT_EQ(judge(options, Outcome::failure(cancelled)), neutral);
}

TEST(BreakerRules, ARefusalBelowIsAsIfTheCallHadNotBeen) {
  BreakerOptions options = rate_of(500, 10, 1);
  options.slow_call = 5s;
  options.slow_per_mille = 500;
  Breaker breaker(options);
  EXPECT_TRUE(call(breaker, Finding{refused, false, {}}, 0s, 60s)) << "it waited for a place";
  EXPECT_EQ(breaker.window_counts(since_start(60s)), WindowCounts{});
  EXPECT_EQ(breaker.state(), closed);
}

BreakerOptions slow_rule() {
  BreakerOptions options = window_of(10);
  options.slow_call = 5s;
  options.slow_per_mille = 500;
  options.minimum_calls = 4;
  return options;
}

TEST(BreakerSlowCalls, SuccessesThatTakeTooLongOpenIt) {
  Breaker breaker(slow_rule());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(call(breaker, Finding{}, 0s, 5s)) << "just not slow";
  EXPECT_EQ(breaker.window_counts(since_start(5s)), (WindowCounts{3, 0, 0}));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(breaker.state(), closed);
    EXPECT_TRUE(call(breaker, Finding{}, 0s, 5s + 1ns));
  }
  EXPECT_EQ(breaker.state(), open) << "3 of 6";
}

// 0s four calls begin and hang | 5s none is slow yet | 5s + 1ns the next call finds all four slow
TEST(BreakerSlowCalls, HungCallsOpenItBeforeAnyOfThemEnds) {
  Breaker breaker(slow_rule());
  std::vector<Breaker::Permit> hung;
  for (int i = 0; i < 4; ++i) hung.push_back(*breaker.acquire(since_start(0s)));
  const auto fifth = breaker.acquire(since_start(5s));
  ASSERT_TRUE(fifth);
  EXPECT_FALSE(breaker.acquire(since_start(5s + 1ns)));
  EXPECT_EQ(breaker.state(), open);
  EXPECT_EQ(breaker.retry_after(since_start(5s + 1ns)), 60s);
  for (const auto& permit : hung) breaker.record(permit, failure, since_start(30s));
  EXPECT_EQ(breaker.retry_after(since_start(30s)), 35s + 1ns) << "what they end as is late";
}

// 1000 calls a second hang. Without looking at calls in flight 30,000 would be let through before
// the first of them times out.
TEST(BreakerSlowCalls, TheLoadDuringDetectionIsBoundedByTheSlowCallNotByTheTimeout) {
  BreakerOptions options = slow_rule();
  options.slow_call = 2s;
  options.minimum_calls = 10;
  Breaker breaker(options);
  int admitted = 0;
  for (int i = 0; i < 30'000; ++i) {
    if (breaker.acquire(since_start(i * 1ms))) ++admitted;
  }
  EXPECT_EQ(admitted, 2010);
}

TEST(BreakerSlowCalls, ACallInFlightCountsOnceAndStillWhenItHasEnded) {
  Breaker breaker(slow_rule());
  const auto slow = breaker.acquire(since_start(0s));
  const auto quick = breaker.acquire(since_start(5s));
  breaker.record(*quick, success, since_start(6s));
  EXPECT_EQ(breaker.window_counts(since_start(6s)), (WindowCounts{2, 0, 1})) << "one in flight";
  breaker.record(*slow, failure, since_start(7s));
  EXPECT_EQ(breaker.window_counts(since_start(7s)), (WindowCounts{2, 1, 1}));
}

TEST(BreakerSlowCalls, AnAbandonedCallCountsOnlyIfItWasSlow) {
  Breaker breaker(slow_rule());
  const auto quick = breaker.acquire(since_start(0s));
  breaker.release(*quick, since_start(5s));
  EXPECT_EQ(breaker.window_counts(since_start(5s)), WindowCounts{});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(breaker.state(), closed);
    const auto slow = breaker.acquire(since_start(10s));
    breaker.release(*slow, since_start(15s + 1ns));
  }
  EXPECT_EQ(breaker.state(), open) << "four callers in a row lost patience";
}

TEST(BreakerSlowCalls, ASlowProbeIsAFailedProbe) {
  Breaker breaker(slow_rule());
  trip(breaker, 0s);
  EXPECT_TRUE(call(breaker, Finding{}, 60s, 66s));
  EXPECT_EQ(breaker.state(), open);
}

TEST(InFlightCalls, AreFoundSlowInOrderOfAdmissionWhoeverEndsInBetween) {
  InFlightCalls calls;
  const auto first = calls.add(since_start(0s));
  const auto second = calls.add(since_start(1s));
  const auto third = calls.add(since_start(2s));
  EXPECT_FALSE(calls.remove(second));
  EXPECT_FALSE(calls.age(since_start(10s), 10s));
  EXPECT_TRUE(calls.age(since_start(11s), 10s));
  EXPECT_EQ(calls.slow(), 1U);
  EXPECT_FALSE(calls.age(since_start(11s), 10s)) << "no new one";
  EXPECT_TRUE(calls.age(since_start(13s), 10s));
  EXPECT_EQ(calls.slow(), 2U);
  EXPECT_TRUE(calls.remove(first));
  EXPECT_EQ(calls.add(since_start(13s)), first) << "places are used again";
  EXPECT_TRUE(calls.remove(third));
  EXPECT_EQ(calls.slow(), 0U);
}

}  // namespace
}  // namespace brownout::testing
