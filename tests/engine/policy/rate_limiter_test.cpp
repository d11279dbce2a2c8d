#include "engine/policy/rate_limiter.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <deque>
#include <ostream>
#include <vector>

namespace brownout {

void PrintTo(const RateLimiter::Answer& answer, std::ostream* out) {
  constexpr const char* names[] = {"granted", "wait", "too_late", "impossible"};
  *out << names[static_cast<int>(answer.kind)] << " at "
       << format_duration(answer.at.time_since_epoch());
}

namespace {

using namespace std::chrono_literals;

using Answer = RateLimiter::Answer;
using Kind = Answer::Kind;
using Options = RateLimiterOptions;
using Reservation = RateLimiter::Reservation;

__extension__ using Wide = __int128;
constexpr std::int64_t minute = Duration{1min}.count();

Instant at(Duration time) {
  return Instant{time};
}
Answer granted(Duration time) {
  return {Kind::granted, at(time)};
}
Answer wait(Duration until) {
  return {Kind::wait, at(until)};
}
Answer too_late(Duration time) {
  return {Kind::too_late, at(time)};
}
constexpr Answer impossible{Kind::impossible, never};

// A limiter with reservations that give up by themselves when a test ends.
struct Desk {
  explicit Desk(const Options& options) : limiter(options, Instant{}) {}
  ~Desk() {
    for (Reservation& reservation : reservations) {
      if (reservation.waiting()) limiter.cancel(reservation, Instant{});
    }
  }

  Answer reserve(std::int64_t tokens, Duration now, Instant deadline = never) {
    return limiter.reserve(reservations.emplace_back(), tokens, at(now), deadline);
  }
  Answer ask(std::size_t i, Duration now) { return limiter.ask(reservations[i], at(now)); }
  void cancel(std::size_t i, Duration now) { limiter.cancel(reservations[i], at(now)); }
  void settle(std::size_t i, std::int64_t tokens, Duration now) {
    limiter.settle(reservations[i], tokens, at(now));
  }
  std::int64_t requests(Duration now) { return *limiter.request_room(at(now)); }
  std::int64_t tokens(Duration now) { return *limiter.token_room(at(now)); }

  RateLimiter limiter;
  std::deque<Reservation> reservations;
};

LimitHeaders told_of_tokens(const LimitHeader& tokens) {
  return {.tokens = tokens};
}

TEST(RateLimiter, WithoutLimitsEverythingPasses) {
  Desk desk({});
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(desk.reserve(1'000'000'000, 0s), granted(0s));
  EXPECT_EQ(desk.limiter.token_limit(), std::nullopt);
  EXPECT_EQ(desk.limiter.request_room(at(0s)), std::nullopt);
}

TEST(RateLimiter, HoldsAMinutesRequestsAndRefillsToTheNanosecond) {
  // 0s all 60 | 1s one is back, not a nanosecond earlier
  Desk desk({.requests_per_minute = 60});
  for (int i = 0; i < 60; ++i) EXPECT_EQ(desk.reserve(0, 0s), granted(0s));
  EXPECT_EQ(desk.reserve(0, 0s), wait(1s));
  EXPECT_EQ(desk.ask(60, 1s - 1ns), wait(1s));
  EXPECT_EQ(desk.ask(60, 1s), granted(1s));
  EXPECT_EQ(desk.reserve(0, 1s), wait(2s));
}

TEST(RateLimiter, GivesTheWaitsThatProvidersPrint) {
  // "Limit 30000, Used 29937, Requested 385. Please try again in 644ms." and others like it.
  struct Refusal {
    std::int64_t limit, used, requested;
    Duration wait;
  };
  for (const Refusal& refusal :
       {Refusal{30'000, 29'937, 385, 644ms}, Refusal{10'000, 8'554, 3'082, 9816ms},
        Refusal{30'000, 28'039, 3'906, 3890ms}, Refusal{30'000, 14'567, 24'754, 18'642ms}}) {
    Desk desk({.tokens_per_minute = refusal.limit});
    desk.reserve(refusal.used, 0s);
    EXPECT_EQ(desk.reserve(refusal.requested, 0s), wait(refusal.wait));
  }
}

TEST(RateLimiter, WaitsForWhicheverQuotaIsLater) {
  // 60 requests a minute are back one a second, 6000 tokens a minute 100 a second.
  Desk desk({.requests_per_minute = 60, .tokens_per_minute = 6000, .request_burst = 1});
  EXPECT_EQ(desk.reserve(5900, 0s), granted(0s));
  EXPECT_EQ(desk.reserve(50, 0s), wait(1s)) << "the request";
  EXPECT_EQ(desk.reserve(850, 0s), wait(8s)) << "the tokens";
  EXPECT_EQ(desk.reserve(0, 0s), wait(9s)) << "the request again";
}

TEST(RateLimiter, ARequestAboveTheWholeLimitIsImpossibleAndTakesNothing) {
  Desk desk({.requests_per_minute = 10, .tokens_per_minute = 1000});
  EXPECT_EQ(desk.reserve(1001, 0s), impossible);
  EXPECT_EQ(desk.requests(0s), 10);
  EXPECT_EQ(desk.tokens(0s), 1000);
  EXPECT_EQ(desk.reserve(1000, 0s), granted(0s));
}

TEST(RateLimiter, ASmallRequestDoesNotOvertakeALargeOneThatWaits) {
  // 0s 900 of 1000 taken | the large one needs 500: 24s | the small ones would fit at once
  Desk desk({.tokens_per_minute = 1000});
  desk.reserve(900, 0s);
  EXPECT_EQ(desk.reserve(500, 0s), wait(24s));
  EXPECT_EQ(desk.reserve(10, 0s), wait(24'600ms));
  EXPECT_EQ(desk.reserve(10, 20s), wait(25'200ms));
  EXPECT_EQ(desk.ask(1, 24s), granted(24s));
  EXPECT_EQ(desk.ask(2, 24'600ms), granted(24'600ms));
}

TEST(RateLimiter, WhoSleepsLateKeepsItsShareAndHoldsNobodyUp) {
  // 0s empty | A due at 6s sleeps on | 12s B asks: both fit, A has its share still
  Desk desk({.tokens_per_minute = 1000});
  desk.reserve(1000, 0s);
  EXPECT_EQ(desk.reserve(100, 0s), wait(6s));
  EXPECT_EQ(desk.reserve(100, 0s), wait(12s));
  EXPECT_EQ(desk.ask(2, 12s), granted(12s));
  EXPECT_EQ(desk.reserve(50, 12s), wait(15s)) << "the 100 that are there are A's";
  EXPECT_EQ(desk.ask(1, 12s), granted(12s));
}

TEST(RateLimiter, NoOneWaitsForAPermitThatCannotComeInTime) {
  // 0s empty, 10 a second | 300 take exactly 30s, 301 a bit more
  Desk desk({.tokens_per_minute = 600, .max_wait = 30s});
  desk.reserve(600, 0s);
  EXPECT_EQ(desk.reserve(301, 0s), too_late(30'100ms));
  EXPECT_EQ(desk.limiter.waiting(), 0U) << "and keeps no place";
  EXPECT_EQ(desk.reserve(300, 0s), wait(30s));
  EXPECT_EQ(desk.reserve(0, 0s), wait(30s));
  EXPECT_EQ(desk.reserve(1, 0s), too_late(30'100ms)) << "those before it count";
}

TEST(RateLimiter, AGrantAtTheDeadlineIsTooLate) {
  Desk desk({.tokens_per_minute = 600});
  desk.reserve(600, 0s);
  EXPECT_EQ(desk.reserve(100, 0s, at(10s)), too_late(10s));
  EXPECT_EQ(desk.reserve(100, 0s, at(10s + 1ns)), wait(10s));
}

TEST(RateLimiter, AnEmptyStartHasToFillFirst) {
  Desk desk({.requests_per_minute = 60, .tokens_per_minute = 600, .starts_full = false});
  EXPECT_EQ(desk.reserve(0, 0s), wait(1s));
  EXPECT_EQ(desk.reserve(100, 0s), wait(10s));
  EXPECT_EQ(desk.requests(60s), 60);
  EXPECT_EQ(desk.tokens(60s), 600);
}

TEST(RateLimiter, ASmallBurstSpreadsTheRequestsOfAMinute) {
  Desk desk({.requests_per_minute = 60, .request_burst = 2});
  EXPECT_EQ(desk.reserve(0, 0s), granted(0s));
  EXPECT_EQ(desk.reserve(0, 0s), granted(0s));
  EXPECT_EQ(desk.reserve(0, 0s), wait(1s));
  EXPECT_EQ(desk.requests(24h), 2);
}

TEST(RateLimiter, SettlingForLessGivesTheRestBack) {
  Desk desk({.requests_per_minute = 60, .tokens_per_minute = 1000});
  desk.reserve(1000, 0s);
  desk.settle(0, 300, 0s);
  EXPECT_EQ(desk.tokens(0s), 700);
  EXPECT_EQ(desk.requests(0s), 59) << "the request was made";
}

TEST(RateLimiter, SettlingForMoreLeavesADebtThatIsPaidFirst) {
  // 0s 1500 of 1000 taken | 30s the debt is paid | 36s 100 more
  Desk desk({.tokens_per_minute = 1000, .max_wait = 1min});
  desk.reserve(1000, 0s);
  desk.settle(0, 1500, 0s);
  EXPECT_EQ(desk.tokens(0s), 0);
  EXPECT_EQ(desk.reserve(0, 0s), wait(30s));
  EXPECT_EQ(desk.reserve(100, 0s), wait(36s));
}

TEST(RateLimiter, WhatIsGivenBackServesWaitersInOrderAndEarly) {
  // 0s all taken; A is told 60s, B 66s | 10s all of it comes back: A can go at once, B at 16s
  Desk desk({.tokens_per_minute = 1000, .max_wait = 2min});
  EXPECT_EQ(desk.limiter.first(), nullptr);
  desk.reserve(1000, 0s);
  EXPECT_EQ(desk.reserve(1000, 0s), wait(60s));
  EXPECT_EQ(desk.reserve(100, 0s), wait(66s));
  desk.settle(0, 0, 10s);
  EXPECT_EQ(desk.limiter.first(), &desk.reservations[1]);
  EXPECT_EQ(desk.ask(2, 10s), wait(16s)) << "A has not asked, yet its share is gone";
  EXPECT_EQ(desk.ask(1, 10s), granted(10s));
  EXPECT_EQ(desk.limiter.first(), &desk.reservations[2]);
  EXPECT_EQ(desk.ask(2, 16s), granted(16s));
}

TEST(RateLimiter, CancellingGivesEverythingBackInEveryState) {
  Desk desk({.requests_per_minute = 10, .tokens_per_minute = 1000});
  desk.reserve(800, 0s);
  EXPECT_EQ(desk.reserve(500, 0s), wait(18s));
  EXPECT_EQ(desk.reserve(200, 0s), wait(30s));
  desk.cancel(1, 0s);
  EXPECT_EQ(desk.ask(2, 0s), granted(0s)) << "it waited only because of the one before it";
  desk.cancel(2, 0s);
  desk.cancel(0, 0s);
  desk.cancel(0, 0s);
  EXPECT_EQ(desk.tokens(0s), 1000);
  EXPECT_EQ(desk.requests(0s), 10);
}

TEST(RateLimiter, OneWhoIsRefusedWhileWaitingHoldsUpNobody) {
  // 0s A and B wait | the limit is learned to be 400: A is impossible now, B comes before it
  Desk desk({.tokens_per_minute = 1000, .max_wait = 2min});
  desk.reserve(1000, 0s);
  EXPECT_EQ(desk.reserve(500, 0s), wait(30s));
  EXPECT_EQ(desk.reserve(100, 0s), wait(36s));
  desk.limiter.learn(told_of_tokens({.limit = 400}), at(0s));
  EXPECT_EQ(desk.ask(2, 0s), wait(105s)) << "(1000 + 100 - 400) / 400 min";
  EXPECT_EQ(desk.ask(1, 30s), impossible);
}

TEST(RateLimiter, OneWhoWillBeTooLateHoldsUpNobody) {
  // 0s A is told 30s, B 30.6s | the debt puts A off to 60s, beyond its 40s: B no longer waits for
  // it
  Desk desk({.tokens_per_minute = 1000, .max_wait = 40s});
  desk.reserve(1000, 0s);
  EXPECT_EQ(desk.reserve(500, 0s), wait(30s));
  EXPECT_EQ(desk.reserve(10, 0s), wait(30'600ms));
  desk.settle(0, 1500, 0s);
  EXPECT_EQ(desk.ask(2, 0s), wait(30'600ms));
  EXPECT_EQ(desk.ask(1, 30s), too_late(60s));
  EXPECT_EQ(desk.ask(2, 30'600ms), granted(30'600ms));
}

TEST(RateLimiter, LearnsALowerLimitAndForgetsItWhenAHigherIsTold) {
  Desk desk({.requests_per_minute = 100, .tokens_per_minute = 1000});
  desk.limiter.learn({.requests = {.limit = 50}, .tokens = {.limit = 400}}, at(0s));
  EXPECT_EQ(desk.limiter.request_limit(), 50);
  EXPECT_EQ(desk.limiter.token_limit(), 400);
  EXPECT_EQ(desk.reserve(401, 0s), impossible);
  EXPECT_EQ(desk.reserve(400, 0s), granted(0s));
  desk.limiter.learn({.requests = {.limit = 500}, .tokens = {.limit = 4000}}, at(0s));
  EXPECT_EQ(desk.limiter.request_limit(), 100) << "never above the configured one";
  EXPECT_EQ(desk.limiter.token_limit(), 1000);
  EXPECT_EQ(desk.tokens(0s), 600);
}

TEST(RateLimiter, WhereNoneIsConfiguredTheToldLimitHolds) {
  Desk desk({});
  desk.limiter.learn({.requests = {.limit = 60, .remaining = 0, .reset = 60s}}, at(0s));
  EXPECT_EQ(desk.limiter.request_limit(), 60);
  EXPECT_EQ(desk.reserve(1'000'000, 0s), wait(1s));
}

TEST(RateLimiter, HonoursWhatRemainsThereUntilItsReset) {
  // 0s others have used 940 of 1000; they are back at 100 in 6s | 56.4s all of it
  Desk desk({.tokens_per_minute = 1000});
  desk.limiter.learn(told_of_tokens({1000, 60, 56'400ms}), at(0s));
  EXPECT_EQ(desk.tokens(0s), 60);
  EXPECT_EQ(desk.reserve(60, 0s), granted(0s));
  EXPECT_EQ(desk.reserve(100, 0s), wait(6s));
  EXPECT_EQ(desk.ask(1, 6s), granted(6s));
  EXPECT_EQ(desk.tokens(56'400ms), 1000) << "what went here is long back";
}

TEST(RateLimiter, MoreRemainingThereThanHereChangesNothing) {
  Desk desk({.tokens_per_minute = 1000});
  desk.reserve(900, 0s);
  desk.limiter.learn(told_of_tokens({100'000, 99'000, 0s}), at(0s));
  EXPECT_EQ(desk.tokens(0s), 100);
  desk.limiter.learn(told_of_tokens({.remaining = 5000}), at(0s));
  EXPECT_EQ(desk.tokens(0s), 100);
}

TEST(RateLimiter, ASlowResetIsFollowedEvenlyUpToTheLongestBelieved) {
  // 200 of 200 requests of a day used: one is back every 7m12s
  const LimitHeaders headers{.requests = {200, 0, 24h}};
  Desk day({.requests_per_minute = 200, .max_wait = 1h, .longest_reset = 24h});
  day.limiter.learn(headers, at(0s));
  EXPECT_EQ(day.reserve(0, 0s), wait(7min + 12s));

  // A minute is believed, in which 200 are back.
  Desk brief({.requests_per_minute = 200, .max_wait = 1h});
  brief.limiter.learn(headers, at(0s));
  EXPECT_EQ(brief.reserve(0, 0s), wait(300ms));
}

TEST(RateLimiter, AResetThatIsTooSoonIsTakenForRounding) {
  // 500 of 1000 used cannot be back before 30s, whatever a clock that is ahead makes of the date
  Desk desk({.tokens_per_minute = 1000});
  desk.limiter.learn(told_of_tokens({1000, 500, 0s}), at(0s));
  EXPECT_EQ(desk.tokens(0s), 500);
  EXPECT_EQ(desk.tokens(15s), 750);
  EXPECT_EQ(desk.tokens(30s), 1000);
}

TEST(RateLimiter, AResetAloneTellsNothing) {
  Desk desk({.tokens_per_minute = 1000});
  desk.limiter.learn(told_of_tokens({.reset = 55s}), at(0s));
  EXPECT_EQ(desk.tokens(0s), 1000);
}

TEST(RateLimiter, WhatWasGivenBackIsNotGivenToANewerWordOfTheProvider) {
  // The provider counted A before it said that 100 remain; what A then does not need is its affair.
  Desk desk({.tokens_per_minute = 1000});
  desk.reserve(500, 0s);
  desk.limiter.learn(told_of_tokens({1000, 100, 54s}), at(0s));
  desk.settle(0, 0, 0s);
  EXPECT_EQ(desk.tokens(0s), 100);
  // B was granted on that word and never sent.
  desk.reserve(80, 0s);
  EXPECT_EQ(desk.tokens(0s), 20);
  desk.cancel(1, 0s);
  EXPECT_EQ(desk.tokens(0s), 100);
}

TEST(RateLimiter, LearnsNothingWhenItIsToldNotTo) {
  Desk desk({.tokens_per_minute = 1000, .learns = false});
  desk.limiter.learn(told_of_tokens({10, 0, 60s}), at(0s));
  EXPECT_EQ(desk.reserve(1000, 0s), granted(0s));
}

TEST(RateLimiter, TheLargestLimitsDoNotOverflow) {
  constexpr std::int64_t most = 1'000'000'000'000;
  Desk desk({.tokens_per_minute = most, .max_wait = forever, .longest_reset = forever});
  EXPECT_EQ(desk.reserve(most, 0s), granted(0s));
  EXPECT_EQ(desk.reserve(most, 0s), wait(60s));
  desk.limiter.learn(told_of_tokens({most, 0, forever}), at(0s));
  EXPECT_EQ(desk.ask(1, 60s), too_late(forever));
  EXPECT_EQ(desk.limiter.token_room(never), most);
}

// A run in which calls come, wait, are asked for at the instants they were told, end and give up.
class Traffic {
 public:
  struct Charge {
    Instant at;
    std::int64_t requests;
    std::int64_t tokens;
  };
  struct Wait {
    std::size_t number;  // in the order of reserving
    Instant promised;    // by the first answer
    Instant alarm;       // by the latest
  };

  enum class Waking { when_told, early };

  explicit Traffic(const Options& options, Waking waking = Waking::when_told)
      : limiter(options, Instant{}), waking_(waking) {}
  ~Traffic() {
    for (const Wait& each : waits) limiter.cancel(calls[each.number], now);
  }

  // Asks for everyone who is due by then, at its own instant.
  void advance(Duration by) {
    const Instant until = now + by;
    for (;;) {
      const auto next =
          std::min_element(waits.begin(), waits.end(),
                           [](const Wait& a, const Wait& b) { return a.alarm < b.alarm; });
      if (next == waits.end() || next->alarm > until) break;
      now = std::max(now, next->alarm);
      const Answer answer = limiter.ask(calls[next->number], now);
      if (answer.kind == Kind::wait) {
        next->alarm = answer.at;
        continue;
      }
      if (answer.kind == Kind::granted) note_grant(next->number, next->promised);
      broken_promises += answer.kind != Kind::granted;
      waits.erase(next);
      look_after_first();
    }
    now = until;
  }

  Answer reserve(std::int64_t tokens) {
    const std::size_t number = calls.size();
    amounts.push_back(tokens);
    const Answer answer = limiter.reserve(calls.emplace_back(), tokens, now);
    if (answer.kind == Kind::granted) note_grant(number, now);
    if (answer.kind == Kind::wait) waits.push_back({number, answer.at, answer.at});
    return answer;
  }

  void settle_oldest(std::int64_t tokens) {
    if (running.empty()) return;
    const std::size_t number = running.front();
    running.pop_front();
    limiter.settle(calls[number], tokens, now);
    charges.push_back({now, 0, tokens - amounts[number]});
    look_after_first();
  }

  void cancel(std::size_t number) {
    if (std::erase(running, number) == 1) charges.push_back({now, -1, -amounts[number]});
    std::erase_if(waits, [&](const Wait& each) { return each.number == number; });
    limiter.cancel(calls[number], now);
    look_after_first();
  }

  Instant now{};
  RateLimiter limiter;
  std::deque<Reservation> calls;
  std::vector<std::int64_t> amounts;
  std::vector<Wait> waits;
  std::deque<std::size_t> running;
  std::vector<std::size_t> grants;  // numbers, in the order in which they were granted
  std::vector<Charge> charges;
  std::size_t broken_promises = 0;  // waits that ended in a refusal
  Duration latest{0};               // a grant after it was first promised

 private:
  void look_after_first() {
    if (waking_ == Waking::when_told || waits.empty()) return;
    const Answer answer = limiter.ask(calls[waits.front().number], now);
    waits.front().alarm = answer.at;
    if (answer.kind == Kind::wait) return;
    const Wait gone = waits.front();
    waits.erase(waits.begin());
    if (answer.kind == Kind::granted) note_grant(gone.number, gone.promised);
    broken_promises += answer.kind != Kind::granted;
    look_after_first();
  }

  void note_grant(std::size_t number, Instant promised) {
    running.push_back(number);
    grants.push_back(number);
    charges.push_back({now, 1, amounts[number]});
    latest = std::max(latest, now - promised);
  }

  const Waking waking_;
};

// More than capacity and refill in no window: between any two charges, both included.
bool keeps_quota(const std::vector<Traffic::Charge>& charges, std::int64_t Traffic::Charge::*amount,
                 std::int64_t capacity, std::int64_t limit) {
  for (std::size_t from = 0; from < charges.size(); ++from) {
    Wide taken = 0;
    for (std::size_t to = from; to < charges.size(); ++to) {
      taken += charges[to].*amount;
      const Wide time = (charges[to].at - charges[from].at).count();
      if (taken * minute > Wide{capacity} * minute + time * limit) return false;
    }
  }
  return true;
}

struct Step {
  enum class Kind { reserve, settle, cancel, learn };
  Kind kind;
  std::int64_t amount;  // in thousandths
  Duration pause;
};

std::vector<Step> any_steps(std::vector<Step::Kind> kinds) {
  return *rc::gen::container<std::vector<Step>>(rc::gen::apply(
      [](Step::Kind kind, std::int64_t amount, std::int64_t pause, bool at_once) {
        return Step{kind, amount, at_once ? Duration{0} : Duration{pause}};
      },
      rc::gen::elementOf(kinds), rc::gen::inRange<std::int64_t>(0, 1001),
      rc::gen::inRange<std::int64_t>(0, 4'000'000'000), rc::gen::arbitrary<bool>()));
}

Options any_options() {
  Options options;
  options.requests_per_minute = *rc::gen::inRange<std::int64_t>(1, 200);
  options.tokens_per_minute = *rc::gen::inRange<std::int64_t>(1, 100'000);
  options.request_burst = *rc::gen::inRange<std::int64_t>(0, 20);
  options.starts_full = *rc::gen::arbitrary<bool>();
  options.max_wait = Duration{*rc::gen::inRange<std::int64_t>(0, 2 * minute)};
  return options;
}

std::int64_t share(std::int64_t thousandths, std::int64_t of) {
  return thousandths * of / 1000;
}

void play(Traffic& run, const Options& options, const std::vector<Step>& steps) {
  const std::int64_t tokens = options.tokens_per_minute;
  for (const Step& step : steps) {
    run.advance(step.pause);
    switch (step.kind) {
      case Step::Kind::reserve:
        run.reserve(share(step.amount, tokens));
        break;
      case Step::Kind::settle:
        if (!run.running.empty()) {
          run.settle_oldest(share(step.amount, run.amounts[run.running.front()]));
        }
        break;
      case Step::Kind::cancel:
        if (!run.calls.empty()) {
          run.cancel(static_cast<std::size_t>(step.amount) % run.calls.size());
        }
        break;
      case Step::Kind::learn:
        run.limiter.learn({.requests = {1 + step.amount / 5, step.amount / 7, step.pause},
                           .tokens = {1 + share(step.amount, 2 * tokens),
                                      share(step.amount / 3, tokens), step.pause}},
                          run.now);
        break;
    }
  }
}

bool keeps_both_quotas(const Traffic& run, const Options& options) {
  const std::int64_t requests = options.requests_per_minute;
  const std::int64_t burst =
      options.request_burst == 0 ? requests : std::min(requests, options.request_burst);
  return keeps_quota(run.charges, &Traffic::Charge::requests, burst, requests) &&
         keeps_quota(run.charges, &Traffic::Charge::tokens, options.tokens_per_minute,
                     options.tokens_per_minute);
}

RC_GTEST_PROP(RateLimiter, NeverLetsMoreThroughInAnyWindowThanItHoldsAndRefills, ()) {
  const Options options = any_options();
  Traffic run(options);
  play(run, options, any_steps({Step::Kind::reserve, Step::Kind::reserve, Step::Kind::learn}));
  run.advance(5min);
  RC_ASSERT(keeps_both_quotas(run, options));
  RC_ASSERT(run.limiter.waiting() == 0U);
}

RC_GTEST_PROP(RateLimiter, NorWhenSomeIsGivenBack, ()) {
  const Options options = any_options();
  Traffic run(options);
  play(run, options,
       any_steps({Step::Kind::reserve, Step::Kind::reserve, Step::Kind::settle, Step::Kind::cancel,
                  Step::Kind::learn}));
  run.advance(5min);
  RC_ASSERT(keeps_both_quotas(run, options));
}

RC_GTEST_PROP(RateLimiter, NobodyIsOvertakenAndEveryPromiseIsKeptToTheNanosecond, ()) {
  const Options options = any_options();
  Traffic run(options);
  play(run, options, any_steps({Step::Kind::reserve}));
  run.advance(5min);
  RC_ASSERT(run.latest == Duration{0});
  RC_ASSERT(run.broken_promises == 0U);
  RC_ASSERT(std::is_sorted(run.grants.begin(), run.grants.end()));
}

RC_GTEST_PROP(RateLimiter, SoIsItWhenSomeIsGivenBackAndTheFirstIsWokenForIt, ()) {
  const Options options = any_options();
  Traffic run(options, Traffic::Waking::early);
  play(run, options,
       any_steps(
           {Step::Kind::reserve, Step::Kind::reserve, Step::Kind::settle, Step::Kind::cancel}));
  run.advance(5min);
  RC_ASSERT(run.latest == Duration{0});
  RC_ASSERT(run.broken_promises == 0U);
  RC_ASSERT(std::is_sorted(run.grants.begin(), run.grants.end()));
  RC_ASSERT(keeps_both_quotas(run, options));
}

RC_GTEST_PROP(RateLimiter, ReservingAndCancellingAtOnceLeavesNoTraceAtAnyStep, ()) {
  const Options options = any_options();
  const auto steps = any_steps({Step::Kind::reserve, Step::Kind::settle, Step::Kind::learn});
  const auto extra = *rc::gen::inRange<std::int64_t>(0, 1001);
  Traffic plain(options);
  Traffic disturbed(options);
  for (const Step& step : steps) {
    play(plain, options, {step});
    play(disturbed, options, {step});
    Reservation reservation;
    disturbed.limiter.reserve(reservation, share(extra, options.tokens_per_minute), disturbed.now);
    disturbed.limiter.cancel(reservation, disturbed.now);
    RC_ASSERT(plain.limiter.token_room(plain.now) == disturbed.limiter.token_room(plain.now));
    RC_ASSERT(plain.limiter.request_room(plain.now) == disturbed.limiter.request_room(plain.now));
  }
  plain.advance(5min);
  disturbed.advance(5min);
  RC_ASSERT(plain.grants == disturbed.grants);
}

RC_GTEST_PROP(RateLimiter, WhoeverCancelsAfterwardsTheAllowanceIsFullAMinuteLater, ()) {
  const Options options = any_options();
  Traffic run(options);
  play(run, options, any_steps({Step::Kind::reserve, Step::Kind::settle, Step::Kind::cancel}));
  for (std::size_t i = 0; i < run.calls.size(); ++i) run.cancel(i);
  RC_ASSERT(run.limiter.waiting() == 0U);
  RC_ASSERT(run.limiter.token_room(run.now + 1min) == options.tokens_per_minute);
}

TEST(RateLimiter, ALargeRequestAmongAFloodOfSmallOnesIsServedWhenPromised) {
  // 0s a flood of twice the quota begins | 10s a request for the whole minute's tokens
  Options options{.tokens_per_minute = 6000, .max_wait = 3min};
  Traffic run(options);
  Answer large{};
  for (int tenth = 0; tenth < 1200; ++tenth) {
    run.advance(100ms);
    run.reserve(20);
    if (tenth == 100) large = run.reserve(6000);
  }
  ASSERT_EQ(large.kind, Kind::wait);
  EXPECT_LE(large.at, at(80s));
  run.advance(4min);
  EXPECT_EQ(run.latest, Duration{0});
  EXPECT_EQ(std::count(run.grants.begin(), run.grants.end(), 101U), 1);
}

}  // namespace
}  // namespace brownout
