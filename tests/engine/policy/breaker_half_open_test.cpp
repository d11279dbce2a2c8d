// Who may probe, and what the probes decide.

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/engine/breaker_calls.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum BreakerState;
using enum Verdict;
using Kind = CloseRule::Kind;

// Open from 0 s on, half-open with the first call from 60 s on.
BreakerOptions deciding_by(Kind kind, std::uint32_t probes) {
  BreakerOptions options;
  options.close_rule.kind = kind;
  options.probes = probes;
  options.probe_lease = 20s;
  return options;
}

BreakerOptions m_of_n(std::uint32_t successes, std::uint32_t calls, std::uint32_t probes) {
  BreakerOptions options = deciding_by(Kind::m_of_n, probes);
  options.close_rule.successes = successes;
  options.close_rule.calls = calls;
  return options;
}

BreakerOptions ratio(std::uint32_t calls, std::uint32_t per_mille, std::uint32_t probes) {
  BreakerOptions options = deciding_by(Kind::ratio, probes);
  options.close_rule.calls = calls;
  options.close_rule.failure_per_mille = per_mille;
  return options;
}

TEST(BreakerHalfOpen, MOfNForgivesAFailureAndAsksForMoreThanOneSuccess) {
  Breaker breaker(m_of_n(3, 5, 1));
  trip(breaker, 0s);
  calls(breaker, success, 60s, 1);
  calls(breaker, failure, 60s, 2);
  EXPECT_EQ(breaker.state(), half_open);
  calls(breaker, success, 60s, 2);
  EXPECT_EQ(breaker.state(), closed) << "3 of 5";
}

TEST(BreakerHalfOpen, MOfNOpensAsSoonAsTheSuccessesAreOutOfReach) {
  Breaker breaker(m_of_n(3, 5, 1));
  trip(breaker, 0s);
  calls(breaker, failure, 60s, 2);
  EXPECT_EQ(breaker.state(), half_open);
  calls(breaker, failure, 61s, 1);
  EXPECT_EQ(breaker.state(), open);
  EXPECT_EQ(breaker.retry_after(since_start(61s)), 60s);
}

TEST(BreakerHalfOpen, NoMoreProbesAreOutThanAreStillToBeJudged) {
  Breaker breaker(m_of_n(2, 3, 3));
  trip(breaker, 0s);
  calls(breaker, failure, 60s, 1);
  ASSERT_TRUE(breaker.acquire(since_start(60s)));
  ASSERT_TRUE(breaker.acquire(since_start(60s)));
  EXPECT_FALSE(breaker.acquire(since_start(60s))) << "there is a free permit, but nothing to learn";
  EXPECT_EQ(breaker.probes_in_flight(), 2U);
  EXPECT_EQ(breaker.retry_after(since_start(60s)), 20s);
}

// resilience4j: 10 permitted calls, 50 %.
TEST(BreakerHalfOpen, ARatioOfProbesDecidesAsSoonAsItIsCertain) {
  Breaker failing(ratio(10, 500, 10));
  trip(failing, 0s);
  calls(failing, success, 60s, 4);
  calls(failing, failure, 60s, 4);
  EXPECT_EQ(failing.state(), half_open);
  calls(failing, failure, 60s, 1);
  EXPECT_EQ(failing.state(), open) << "5 of 10 have failed, whatever the tenth does";

  Breaker healthy(ratio(10, 500, 10));
  trip(healthy, 0s);
  calls(healthy, failure, 60s, 4);
  calls(healthy, success, 60s, 5);
  EXPECT_EQ(healthy.state(), half_open);
  calls(healthy, success, 60s, 1);
  EXPECT_EQ(healthy.state(), closed);
}

TEST(BreakerHalfOpen, ARatioComparesAsTheOptionsSay) {
  BreakerOptions options = ratio(4, 500, 4);
  options.comparison = BreakerOptions::Comparison::above;
  Breaker breaker(options);
  trip(breaker, 0s);
  calls(breaker, failure, 60s, 2);
  calls(breaker, success, 60s, 2);
  EXPECT_EQ(breaker.state(), closed) << "2 of 4 are not above 50 %";
}

// The permit of a probe that ended neutral is free at once; ten answers in a row are a success.
TEST(BreakerHalfOpen, NeutralAnswersDoNotKeepItHalfOpenForEver) {
  Breaker breaker(m_of_n(1, 1, 1));
  trip(breaker, 0s);
  calls(breaker, neutral, 60s, 9);
  EXPECT_EQ(breaker.state(), half_open);
  calls(breaker, neutral, 60s, 1);
  EXPECT_EQ(breaker.state(), closed);
}

TEST(BreakerHalfOpen, NeutralAnswersCountOnlyInARowAndAbandonedProbesAreNone) {
  BreakerOptions options = m_of_n(4, 8, 1);
  options.neutral_probes = 3;
  Breaker breaker(options);
  trip(breaker, 0s);
  calls(breaker, neutral, 60s, 2);
  calls(breaker, success, 60s, 1);
  calls(breaker, neutral, 60s, 2);
  for (int i = 0; i < 10; ++i) {
    breaker.release(*breaker.acquire(since_start(60s)), since_start(60s));
  }
  calls(breaker, failure, 60s, 1);
  calls(breaker, neutral, 60s, 3);
  calls(breaker, success, 60s, 1);
  EXPECT_EQ(breaker.state(), half_open) << "three successes, one of them by answering";
  calls(breaker, success, 60s, 1);
  EXPECT_EQ(breaker.state(), closed);
}

TEST(BreakerHalfOpen, WithNeverNeutralAnswersDecideNothing) {
  BreakerOptions options;
  options.neutral_probes = 0;
  Breaker breaker(options);
  trip(breaker, 0s);
  calls(breaker, neutral, 60s, 1000);
  EXPECT_EQ(breaker.state(), half_open);
}

TEST(BreakerHalfOpen, AFailureThatTripsOpensItWhateverTheRule) {
  Breaker breaker(m_of_n(1, 5, 1));
  trip(breaker, 0s);
  trip(breaker, 60s);
  EXPECT_EQ(breaker.retry_after(since_start(60s)), 60s);
}

// Portkey's: 60s the open time is over, and it is closed with the next call.
TEST(BreakerHalfOpen, WithoutHalfOpenTheEndOfTheOpenTimeClosesIt) {
  Breaker breaker(deciding_by(Kind::none, 1));
  trip(breaker, 0s);
  EXPECT_FALSE(breaker.acquire(since_start(60s - 1ns)));
  EXPECT_TRUE(breaker.acquire(since_start(60s)));
  EXPECT_EQ(breaker.state(), closed);
  EXPECT_EQ(breaker.transitions(), 2U);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(breaker.acquire(since_start(60s)));
}

BreakerOptions ramp(std::uint32_t probes) {
  BreakerOptions options = deciding_by(Kind::ramp, probes);
  options.close_rule.ramp = 60s;
  options.close_rule.ramp_from_per_mille = 100;
  options.close_rule.calls = 10;
  options.close_rule.failure_per_mille = 500;
  return options;
}

// A call every 100 ms: 10 % of them at 60 s, all at 120 s.
TEST(BreakerRamp, LetsAGrowingShareOfTheCallsThrough) {
  Breaker breaker(ramp(100));
  trip(breaker, 0s);
  std::vector<int> admitted(6);
  for (int i = 0; i < 600; ++i) {
    const Duration now = 60s + i * 100ms;
    if (call(breaker, success, now)) ++admitted[static_cast<std::size_t>(i / 100)];
  }
  // Of each sixth of the ramp, its share in the middle: 10 % + 90 % * (k + 1/2) / 6.
  const double expected[] = {17.5, 32.5, 47.5, 62.5, 77.5, 92.5};
  for (std::size_t k = 0; k < 6; ++k) EXPECT_NEAR(admitted[k], expected[k], 1) << k;
  EXPECT_EQ(breaker.state(), half_open) << "the ramp is not over";
  EXPECT_TRUE(call(breaker, success, 120s));
  EXPECT_EQ(breaker.state(), closed);
}

TEST(BreakerRamp, TheCallThatBeginsItIsLetThrough) {
  Breaker breaker(ramp(100));
  trip(breaker, 0s);
  EXPECT_TRUE(call(breaker, success, 60s));
  EXPECT_FALSE(call(breaker, success, 60s)) << "the next but nine";
  EXPECT_EQ(breaker.retry_after(since_start(60s)), 6s);
}

TEST(BreakerRamp, AFailureRateAmongItsLatestCallsOpensItAgain) {
  Breaker breaker(ramp(100));
  trip(breaker, 0s);
  int ended = 0;
  Duration now = 60s;
  do {
    ASSERT_LT(now, 120s);
    const Verdict verdict = ended < 10 ? success : failure;
    if (call(breaker, verdict, now)) ++ended;
    now += 100ms;
  } while (breaker.state() != open);
  EXPECT_EQ(ended, 15) << "5 of the latest 10 have failed";
}

// Nothing ends: there are never more probes out than permits, ramp or not.
TEST(BreakerRamp, HungProbesAreNeverMoreThanThePermits) {
  Breaker breaker(ramp(5));
  trip(breaker, 0s);
  int admitted = 0;
  for (int i = 0; i < 190; ++i) {
    if (breaker.acquire(since_start(60s + i * 100ms))) ++admitted;
    EXPECT_LE(breaker.probes_in_flight(), 5U);
  }
  EXPECT_EQ(admitted, 5);
}

TEST(BreakerRamp, ThatSawTooFewCallsGoesOnUntilItHasSeenEnough) {
  Breaker breaker(ramp(100));
  trip(breaker, 0s);
  ASSERT_TRUE(call(breaker, success, 60s));
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(call(breaker, success, 10min)) << "all are let through";
  EXPECT_EQ(breaker.state(), half_open);
  EXPECT_TRUE(call(breaker, success, 10min));
  EXPECT_EQ(breaker.state(), closed);
}

}  // namespace
}  // namespace brownout::testing
