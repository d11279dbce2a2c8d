#include "engine/policy/backoff.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
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

// The wait before retry `n`, for shapes that remember nothing.
Duration backoff_delay(const BackoffOptions& options, std::uint32_t n, Draws& draws) {
  BackoffState state{.n = n};
  return next_backoff(options, state, draws);
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

TEST(Backoff, LinearAndFibonacciGrowAsTheirNamesSay) {
  const BackoffOptions linear{
      .shape = Shape::linear, .multiplier = 2s, .max = 9s, .jitter = Jitter::none};
  EXPECT_THAT(first_waits(linear, 6), ElementsAre(2s, 4s, 6s, 8s, 9s, 9s));
  const BackoffOptions fibonacci{
      .shape = Shape::fibonacci, .multiplier = 1s, .max = 20s, .jitter = Jitter::none};
  EXPECT_THAT(first_waits(fibonacci, 8), ElementsAre(1s, 1s, 2s, 3s, 5s, 8s, 13s, 20s));
}

TEST(Backoff, ListedWaitsComeInOrderAndTheLastRepeats) {
  const BackoffOptions options{
      .shape = Shape::listed, .list = {1s, 10s, 5s}, .jitter = Jitter::none};
  EXPECT_THAT(first_waits(options, 5), ElementsAre(1s, 10s, 5s, 5s, 5s));
}

// resilience4j's default: 500 ms times 1.5, each step rounded down (there to milliseconds).
TEST(Backoff, AnExponentialMayGrowByAnyFactor) {
  const BackoffOptions options{
      .multiplier = 500ms, .factor_per_mille = 1500, .jitter = Jitter::none};
  EXPECT_THAT(first_waits(options, 4), ElementsAre(500ms, 750ms, 1125ms, 1687500us));
}

TEST(Backoff, RandomWaitsCoverTheirRange) {
  const BackoffOptions options{.shape = Shape::random, .min = 1ns, .max = 3ns};
  std::set<Duration> seen;
  for (std::uint64_t call = 0; call < 200; ++call) {
    Draws draws = draws_for(call);
    seen.insert(backoff_delay(options, 0, draws));
  }
  EXPECT_EQ(seen, (std::set<Duration>{1ns, 2ns, 3ns}));
}

// openai-python: min(0.5 * 2^n, 8) * (1 - 0.25 u), capped before the jitter.
TEST(Backoff, AProportionalJitterAfterTheCapSpreadsTheCapToo) {
  const BackoffOptions options{.multiplier = 500ms,
                               .max = 8s,
                               .jitter = Jitter::proportional,
                               .spread_low_per_mille = 750,
                               .spread_high_per_mille = 1000,
                               .bound_after_jitter = false};
  std::set<Duration> at_cap;
  for (std::uint64_t call = 0; call < 100; ++call) {
    Draws draws = draws_for(call);
    const Duration wait = backoff_delay(options, 20, draws);
    EXPECT_GE(wait, 6s);
    EXPECT_LE(wait, 8s);
    at_cap.insert(wait);
  }
  EXPECT_GT(at_cap.size(), 90U);
}

// gRPC since 2024: min(init * mult^n, max) * U(0.8, 1.2), which may exceed max; Polly caps
// afterwards.
TEST(Backoff, TheBoundMayHoldBeforeOrAfterTheJitter) {
  BackoffOptions options{.multiplier = 10s,
                         .max = 10s,
                         .jitter = Jitter::proportional,
                         .spread_low_per_mille = 1100,
                         .spread_high_per_mille = 1200};
  Draws capped = draws_for(1);
  EXPECT_EQ(backoff_delay(options, 0, capped), 10s);
  options.bound_after_jitter = false;
  Draws free = draws_for(1);
  EXPECT_GE(backoff_delay(options, 0, free), 11s);
}

TEST(Backoff, AnAdditiveJitterOnlyAdds) {
  const BackoffOptions options{
      .shape = Shape::fixed, .multiplier = 2s, .jitter = Jitter::additive, .addition = 1s};
  for (std::uint64_t call = 0; call < 50; ++call) {
    Draws draws = draws_for(call);
    const Duration wait = backoff_delay(options, 0, draws);
    EXPECT_GE(wait, 2s);
    EXPECT_LE(wait, 3s);
  }
}

TEST(Backoff, TheFirstWaitMayBeExact) {
  const BackoffOptions options{.multiplier = 1s, .jitter_first = false};
  Draws first = draws_for(1);
  EXPECT_EQ(backoff_delay(options, 0, first), 1s);
  EXPECT_EQ(first(), draws_for(1)()) << "it consumes no draw";
  std::set<Duration> second;
  for (std::uint64_t call = 0; call < 20; ++call) {
    Draws draws = draws_for(call);
    second.insert(backoff_delay(options, 1, draws));
  }
  EXPECT_GT(second.size(), 15U);
}

// AWS: sleep = min(cap, U(base, 3 * sleep before)). The mean of the uncapped nth wait is
// 2 * 1.5^n - 1 for a base of 1.
TEST(Backoff, DecorrelatedJitterHasTheMeanOfItsRecurrence) {
  const BackoffOptions options{.multiplier = 1s, .max = 24h, .jitter = Jitter::decorrelated};
  constexpr int calls = 4000;
  std::array<double, 4> sums{};
  for (int call = 0; call < calls; ++call) {
    BackoffState state;
    Draws draws = draws_for(static_cast<std::uint64_t>(call));
    for (double& sum : sums) {
      sum += static_cast<double>(next_backoff(options, state, draws).count()) * 1e-9;
    }
  }
  const std::array expected{2.0, 3.5, 5.75, 9.125};
  for (std::size_t n = 0; n < expected.size(); ++n) {
    EXPECT_NEAR(sums[n] / calls, expected[n], 0.05 * expected[n]) << n;
  }
}

// Golden vectors of Polly's formula for d = 2 s: u = 0, u = 1/2, and .9 and .1 in turn.
TEST(Backoff, DecorrelatedV2IsPollysFormula) {
  const auto waits = [](const std::vector<double>& u) {
    std::vector<double> found;
    double reached = 0;
    for (std::size_t n = 0; n < u.size(); ++n) {
      const double next = decorrelated_v2(static_cast<double>(n) + u[n]);
      found.push_back((next - reached) / 1.4 * 2);
      reached = next;
    }
    return found;
  };
  const auto near = [](double value) { return testing::DoubleNear(value, 0.0006); };
  EXPECT_THAT(waits({0, 0, 0, 0, 0, 0}), ElementsAre(near(0), near(2.754), near(2.920), near(5.732),
                                                     near(11.436), near(22.861)));
  EXPECT_THAT(
      waits({.5, .5, .5, .5, .5, .5}),
      ElementsAre(near(1.795), near(2.186), near(4.072), near(8.092), near(16.167), near(32.327)));
  EXPECT_THAT(waits({.9, .1, .9, .1, .9, .1}), ElementsAre(near(2.549), near(.423), near(7.669),
                                                           near(1.588), near(30.413), near(6.343)));
}

RC_GTEST_PROP(Backoff, EveryShapeAndJitterStaysFiniteAndWithinItsBounds, ()) {
  BackoffOptions options;
  options.shape =
      *rc::gen::element(Shape::linear, Shape::exponential, Shape::fibonacci, Shape::random);
  options.multiplier = Duration{*rc::gen::inRange<std::int64_t>(1, 1'000'000'000'000)};
  options.factor_per_mille = *rc::gen::inRange<std::uint32_t>(1000, 5000);
  options.min = Duration{*rc::gen::inRange<std::int64_t>(0, 1'000'000'000)};
  options.max = options.min + Duration{*rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000)};
  options.jitter =
      *rc::gen::element(Jitter::none, Jitter::full, Jitter::equal, Jitter::proportional,
                        Jitter::additive, Jitter::decorrelated, Jitter::decorrelated_v2);
  options.addition = Duration{*rc::gen::inRange<std::int64_t>(0, 1'000'000'000)};
  BackoffState state{.n = *rc::gen::inRange<std::uint32_t>(0, 10'000)};
  for (int i = 0; i < 5; ++i) {
    Draws draws = draws_for(*rc::gen::arbitrary<std::uint64_t>());
    const Duration wait = next_backoff(options, state, draws);
    RC_ASSERT(wait >= options.min);
    RC_ASSERT(wait <= options.max);
  }
}

}  // namespace
}  // namespace brownout
