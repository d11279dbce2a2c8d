#include "engine/policy/hedge.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

namespace brownout {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using Delay = HedgeOptions::Delay;
using OnFailure = HedgeOptions::OnFailure;

constexpr Instant at(Duration since_start) {
  return Instant{} + since_start;
}

const Outcome succeeded{};
const Outcome failed = Outcome::failure(server_error, 500);

HedgeBudget plenty() {
  return HedgeBudget({.burst = 1'000'000});
}
HedgeBudget hedges_left(std::uint32_t count) {
  HedgeBudget budget({.percent = 0, .burst = std::max(count, 1U)});
  if (count == 0) budget.try_hedge(at(0s));
  return budget;
}

HedgeState begin(const HedgeOptions& options, Duration started = 0s) {
  return begin_hedging(options, LatencyQuantile({}), at(started));
}

// 0s call | 2s hedge | 4s hedge | no third
TEST(Hedge, EachCopyComesADelayAfterTheOneBefore) {
  const HedgeOptions options{.delay = 2s, .max_hedges = 2};
  HedgeBudget budget = plenty();
  HedgeState state = begin(options);
  EXPECT_EQ(when_to_hedge(options, state, at(0s)), at(2s));
  EXPECT_EQ(on_hedge_due(options, state, budget, at(2s - 1ns)), HedgeStep::wait);
  EXPECT_EQ(on_hedge_due(options, state, budget, at(2s)), HedgeStep::hedge);
  EXPECT_EQ(when_to_hedge(options, state, at(2s)), at(4s));
  EXPECT_EQ(on_hedge_due(options, state, budget, at(4s)), HedgeStep::hedge);
  EXPECT_EQ(when_to_hedge(options, state, at(4s)), std::nullopt);
  EXPECT_EQ(on_hedge_due(options, state, budget, at(60s)), HedgeStep::wait);
  EXPECT_EQ(state.hedges, 2U);
  EXPECT_EQ(state.in_flight, 3U);
}

TEST(Hedge, AHedgeThatIsOverdueIsDueNow) {
  const HedgeOptions options{.delay = 2s};
  EXPECT_EQ(when_to_hedge(options, begin(options), at(9s)), at(9s));
}

TEST(Hedge, WithoutADelayAllCopiesBeginAtOnce) {
  const HedgeOptions options{.delay = 0s, .max_hedges = 10};
  HedgeBudget budget = plenty();
  HedgeState state = begin(options);
  int begun = 0;
  while (on_hedge_due(options, state, budget, at(0s)) == HedgeStep::hedge) ++begun;
  EXPECT_EQ(begun, 10);
}

TEST(Hedge, AnEndlessDelayNeverHedges) {
  const HedgeOptions options{.delay = forever};
  EXPECT_EQ(when_to_hedge(options, begin(options, 5s), at(6s)), never);
}

TEST(Hedge, AColdStartIsNotHedged) {
  const HedgeOptions options{.kind = Delay::learned};
  LatencyQuantile recent({.min_samples = 2});
  recent.record(1s, at(0s));
  HedgeState state = begin_hedging(options, recent, at(0s));
  HedgeBudget budget = plenty();
  EXPECT_EQ(when_to_hedge(options, state, at(100s)), std::nullopt);
  EXPECT_EQ(on_copy_end(options, state, budget, failed, at(1s)), HedgeStep::settle)
      << "not after a failure either";
  recent.record(1s, at(0s));
  EXPECT_TRUE(begin_hedging(options, recent, at(0s)).delay);
}

TEST(Hedge, TheLearnedDelayIsTheQuantileWithinItsBounds) {
  LatencyQuantile recent({.min_samples = 1});
  for (int i = 0; i < 95; ++i) recent.record(1s, at(0s));
  for (int i = 0; i < 5; ++i) recent.record(20s, at(0s));
  HedgeOptions options{.kind = Delay::learned, .per_mille = 950};
  const Duration delay = *begin_hedging(options, recent, at(0s)).delay;
  EXPECT_GE(delay, 1s);
  EXPECT_LE(delay, 1040ms);
  options.floor = 3s;
  EXPECT_EQ(begin_hedging(options, recent, at(0s)).delay, 3s);
  options.floor = 1ms;
  options.ceiling = 500ms;
  EXPECT_EQ(begin_hedging(options, recent, at(0s)).delay, 500ms);
}

// 0s call | 2s hedge | 3s a success, whichever copy it is
TEST(Hedge, TheFirstSuccessEndsTheCallAndNobodyWaitsForTheOthers) {
  const HedgeOptions options{.delay = 2s, .max_hedges = 3};
  HedgeBudget budget = plenty();
  HedgeState state = begin(options);
  on_hedge_due(options, state, budget, at(2s));
  EXPECT_EQ(on_copy_end(options, state, budget, succeeded, at(3s)), HedgeStep::settle);
  EXPECT_EQ(state.in_flight, 1U) << "still running, and cut by whoever settles";
}

// 0s call | 1s fails, hedge at once | 3s the next is due
TEST(Hedge, AfterAFailureTheNextCopyBeginsAtOnceAndTheCadenceGoesOnFromThere) {
  const HedgeOptions options{.delay = 2s, .max_hedges = 2};
  HedgeBudget budget = plenty();
  HedgeState state = begin(options);
  EXPECT_EQ(on_copy_end(options, state, budget, failed, at(1s)), HedgeStep::hedge);
  EXPECT_EQ(state.in_flight, 1U);
  EXPECT_EQ(when_to_hedge(options, state, at(1s)), at(3s));
}

// 0s call | 2s hedge | 3s call fails | 4s hedge fails
TEST(Hedge, WhenFailuresDoNotHedgeTheLastOneEndsTheCall) {
  const HedgeOptions options{
      .delay = 2s, .max_hedges = 2, .on_failure = OnFailure::wait_for_others};
  HedgeBudget budget = plenty();
  HedgeState state = begin(options);
  EXPECT_EQ(on_hedge_due(options, state, budget, at(2s)), HedgeStep::hedge);
  EXPECT_EQ(on_copy_end(options, state, budget, failed, at(3s)), HedgeStep::wait);
  EXPECT_EQ(when_to_hedge(options, state, at(3s)), at(4s)) << "slowness still hedges";
  EXPECT_EQ(on_copy_end(options, state, budget, failed, at(4s - 1ns)), HedgeStep::settle);
}

TEST(Hedge, AFailureDoesNotWinWhileAnotherCopyRuns) {
  const HedgeOptions options{.delay = 2s, .max_hedges = 1};
  HedgeBudget budget = plenty();
  HedgeState state = begin(options);
  on_hedge_due(options, state, budget, at(2s));
  EXPECT_EQ(on_copy_end(options, state, budget, failed, at(3s)), HedgeStep::wait);
  EXPECT_EQ(on_copy_end(options, state, budget, failed, at(4s)), HedgeStep::settle);
}

TEST(Hedge, AFailureThatNoCopyCanHelpEndsTheCall) {
  const HedgeOptions options{.delay = 2s};
  for (const OutcomeKind kind : {authentication, context_length, quota_exhausted, cancelled}) {
    HedgeBudget budget = plenty();
    HedgeState state = begin(options);
    on_hedge_due(options, state, budget, at(2s));
    EXPECT_EQ(on_copy_end(options, state, budget, Outcome::failure(kind), at(3s)),
              HedgeStep::settle)
        << to_string(kind);
  }
}

TEST(Hedge, WhatHasReachedTheCallerIsNotReplaced) {
  const HedgeOptions options{.delay = 2s};
  HedgeBudget budget = plenty();
  HedgeState state = begin(options);
  Outcome cut = Outcome::failure(stream_truncated);
  cut.committed = true;
  EXPECT_EQ(on_copy_end(options, state, budget, cut, at(1s)), HedgeStep::settle);
}

// 0s call | 1s fails and the budget refuses: not one instant later
TEST(Hedge, ARefusedHedgeWithNothingInFlightEndsTheCallNow) {
  const HedgeOptions options{.delay = 2s, .max_hedges = 5};
  HedgeBudget budget = hedges_left(0);
  HedgeState state = begin(options);
  EXPECT_EQ(on_copy_end(options, state, budget, failed, at(1s)), HedgeStep::settle);
}

// 0s call | 2s hedge | 4s refused | 5s and 6s both fail
TEST(Hedge, ARefusedHedgeLeavesTheCopiesInFlightAlone) {
  const HedgeOptions options{.delay = 2s, .max_hedges = 5};
  HedgeBudget budget = hedges_left(1);
  HedgeState state = begin(options);
  EXPECT_EQ(on_hedge_due(options, state, budget, at(2s)), HedgeStep::hedge);
  EXPECT_EQ(on_hedge_due(options, state, budget, at(4s)), HedgeStep::wait);
  EXPECT_EQ(when_to_hedge(options, state, at(4s)), std::nullopt) << "not asked for again";
  EXPECT_EQ(on_copy_end(options, state, budget, failed, at(5s)), HedgeStep::wait);
  EXPECT_EQ(on_copy_end(options, state, budget, failed, at(6s)), HedgeStep::settle);
}

// 0s call | 2s hedge | 3s the call fails: "come back in 9s" | 12s the next hedge
TEST(Hedge, AHintPostponesHedges) {
  const HedgeOptions options{.delay = 2s, .max_hedges = 2};
  HedgeBudget budget = plenty();
  HedgeState state = begin(options);
  on_hedge_due(options, state, budget, at(2s));
  Outcome limited = Outcome::failure(rate_limited, 429);
  limited.retry_after = 9s;
  EXPECT_EQ(on_copy_end(options, state, budget, limited, at(3s)), HedgeStep::wait);
  EXPECT_EQ(when_to_hedge(options, state, at(3s)), at(12s));
  EXPECT_EQ(on_hedge_due(options, state, budget, at(12s - 1ns)), HedgeStep::wait);
  EXPECT_EQ(on_hedge_due(options, state, budget, at(12s)), HedgeStep::hedge);
}

TEST(Hedge, AHintWithNothingElseInFlightEndsTheCall) {
  const HedgeOptions options{.delay = 2s};
  HedgeBudget budget = plenty();
  HedgeState state = begin(options);
  Outcome limited = Outcome::failure(rate_limited, 429);
  limited.retry_after = 9s;
  EXPECT_EQ(on_copy_end(options, state, budget, limited, at(1s)), HedgeStep::settle);
}

TEST(Hedge, StepsHaveNames) {
  EXPECT_EQ(to_string(HedgeStep::wait), "wait");
  EXPECT_EQ(to_string(HedgeStep::hedge), "hedge");
  EXPECT_EQ(to_string(HedgeStep::settle), "settle");
}

// --- the budget -------------------------------------------------------------------------------

TEST(HedgeBudget, BeginsFullAndEarnsByCalls) {
  HedgeBudget budget({.percent = 10, .burst = 2});
  EXPECT_EQ(budget.available(at(0s)), 2U);
  EXPECT_TRUE(budget.try_hedge(at(0s)));
  EXPECT_TRUE(budget.try_hedge(at(0s)));
  EXPECT_FALSE(budget.try_hedge(at(0s)));
  for (int i = 0; i < 9; ++i) budget.on_call(at(0s));
  EXPECT_FALSE(budget.try_hedge(at(1h))) << "time earns nothing";
  budget.on_call(at(1h));
  EXPECT_TRUE(budget.try_hedge(at(1h)));
  EXPECT_FALSE(budget.try_hedge(at(1h)));
}

TEST(HedgeBudget, SavesNoMoreThanItsBurst) {
  HedgeBudget budget({.percent = 1000, .burst = 3});
  for (int i = 0; i < 100; ++i) budget.on_call(at(0s));
  EXPECT_EQ(budget.available(at(0s)), 3U);
}

// 0s the burst is spent | 20s one of three per minute is earned | 40s the next
TEST(HedgeBudget, AMinuteEarnsTheFloorExactly) {
  HedgeBudget budget({.percent = 0, .burst = 1, .floor_per_minute = 3});
  EXPECT_TRUE(budget.try_hedge(at(0s)));
  EXPECT_FALSE(budget.try_hedge(at(20s - 1ns)));
  EXPECT_TRUE(budget.try_hedge(at(20s)));
  EXPECT_FALSE(budget.try_hedge(at(10s))) << "an earlier instant earns nothing";
  EXPECT_FALSE(budget.try_hedge(at(40s - 1ns)));
  EXPECT_TRUE(budget.try_hedge(at(40s)));
  EXPECT_EQ(budget.available(at(1'000'000h)), 1U);
}

TEST(HedgeBudget, TheLargestOptionsDoNotOverflow) {
  HedgeBudget budget(
      {.percent = 1000, .burst = HedgeBudgetOptions::burst_max, .floor_per_minute = 0xFFFFFFFF});
  budget.on_call(at(0s));
  EXPECT_TRUE(budget.try_hedge(never - Duration{forever / 2}));
  EXPECT_EQ(budget.available(never - Duration{forever / 4}), HedgeBudgetOptions::burst_max);
}

// A uniform slowdown: every call wants a hedge.
RC_GTEST_PROP(HedgeBudget, InEveryStretchHedgesAreAShareOfTheCallsAndTheBurst, ()) {
  const auto percent = *rc::gen::inRange<std::uint32_t>(0, 101);
  const auto burst = *rc::gen::inRange<std::uint32_t>(1, 6);
  const auto floor = *rc::gen::inRange<std::uint32_t>(0, 3);
  HedgeBudget budget({.percent = percent, .burst = burst, .floor_per_minute = floor});
  struct Event {
    std::int64_t seconds;
    bool call;
  };
  std::vector<Event> events;
  std::int64_t now = 0;
  const auto steps = *rc::gen::container<std::vector<std::pair<bool, int>>>(
      rc::gen::pair(rc::gen::arbitrary<bool>(), rc::gen::inRange(0, 30)));
  for (const auto& [call, step] : steps) {
    now += step;
    if (call) budget.on_call(at(now * 1s));
    if (call || budget.try_hedge(at(now * 1s))) events.push_back({now, call});
  }
  for (std::size_t first = 0; first < events.size(); ++first) {
    std::int64_t calls = 0;
    std::int64_t hedges = 0;
    for (std::size_t last = first; last < events.size(); ++last) {
      (events[last].call ? calls : hedges) += 1;
      const std::int64_t elapsed = events[last].seconds - events[first].seconds;
      RC_ASSERT(hedges * 6000 <= (burst * 100 + percent * calls) * 60 + floor * elapsed * 100);
    }
  }
}

// --- whole calls ------------------------------------------------------------------------------

struct Copy {
  Duration takes;
  Outcome outcome;
};

struct Ended {
  Instant at;
  Outcome outcome;
  std::size_t begun = 1;
  std::size_t in_flight = 0;
};

// Plays one call whose nth copy behaves as `script` says, as a driver would: the earliest end or
// the next hedge, whichever comes first; ends before hedges.
Ended play(const HedgeOptions& options, HedgeBudget& budget, const std::vector<Copy>& script) {
  struct Running {
    Instant ends;
    std::size_t copy;
  };
  HedgeState state = begin(options);
  std::vector<Running> running{{at(script[0].takes), 0}};
  Ended ended;
  for (Instant now{};;) {
    const auto next = std::ranges::min_element(running, {}, &Running::ends);
    const auto due = when_to_hedge(options, state, now);
    HedgeStep step = HedgeStep::wait;
    if (due && *due < next->ends) {
      now = *due;
      step = on_hedge_due(options, state, budget, now);
    } else {
      now = next->ends;
      ended.outcome = script[next->copy].outcome;
      running.erase(next);
      step = on_copy_end(options, state, budget, ended.outcome, now);
    }
    EXPECT_EQ(state.in_flight, running.size() + (step == HedgeStep::hedge ? 1 : 0));
    if (step == HedgeStep::hedge) {
      running.push_back({now + script[ended.begun].takes, ended.begun});
      ++ended.begun;
    }
    if (step == HedgeStep::settle) {
      ended.at = now;
      ended.in_flight = running.size();
      return ended;
    }
    EXPECT_FALSE(running.empty()) << "a call that nothing can end";
  }
}

std::vector<Copy> any_script() {
  std::vector<Copy> script(1 + HedgeOptions::max_hedges_max);
  for (Copy& copy : script) {
    copy.takes = std::chrono::seconds{*rc::gen::inRange(0, 20)};
    copy.outcome = *rc::gen::element(succeeded, failed, Outcome::failure(rate_limited, 429),
                                     Outcome::failure(authentication, 401));
    if (copy.outcome.kind == rate_limited && *rc::gen::arbitrary<bool>()) {
      copy.outcome.retry_after = std::chrono::seconds{*rc::gen::inRange(0, 20)};
    }
  }
  return script;
}

RC_GTEST_PROP(Hedge, EveryCallEndsAndAFailureEndsItOnlyWhenNothingElseCan, ()) {
  HedgeOptions options;
  options.delay = std::chrono::seconds{*rc::gen::inRange(0, 10)};
  options.max_hedges = static_cast<std::uint8_t>(*rc::gen::inRange(1, 11));
  options.on_failure = *rc::gen::element(OnFailure::hedge_at_once, OnFailure::wait_for_others);
  const auto allowed = *rc::gen::inRange<std::uint32_t>(0, 12);
  HedgeBudget budget = hedges_left(allowed);
  const std::vector<Copy> script = any_script();
  const Ended ended = play(options, budget, script);

  RC_ASSERT(ended.begun <= 1U + std::min<std::uint32_t>(options.max_hedges, allowed));
  const bool retryable = !ended.outcome.ok() && options.on.contains(ended.outcome);
  if (retryable) RC_ASSERT(ended.in_flight == 0U);
  if (script[0].outcome.ok()) RC_ASSERT(ended.at <= at(script[0].takes));
}

}  // namespace
}  // namespace brownout
