#include "engine/policy/backoff.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace brownout {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

using Shape = BackoffOptions::Shape;

Draws draws_for(std::uint64_t call) {
  return DrawFamily(1, Purpose::backoff_jitter, "test").at(call);
}

std::vector<Duration> first_waits(const BackoffOptions& options, std::uint32_t count) {
  std::vector<Duration> waits;
  for (std::uint32_t n = 0; n < count; ++n) {
    Draws draws = draws_for(n);
    waits.push_back(backoff_delay(options, n, draws));
  }
  return waits;
}

TEST(Backoff, FollowsTheGuidesWaitExponentialOf1From4To10) {
  const BackoffOptions options{.multiplier = 1s, .min = 4s, .max = 10s, .jitter = Jitter::none};
  EXPECT_THAT(first_waits(options, 6), ElementsAre(4s, 4s, 4s, 8s, 10s, 10s));
}

TEST(Backoff, FollowsTheGuidesWaitExponentialOf2From10To120) {
  const BackoffOptions options{.multiplier = 2s, .min = 10s, .max = 120s, .jitter = Jitter::none};
  EXPECT_THAT(first_waits(options, 8), ElementsAre(10s, 10s, 10s, 16s, 32s, 64s, 120s, 120s));
}

TEST(Backoff, TheDefaultDoublesFromASecondToAMinute) {
  const BackoffOptions options{.jitter = Jitter::none};
  EXPECT_THAT(first_waits(options, 8), ElementsAre(1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s));
}

TEST(Backoff, ReachesTheCapExactlyOnlyWhenThePowerIsNotLess) {
  BackoffOptions options{.multiplier = 1s, .max = 8s, .jitter = Jitter::none};
  EXPECT_THAT(first_waits(options, 5), ElementsAre(1s, 2s, 4s, 8s, 8s));
  options.max = 8s - 1ns;
  EXPECT_THAT(first_waits(options, 5), ElementsAre(1s, 2s, 4s, 8s - 1ns, 8s - 1ns));
  options.max = 8s + 1ns;
  EXPECT_THAT(first_waits(options, 5), ElementsAre(1s, 2s, 4s, 8s, 8s + 1ns));
}

TEST(Backoff, AFixedWaitIsTheSameForEveryRetryAndIgnoresMinAndMax) {
  const BackoffOptions options{
      .shape = Shape::fixed, .multiplier = 3s, .min = 4s, .max = 2s, .jitter = Jitter::none};
  EXPECT_THAT(first_waits(options, 3), ElementsAre(3s, 3s, 3s));
}

TEST(Backoff, NoJitterConsumesNothingAndAnyOtherOneWord) {
  for (const Jitter jitter : {Jitter::none, Jitter::full, Jitter::equal}) {
    Draws used = draws_for(7);
    Draws fresh = draws_for(7);
    backoff_delay({.jitter = jitter}, 3, used);
    if (jitter != Jitter::none) fresh();
    EXPECT_EQ(used(), fresh());
  }
}

TEST(Backoff, FullJitterFillsFromMinToTheComputedWait) {
  const BackoffOptions options{.multiplier = 1s, .min = 2s, .max = 1min, .jitter = Jitter::full};
  Duration low = forever;
  Duration high{0};
  for (std::uint64_t call = 0; call < 2000; ++call) {
    Draws draws = draws_for(call);
    const Duration wait = backoff_delay(options, 3, draws);
    low = std::min(low, wait);
    high = std::max(high, wait);
  }
  EXPECT_GE(low, 2s);
  EXPECT_LT(low, 2100ms);
  EXPECT_LE(high, 8s);
  EXPECT_GT(high, 7900ms);
}

TEST(Backoff, EqualJitterNeverWaitsLessThanHalf) {
  const BackoffOptions options{.multiplier = 1s, .max = 1min, .jitter = Jitter::equal};
  Duration low = forever;
  Duration high{0};
  for (std::uint64_t call = 0; call < 2000; ++call) {
    Draws draws = draws_for(call);
    const Duration wait = backoff_delay(options, 3, draws);
    low = std::min(low, wait);
    high = std::max(high, wait);
  }
  EXPECT_GE(low, 4s);
  EXPECT_LT(low, 4100ms);
  EXPECT_LE(high, 8s);
  EXPECT_GT(high, 7900ms);
}

TEST(Backoff, EqualJitterRespectsAMinAboveTheHalf) {
  const BackoffOptions options{.multiplier = 1s, .min = 7s, .max = 1min, .jitter = Jitter::equal};
  for (std::uint64_t call = 0; call < 200; ++call) {
    Draws draws = draws_for(call);
    const Duration wait = backoff_delay(options, 3, draws);
    EXPECT_GE(wait, 7s);
    EXPECT_LE(wait, 8s);
  }
}

TEST(Backoff, DescribesItself) {
  EXPECT_EQ(describe(BackoffOptions{.min = 4s, .max = 10s, .jitter = Jitter::none}),
            "exponential 1s doubling, 4s to 10s, no jitter");
  EXPECT_EQ(
      describe(BackoffOptions{.shape = Shape::fixed, .multiplier = 250ms, .jitter = Jitter::full}),
      "fixed 250ms, full jitter");
  EXPECT_EQ(describe(BackoffOptions{.jitter = Jitter::equal}),
            "exponential 1s doubling, 0s to 1m, equal jitter");
}

// Durations of every magnitude, up to the longest there is.
rc::Gen<Duration> any_duration() {
  return rc::gen::apply([](std::int64_t bits, int shift) { return Duration{bits >> shift}; },
                        rc::gen::inRange<std::int64_t>(0, forever.count()),
                        rc::gen::inRange(0, 63));
}

BackoffOptions any_options() {
  BackoffOptions options;
  options.shape = *rc::gen::element(Shape::fixed, Shape::exponential);
  options.multiplier = *any_duration();
  options.min = *any_duration();
  options.max = *any_duration();
  if (options.min > options.max) std::swap(options.min, options.max);
  options.jitter = *rc::gen::element(Jitter::none, Jitter::full, Jitter::equal);
  return options;
}

RC_GTEST_PROP(Backoff, EveryWaitIsFiniteAndWithinItsBounds, ()) {
  const BackoffOptions options = any_options();
  const auto n = *rc::gen::inRange<std::uint32_t>(0, 10'001);
  Draws draws = draws_for(*rc::gen::arbitrary<std::uint64_t>());
  const Duration wait = backoff_delay(options, n, draws);
  if (options.shape == Shape::fixed) {
    RC_ASSERT(wait >= Duration{0} && wait <= options.multiplier);
  } else {
    RC_ASSERT(wait >= options.min && wait <= options.max);
  }
}

RC_GTEST_PROP(Backoff, ComputedWaitsNeverShrinkFromRetryToRetry, ()) {
  BackoffOptions options = any_options();
  options.jitter = Jitter::none;
  const auto n = *rc::gen::inRange<std::uint32_t>(0, 10'000);
  Draws draws = draws_for(0);
  const Duration one = backoff_delay(options, n, draws);
  const Duration next = backoff_delay(options, n + 1, draws);
  RC_ASSERT(one <= next);
}

// Clients that all wait at the cap must still not come back together.
RC_GTEST_PROP(Backoff, JitterSpreadsWaitsAtTheCapToo, ()) {
  BackoffOptions options;
  options.jitter = *rc::gen::element(Jitter::full, Jitter::equal);
  options.multiplier = Duration{*rc::gen::inRange<std::int64_t>(1, 1'000'000'000'000)};
  options.max = Duration{*rc::gen::inRange<std::int64_t>(1'000'000, 1'000'000'000'000)};
  options.min = Duration{*rc::gen::inRange<std::int64_t>(0, options.max.count() / 2)};
  const auto n = *rc::gen::inRange<std::uint32_t>(60, 10'001);
  std::set<Duration> waits;
  for (std::uint64_t call = 0; call < 20; ++call) {
    Draws draws = draws_for(call);
    waits.insert(backoff_delay(options, n, draws));
  }
  RC_ASSERT(*waits.rbegin() - *waits.begin() >= options.max / 20);
}

}  // namespace
}  // namespace brownout
