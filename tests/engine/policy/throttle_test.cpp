#include "engine/policy/throttle.hpp"

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

Draws draws_for(std::uint64_t call) {
  return DrawFamily(1, Purpose::fault, "throttle").at(call);
}

// Makes `count` requests at `now`, whatever comes of them.
void request(Throttle& throttle, int count, Instant now) {
  for (int i = 0; i < count; ++i) {
    Draws draws = draws_for(static_cast<std::uint64_t>(i));
    throttle.admit(now, draws);
  }
}

void accept(Throttle& throttle, int count, Instant now) {
  for (int i = 0; i < count; ++i) throttle.accepted(now);
}

TEST(Throttle, TheFirstRequestAlwaysPasses) {
  Throttle throttle({});
  Draws draws = draws_for(1);
  EXPECT_EQ(throttle.rejection(at(0s)), 0U);
  EXPECT_TRUE(throttle.admit(at(0s), draws));
}

TEST(Throttle, FollowsTheFormula) {
  Throttle throttle({});
  request(throttle, 9, at(0s));
  EXPECT_EQ(throttle.rejection(at(0s)), 900'000U) << "(9 - 0) / 10";
  accept(throttle, 4, at(0s));
  EXPECT_EQ(throttle.rejection(at(0s)), 100'000U) << "(9 - 8) / 10";
  accept(throttle, 1, at(0s));
  EXPECT_EQ(throttle.rejection(at(0s)), 0U) << "more than half accepted";
  request(throttle, 6, at(0s));
  EXPECT_EQ(throttle.rejection(at(0s)), 312'500U) << "(15 - 10) / 16";
}

TEST(Throttle, CountsRequestsWhenTheyAreMadeTheRejectedOnesIncluded) {
  Throttle throttle({});
  request(throttle, 1000, at(0s));
  EXPECT_EQ(throttle.requests(at(0s)), 1000);
  EXPECT_EQ(throttle.accepts(at(0s)), 0);
}

TEST(Throttle, TheMultiplierSaysHowManyRequestsAnAcceptExcuses) {
  Throttle throttle({.multiplier = 1100});
  request(throttle, 99, at(0s));
  accept(throttle, 90, at(0s));
  EXPECT_EQ(throttle.rejection(at(0s)), 0U) << "99 = 1.1 * 90";
  request(throttle, 100, at(0s));
  EXPECT_EQ(throttle.rejection(at(0s)), 500'000U) << "(199 - 99) / 200";
}

TEST(Throttle, NeverRejectsMoreThanItsMaximum) {
  Throttle throttle({});
  request(throttle, 1000, at(0s));
  EXPECT_EQ(throttle.rejection(at(0s)), 900'000U) << "the default";
  Throttle lenient({.max_rejection = 0});
  for (std::uint64_t call = 0; call < 1000; ++call) {
    Draws draws = draws_for(call);
    ASSERT_TRUE(lenient.admit(at(0s), draws));
  }
}

TEST(Throttle, RejectsAsOftenAsItSays) {
  Throttle after_outage({});
  request(after_outage, 99, at(0s));
  accept(after_outage, 37, at(0s));
  ASSERT_EQ(after_outage.rejection(at(0s)), 250'000U) << "(99 - 74) / 100";
  int rejected = 0;
  for (std::uint64_t call = 0; call < 40'000; ++call) {
    Throttle throttle = after_outage;
    Draws draws = draws_for(call);
    rejected += throttle.admit(at(0s), draws) ? 0 : 1;
  }
  EXPECT_NEAR(rejected, 10'000, 350) << "four standard deviations";
}

TEST(Throttle, ADecisionTakesOneWordAndACertainOneNone) {
  Throttle throttle({});
  for (const bool certain : {true, false}) {
    Draws used = draws_for(7);
    Draws fresh = draws_for(7);
    throttle.admit(at(0s), used);
    if (!certain) fresh();
    EXPECT_EQ(used(), fresh());
  }
}

TEST(Throttle, ABurstBeforeTheFirstAnswerIsCoveredByTheAllowance) {
  const auto passed = [](std::uint32_t allowance) {
    Throttle throttle({.allowance = allowance});
    int count = 0;
    for (std::uint64_t call = 0; call < 20; ++call) {
      Draws draws = draws_for(call);
      count += throttle.admit(at(0s), draws) ? 1 : 0;
    }
    return count;
  };
  EXPECT_LT(passed(0), 10);
  EXPECT_EQ(passed(20), 20);
}

TEST(Throttle, AForgottenRequestWasNeverMade) {
  Throttle throttle({});
  Draws draws = draws_for(1);
  const auto ticket = throttle.admit(at(0s), draws);
  ASSERT_TRUE(ticket);
  throttle.forget(at(30s), *ticket);
  EXPECT_EQ(throttle.requests(at(30s)), 0);
  EXPECT_EQ(throttle.rejection(at(30s)), 0U);
}

// 0s    an outage: 1000 requests, none accepted, rejection at 999/1000
// 2min  nothing has happened since: as new
TEST(Throttle, RecoversWithoutTrafficWhenTheWindowHasPassed) {
  Throttle throttle({.max_rejection = 1'000'000});
  request(throttle, 999, at(0s));
  EXPECT_EQ(throttle.rejection(at(2min - 1ns)), 999'000U);
  EXPECT_EQ(throttle.rejection(at(2min)), 0U);
  Draws draws = draws_for(3);
  EXPECT_TRUE(throttle.admit(at(2min), draws));
}

// --- closed forms ------------------------------------------------------------------------------

constexpr std::uint32_t no_cap = 1'000'000;

struct Traffic {
  int offered = 0;
  int sent = 0;
};

// Five minutes at `load` requests per second, of which the provider takes on what `accepts(sent)`
// says: asked at every request, whether that was sent or not. Told of the last four.
template <typename Accepts>
Traffic drive(std::uint32_t multiplier, int load, Accepts accepts) {
  Throttle throttle({.multiplier = multiplier, .window = 20s, .max_rejection = no_cap});
  Traffic traffic;
  for (int request = 0; request < 300 * load; ++request) {
    const Instant now = at(request * 1s / load);
    Draws draws = draws_for(static_cast<std::uint64_t>(request));
    const bool sent = throttle.admit(now, draws).has_value();
    if (accepts(sent)) throttle.accepted(now);
    if (request < 60 * load) continue;
    ++traffic.offered;
    traffic.sent += sent ? 1 : 0;
  }
  return traffic;
}

// A provider that can take on `capacity` requests per second, and those of one second at once.
double sent_per_second(std::uint32_t multiplier, int load, int capacity) {
  int credit = 0;  // a request costs `load`; in the time between two offered ones grows `capacity`
  const Traffic traffic = drive(multiplier, load, [&](bool sent) {
    credit = std::min(credit + capacity, load * capacity);
    if (!sent || credit < load) return false;
    credit -= load;
    return true;
  });
  return traffic.sent / 240.0;
}

TEST(Throttle, SendsTheMultiplierTimesWhatTheProviderAccepts) {
  EXPECT_NEAR(sent_per_second(2000, 200, 30), 60, 1);
  EXPECT_NEAR(sent_per_second(3000, 200, 30), 90, 1);
  EXPECT_NEAR(sent_per_second(2000, 600, 30), 60, 1) << "whatever the load";
}

TEST(Throttle, SendsEverythingBelowTheMultiplierTimesTheCapacity) {
  EXPECT_EQ(sent_per_second(2000, 30, 40), 30);
  EXPECT_EQ(sent_per_second(2000, 50, 30), 50) << "20 of 50 refused are fewer than half";
}

// Failures at random: the share that succeeds decides, and 1/2 is where it turns.
double sent_share(std::uint32_t succeeds) {
  const DrawFamily fate(1, Purpose::cut_point, "throttle");
  std::uint64_t request = 0;
  const Traffic traffic = drive(2000, 100, [&](bool sent) {
    Draws draws = fate.at(++request);
    return sent && draws.chance(succeeds);
  });
  return static_cast<double>(traffic.sent) / traffic.offered;
}

TEST(Throttle, AShareOfRandomFailuresBelowHalfIsNotThrottledAndAboveItCollapses) {
  EXPECT_EQ(sent_share(1'000'000), 1);
  EXPECT_GT(sent_share(600'000), .999);
  EXPECT_LT(sent_share(350'000), .03);
  EXPECT_LT(sent_share(0), .003);
}

// 0s      outage at 50 requests per second: nothing accepted
// 5min    the provider accepts everything again
Duration time_to_recover(const ThrottleOptions& options) {
  Throttle throttle(options);
  std::uint64_t call = 0;
  for (Duration now = 0s; now < 1h; now += 20ms) {
    if (now > 5min && throttle.rejection(at(now)) == 0) return now - 5min;
    Draws draws = draws_for(++call);
    const bool sent = throttle.admit(at(now), draws).has_value();
    if (sent && now >= 5min) throttle.accepted(at(now));
  }
  return forever;
}

TEST(Throttle, OpensUpUnderLoadTheSoonerTheMoreProbesGoThrough) {
  EXPECT_LT(time_to_recover({}), 4min);
  EXPECT_LT(time_to_recover({.max_rejection = 500'000}), 2min);
  const Duration without_cap = time_to_recover({.max_rejection = no_cap});
  EXPECT_GT(without_cap, 8min);
  EXPECT_LT(without_cap, 1h);
}

// --- properties --------------------------------------------------------------------------------

// Counts kept as lists of slots, as SlidingSum describes them.
struct CountModel {
  std::int64_t count(Duration now) const {
    return std::ranges::count_if(slots, [&](std::int64_t s) { return slot(now) - s < 20; });
  }
  void add(Duration now) {
    if (slots.empty()) start = now;
    slots.push_back(slot(now));
  }
  std::int64_t slot(Duration now) const { return (now - start) / (window / 20); }

  Duration window{};
  Duration start{};
  std::vector<std::int64_t> slots{};
};

RC_GTEST_PROP(Throttle, TheProbabilityIsTheFormulaOfWhatTheWindowHolds, ()) {
  const ThrottleOptions options{.multiplier = *rc::gen::inRange<std::uint32_t>(1000, 4000),
                                .window = 10s,
                                .max_rejection = *rc::gen::inRange<std::uint32_t>(0, 1'000'001),
                                .allowance = *rc::gen::inRange<std::uint32_t>(0, 10)};
  Throttle throttle(options);
  CountModel requests{.window = 10s};
  CountModel accepts{.window = 10s};
  Duration now{};
  for (std::uint64_t step = 0; step < 200; ++step) {
    const bool long_silence = *rc::gen::inRange(0, 50) == 0;
    now += 1ms * *rc::gen::inRange<std::int64_t>(0, long_silence ? 12'000 : 300);
    const double r = static_cast<double>(requests.count(now));
    const double a = static_cast<double>(accepts.count(now));
    const double formula = (r - options.allowance - options.multiplier / 1e3 * a) / (r + 1);
    const double expected = std::min(std::max(formula, 0.0), options.max_rejection / 1e6);
    RC_ASSERT(std::abs(throttle.rejection(at(now)) / 1e6 - expected) < 2e-6);
    if (*rc::gen::inRange(0, 3) == 0) {
      throttle.accepted(at(now));
      accepts.add(now);
    } else {
      Draws draws = draws_for(step);
      throttle.admit(at(now), draws);
      requests.add(now);
    }
  }
  RC_ASSERT(throttle.rejection(at(now + 10s)) == 0U);
}

}  // namespace
}  // namespace brownout
