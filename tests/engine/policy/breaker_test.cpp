#include "engine/policy/breaker.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace brownout {
namespace {

using namespace std::chrono_literals;
using enum BreakerState;
using LateResults = BreakerOptions::LateResults;

constexpr Instant at(Duration since_start) {
  return Instant{} + since_start;
}

BreakerOptions small() {
  return {.consecutive_failures = 2, .open_for = 60s, .probe_lease = 20s};
}

// A call that is admitted and ends at once.
void call(Breaker& breaker, Verdict verdict, Duration now) {
  const auto permit = breaker.acquire(at(now));
  ASSERT_TRUE(permit) << "refused";
  breaker.record(*permit, verdict, at(now));
}

void fail_until_open(Breaker& breaker, const BreakerOptions& options, Duration now) {
  for (std::uint32_t i = 0; i < options.consecutive_failures; ++i) {
    call(breaker, Verdict::failure, now);
  }
  ASSERT_EQ(breaker.state(), open);
}

TEST(Breaker, IsClosedAtFirstAndAdmitsEverything) {
  Breaker breaker({});
  EXPECT_EQ(breaker.state(), closed);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(breaker.acquire(at(0s)));
  EXPECT_EQ(breaker.probes_in_flight(), 0U);
  EXPECT_EQ(breaker.retry_after(at(0s)), 0s);
}

TEST(Breaker, OpensAtTheFifthFailureInARowByDefault) {
  Breaker breaker({});
  for (int i = 0; i < 4; ++i) call(breaker, Verdict::failure, 1s);
  EXPECT_EQ(breaker.state(), closed);
  call(breaker, Verdict::failure, 1s);
  EXPECT_EQ(breaker.state(), open);
}

TEST(Breaker, ASuccessInBetweenStartsTheCountOver) {
  Breaker breaker(small());
  call(breaker, Verdict::failure, 1s);
  call(breaker, Verdict::success, 2s);
  call(breaker, Verdict::failure, 3s);
  EXPECT_EQ(breaker.state(), closed);
}

TEST(Breaker, ANeutralResultInBetweenDoesNot) {
  Breaker breaker(small());
  call(breaker, Verdict::failure, 1s);
  call(breaker, Verdict::neutral, 2s);
  call(breaker, Verdict::failure, 3s);
  EXPECT_EQ(breaker.state(), open);
}

// 10s opens | 70s - 1ns still refuses | 70s half-open
TEST(Breaker, StaysOpenForExactlyAsLongAsItSays) {
  Breaker breaker(small());
  fail_until_open(breaker, small(), 10s);
  EXPECT_FALSE(breaker.acquire(at(10s)));
  EXPECT_EQ(breaker.retry_after(at(10s)), 60s);
  EXPECT_FALSE(breaker.acquire(at(70s - 1ns)));
  EXPECT_EQ(breaker.retry_after(at(70s - 1ns)), 1ns);
  EXPECT_EQ(breaker.state(), open) << "time alone does not move it";
  EXPECT_TRUE(breaker.acquire(at(70s)));
  EXPECT_EQ(breaker.state(), half_open);
}

TEST(Breaker, OpenIsCountedFromTheFailureThatOpenedItNotFromTheFirst) {
  Breaker breaker(small());
  call(breaker, Verdict::failure, 0s);
  call(breaker, Verdict::failure, 30s);
  EXPECT_FALSE(breaker.acquire(at(90s - 1ns)));
  EXPECT_TRUE(breaker.acquire(at(90s)));
}

TEST(Breaker, ClosesAfterEnoughSuccessfulProbes) {
  BreakerOptions options = small();
  options.close_after = 3;
  Breaker breaker(options);
  fail_until_open(breaker, options, 0s);
  call(breaker, Verdict::success, 60s);
  call(breaker, Verdict::success, 61s);
  EXPECT_EQ(breaker.state(), half_open);
  call(breaker, Verdict::success, 62s);
  EXPECT_EQ(breaker.state(), closed);
}

TEST(Breaker, OneFailedProbeOpensItAgainAndForgetsTheSuccesses) {
  BreakerOptions options = small();
  options.close_after = 2;
  Breaker breaker(options);
  fail_until_open(breaker, options, 0s);
  call(breaker, Verdict::success, 60s);
  call(breaker, Verdict::failure, 61s);
  EXPECT_EQ(breaker.state(), open);
  EXPECT_EQ(breaker.retry_after(at(61s)), 60s);
  call(breaker, Verdict::success, 121s);
  EXPECT_EQ(breaker.state(), half_open);
}

TEST(Breaker, ANeutralProbeGivesItsPermitBackAndDecidesNothing) {
  Breaker breaker(small());
  fail_until_open(breaker, small(), 0s);
  call(breaker, Verdict::neutral, 60s);
  EXPECT_EQ(breaker.state(), half_open);
  EXPECT_EQ(breaker.probes_in_flight(), 0U);
  EXPECT_TRUE(breaker.acquire(at(60s)));
}

TEST(Breaker, ReleasingIsLikeANeutralResult) {
  Breaker breaker(small());
  fail_until_open(breaker, small(), 0s);
  const auto probe = breaker.acquire(at(60s));
  EXPECT_FALSE(breaker.acquire(at(60s)));
  breaker.release(*probe, at(60s));
  EXPECT_EQ(breaker.state(), half_open);
  EXPECT_TRUE(breaker.acquire(at(60s)));
}

TEST(Breaker, AdmitsOnlyAsManyProbesAsItHasPermits) {
  BreakerOptions options = small();
  options.probes = 2;
  Breaker breaker(options);
  fail_until_open(breaker, options, 0s);
  EXPECT_TRUE(breaker.acquire(at(60s)));
  EXPECT_TRUE(breaker.acquire(at(65s)));
  EXPECT_EQ(breaker.probes_in_flight(), 2U);
  EXPECT_FALSE(breaker.acquire(at(66s)));
  EXPECT_EQ(breaker.retry_after(at(66s)), 14s) << "until the first lease runs out";
}

TEST(Breaker, WithProbesAllEveryCallIsAProbe) {
  BreakerOptions options = small();
  options.probes = 0;
  Breaker breaker(options);
  fail_until_open(breaker, options, 0s);
  const auto first = breaker.acquire(at(60s));
  const auto second = breaker.acquire(at(60s));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(breaker.probes_in_flight(), 0U) << "there are no permits to count";
  breaker.record(*first, Verdict::failure, at(61s));
  EXPECT_EQ(breaker.state(), open);
}

// 60s probe | 80s - 1ns refuses | 80s the lease is over: another takes the permit
TEST(Breaker, AProbeThatNeverReportsLosesItsPermitAtTheEndOfItsLease) {
  Breaker breaker(small());
  fail_until_open(breaker, small(), 0s);
  const auto lost = breaker.acquire(at(60s));
  EXPECT_FALSE(breaker.acquire(at(80s - 1ns)));
  const auto second = breaker.acquire(at(80s));
  ASSERT_TRUE(lost && second);
  EXPECT_EQ(breaker.probes_in_flight(), 1U);

  breaker.record(*lost, Verdict::failure, at(81s));
  EXPECT_EQ(breaker.state(), half_open) << "its permit is no longer its own";
  EXPECT_EQ(breaker.probes_in_flight(), 1U);
  breaker.record(*second, Verdict::success, at(82s));
  EXPECT_EQ(breaker.state(), closed);
}

TEST(Breaker, AProbeOverdueButNotReplacedStillCounts) {
  Breaker breaker(small());
  fail_until_open(breaker, small(), 0s);
  const auto probe = breaker.acquire(at(60s));
  breaker.record(*probe, Verdict::success, at(10min));
  EXPECT_EQ(breaker.state(), closed);
}

TEST(Breaker, AnOverdueProbeKeepsItsPermitWhileAnotherIsFree) {
  BreakerOptions options = small();
  options.probes = 2;
  Breaker breaker(options);
  fail_until_open(breaker, options, 0s);
  const auto slow = breaker.acquire(at(60s));
  ASSERT_TRUE(breaker.acquire(at(90s)));
  EXPECT_EQ(breaker.probes_in_flight(), 2U);
  breaker.record(*slow, Verdict::success, at(91s));
  EXPECT_EQ(breaker.state(), closed);
}

// 60s first | 61s second | 62s second gives back | 63s third in its place | 85s all overdue
TEST(Breaker, TheProbeLongestOverdueIsReplacedFirst) {
  BreakerOptions options = small();
  options.probes = 2;
  Breaker breaker(options);
  fail_until_open(breaker, options, 0s);
  const auto second = breaker.acquire(at(60s));
  const auto first = breaker.acquire(at(61s));
  breaker.release(*second, at(62s));
  const auto third = breaker.acquire(at(63s));
  ASSERT_TRUE(breaker.acquire(at(85s)));
  breaker.record(*first, Verdict::failure, at(86s));
  EXPECT_EQ(breaker.state(), half_open) << "the first has been replaced";
  breaker.record(*third, Verdict::success, at(87s));
  EXPECT_EQ(breaker.state(), closed) << "the third has not";
}

TEST(Breaker, LateSuccessFromAnEarlierGenerationChangesNothing) {
  Breaker breaker(small());
  const auto old = breaker.acquire(at(0s));
  fail_until_open(breaker, small(), 1s);
  breaker.record(*old, Verdict::success, at(2s));
  EXPECT_EQ(breaker.state(), open);
  EXPECT_EQ(breaker.retry_after(at(2s)), 59s);
}

TEST(Breaker, LateFailureFromAnEarlierGenerationChangesNothing) {
  Breaker breaker(small());
  const auto while_open = breaker.acquire(at(0s));
  const auto while_half_open = breaker.acquire(at(0s));
  const auto while_closed = breaker.acquire(at(0s));
  fail_until_open(breaker, small(), 1s);
  breaker.record(*while_open, Verdict::failure, at(2s));
  EXPECT_EQ(breaker.retry_after(at(2s)), 59s);

  const auto probe = breaker.acquire(at(61s));
  breaker.record(*while_half_open, Verdict::failure, at(62s));
  EXPECT_EQ(breaker.state(), half_open);
  EXPECT_EQ(breaker.probes_in_flight(), 1U);

  breaker.record(*probe, Verdict::success, at(63s));
  call(breaker, Verdict::failure, 64s);
  breaker.record(*while_closed, Verdict::failure, at(65s));
  EXPECT_EQ(breaker.state(), closed);
}

TEST(Breaker, WithExtendOpenALateFailureRestartsTheOpenPeriodAndASuccessDoesNothing) {
  BreakerOptions options = small();
  options.late_results = LateResults::extend_open;
  Breaker breaker(options);
  const auto failing = breaker.acquire(at(0s));
  const auto succeeding = breaker.acquire(at(0s));
  fail_until_open(breaker, options, 1s);
  breaker.record(*succeeding, Verdict::success, at(2s));
  EXPECT_EQ(breaker.state(), open);
  EXPECT_EQ(breaker.retry_after(at(2s)), 59s);
  breaker.record(*failing, Verdict::failure, at(31s));
  EXPECT_EQ(breaker.retry_after(at(31s)), 60s);
  EXPECT_FALSE(breaker.acquire(at(91s - 1ns)));
  EXPECT_TRUE(breaker.acquire(at(91s)));
}

TEST(Breaker, WithExtendOpenALateResultCountsInHalfOpen) {
  for (const Verdict verdict : {Verdict::success, Verdict::failure}) {
    BreakerOptions options = small();
    options.late_results = LateResults::extend_open;
    Breaker breaker(options);
    const auto old = breaker.acquire(at(0s));
    fail_until_open(breaker, options, 1s);
    ASSERT_TRUE(breaker.acquire(at(61s)));
    breaker.record(*old, verdict, at(62s));
    EXPECT_EQ(breaker.state(), verdict == Verdict::success ? closed : open);
  }
}

TEST(Breaker, WithCountedALateSuccessClosesItFromOpen) {
  BreakerOptions options = small();
  options.late_results = LateResults::counted;
  Breaker breaker(options);
  const auto old = breaker.acquire(at(0s));
  fail_until_open(breaker, options, 1s);
  breaker.record(*old, Verdict::success, at(2s));
  EXPECT_EQ(breaker.state(), closed);
}

// 0s two calls begin | 1s opens until 61s | 2s, 3s they end late | 61s half-open
TEST(Breaker, WithUnlessOpenLateResultsDoNothingWhileOpenAndCountOtherwise) {
  BreakerOptions options = small();
  options.late_results = LateResults::unless_open;
  for (const Verdict verdict : {Verdict::success, Verdict::failure}) {
    Breaker breaker(options);
    const auto succeeding = breaker.acquire(at(0s));
    const auto failing = breaker.acquire(at(0s));
    const auto latest = breaker.acquire(at(0s));
    fail_until_open(breaker, options, 1s);
    breaker.record(*succeeding, Verdict::success, at(2s));
    breaker.record(*failing, Verdict::failure, at(3s));
    EXPECT_EQ(breaker.state(), open);
    EXPECT_EQ(breaker.retry_after(at(3s)), 58s) << "neither closed nor extended";
    ASSERT_TRUE(breaker.acquire(at(61s)));
    breaker.record(*latest, verdict, at(62s));
    EXPECT_EQ(breaker.state(), verdict == Verdict::success ? closed : open);
  }
}

TEST(Breaker, FailuresAreWhatThePolicySaysAndEverythingElseIsNeutral) {
  using enum OutcomeKind;
  const BreakerOptions by_default;
  EXPECT_EQ(judge(by_default, Outcome{}), Verdict::success);
  EXPECT_EQ(judge(by_default, Outcome::failure(server_error)), Verdict::failure);
  EXPECT_EQ(judge(by_default, Outcome::failure(timed_out)), Verdict::failure);
  EXPECT_EQ(judge(by_default, Outcome::failure(context_length)), Verdict::neutral);
  EXPECT_EQ(judge(by_default, Outcome::failure(rate_limited)), Verdict::neutral);
  EXPECT_EQ(judge(by_default, Outcome::failure(authentication)), Verdict::neutral);
  const BreakerOptions guide{.failures = OutcomeSet::any()};
  EXPECT_EQ(judge(guide, Outcome::failure(context_length)), Verdict::failure);
}

TEST(Breaker, StatesHaveNames) {
  EXPECT_EQ(to_string(closed), "closed");
  EXPECT_EQ(to_string(open), "open");
  EXPECT_EQ(to_string(half_open), "half_open");
}

}  // namespace
}  // namespace brownout
