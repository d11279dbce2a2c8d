// How long a breaker stays open.

#include "engine/policy/breaker_open_time.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

#include "tests/support/engine/breaker_calls.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum BreakerState;
using enum Verdict;
using Jitter = OpenTimeOptions::Jitter;
using Reset = OpenTimeOptions::Reset;

BreakerOptions growing(Duration from, std::uint32_t factor_per_mille, Duration max) {
  BreakerOptions options;
  options.open_for = from;
  options.open_time.factor_per_mille = factor_per_mille;
  options.open_time.max = max;
  return options;
}

std::vector<Duration> first_open_times(const BreakerOptions& options, std::uint32_t count) {
  std::vector<Duration> times;
  for (std::uint32_t n = 0; n < count; ++n) times.push_back(grown_open_time(options, n));
  return times;
}

TEST(BreakerOpenTime, DoesNotGrowUnlessItIsTold) {
  EXPECT_EQ(first_open_times({}, 3), (std::vector<Duration>{60s, 60s, 60s}));
}

// Finagle's mark-dead times without their jitter.
TEST(BreakerOpenTime, GrowsByItsFactorUpToItsMaximum) {
  EXPECT_EQ(first_open_times(growing(5s, 2000, 300s), 8),
            (std::vector<Duration>{5s, 10s, 20s, 40s, 80s, 160s, 300s, 300s}));
  EXPECT_EQ(first_open_times(growing(100ms, 1500, 1s), 7),
            (std::vector<Duration>{100ms, 150ms, 225ms, 337500us, 506250us, 759375us, 1s}));
}

// Envoy's ejections: the base time times their number.
TEST(BreakerOpenTime, MayGrowByAdditionInstead) {
  BreakerOptions options = growing(30s, 1000, 100s);
  options.open_time.add = 30s;
  EXPECT_EQ(first_open_times(options, 5), (std::vector<Duration>{30s, 60s, 90s, 100s, 100s}));
  options.open_time.max = forever;
  EXPECT_EQ(grown_open_time(options, 9'999), 300'000s);
  options.open_time.add = forever / 2;
  EXPECT_EQ(grown_open_time(options, 9'999), forever);
}

RC_GTEST_PROP(BreakerOpenTime, IsWithinItsBoundsForEveryNumberOfOpenings, ()) {
  const auto from = Duration{*rc::gen::inRange<std::int64_t>(1, 1'000'000'000'000)};
  const auto factor = *rc::gen::inRange<std::uint32_t>(1000, 100'001);
  const Duration max = *rc::gen::element(from, 2 * from, Duration{24h}, forever);
  RC_PRE(max >= from);
  const auto n = *rc::gen::inRange<std::uint32_t>(0, 10'001);
  const Duration time = grown_open_time(growing(from, factor, max), n);
  RC_ASSERT(time >= from);
  RC_ASSERT(time <= max);
  RC_ASSERT(grown_open_time(growing(from, factor, max), n + 1) >= time);
}

// 0s opens for 5 s | 5s probe fails: 10 s | 15s probe fails: 20 s | 35s probe succeeds | 36s: 5 s
TEST(BreakerOpenTime, GrowsWithEachFailedProbeAndStartsOverWhenItCloses) {
  Breaker breaker(growing(5s, 2000, 300s));
  trip(breaker, 0s);
  EXPECT_EQ(breaker.retry_after(since_start(0s)), 5s);
  EXPECT_TRUE(call(breaker, failure, 5s));
  EXPECT_EQ(breaker.retry_after(since_start(5s)), 10s);
  EXPECT_TRUE(call(breaker, failure, 15s));
  EXPECT_EQ(breaker.retry_after(since_start(15s)), 20s);
  EXPECT_EQ(breaker.openings_in_a_row(), 3U);
  EXPECT_TRUE(call(breaker, success, 35s));
  trip(breaker, 36s);
  EXPECT_EQ(breaker.retry_after(since_start(36s)), 5s);
}

// Opens for 5 s and 10 s in a row, then closes at 15 s.
Breaker recovered(const BreakerOptions& options) {
  Breaker breaker(options);
  trip(breaker, 0s);
  EXPECT_TRUE(call(breaker, failure, 5s));
  EXPECT_TRUE(call(breaker, success, 15s));
  EXPECT_EQ(breaker.state(), closed);
  return breaker;
}

TEST(BreakerOpenTime, MayStartOverOnlyAfterAWhile) {
  BreakerOptions options = growing(5s, 2000, 300s);
  options.open_time.reset = Reset::after;
  options.open_time.reset_every = 60s;
  Breaker flapping = recovered(options);
  trip(flapping, 75s - 1ns);
  EXPECT_EQ(flapping.retry_after(since_start(75s - 1ns)), 20s);
  Breaker quiet = recovered(options);
  trip(quiet, 75s);
  EXPECT_EQ(quiet.retry_after(since_start(75s)), 5s);
}

TEST(BreakerOpenTime, MayStepBackForEveryWhile) {
  BreakerOptions options = growing(5s, 2000, 300s);
  options.open_time.reset = Reset::step;
  options.open_time.reset_every = 10s;
  const std::vector<std::pair<Duration, Duration>> expected{
      {24s, 20s}, {25s, 10s}, {34s, 10s}, {35s, 5s}, {10h, 5s}};
  for (const auto& [when, length] : expected) {
    Breaker breaker = recovered(options);
    trip(breaker, when);
    EXPECT_EQ(breaker.retry_after(since_start(when)), length) << format_duration(when);
  }
}

TEST(BreakerOpenTime, IsWhatTheServerAskedForWithinBounds) {
  BreakerOptions options = growing(60s, 2000, 300s);
  options.open_time.obey_retry_after = true;
  options.open_time.hint_min = 2s;
  options.open_time.hint_max = 90s;
  const std::vector<std::pair<std::optional<Duration>, Duration>> expected{
      {17s, 17s}, {0s, 2s}, {1h, 90s}, {std::nullopt, 60s}};
  for (const auto& [hint, length] : expected) {
    Breaker breaker(options);
    trip(breaker, 0s, hint);
    EXPECT_EQ(breaker.retry_after(since_start(0s)), length);
  }
  options.open_time.obey_retry_after = false;
  Breaker deaf(options);
  trip(deaf, 0s, 17s);
  EXPECT_EQ(deaf.retry_after(since_start(0s)), 60s);
}

TEST(BreakerOpenTime, OfAFailedProbeIsWhatItsOwnFailureAskedFor) {
  BreakerOptions options;
  options.open_time.obey_retry_after = true;
  Breaker breaker(options);
  trip(breaker, 0s, 10s);
  EXPECT_TRUE(call(breaker, Finding{failure, false, 25s}, 10s, 11s));
  EXPECT_EQ(breaker.retry_after(since_start(11s)), 25s);
}

struct Spread {
  Jitter jitter;
  Duration low;
  Duration high;
};

TEST(BreakerOpenTime, IsSpreadOverTheRangeOfItsJitterAndAddressedByTheNumberOfTheOpening) {
  for (const auto& [jitter, low, high] :
       {Spread{Jitter::none, 60s, 60s}, Spread{Jitter::equal, 30s, 60s},
        Spread{Jitter::full, 1ns, 60s}, Spread{Jitter::proportional, 45s, 75s}}) {
    BreakerOptions options;
    options.open_time.jitter = jitter;
    const DrawFamily family(7, Purpose::breaker_jitter, "gpt-4");
    BreakerOpenTime open_time(options, family);
    Duration least = forever;
    Duration most{0};
    for (std::uint32_t n = 1; n <= 1000; ++n) {
      const Duration time = open_time.open(options, std::nullopt, since_start(0s));
      EXPECT_EQ(time, jitter == Jitter::none ? 60s : family.at(n).between(low, high));
      least = std::min(least, time);
      most = std::max(most, time);
    }
    EXPECT_GE(least, low);
    EXPECT_LE(most, high);
    EXPECT_LE(least, low + (high - low) / 50) << "reaches down";
    EXPECT_GE(most, high - (high - low) / 50) << "reaches up";
  }
}

// Opens, opens again without recovery, recovers, and opens.
TEST(BreakerOpenTime, MayBeExactAtAnOpeningThatNoOtherPreceded) {
  BreakerOptions options;
  options.open_time.jitter = Jitter::equal;
  options.open_time.jitter_first = false;
  const DrawFamily family(7, Purpose::breaker_jitter, "finagle");
  BreakerOpenTime open_time(options, family);
  EXPECT_EQ(open_time.open(options, std::nullopt, since_start(0s)), 60s);
  EXPECT_EQ(open_time.open(options, std::nullopt, since_start(60s)),
            family.at(2).between(30s, 60s));
  open_time.close(since_start(120s));
  EXPECT_EQ(open_time.open(options, std::nullopt, since_start(121s)), 60s);
}

TEST(BreakerOpenTime, AJitterDoesNotGoBeyondTheMaximum) {
  BreakerOptions options = growing(60s, 2000, 60s);
  options.open_time.jitter = Jitter::proportional;
  BreakerOpenTime open_time(options, DrawFamily(7, Purpose::breaker_jitter, "x"));
  for (int n = 0; n < 100; ++n) {
    EXPECT_LE(open_time.open(options, std::nullopt, since_start(0s)), 60s);
  }
}

}  // namespace
}  // namespace brownout::testing
