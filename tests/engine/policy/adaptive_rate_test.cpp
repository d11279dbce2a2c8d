// The rate that follows refusals: the curve against hand-computed values, and what always holds.

#include "engine/policy/adaptive_rate.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "engine/core/math.hpp"

namespace brownout {
namespace {

using namespace std::chrono_literals;
using Kind = AdaptiveRate::Answer::Kind;

constexpr Instant at(Duration since) {
  return Instant{} + since;
}

// Ten answers a second from `from` on, for so many half seconds; the last comes at its end.
void answer_ten_a_second(AdaptiveRate& rate, Duration from, int halves) {
  for (int i = 1; i <= halves * 5; ++i) rate.on_answer(false, at(from + i * 100ms));
}

TEST(CubeRoot, IsTheRoot) {
  for (const double x : {1e-9, 0.001, 0.5, 1.0, 8.0, 27.0, 7.5, 1e6, 1e15}) {
    EXPECT_NEAR(cube_root(x) / std::cbrt(x), 1, 1e-13) << x;
  }
  EXPECT_EQ(cube_root(0), 0);
}

TEST(AdaptiveRate, LimitsNothingBeforeTheFirstRefusal) {
  AdaptiveRate rate({});
  answer_ten_a_second(rate, 0s, 20);
  EXPECT_FALSE(rate.limits());
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(rate.acquire(at(10s)).kind, Kind::granted);
}

TEST(AdaptiveRate, ARefusalCutsTheMeasuredRateToSevenTenths) {
  // Slices of half a second with 5 answers each measure 10/s, smoothed: 10 * (1 - 0.2^n) after n.
  // The refusal falls into a slice that has begun: it changes nothing measured.
  AdaptiveRate rate({});
  answer_ten_a_second(rate, 0s, 20);
  rate.on_answer(true, at(10s));
  EXPECT_TRUE(rate.limits());
  EXPECT_NEAR(static_cast<double>(rate.rate()), 7000, 10);
}

TEST(AdaptiveRate, ClimbsBackAlongTheCurveAndBeyond) {
  // w = 10/s at the refusal; K = cbrt(10 * 0.3 / 0.4) = 1.9574 s.
  // 1 s after it: 0.4 * (-0.9574)^3 + 10 = 9.649; 2 s: 10.000; 4 s: 0.4 * 2.0426^3 + 10 = 13.409
  AdaptiveRate rate({});
  answer_ten_a_second(rate, 0s, 40);
  rate.on_answer(true, at(20s));
  const auto rate_after_another = [&](Duration from, int halves) {
    answer_ten_a_second(rate, 20s + from, halves);
    return static_cast<double>(rate.rate()) * 1e-3;
  };
  EXPECT_NEAR(rate_after_another(0s, 2), 9.649, 0.05);
  EXPECT_NEAR(rate_after_another(1s, 2), 10, 0.05);
  EXPECT_NEAR(rate_after_another(2s, 4), 13.409, 0.05);
}

TEST(AdaptiveRate, NeverAimsAtMoreThanTwiceWhatIsMeasured) {
  AdaptiveRate rate({});
  answer_ten_a_second(rate, 0s, 40);
  rate.on_answer(true, at(20s));
  answer_ten_a_second(rate, 20s, 60);
  EXPECT_NEAR(static_cast<double>(rate.rate()), 20'000, 100) << "the curve alone says thousands";
}

TEST(AdaptiveRate, WaitersHaveTheirTurnsOneAfterTheOther) {
  // 0.5/s after a lone refusal: turns are 2 s apart.
  AdaptiveRate rate({});
  rate.on_answer(true, at(0s));
  EXPECT_EQ(rate.rate(), 500);
  for (int i = 1; i <= 3; ++i) {
    const auto answer = rate.acquire(at(0s));
    ASSERT_EQ(answer.kind, Kind::wait);
    EXPECT_NEAR(std::chrono::duration<double>(answer.at - at(0s)).count(), 2.0 * i, 1e-6);
  }
  rate.give_back(at(0s));
  EXPECT_NEAR(std::chrono::duration<double>(rate.acquire(at(0s)).at - at(0s)).count(), 6, 1e-6);
}

TEST(AdaptiveRate, RefusesAWaitThatIsTooLongOrPastTheDeadline) {
  AdaptiveRate rate({.max_wait = 3s});
  rate.on_answer(true, at(0s));
  EXPECT_EQ(rate.acquire(at(0s), at(1s)).kind, Kind::too_late);
  EXPECT_EQ(rate.acquire(at(0s)).kind, Kind::wait);
  EXPECT_EQ(rate.acquire(at(0s)).kind, Kind::too_late) << "its turn would be at 4s";
  EXPECT_EQ(rate.acquire(at(2s)).kind, Kind::wait) << "who was refused holds no turn";
}

// In any history: the rate stays finite and at least its least, a wait never exceeds max_wait, and
// turns come in the order they were asked for.
RC_GTEST_PROP(AdaptiveRateProperty, StaysWithinItsBounds, ()) {
  AdaptiveRate rate({.max_wait = 10s});
  Instant now{};
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 5000));
  for (const int step : steps) {
    now += Duration{1ms} * (step % 700);
    switch (step % 3) {
      case 0:
        rate.on_answer(step % 5 == 0, now);
        break;
      case 1: {
        const auto answer = rate.acquire(now);
        RC_ASSERT(answer.at >= now);
        RC_ASSERT(answer.at - now <= 10s);
        break;
      }
      default:
        rate.on_answer(false, now);
        break;
    }
    if (rate.limits()) RC_ASSERT(rate.rate() >= 500);
    RC_ASSERT(rate.rate() < 1'000'000'000'000);
  }
}

}  // namespace
}  // namespace brownout
