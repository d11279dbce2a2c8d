// The layer that keeps calls within a quota: who waits how long, what is refused, what is given
// back, and that nothing is ever lost.

#include "engine/pipeline/layers/rate_limit_layer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::Contains;
using ::testing::ElementsAre;

// Ten requests a minute, two at once: one more every 6 s.
constexpr const char* two_then_one_in_6s =
    R"({ "rate_limit": { "requests_per_minute": 10, "request_burst": 2, "learn": false } })";

// 600 tokens a minute: ten a second.
constexpr const char* ten_tokens_a_second =
    R"({ "rate_limit": { "tokens_per_minute": 600, "output_reserve": 100, "max_wait": "2m" } })";

std::string only(const char* layer) {
  return fmt::format("[{}]", layer);
}

const RateLimiter& limiter(const Stage& stage) {
  return *stage.layer<RateLimitLayer>().limiter();
}

// 0s two go | 6s the third | 12s the fourth
TEST(RateLimitLayer, WhoIsOverTheQuotaWaitsForTheInstantItWasTold) {
  Stage stage(only(two_then_one_in_6s));
  for (CallId id = 1; id <= 4; ++id) stage.call({.id = id});
  stage.run();
  EXPECT_THAT(stage.log(), ElementsAre("0s call 1 asks gpt-4", "0s call 2 asks gpt-4",
                                       "0s call 3 waits for its quota until 6s",
                                       "0s call 4 waits for its quota until 12s",
                                       "1s call 1 succeeds at gpt-4", "1s call 1 ends: success",
                                       "1s call 2 succeeds at gpt-4", "1s call 2 ends: success",
                                       "6s call 3 asks gpt-4", "7s call 3 succeeds at gpt-4",
                                       "7s call 3 ends: success", "12s call 4 asks gpt-4",
                                       "13s call 4 succeeds at gpt-4", "13s call 4 ends: success"));
  EXPECT_TRUE(stage.is_quiet());
}

TEST(RateLimitLayer, AWaitThatIsTooLongIsRefusedAtOnceAndSaysHowLong) {
  Stage stage(R"([{ "rate_limit": { "requests_per_minute": 10, "request_burst": 1,
                                    "max_wait": "8s" } }])");
  for (CallId id = 1; id <= 3; ++id) stage.call({.id = id});
  stage.run();
  EXPECT_THAT(stage.log_of(3), ElementsAre("0s call 3 is refused: client_rate_limited",
                                           "0s call 3 ends: client_rate_limited"));
  EXPECT_EQ(stage.outcome(3).retry_after, 12s);
  EXPECT_TRUE(stage.outcome(3).refused);
  EXPECT_TRUE(stage.outcome(2).ok()) << "6s are not too long";
}

TEST(RateLimitLayer, AWaitBeyondTheDeadlineIsRefusedAtOnce) {
  Stage stage(only(two_then_one_in_6s));
  stage.call({.id = 1});
  stage.call({.id = 2});
  stage.call({.id = 3, .deadline = at(6s)});
  stage.call({.id = 4, .deadline = at(6s + 1ns)});
  stage.run_until(0s);
  EXPECT_EQ(stage.outcome(3).kind, client_rate_limited);
  EXPECT_THAT(stage.log_of(4), ElementsAre("0s call 4 waits for its quota until 6s"));
}

TEST(RateLimitLayer, ARequestLargerThanTheWholeLimitIsTooLargeAndNotAskedToComeBack) {
  Stage stage(only(ten_tokens_a_second));
  stage.call({.input_tokens = 500, .max_tokens = 101});
  stage.run();
  EXPECT_THAT(stage.log(), ElementsAre("0s call 1 is refused: request_too_large",
                                       "0s call 1 ends: request_too_large"));
  EXPECT_EQ(stage.outcome(1).retry_after, std::nullopt);
  EXPECT_TRUE(is_own_refusal(stage.outcome(1)));
}

// 0s the first reserves all, the second waits until all is back | 1s the first has used 50, of
// which 10 are back | 5s so are the others
TEST(RateLimitLayer, WhatWasNotUsedIsGivenBackAndServesWhoWaitsSooner) {
  Stage stage(only(ten_tokens_a_second));
  stage.script("gpt-4", {{.takes = 1s, .billed_tokens = 50}});
  stage.call({.id = 1, .input_tokens = 100, .max_tokens = 500});
  stage.call({.id = 2, .input_tokens = 100, .max_tokens = 500});
  stage.run_until(10s);
  EXPECT_THAT(stage.log_of(2),
              ElementsAre("0s call 2 waits for its quota until 1m", "5s call 2 asks gpt-4",
                          "6s call 2 succeeds at gpt-4", "6s call 2 ends: success"));
}

TEST(RateLimitLayer, WithoutMaxTokensTheReserveIsTakenAndAReducedCapCounts) {
  Stage stage(R"([{ "token_limit": { "window": 300, "on_too_long": "reduce" } },
                  { "rate_limit": { "tokens_per_minute": 600, "output_reserve": 100 } }])");
  stage.call({.id = 1, .input_tokens = 40});
  EXPECT_EQ(limiter(stage).token_room(at(0s)), 460);
  stage.call({.id = 2, .input_tokens = 40, .max_tokens = 500});
  EXPECT_EQ(limiter(stage).token_room(at(0s)), 160) << "40 and the 260 the window has room for";
  stage.run();
}

TEST(RateLimitLayer, CountingWhatIsAskedTakesTheLargerAndGivesNothingBack) {
  Stage stage(R"([{ "rate_limit": { "tokens_per_minute": 600, "count": "asked" } }])");
  stage.script("gpt-4", {{.takes = 0s, .billed_tokens = 5}, {.takes = 0s, .billed_tokens = 5}});
  stage.call({.id = 1, .input_tokens = 100, .max_tokens = 250});
  stage.call({.id = 2, .input_tokens = 300, .max_tokens = 250});
  stage.run_until(0s);
  EXPECT_EQ(limiter(stage).token_room(at(0s)), 50);
}

TEST(RateLimitLayer, AnAttemptThatTookMoreThanReservedIsChargedOnTop) {
  Stage stage(only(ten_tokens_a_second));
  stage.script("gpt-4", {{.takes = 0s, .billed_tokens = 450}});
  stage.call({.input_tokens = 100, .max_tokens = 100});
  stage.run_until(0s);
  EXPECT_EQ(limiter(stage).token_room(at(0s)), 150);
}

TEST(RateLimitLayer, ARideOnWhichNobodyWasAskedCostsNothing) {
  Stage stage(R"([{ "rate_limit": { "requests_per_minute": 2, "tokens_per_minute": 600,
                                    "output_reserve": 1 } },
                  { "breaker": { "consecutive_failures": 1, "open_for": "60s" } }])");
  stage.script("gpt-4", {fails(server_error, 0s)});
  stage.call({.id = 1});
  stage.run_until(0s);
  for (CallId id = 2; id <= 20; ++id) {
    stage.call({.id = id, .input_tokens = 500});
    stage.run_until(0s);
    EXPECT_EQ(stage.outcome(id).kind, breaker_open);
  }
  EXPECT_EQ(limiter(stage).request_room(at(0s)), 1);
  EXPECT_EQ(limiter(stage).token_room(at(0s)), 600);
}

// 0s the provider tells that nothing is left of its 10 a minute | 6s one of them is back
TEST(RateLimitLayer, LearnsFromWhatAnAnswerTells) {
  const RateLimits told{.requests = {.limit = 10, .remaining = 0, .reset_ns = 60'000'000'000},
                        .tokens = {}};
  const auto second_asks_at = [&](const std::string& learn) {
    Stage stage(R"([{ "rate_limit": { "requests_per_minute": 100, "learn": )" + learn + "} }]");
    stage.script("gpt-4", {{.takes = 0s, .limits = told}});
    stage.call_at(0s, {.id = 1});
    stage.call_at(1s, {.id = 2});
    stage.run();
    return stage.log_of(2);
  };
  EXPECT_THAT(second_asks_at("true"), Contains("6s call 2 asks gpt-4")) << "one in 6s comes back";
  EXPECT_THAT(second_asks_at("false"), Contains("1s call 2 asks gpt-4"));
}

TEST(RateLimitLayer, LearnsALimitNobodyConfigured) {
  const RateLimits told{.requests = {}, .tokens = {.limit = 600, .remaining = 600, .reset_ns = 0}};
  Stage stage(R"([{ "rate_limit": {} }])");
  stage.script("gpt-4", {{.takes = 0s, .limits = told}});
  stage.call({.id = 1, .input_tokens = 700});
  stage.run_until(0s);
  stage.call({.id = 2, .input_tokens = 700});
  stage.run();
  EXPECT_TRUE(stage.outcome(1).ok()) << "nothing was known yet";
  EXPECT_EQ(stage.outcome(2).kind, request_too_large);
}

// 0s two go, three wait for 6s, 12s, 18s | 2s the first of them is cancelled
TEST(RateLimitLayer, WhoGivesUpInLineMakesRoomForThoseBehind) {
  Stage stage(only(two_then_one_in_6s));
  for (CallId id = 1; id <= 5; ++id) stage.call({.id = id});
  stage.later(2s, [&] { stage.cancel(3); });
  stage.run();
  EXPECT_THAT(stage.log_of(3), ElementsAre("0s call 3 waits for its quota until 6s"));
  EXPECT_THAT(stage.log_of(4), Contains("6s call 4 asks gpt-4"));
  EXPECT_THAT(stage.log_of(5), Contains("12s call 5 asks gpt-4"));
}

TEST(RateLimitLayer, AnAttemptAbandonedUnderWayKeepsWhatItReserved) {
  Stage stage(only(ten_tokens_a_second));
  stage.call({.input_tokens = 300, .max_tokens = 200});
  stage.cancel(1);
  EXPECT_EQ(limiter(stage).token_room(at(0s)), 100) << "nobody knows what it took";
  EXPECT_TRUE(stage.is_quiet());
}

TEST(RateLimitLayer, AShareGrantedToACallThatIsCancelledBeforeItWakesIsGivenBack) {
  Stage stage(only(ten_tokens_a_second));
  stage.script("gpt-4", {{.takes = 1s, .billed_tokens = 0}});
  stage.call({.id = 1, .input_tokens = 500});
  stage.call({.id = 2, .input_tokens = 500});
  stage.on_end = [&](CallId id) {
    if (id == 1) stage.cancel(2);
  };
  stage.run();
  EXPECT_EQ(stage.transport().started(), 1U);
  EXPECT_EQ(limiter(stage).token_room(stage.now()), 600);
  EXPECT_TRUE(stage.is_quiet());
}

TEST(RateLimitLayer, ItsRefusalsNeitherFeedABreakerNorABudgetAndMayBeRetried) {
  // 0s one goes | 0s the other is refused until 6s, which its retry respects
  Stage stage(policy_of(R"([
      { "breaker": { "consecutive_failures": 1, "failures": [ "any" ] } },
      { "retry": { "max_attempts": 2, "on": [ "client_rate_limited" ],
                   "wait": { "fixed": "1s" }, "budget": "shared" } },
      { "rate_limit": { "requests_per_minute": 10, "request_burst": 1, "max_wait": "0s" } }])",
                        R"("to": "openai/gpt-4", "budgets": { "shared": { "success_ratio": {
                            "max_tokens": 2, "failures": [ "any" ] } } })"));
  for (CallId id = 1; id <= 3; ++id) stage.call({.id = id});
  stage.run();
  EXPECT_THAT(stage.log_of(2), Contains("6s call 2 asks gpt-4"));
  EXPECT_EQ(stage.outcome(3).kind, client_rate_limited) << "refused twice";
  EXPECT_EQ(stage.breaker("main").state(), BreakerState::closed);
}

// Calls at random instants with random sizes and cancellations.
RC_GTEST_PROP(RateLimitLayerProperty, NeverAsksMoreThanTheQuotaInAnyWindowAndLosesNothing, ()) {
  constexpr std::int64_t per_minute = 6000;
  Stage stage(R"([{ "rate_limit": { "requests_per_minute": 60, "request_burst": 5,
      "tokens_per_minute": 6000, "max_wait": "20s", "count": "asked" } }])");
  const auto calls = *rc::gen::inRange<CallId>(1, 60);
  std::vector<std::int64_t> tokens_of{0};
  Duration when{0};
  for (CallId id = 1; id <= calls; ++id) {
    when += std::chrono::milliseconds{*rc::gen::inRange(0, 1500)};
    const auto input = *rc::gen::inRange<std::uint32_t>(1, 2500);
    tokens_of.push_back(input);
    stage.call_at(when, {.id = id, .prompt = id, .input_tokens = input, .max_tokens = 1});
    if (*rc::gen::inRange(0, 4) == 0) {
      const auto cancel_after = std::chrono::milliseconds{*rc::gen::inRange(0, 8000)};
      stage.later(when + cancel_after, [&stage, id] { stage.cancel(id); });
    }
  }
  stage.run();
  RC_ASSERT(stage.is_quiet());

  // What was asked from one instant to another is never more than the buckets hold plus what
  // refills meanwhile.
  struct Asked {
    Instant at;
    std::int64_t tokens;
  };
  std::vector<Asked> asked;
  for (const Event& event : stage.events()) {
    if (event.what == Event::What::asked) asked.push_back({event.at, tokens_of[event.call]});
  }
  for (std::size_t from = 0; from < asked.size(); ++from) {
    std::int64_t tokens = 0;
    for (std::size_t to = from; to < asked.size(); ++to) {
      tokens += asked[to].tokens;
      const auto span = (asked[to].at - asked[from].at).count();
      RC_ASSERT(tokens <= per_minute + span * per_minute / 60'000'000'000 + 1);
      RC_ASSERT(static_cast<std::int64_t>(to - from + 1) <= 5 + span * 60 / 60'000'000'000 + 1);
    }
  }
  // A minute after the last, everything has come back.
  const Instant later = after(stage.now(), 60s);
  RC_ASSERT(limiter(stage).token_room(later) == per_minute);
  RC_ASSERT(limiter(stage).request_room(later) == 5);
}

}  // namespace
}  // namespace brownout::testing
