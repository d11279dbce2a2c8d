#include "engine/policy/quantile.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace brownout {
namespace {

using namespace std::chrono_literals;

constexpr Instant at(Duration since_start) {
  return Instant{} + since_start;
}

LatencyQuantile from_one_sample(Duration window = 60s, std::uint8_t slices = 2) {
  return LatencyQuantile({.window = window, .slices = slices, .min_samples = 1});
}

TEST(LatencyQuantile, SaysNothingBeforeItHasEnoughSamples) {
  LatencyQuantile recent({.min_samples = 3});
  EXPECT_EQ(recent.quantile(500, at(0s)), std::nullopt);
  recent.record(1s, at(0s));
  recent.record(1s, at(1s));
  EXPECT_EQ(recent.quantile(500, at(1s)), std::nullopt);
  recent.record(1s, at(2s));
  EXPECT_TRUE(recent.quantile(500, at(2s)));
}

TEST(LatencyQuantile, AnswersWithTheValueAtTheRank) {
  LatencyQuantile recent({.min_samples = 1});
  for (int i = 1; i <= 20; ++i) recent.record(i * 1us, at(0s));
  // A grain is 1.024 us, so that each of these values has a bucket of its own.
  EXPECT_EQ(recent.quantile(0, at(0s)), 1023ns);
  EXPECT_EQ(recent.quantile(50, at(0s)), 1023ns);
  EXPECT_EQ(recent.quantile(51, at(0s)), 2047ns);
  EXPECT_EQ(recent.quantile(500, at(0s)), 10'239ns);
  EXPECT_EQ(recent.quantile(950, at(0s)), 19'455ns);
  EXPECT_EQ(recent.quantile(1000, at(0s)), 20'479ns);
}

// 0s slice | 30s slice | 60s slice ...; recorded at 29s, 30s
TEST(LatencyQuantile, AHalfIsForgottenAsAWholeWhenItHasPassed) {
  LatencyQuantile recent = from_one_sample(60s, 2);
  recent.record(8s, at(29s));
  recent.record(1s, at(30s));
  EXPECT_EQ(recent.samples(at(60s - 1ns)), 2U);
  EXPECT_EQ(recent.samples(at(60s)), 1U);
  EXPECT_LT(*recent.quantile(1000, at(60s)), 2s);
  EXPECT_EQ(recent.samples(at(90s - 1ns)), 1U);
  EXPECT_EQ(recent.samples(at(90s)), 0U);
}

// four slices of 15s; recorded at 0s | 14s still whole | 60s gone
TEST(LatencyQuantile, MoreSlicesForgetInSmallerPieces) {
  LatencyQuantile recent = from_one_sample(60s, 4);
  for (int i = 0; i < 4; ++i) recent.record(1s, at(i * 15s));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(recent.samples(at(i * 15s + 45s)), static_cast<std::uint64_t>(4 - i));
  }
}

// 0s recorded | 10h idle | 10h recorded
TEST(LatencyQuantile, AfterALongIdleTimeNothingOldIsLeft) {
  LatencyQuantile recent = from_one_sample();
  for (int i = 0; i < 100; ++i) recent.record(30s, at(0s));
  EXPECT_EQ(recent.quantile(500, at(10h)), std::nullopt);
  recent.record(1s, at(10h));
  EXPECT_EQ(recent.samples(at(10h)), 1U);
  EXPECT_LT(*recent.quantile(1000, at(10h)), 2s);
}

TEST(LatencyQuantile, AnInstantBeforeTheLatestCountsAsThat) {
  LatencyQuantile recent = from_one_sample();
  recent.record(1s, at(1000s));
  recent.record(2s, at(10s));
  EXPECT_EQ(recent.samples(at(10s)), 2U);
  EXPECT_EQ(recent.samples(at(1000s)), 2U);
}

TEST(LatencyQuantile, WorksWhateverTheOriginOfTime) {
  for (const Duration origin :
       {Duration{-100s}, Duration{-31s}, Duration{-1ns}, Duration{0}, Duration{9'000'000'000s}}) {
    LatencyQuantile recent = from_one_sample();
    recent.record(1s, at(origin));
    EXPECT_EQ(recent.samples(at(origin)), 1U);
    EXPECT_EQ(recent.samples(at(origin + 29s)), 1U);
    EXPECT_EQ(recent.samples(at(origin + 60s)), 0U);
  }
}

TEST(LatencyQuantile, AnEndlessWindowForgetsNothing) {
  LatencyQuantile recent = from_one_sample(forever);
  recent.record(1s, at(0s));
  EXPECT_EQ(recent.samples(at(1'000'000h)), 1U);
}

TEST(LatencyQuantile, TellsNothingShorterThanAGrainNorLongerThanSeventyThreeMinutes) {
  LatencyQuantile recent = from_one_sample();
  recent.record(forever, at(0s));
  EXPECT_EQ(recent.quantile(1000, at(0s)), Duration{(std::int64_t{1} << 42) - 1});
  recent.record(0s, at(0s));
  EXPECT_EQ(recent.quantile(500, at(0s)), 1023ns);
}

Duration exact_quantile(std::vector<Duration> values, std::uint32_t per_mille) {
  std::ranges::sort(values);
  const std::size_t rank = (values.size() * per_mille + 999) / 1000;
  return values[std::max<std::size_t>(rank, 1) - 1];
}

RC_GTEST_PROP(LatencyQuantile, IsNeverBelowTheExactOneAndCloseAbove, ()) {
  const auto exponent = *rc::gen::inRange<unsigned>(0, 42);
  const auto numbers = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::int64_t>>(
      rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << exponent)));
  const auto per_mille = *rc::gen::inRange<std::uint32_t>(0, 1001);
  LatencyQuantile recent = from_one_sample();
  // A minute earlier, in the places of the ring that are used again.
  for (const std::int64_t number : numbers) {
    recent.record(Duration{number / 3}, at(number % 2 == 0 ? -60s : -30s));
  }
  std::vector<Duration> values;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    values.emplace_back(numbers[i]);
    recent.record(values.back(), at(i % 2 == 0 ? 0s : 30s));
    recent.record(values.back(), at(30s));
  }
  const Duration exact = exact_quantile(values, per_mille);
  const Duration told = *recent.quantile(per_mille, at(30s));
  RC_ASSERT(told >= exact);
  RC_ASSERT(told <= exact + exact / 32 + 1024ns);
}

// Latencies and instants at random; the oracle keeps all of them.
RC_GTEST_PROP(LatencyQuantile, CountsWhatASliceRingCounts, ()) {
  const auto slices = static_cast<std::uint8_t>(*rc::gen::inRange(2, 17));
  LatencyQuantile recent = from_one_sample(1600ns * slices, slices);
  const auto steps =
      *rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(0, 5000));
  std::int64_t now = *rc::gen::inRange<std::int64_t>(-100'000, 100'000);
  const auto slice_of = [](std::int64_t time) { return (time + 160'000'000) / 1600; };
  std::vector<std::int64_t> seen;
  for (const std::int64_t step : steps) {
    now += step;
    recent.record(1ms, at(Duration{now}));
    seen.push_back(slice_of(now));
    const auto expected = std::ranges::count_if(
        seen, [&](std::int64_t slice) { return slice > slice_of(now) - slices; });
    RC_ASSERT(recent.samples(at(Duration{now})) == static_cast<std::uint64_t>(expected));
  }
}

}  // namespace
}  // namespace brownout
