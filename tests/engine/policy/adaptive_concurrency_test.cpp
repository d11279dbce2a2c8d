#include "engine/policy/adaptive_concurrency.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <functional>
#include <queue>
#include <vector>

namespace brownout {
namespace {

using namespace std::chrono_literals;

using Options = AdaptiveConcurrencyOptions;

Instant at(Duration time) {
  return Instant{time};
}

// Feeds one window of ten equal samples; ends at the returned instant.
Instant feed(AdaptiveConcurrency& limiter, Instant from, Duration latency, std::uint32_t in_flight,
             std::uint32_t lost = 0) {
  for (std::uint32_t i = 0; i < 10; ++i) {
    limiter.record({latency, in_flight, i < lost}, i < 9 ? from : from + 1s);
  }
  return from + 1s;
}

TEST(AdaptiveConcurrency, GrowsByASmoothedSquareRootWhileLatencyIsSteady) {
  // 1s 100 + 0.2 * 10 = 102 | 2s 102 + 0.2 * 10.0995 = 104.02 | 3s 106.06
  AdaptiveConcurrency limiter({.initial_limit = 100});
  EXPECT_EQ(limiter.limit(), 100U);
  Instant now = feed(limiter, at(0s), 500ms, 100);
  EXPECT_EQ(limiter.limit(), 102U);
  now = feed(limiter, now, 500ms, 102);
  EXPECT_EQ(limiter.limit(), 104U);
  feed(limiter, now, 500ms, 104);
  EXPECT_EQ(limiter.limit(), 106U);
}

TEST(AdaptiveConcurrency, AWindowEndsWhenItIsOldAndFullEnough) {
  // 0s first sample | 1s still nine samples | 3s the tenth
  AdaptiveConcurrency limiter({.initial_limit = 100});
  limiter.record({500ms, 100}, at(0s));
  for (int i = 0; i < 8; ++i) limiter.record({500ms, 100}, at(1s));
  EXPECT_EQ(limiter.limit(), 100U);
  limiter.record({500ms, 100}, at(3s));
  EXPECT_EQ(limiter.limit(), 102U);

  for (int i = 0; i < 50; ++i) limiter.record({500ms, 102}, at(4s));
  limiter.record({500ms, 102}, at(5s - 1ns));
  EXPECT_EQ(limiter.limit(), 102U);
  limiter.record({500ms, 102}, at(5s));
  EXPECT_EQ(limiter.limit(), 104U);
}

TEST(AdaptiveConcurrency, RisingLatencyShrinksItByAtMostHalfOfAStep) {
  // Level 1 s for ten windows, then 10 s: the gradient stops at 1/2.
  AdaptiveConcurrency limiter({.initial_limit = 100, .min_limit = 1, .max_limit = 100});
  Instant now = at(0s);
  for (int i = 0; i < 10; ++i) now = feed(limiter, now, 1s, 100);
  ASSERT_EQ(limiter.limit(), 100U);
  now = feed(limiter, now, 10s, 100);
  EXPECT_EQ(limiter.limit(), 92U) << "100 + 0.2 * (50 + 10 - 100)";
}

TEST(AdaptiveConcurrency, ARiseWithinTheToleranceIsNone) {
  for (const auto& [latency, grows] : {std::pair{1190ms, true}, std::pair{1500ms, false}}) {
    AdaptiveConcurrency limiter({.initial_limit = 100});
    Instant now = at(0s);
    for (int i = 0; i < 10; ++i) now = feed(limiter, now, 1s, 40);
    ASSERT_EQ(limiter.limit(), 100U);
    feed(limiter, now, latency, 100);
    EXPECT_EQ(limiter.limit() >= 102U, grows) << latency.count();
  }
}

TEST(AdaptiveConcurrency, ALimitThatIsNotHalfUsedStays) {
  AdaptiveConcurrency limiter({.initial_limit = 100});
  Instant now = feed(limiter, at(0s), 500ms, 49);
  EXPECT_EQ(limiter.limit(), 100U);
  now = feed(limiter, now, 5s, 49);
  EXPECT_EQ(limiter.limit(), 100U) << "nor does it shrink";
  feed(limiter, now, 500ms, 50);
  EXPECT_EQ(limiter.limit(), 102U);
}

TEST(AdaptiveConcurrency, LossesAboveTheirShareCutItOncePerWindow) {
  AdaptiveConcurrency limiter({.initial_limit = 100, .loss_permille = 300});
  Instant now = feed(limiter, at(0s), 500ms, 100, 3);
  EXPECT_EQ(limiter.limit(), 102U) << "three of ten are not more than three in ten";
  now = feed(limiter, now, 500ms, 100, 4);
  EXPECT_EQ(limiter.limit(), 91U);
  feed(limiter, now, 500ms, 0, 10);
  EXPECT_EQ(limiter.limit(), 82U) << "whether the limit was used or not, and nobody answered";
}

TEST(AdaptiveConcurrency, TheLatencyOfLostCallsDoesNotCount) {
  AdaptiveConcurrency limiter({.loss_permille = 1000});
  for (int i = 0; i < 9; ++i) limiter.record({30s, 20, true}, at(0s));
  limiter.record({1s, 20, false}, at(1s));
  EXPECT_EQ(limiter.long_latency(), 1s);
}

TEST(AdaptiveConcurrency, ALevelFarAboveThePresentFadesFasterThanItsAverage) {
  AdaptiveConcurrency limiter({});
  Instant now = at(0s);
  for (int i = 0; i < 10; ++i) now = feed(limiter, now, 10s, 5);
  ASSERT_EQ(limiter.long_latency(), 10s);
  int windows = 0;
  for (; limiter.long_latency() > 2s; ++windows) now = feed(limiter, now, 1s, 5);
  EXPECT_LE(windows, 16) << "0.9^16 < 1/5";
  EXPECT_GE(windows, 14);
}

TEST(AdaptiveConcurrency, StaysWithinItsBounds) {
  AdaptiveConcurrency limiter({.initial_limit = 5, .min_limit = 3, .max_limit = 7});
  Instant now = at(0s);
  for (int i = 0; i < 50; ++i) now = feed(limiter, now, 1s, 7);
  EXPECT_EQ(limiter.limit(), 7U);
  for (int i = 0; i < 50; ++i) now = feed(limiter, now, 1s, 7, 10);
  EXPECT_EQ(limiter.limit(), 3U);
}

// Calls that take `service` each, on so many servers with one line in front of them; the client
// starts as many as the limiter lets it and it has to do.
class QueueingProvider {
 public:
  explicit QueueingProvider(const Options& options) : limiter(options) {}

  void run_for(Duration time) {
    const Instant until = now_ + time;
    start_calls();
    while (!under_way_.empty() && under_way_.top().ends <= until) {
      const CallUnderWay call = under_way_.top();
      under_way_.pop();
      now_ = call.ends;
      limiter.record({call.ends - call.started, call.in_flight}, now_);
      slowest = std::max(slowest, call.ends - call.started);
      ++completed;
      start_calls();
    }
    now_ = until;
  }

  AdaptiveConcurrency limiter;
  std::uint32_t servers = 40;
  Duration service = 1s;
  std::uint32_t demand = 1000;  // calls that would be under way without a limit
  std::uint64_t completed = 0;
  Duration slowest{0};

 private:
  struct CallUnderWay {
    Instant ends;
    Instant started;
    std::uint32_t in_flight;
    bool operator>(const CallUnderWay& other) const { return ends > other.ends; }
  };

  void start_calls() {
    while (under_way_.size() < std::min(demand, limiter.limit())) {
      while (free_at_.size() > servers) free_at_.pop();  // a server that is lost
      Instant begins = now_;
      if (free_at_.size() == servers) {
        begins = std::max(begins, free_at_.top());
        free_at_.pop();
      }
      // A tenth of variation, so that calls do not march in step.
      variation_ = variation_ * 6364136223846793005U + 1442695040888963407U;
      const Duration spread = service / 10 * static_cast<int>(variation_ >> 33U & 127U) / 128;
      const Instant ends = begins + service - service / 20 + spread;
      free_at_.push(ends);
      under_way_.push({ends, now_, static_cast<std::uint32_t>(under_way_.size()) + 1});
    }
  }

  Instant now_{};
  std::uint64_t variation_ = 1;
  std::priority_queue<Instant, std::vector<Instant>, std::greater<>> free_at_;
  std::priority_queue<CallUnderWay, std::vector<CallUnderWay>, std::greater<>> under_way_;
};

TEST(AdaptiveConcurrency, FindsWhatAProviderCanTake) {
  // 0s limit 20, half of what it could be | 60s settled around 40 servers
  QueueingProvider provider({});
  provider.run_for(60s);
  EXPECT_GE(provider.limiter.limit(), 40U);
  provider.completed = 0;
  provider.slowest = 0s;
  provider.run_for(60s);
  EXPECT_GE(provider.completed, 40U * 60 * 98 / 100) << "the servers are kept busy";
  EXPECT_LE(provider.limiter.limit(), 70U);
  EXPECT_LE(provider.slowest, 1900ms) << "without a limit it would be 25 s";
}

TEST(AdaptiveConcurrency, ShrinksWhenAProviderLosesCapacityAndRecoversWithIt) {
  // 0s 40 servers | 60s 10 servers | 120s the limit has come down | 120s 40 servers | 240s back up
  QueueingProvider provider({});
  provider.run_for(60s);
  const std::uint32_t before = provider.limiter.limit();
  provider.servers = 10;
  provider.run_for(60s);
  EXPECT_LE(provider.limiter.limit(), before / 2);
  provider.servers = 40;
  provider.run_for(120s);
  EXPECT_GE(provider.limiter.limit(), 40U);
  provider.completed = 0;
  provider.run_for(60s);
  EXPECT_GE(provider.completed, 40U * 60 * 98 / 100);
}

TEST(AdaptiveConcurrency, FindsBackWhenAnswersHaveBecomeSlowerForGood) {
  // 0s calls take 1 s | 60s 3 s, which looks like queueing | 420s known to be no queue
  QueueingProvider provider({});
  provider.run_for(60s);
  provider.service = 3s;
  provider.run_for(120s);
  EXPECT_LT(provider.limiter.limit(), 20U);
  provider.run_for(240s);
  EXPECT_GE(provider.limiter.limit(), 40U);
}

TEST(AdaptiveConcurrency, DoesNotGrowWithoutDemand) {
  QueueingProvider provider({});
  provider.demand = 8;
  provider.run_for(600s);
  EXPECT_EQ(provider.limiter.limit(), 20U);
}

TEST(AdaptiveConcurrency, EndlessSaturationIsTakenToBeNormalOnlyLate) {
  // Below the long window of 10 min the limit holds; hours later it is the maximum.
  QueueingProvider provider({});
  provider.run_for(300s);
  EXPECT_LE(provider.limiter.limit(), 80U);
  provider.run_for(2h);
  EXPECT_EQ(provider.limiter.limit(), 200U);
}

RC_GTEST_PROP(AdaptiveConcurrency, WhateverIsReportedTheLimitStaysWithinItsBounds, ()) {
  Options options;
  options.max_limit = *rc::gen::inRange<std::uint32_t>(1, 1'000'001);
  options.min_limit = *rc::gen::inRange<std::uint32_t>(1, options.max_limit + 1);
  options.initial_limit = *rc::gen::inRange(options.min_limit, options.max_limit + 1);
  options.tolerance_permille = *rc::gen::inRange<std::uint32_t>(1000, 10'001);
  options.smoothing_permille = *rc::gen::inRange<std::uint32_t>(1, 1001);
  options.window = 1ns;
  options.window_samples = 1;
  AdaptiveConcurrency limiter(options);
  const auto samples = *rc::gen::container<std::vector<std::tuple<std::int64_t, int, bool>>>(
      rc::gen::tuple(rc::gen::inRange<std::int64_t>(0, forever.count()), rc::gen::inRange(0, 62),
                     rc::gen::arbitrary<bool>()));
  Instant now{};
  for (const auto& [latency, shift, lost] : samples) {
    for (int i = 0; i < 2; ++i) {
      limiter.record({Duration{latency >> shift}, options.max_limit, lost}, now += 1ns);
    }
    RC_ASSERT(limiter.limit() >= options.min_limit);
    RC_ASSERT(limiter.limit() <= options.max_limit);
    RC_ASSERT(limiter.long_latency() >= 0s && limiter.long_latency() <= 24h);
  }
}

}  // namespace
}  // namespace brownout
