#include "engine/policy/budget.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/core/draw.hpp"

namespace brownout {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;

constexpr std::int64_t token = 1000;

constexpr Instant at(Duration since_start) {
  return Instant{} + since_start;
}

const Outcome server_failure = Outcome::failure(server_error, 500);
const Outcome timeout = Outcome::failure(timed_out);
const Outcome slowed_down = Outcome::failure(rate_limited, 429);

// How many extra attempts the budget grants in a row at `now`, each after the same failure.
int burst(RetryBudget& budget, const Outcome& cause, Instant now = at(0s)) {
  int granted = 0;
  while (granted < 1'000'000 && budget.try_withdraw(now, cause)) ++granted;
  return granted;
}

// --- a sum that slides -------------------------------------------------------------------------

// 20 slots of 500ms, the first from 3s on: what is added in [3s, 3.5s) lasts until 13s.
TEST(SlidingSum, ForgetsASlotWhenTheWindowHasPassedItsBeginning) {
  SlidingSum sum(10s);
  sum.add(1, at(3s));
  sum.add(2, at(3499ms));
  sum.add(4, at(3500ms));
  EXPECT_EQ(sum.total(at(13s - 1ns)), 7);
  EXPECT_EQ(sum.total(at(13s)), 4);
  EXPECT_EQ(sum.total(at(13'500ms)), 0);
}

TEST(SlidingSum, LookingDoesNotForget) {
  SlidingSum sum(10s);
  sum.add(5, at(0s));
  EXPECT_EQ(sum.total(at(1h)), 0);
  EXPECT_EQ(sum.total(at(1s)), 5);
}

TEST(SlidingSum, StartsAfreshAfterALongSilence) {
  SlidingSum sum(10s);
  sum.add(5, at(0s));
  sum.add(7, at(24h));
  EXPECT_EQ(sum.total(at(24h)), 7);
}

TEST(SlidingSum, TakesBackOnlyWhatIsNotYetForgotten) {
  SlidingSum sum(10s);
  const SlidingSum::Slot slot = sum.add(5, at(0s));
  sum.add(7, at(9s));
  sum.take_back(5, slot, at(10s - 1ns));
  EXPECT_EQ(sum.total(at(10s - 1ns)), 7);
  EXPECT_EQ(sum.total(at(10s)), 7);
  sum.take_back(5, slot, at(10s));
  EXPECT_EQ(sum.total(at(10s)), 7);
}

TEST(SlidingSum, AnInstantBeforeTheNewestCountsAsTheNewest) {
  SlidingSum sum(10s);
  sum.add(1, at(5s));
  sum.add(2, at(4s));
  EXPECT_EQ(sum.total(at(3s)), 3);
  EXPECT_EQ(sum.total(at(15s - 1ns)), 3);
  EXPECT_EQ(sum.total(at(15s)), 0);
}

// --- a quota -----------------------------------------------------------------------------------

TEST(QuotaBudget, AHardOutageGets100RetriesAndThenNone) {
  RetryBudget budget(QuotaOptions{});
  EXPECT_EQ(burst(budget, server_failure), 100);
  EXPECT_EQ(burst(budget, server_failure, at(24h)), 0) << "time alone refills nothing";
}

TEST(QuotaBudget, AnOutageOfTimeoutsGets50Retries) {
  RetryBudget budget(QuotaOptions{});
  EXPECT_EQ(burst(budget, timeout), 50);
}

TEST(QuotaBudget, TheCostsOf2026Allow35RetriesOr100WhenThrottled) {
  RetryBudget failing(QuotaOptions::aws_2026());
  EXPECT_EQ(burst(failing, server_failure), 35);
  EXPECT_EQ(failing.level(at(0s)), 10 * token);
  EXPECT_EQ(burst(failing, slowed_down), 2) << "what is too little for 14 is enough for 5 twice";
  RetryBudget limited(QuotaOptions::aws_2026());
  EXPECT_EQ(burst(limited, Outcome::failure(slow_down, 429)), 100);
  RetryBudget hanging(QuotaOptions::aws_2026());
  EXPECT_EQ(burst(hanging, timeout), 35);
}

TEST(QuotaBudget, TheSuccessOfAFirstAttemptBringsOne) {
  RetryBudget budget(QuotaOptions{});
  burst(budget, server_failure);
  for (int i = 0; i < 4; ++i) budget.on_success(at(1s));
  EXPECT_FALSE(budget.try_withdraw(at(1s), server_failure));
  budget.on_success(at(1s));
  EXPECT_TRUE(budget.try_withdraw(at(1s), server_failure));
}

TEST(QuotaBudget, TheSuccessOfARetryBringsBackWhatThatRetryCost) {
  RetryBudget budget(QuotaOptions{});
  ASSERT_TRUE(budget.try_withdraw(at(1s), server_failure));
  const auto second = budget.try_withdraw(at(2s), timeout);
  ASSERT_TRUE(second);
  EXPECT_EQ(budget.level(at(2s)), 485 * token);
  budget.on_success(at(3s), *second);
  EXPECT_EQ(budget.level(at(3s)), 495 * token) << "the first retry failed: its charge is spent";
}

TEST(QuotaBudget, WithoutRefundsASuccessfulRetryCountsLikeAnySuccess) {
  RetryBudget budget(QuotaOptions{.refund_on_success = false});
  const auto charge = budget.try_withdraw(at(1s), server_failure);
  budget.on_success(at(2s), *charge);
  EXPECT_EQ(budget.level(at(2s)), 496 * token);
}

TEST(QuotaBudget, IsNeverMoreThanFull) {
  RetryBudget budget(QuotaOptions{});
  const auto charge = budget.try_withdraw(at(1s), server_failure);
  for (int i = 0; i < 3; ++i) budget.on_success(at(1s));
  budget.on_success(at(1s), *charge);
  EXPECT_EQ(budget.level(at(1s)), 500 * token);
}

TEST(QuotaBudget, ARefusalChangesNothing) {
  RetryBudget budget(QuotaOptions{.capacity = 9});
  EXPECT_FALSE(budget.try_withdraw(at(1s), timeout));
  EXPECT_EQ(budget.level(at(1s)), 9 * token);
  EXPECT_TRUE(budget.try_withdraw(at(1s), server_failure));
}

TEST(QuotaBudget, AHedgeCostsAnOrdinaryRetry) {
  RetryBudget budget(QuotaOptions::aws_2026());
  ASSERT_TRUE(budget.try_withdraw(at(1s)));
  EXPECT_EQ(budget.level(at(1s)), 486 * token);
}

// --- a ratio of successes ----------------------------------------------------------------------

TEST(SuccessRatioBudget, RetriesOnlyWhileMoreThanHalfOfTheTokensAreThere) {
  RetryBudget budget(SuccessRatioOptions{});
  for (int failures = 1; failures <= 4; ++failures) {
    budget.on_failure(at(0s), server_failure);
    EXPECT_TRUE(budget.try_withdraw(at(0s), server_failure)) << failures;
  }
  budget.on_failure(at(0s), server_failure);
  EXPECT_EQ(budget.level(at(0s)), 5 * token);
  EXPECT_FALSE(budget.try_withdraw(at(0s), server_failure)) << "half is not more than half";
  budget.on_success(at(1s));
  EXPECT_EQ(budget.level(at(1s)), 5 * token + 100);
  EXPECT_TRUE(budget.try_withdraw(at(1s), server_failure));
}

TEST(SuccessRatioBudget, HalfOfAnOddNumberIsNotRounded) {
  RetryBudget budget(SuccessRatioOptions{.max_tokens = 3, .token_ratio = 500});
  budget.on_failure(at(0s), server_failure);
  EXPECT_TRUE(budget.try_withdraw(at(0s), server_failure)) << "2 of 3";
  budget.on_failure(at(0s), server_failure);
  EXPECT_FALSE(budget.try_withdraw(at(0s), server_failure)) << "1 of 3";
  budget.on_success(at(0s));
  EXPECT_FALSE(budget.try_withdraw(at(0s), server_failure)) << "1.5 of 3";
}

TEST(SuccessRatioBudget, OnlyTheFailuresItWasToldToTakeATokenAndAStopAlways) {
  RetryBudget budget(SuccessRatioOptions{});
  const Outcome wrong_key = Outcome::failure(authentication, 401);
  budget.on_failure(at(0s), wrong_key);
  EXPECT_EQ(budget.level(at(0s)), 10 * token);
  budget.on_failure(at(0s), wrong_key, Pushback::stop);
  EXPECT_EQ(budget.level(at(0s)), 9 * token);
  budget.on_failure(at(0s), server_failure, Pushback::stop);
  EXPECT_EQ(budget.level(at(0s)), 8 * token) << "one failure, one token";
}

TEST(SuccessRatioBudget, ExtraAttemptsAreFreeAndAbandoningOneBringsNothing) {
  RetryBudget budget(SuccessRatioOptions{});
  budget.on_failure(at(0s), server_failure);
  for (int i = 0; i < 100; ++i) {
    const auto charge = budget.try_withdraw(at(0s));
    ASSERT_TRUE(charge);
    budget.give_back(at(0s), *charge);
  }
  EXPECT_EQ(budget.level(at(0s)), 9 * token);
}

TEST(SuccessRatioBudget, ASuccessCountsTheSameForFirstAndExtraAttempts) {
  RetryBudget budget(SuccessRatioOptions{});
  budget.on_failure(at(0s), server_failure);
  const auto charge = budget.try_withdraw(at(0s), server_failure);
  budget.on_success(at(1s), *charge);
  EXPECT_EQ(budget.level(at(1s)), 9 * token + 100);
}

// 10 successes make up for 1 failure: at a failure rate of exactly 1/11 the level repeats.
TEST(SuccessRatioBudget, BalancesAtRatioOverOnePlusRatioExactly) {
  const auto level_after = [](int successes_per_failure) {
    RetryBudget budget(SuccessRatioOptions{});
    for (int i = 0; i < 1000; ++i) {
      budget.on_failure(at(0s), server_failure);
      for (int s = 0; s < successes_per_failure; ++s) budget.on_success(at(0s));
    }
    return budget.level(at(0s));
  };
  EXPECT_EQ(level_after(10), 10 * token);
  EXPECT_EQ(level_after(9), 900) << "drained; what is left is the last nine successes";
}

// --- a share of calls --------------------------------------------------------------------------

TEST(CallShareBudget, AClientThatJustStartedHasTheFloorOfAWholeWindow) {
  RetryBudget budget(CallShareOptions{});
  EXPECT_EQ(burst(budget, server_failure), 100);
}

TEST(CallShareBudget, ATenthOfASecondsFloorIsNotLost) {
  RetryBudget budget(CallShareOptions{.share = 0, .floor_per_second = 3, .window = 1500ms});
  EXPECT_EQ(budget.level(at(0s)), 4500);
}

TEST(CallShareBudget, CallsEarnTwentyPercentOnTopOfTheFloor) {
  RetryBudget budget(CallShareOptions{});
  for (int i = 0; i < 1000; ++i) budget.on_call(at(1s));
  EXPECT_EQ(burst(budget, server_failure, at(1s)), 300);
}

// Every call fails before the first retry is sent, and each retry is charged when scheduled.
TEST(CallShareBudget, AThousandSimultaneousFailuresShareTwentyPercent) {
  RetryBudget budget(CallShareOptions{.floor_per_second = 0});
  for (int i = 0; i < 1000; ++i) budget.on_call(at(0s));
  int scheduled = 0;
  for (int i = 0; i < 1000; ++i) scheduled += budget.try_withdraw(at(1s), server_failure) ? 1 : 0;
  EXPECT_EQ(scheduled, 200);
}

TEST(CallShareBudget, AUniformSlowdownHedgesNoMoreThanTheShare) {
  RetryBudget budget(CallShareOptions{.share = 50, .floor_per_second = 0});
  int hedges = 0;
  for (int i = 0; i < 1000; ++i) {
    budget.on_call(at(i * 1ms));
    hedges += budget.try_withdraw(at(i * 1ms)) ? 1 : 0;
  }
  EXPECT_EQ(hedges, 50);
}

TEST(CallShareBudget, SharesAreExact) {
  for (const std::uint32_t share : {1U, 300U, 333U, 700U, 999U, 1000U, 2500U}) {
    RetryBudget budget(CallShareOptions{.share = share, .floor_per_second = 0});
    for (int i = 0; i < 1000; ++i) budget.on_call(at(0s));
    EXPECT_EQ(burst(budget, server_failure), static_cast<int>(share));
  }
}

// 0s       1000 calls: 200 retries
// 9.9s     still there, 150 taken
// 10s      the calls are forgotten, the 150 are not: even again only when they are
// 19.5s    the slot of the 150 is forgotten (it began at 9.5s)
TEST(CallShareBudget, DepositsAndWithdrawalsBothExpire) {
  RetryBudget budget(CallShareOptions{.floor_per_second = 10});
  for (int i = 0; i < 1000; ++i) budget.on_call(at(0s));
  EXPECT_EQ(budget.level(at(9900ms)), 300 * token);
  for (int i = 0; i < 150; ++i) EXPECT_TRUE(budget.try_withdraw(at(9900ms), server_failure));
  EXPECT_EQ(budget.level(at(10s)), 0) << "in debt by 50, which is told as empty";
  EXPECT_FALSE(budget.try_withdraw(at(10s), server_failure));
  EXPECT_FALSE(budget.try_withdraw(at(19'500ms - 1ns), server_failure));
  EXPECT_EQ(budget.level(at(19'500ms)), 100 * token);
}

TEST(CallShareBudget, ItRefillsWithoutTraffic) {
  RetryBudget budget(CallShareOptions{});
  burst(budget, server_failure);
  EXPECT_EQ(budget.level(at(10s)), 100 * token);
}

TEST(CallShareBudget, AChargeGivenBackAfterItWasForgottenIsNotCountedTwice) {
  RetryBudget budget(CallShareOptions{});
  const auto charge = budget.try_withdraw(at(0s), server_failure);
  budget.give_back(at(10s), *charge);
  EXPECT_EQ(budget.level(at(10s)), 100 * token);
}

TEST(CallShareBudget, OnlyTheDistanceBetweenInstantsMatters) {
  for (const Duration start : {0ns, 123'456'789ns, Duration{-7s}, Duration{240h}}) {
    RetryBudget budget(CallShareOptions{.floor_per_second = 1});
    budget.on_call(at(start));
    EXPECT_EQ(budget.level(at(start + 10s - 1ns)), 10 * token + 200);
    EXPECT_EQ(budget.level(at(start + 10s)), 10 * token);
  }
}

// --- closed forms ------------------------------------------------------------------------------

struct Load {
  double amplification;  // attempts per call
  double answered;       // share of calls
};

// 200,000 calls, 100 per second; each attempt fails with probability p (in millionths) and is
// retried at once for as long as the budget allows.
Load drive(RetryBudget budget, std::uint32_t p) {
  constexpr int calls = 200'000;
  const DrawFamily fate(1, Purpose::fault, "budget");
  int attempts = 0;
  int answered = 0;
  for (int call = 0; call < calls; ++call) {
    const Instant now = at(call * 10ms);
    Draws draws = fate.at(static_cast<std::uint64_t>(call));
    budget.on_call(now);
    std::optional<Charge> charge;
    do {
      ++attempts;
      if (!draws.chance(p)) {
        charge ? budget.on_success(now, *charge) : budget.on_success(now);
        ++answered;
        break;
      }
      budget.on_failure(now, server_failure);
      charge = budget.try_withdraw(now, server_failure);
    } while (charge);
  }
  return {static_cast<double>(attempts) / calls, static_cast<double>(answered) / calls};
}

// A tenth of a retry per call: the threshold is .1/1.1 = .0909.
TEST(RetryBudget, DepositsPerCallCapTheLoadAtOnePlusTheShare) {
  const RetryBudget budget(CallShareOptions{.share = 100, .floor_per_second = 0});
  const Load below = drive(budget, 50'000);
  EXPECT_NEAR(below.amplification, 1 / .95, .003);
  EXPECT_NEAR(below.answered, 1, .001);
  for (const std::uint32_t p : {200'000U, 300'000U, 500'000U}) {
    const Load above = drive(budget, p);
    EXPECT_NEAR(above.amplification, 1.1, .005) << p;
    EXPECT_NEAR(above.answered, (1 - p / 1e6) * 1.1, .005) << p;
  }
}

TEST(RetryBudget, DepositsPerSuccessLeaveLessTheMoreFails) {
  const RetryBudget budget(QuotaOptions{.retry_cost = 10, .refund_on_success = false});
  EXPECT_NEAR(drive(budget, 50'000).amplification, 1 / .95, .003);
  for (const std::uint32_t p : {100'000U, 200'000U, 500'000U, 900'000U}) {
    const double expected = 1 / (1 - .1 * (1 - p / 1e6));  // 1.0989, 1.0870, 1.0526, 1.0101
    EXPECT_NEAR(drive(budget, p).amplification, expected, .003) << p;
  }
}

TEST(RetryBudget, TheSuccessRatioAllowsAllRetriesBelowItsThresholdAndNearlyNoneAbove) {
  const RetryBudget budget{SuccessRatioOptions{}};
  const Load below = drive(budget, 50'000);
  EXPECT_NEAR(below.amplification, 1 / .95, .003);
  EXPECT_GT(below.answered, .999);
  const Load above = drive(budget, 200'000);
  EXPECT_LT(above.amplification, 1.01);
  EXPECT_LT(above.answered, .81);
}

// A retry that succeeds is free, so that only those that fail are paid for, 5 each, by the first
// attempts that succeed, 1 each. All retries can be paid while 5 p^2 <= (1 - p)^2, so for p up to
// 1 / (1 + sqrt(5)) = .309; above, (1 - p) / 5p of them per call.
TEST(RetryBudget, ARefundingQuotaCarriesNearlyAThirdOfFailures) {
  const RetryBudget budget{QuotaOptions{}};
  const Load below = drive(budget, 250'000);
  EXPECT_NEAR(below.amplification, 1 / .75, .005);
  EXPECT_EQ(below.answered, 1);
  for (const std::uint32_t p : {400'000U, 500'000U, 800'000U}) {
    const double fails = p / 1e6;
    const double retries = (1 - fails) / (5 * fails);
    const Load above = drive(budget, p);
    EXPECT_NEAR(above.amplification, 1 + retries, .005) << p;
    EXPECT_NEAR(above.answered, (1 - fails) * (1 + retries), .005) << p;
  }
}

// --- properties --------------------------------------------------------------------------------

RC_GTEST_PROP(QuotaBudget, WhatIsOutAndWhatIsInAddUpToTheCapacityAtEveryStep, ()) {
  const auto capacity = *rc::gen::inRange<std::uint32_t>(1, 100);
  RetryBudget budget(QuotaOptions{.capacity = capacity});
  std::vector<Charge> out;
  std::int64_t sum = 0;
  for (int step = 0; step < 100; ++step) {
    if (*rc::gen::inRange(0, 3) > 0) {
      const Outcome& cause = *rc::gen::element(server_failure, timeout, slowed_down);
      if (const auto charge = budget.try_withdraw(at(0s), cause)) {
        out.push_back(*charge);
        sum += charge->amount;
      }
    } else if (!out.empty()) {
      const auto i = static_cast<std::ptrdiff_t>(*rc::gen::inRange<std::size_t>(0, out.size()));
      sum -= out[static_cast<std::size_t>(i)].amount;
      budget.give_back(at(0s), out[static_cast<std::size_t>(i)]);
      out.erase(out.begin() + i);
    }
    RC_ASSERT(budget.level(at(0s)) + sum == capacity * token);
    RC_ASSERT(budget.level(at(0s)) >= 0);
  }
}

// The window told as a list of what happened, with the slots of SlidingSum.
class WindowModel {
 public:
  explicit WindowModel(const CallShareOptions& options) : options_(options) {}

  void add(Duration now, std::int64_t amount) {
    if (entries_.empty()) start_ = now;
    entries_.push_back({slot(now), amount});
  }
  std::size_t last() const { return entries_.size() - 1; }
  void cancel(std::size_t entry) { entries_[entry].amount = 0; }

  std::int64_t balance(Duration now) const {
    std::int64_t sum = options_.floor_per_second * (options_.window / 1ms);
    for (const Entry& entry : entries_) {
      if (slot(now) - entry.slot < 20) sum += entry.amount;
    }
    return sum;
  }

 private:
  struct Entry {
    std::int64_t slot;
    std::int64_t amount;
  };

  std::int64_t slot(Duration now) const { return (now - start_) / (options_.window / 20); }

  const CallShareOptions options_;
  Duration start_{};
  std::vector<Entry> entries_;
};

RC_GTEST_PROP(CallShareBudget, DoesWhatAListOfEverythingThatHappenedSays, ()) {
  const CallShareOptions options{.share = *rc::gen::inRange<std::uint32_t>(0, 2000),
                                 .floor_per_second = *rc::gen::inRange<std::uint32_t>(0, 3),
                                 .window = 1ms * *rc::gen::inRange<std::int64_t>(1000, 4000)};
  RetryBudget budget(options);
  WindowModel model(options);
  struct Out {
    Charge charge;
    std::size_t entry;
  };
  std::vector<Out> out;
  Duration now = 1ms * *rc::gen::inRange<std::int64_t>(0, 10'000);
  for (int step = 0; step < 100; ++step) {
    const bool long_silence = *rc::gen::inRange(0, 20) == 0;
    now += 1ms * *rc::gen::inRange<std::int64_t>(0, long_silence ? 6000 : 200);
    const int what = *rc::gen::inRange(0, 5);
    if (what < 2) {
      budget.on_call(at(now));
      model.add(now, options.share);
    } else if (what < 4) {
      const bool expected = model.balance(now) >= token;
      const auto charge = budget.try_withdraw(at(now), server_failure);
      RC_ASSERT(charge.has_value() == expected);
      if (charge) {
        model.add(now, -token);
        out.push_back({*charge, model.last()});
      }
    } else if (!out.empty()) {
      budget.give_back(at(now), out.back().charge);
      model.cancel(out.back().entry);
      out.pop_back();
    }
    RC_ASSERT(budget.level(at(now)) == std::max(model.balance(now), std::int64_t{0}));
  }
}

BudgetOptions any_kind() {
  switch (*rc::gen::inRange(0, 4)) {
    case 0:
      return QuotaOptions{.capacity = *rc::gen::inRange<std::uint32_t>(1, 60)};
    case 1:
      return QuotaOptions{.capacity = 60, .retry_cost = 14, .refund_on_success = false};
    case 2:
      return SuccessRatioOptions{.max_tokens = *rc::gen::inRange<std::uint32_t>(1, 12),
                                 .token_ratio = *rc::gen::inRange<std::uint32_t>(1, 1500)};
    default:
      return CallShareOptions{.floor_per_second = *rc::gen::inRange<std::uint32_t>(0, 3),
                              .window = 3s};
  }
}

std::int64_t most(const BudgetOptions& options, int calls) {
  if (const auto* quota = std::get_if<QuotaOptions>(&options)) return quota->capacity * token;
  if (const auto* ratio = std::get_if<SuccessRatioOptions>(&options)) {
    return ratio->max_tokens * token;
  }
  const auto& share = std::get<CallShareOptions>(options);
  return share.floor_per_second * (share.window / 1ms) + share.share * std::int64_t{calls};
}

// One thing that happens to a budget. Which charge it concerns is chosen by `pick`.
struct Step {
  int what = 0;
  std::size_t pick = 0;
  OutcomeKind kind = server_error;
  Duration later{};
};

std::vector<Step> any_steps(int count) {
  std::vector<Step> steps;
  for (int i = 0; i < count; ++i) {
    Step step{};
    step.what = *rc::gen::inRange(0, 7);
    step.pick = *rc::gen::inRange<std::size_t>(0, 100);
    step.kind = *rc::gen::element(server_error, timed_out, rate_limited, authentication);
    step.later = 1ms * *rc::gen::inRange<std::int64_t>(0, 400);
    steps.push_back(step);
  }
  return steps;
}

struct Client {
  explicit Client(const BudgetOptions& options) : budget(options) {}

  void take(const Step& step) {
    now += step.later;
    const Outcome failure = Outcome::failure(step.kind);
    if (step.what == 0) budget.on_call(at(now)), ++calls;
    if (step.what == 1) budget.on_success(at(now));
    if (step.what == 2) budget.on_failure(at(now), failure);
    if (step.what == 3 || step.what == 4) {
      if (const auto charge = budget.try_withdraw(at(now), failure)) out.push_back(*charge);
    }
    if (step.what < 5 || out.empty()) return;
    std::swap(out[step.pick % out.size()], out.back());
    step.what == 5 ? budget.give_back(at(now), out.back()) : budget.on_success(at(now), out.back());
    out.pop_back();
  }

  std::int64_t level() const { return budget.level(at(now)); }

  RetryBudget budget;
  std::vector<Charge> out;
  Duration now{};
  int calls = 0;
};

RC_GTEST_PROP(RetryBudget, IsNeverNegativeAndNeverMoreThanFull, ()) {
  const BudgetOptions options = any_kind();
  Client client(options);
  for (const Step& step : any_steps(150)) {
    client.take(step);
    RC_ASSERT(client.level() >= 0);
    RC_ASSERT(client.level() <= most(options, client.calls));
  }
}

RC_GTEST_PROP(RetryBudget, AnAttemptScheduledAndAbandonedLeavesNoTrace, ()) {
  const BudgetOptions options = any_kind();
  Client plain(options);
  Client hesitant(options);
  plain.take({});  // a call, from which the slots of a window are counted
  hesitant.take({});
  for (const Step& step : any_steps(100)) {
    plain.take(step);
    hesitant.take(step);
    const Instant now = at(hesitant.now);
    const auto charge = hesitant.budget.try_withdraw(now, Outcome::failure(step.kind));
    if (charge) hesitant.budget.give_back(now, *charge);
    RC_ASSERT(plain.level() == hesitant.level());
    RC_ASSERT(plain.out.size() == hesitant.out.size());
  }
}

// After any history, an outage in which every charge is spent; then a provider that answers.
RC_GTEST_PROP(RetryBudget, IsFullAgainOnceTheProviderHasRecovered, ()) {
  const BudgetOptions options = any_kind();
  Client client(options);
  for (const Step& step : any_steps(100)) client.take(step);
  for (int i = 0; i < 1000; ++i) client.take({.what = i % 2 == 0 ? 2 : 3});
  client.now += 3s;
  const auto has_room = [&] { return client.level() < most(options, 0); };
  for (int i = 0; i < 12'000 && has_room(); ++i) client.budget.on_success(at(client.now));
  RC_ASSERT(client.level() == most(options, 0));
}

}  // namespace
}  // namespace brownout
