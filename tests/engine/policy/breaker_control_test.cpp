// A breaker that is told what to do, one that takes over from another, and clocks of any origin.

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/engine/breaker_calls.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum BreakerState;
using enum Verdict;
using Mode = Breaker::Mode;

TEST(BreakerMode, ForcedOpenRefusesUntilToldOtherwiseAndKnowsNoTime) {
  Breaker breaker({.mode = Mode::forced_open});
  EXPECT_EQ(breaker.state(), open);
  EXPECT_FALSE(breaker.acquire(since_start(1000h)));
  EXPECT_EQ(breaker.retry_after(since_start(1000h)), forever);
  breaker.close(since_start(1000h));
  EXPECT_EQ(breaker.state(), closed);
  EXPECT_TRUE(call(breaker, success, 1000h));
}

// 0s opens for 60 s | 30s isolated | 60s what was due then is dead
TEST(BreakerMode, TimesOfAnEarlierStateAreDead) {
  Breaker breaker({});
  trip(breaker, 0s);
  breaker.isolate(since_start(30s));
  EXPECT_FALSE(breaker.acquire(since_start(60s)));
  EXPECT_FALSE(breaker.acquire(since_start(600s)));
  breaker.close(since_start(601s));
  trip(breaker, 602s);
  EXPECT_FALSE(breaker.acquire(since_start(662s - 1ns)));
  EXPECT_TRUE(breaker.acquire(since_start(662s)));
}

TEST(BreakerMode, PermitsFromBeforeItWasToldAreDead) {
  Breaker breaker({.consecutive_failures = 1});
  const auto before = breaker.acquire(since_start(0s));
  breaker.isolate(since_start(1s));
  breaker.record(*before, success, since_start(2s));
  EXPECT_EQ(breaker.state(), open);
  breaker.close(since_start(3s));
  breaker.record(*before, failure, since_start(4s));
  EXPECT_EQ(breaker.state(), closed);
}

TEST(BreakerMode, EvenResultsThatCountWhenLateDoNotEndForcedOpen) {
  Breaker breaker({.late_results = BreakerOptions::LateResults::counted});
  const auto before = breaker.acquire(since_start(0s));
  breaker.isolate(since_start(1s));
  breaker.record(*before, success, since_start(2s));
  EXPECT_EQ(breaker.state(), open);
}

TEST(BreakerMode, DisabledAdmitsEverythingAndRecordsNothing) {
  Breaker breaker({.mode = Mode::disabled, .consecutive_failures = 1});
  for (int i = 0; i < 10; ++i) {
    const auto permit = breaker.acquire(since_start(1s));
    ASSERT_TRUE(permit);
    EXPECT_FALSE(breaker.record(*permit, failure, since_start(1s)));
  }
  breaker.set_mode(Mode::automatic, since_start(2s));
  EXPECT_EQ(breaker.state(), closed);
  EXPECT_EQ(breaker.transitions(), 0U);
  calls(breaker, failure, 3s, 1);
  EXPECT_EQ(breaker.state(), open);
}

TEST(BreakerMode, MetricsOnlyRecordsAndSaysThatItWouldOpenButRefusesNothing) {
  Breaker breaker({.mode = Mode::metrics_only, .consecutive_failures = 3});
  calls(breaker, failure, 1s, 2);
  EXPECT_FALSE(breaker.would_open(since_start(1s)));
  const auto permit = breaker.acquire(since_start(1s));
  EXPECT_TRUE(breaker.record(*permit, failure, since_start(1s))) << "it counts";
  EXPECT_TRUE(breaker.would_open(since_start(1s)));
  EXPECT_EQ(breaker.state(), closed);
  calls(breaker, failure, 1s, 10);
}

TEST(BreakerMode, ClosingAnOpenBreakerByHandForgetsWhatOpenedIt) {
  Breaker breaker({.consecutive_failures = 2});
  calls(breaker, failure, 1s, 2);
  breaker.close(since_start(2s));
  EXPECT_EQ(breaker.state(), closed);
  calls(breaker, failure, 3s, 1);
  EXPECT_EQ(breaker.state(), closed);
}

TEST(Breaker, NumbersItsChanges) {
  Breaker breaker({.consecutive_failures = 1});
  EXPECT_EQ(breaker.transitions(), 0U);
  calls(breaker, failure, 0s, 1);
  EXPECT_EQ(breaker.transitions(), 1U);
  calls(breaker, success, 60s, 1);
  EXPECT_EQ(breaker.transitions(), 3U) << "half-open, closed";
  breaker.set_mode(Mode::disabled, since_start(61s));
  EXPECT_EQ(breaker.transitions(), 3U) << "it was closed";
}

TEST(Breaker, IsQuietOnlyWhileASuccessChangesNothing) {
  Breaker breaker({});
  EXPECT_TRUE(breaker.is_quiet());
  calls(breaker, failure, 0s, 1);
  EXPECT_FALSE(breaker.is_quiet());
  calls(breaker, success, 0s, 1);
  EXPECT_TRUE(breaker.is_quiet());
  trip(breaker, 0s);
  EXPECT_FALSE(breaker.is_quiet());
  EXPECT_FALSE(Breaker({.window_calls = 10}).is_quiet()) << "a window counts successes";
  EXPECT_TRUE(Breaker({.mode = Mode::disabled, .window_calls = 10}).is_quiet());
  EXPECT_FALSE(Breaker({.mode = Mode::forced_open}).is_quiet());
}

TEST(BreakerAdopt, GoesOnOpenForTheRestOfTheTime) {
  Breaker old({.open_for = 60s});
  trip(old, 0s);
  Breaker fresh({.open_for = 10s});
  fresh.adopt(old);
  EXPECT_EQ(fresh.state(), open);
  EXPECT_EQ(fresh.transitions(), 1U);
  EXPECT_EQ(fresh.retry_after(since_start(20s)), 40s);
  EXPECT_FALSE(fresh.acquire(since_start(60s - 1ns)));
  EXPECT_TRUE(fresh.acquire(since_start(60s)));
}

TEST(BreakerAdopt, KeepsWhatWasCountedWhereBothCountAlike) {
  Breaker old({.consecutive_failures = 3, .window_calls = 10});
  calls(old, failure, 0s, 2);
  Breaker same({.consecutive_failures = 3, .window_calls = 10});
  same.adopt(old);
  EXPECT_EQ(same.window_counts(since_start(0s)), (WindowCounts{2, 2, 0}));
  calls(same, failure, 1s, 1);
  EXPECT_EQ(same.state(), open);
  Breaker other({.consecutive_failures = 4, .window_calls = 20});
  other.adopt(old);
  EXPECT_EQ(other.window_counts(since_start(0s)), WindowCounts{});
  calls(other, failure, 1s, 2);
  EXPECT_EQ(other.state(), open) << "2 + 2 in a row";
}

TEST(BreakerAdopt, StartsProbingAnew) {
  Breaker old({});
  trip(old, 0s);
  ASSERT_TRUE(old.acquire(since_start(60s)));
  Breaker fresh({});
  fresh.adopt(old);
  EXPECT_EQ(fresh.state(), half_open);
  EXPECT_EQ(fresh.probes_in_flight(), 0U);
  EXPECT_TRUE(call(fresh, success, 61s));
  EXPECT_EQ(fresh.state(), closed);
}

TEST(BreakerAdopt, AnOperatorsWordOutlivesThePolicyUnlessTheNewOneHasItsOwn) {
  Breaker old({});
  old.isolate(since_start(0s));
  Breaker fresh({});
  fresh.adopt(old);
  EXPECT_EQ(fresh.state(), open);
  EXPECT_FALSE(fresh.acquire(since_start(1h)));

  Breaker disabled({.mode = Mode::disabled});
  disabled.adopt(old);
  EXPECT_TRUE(disabled.acquire(since_start(1h)));

  Breaker was_forced({.mode = Mode::forced_open});
  Breaker now_automatic({});
  now_automatic.adopt(was_forced);
  EXPECT_EQ(now_automatic.state(), closed) << "the new file no longer says so";
}

TEST(BreakerAdopt, WhatIsHalfOpenClosesWhereThereIsNoHalfOpen) {
  Breaker old({});
  trip(old, 0s);
  ASSERT_TRUE(old.acquire(since_start(60s)));
  BreakerOptions options;
  options.close_rule.kind = CloseRule::Kind::none;
  Breaker fresh(options);
  fresh.adopt(old);
  EXPECT_EQ(fresh.state(), closed);
}

// A clock may begin anywhere, also below zero: that of a machine just started.
TEST(Breaker, WorksFromAnyOriginOfTime) {
  BreakerOptions options{.consecutive_failures = 0, .window_time = 10s, .failures_in_window = 2};
  options.slow_call = 5s;
  options.slow_per_mille = 1000;
  for (const Duration origin : std::vector<Duration>{-1000h, -60s, -1s, 0s, 100'000h}) {
    Breaker breaker(options);
    calls(breaker, failure, origin, 1);
    calls(breaker, failure, origin + 11s, 1);
    EXPECT_EQ(breaker.state(), closed) << "the first is forgotten";
    calls(breaker, failure, origin + 12s, 1);
    ASSERT_EQ(breaker.state(), open);
    EXPECT_FALSE(breaker.acquire(since_start(origin + 72s - 1ns)));
    EXPECT_TRUE(call(breaker, success, origin + 72s));
    EXPECT_EQ(breaker.state(), closed);
  }
}

}  // namespace
}  // namespace brownout::testing
