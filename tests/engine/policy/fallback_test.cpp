#include "engine/policy/fallback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <vector>

namespace brownout {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::ElementsAre;

constexpr Instant at(Duration since_start) {
  return Instant{} + since_start;
}

std::vector<FallbackRoute> plain(std::size_t count) {
  return std::vector<FallbackRoute>(count);
}

FallbackRoute only_for(std::initializer_list<OutcomeKind> kinds) {
  return {.only_for = OutcomeSet::of(kinds)};
}

RouteOrder order_of(const FallbackOptions& options, std::uint64_t call = 1) {
  Draws draws = DrawFamily(1, Purpose::route_order, "test").at(call);
  return order_routes(options, draws);
}

FallbackState begun(const FallbackOptions& options) {
  return {options, order_of(options)};
}

Outcome refusal(OutcomeKind kind, std::optional<Duration> back) {
  Outcome outcome = Outcome::failure(kind);
  outcome.retry_after = back;
  return outcome;
}

FallbackStep step(const FallbackOptions& options, OutcomeKind kind = server_error,
                  Instant now = at(1s), Instant deadline = never) {
  FallbackState state = begun(options);
  return state.after_failure(options, Outcome::failure(kind), now, deadline).step;
}

// The routes a call visits when every one of them fails like this.
std::vector<int> visited(const FallbackOptions& options, OutcomeKind kind) {
  FallbackState state = begun(options);
  std::vector<int> routes{state.first_route()};
  for (;;) {
    const auto decision = state.after_failure(options, Outcome::failure(kind), at(1s), never);
    if (decision.step != FallbackStep::next_route) return routes;
    routes.push_back(decision.route);
  }
}

SharedText some_text() {
  return std::make_shared<const std::string>(R"({"error": "sorry"})");
}

TEST(Fallback, TakesRoutesInOrderThenTheCacheThenTheDefault) {
  const FallbackOptions options{.routes = plain(3), .cached = true, .default_reply = some_text()};
  EXPECT_THAT(visited(options, server_error), ElementsAre(0, 1, 2));
  FallbackState state = begun(options);
  FallbackDecision decision;
  for (int i = 0; i < 3; ++i) {
    decision = state.after_failure(options, Outcome::failure(server_error), at(1s), never);
  }
  EXPECT_EQ(decision.step, FallbackStep::look_in_cache);
  EXPECT_EQ(after_cache_miss(options), FallbackStep::default_reply);
}

TEST(Fallback, SkipsWhatThePolicyDoesNotHave) {
  EXPECT_EQ(step({.default_reply = some_text()}), FallbackStep::default_reply);
  EXPECT_EQ(step({.cached = true}), FallbackStep::look_in_cache);
  EXPECT_EQ(after_cache_miss({.cached = true}), FallbackStep::give_up);
  EXPECT_EQ(step({}), FallbackStep::give_up);
}

TEST(Fallback, MovesOnByDefaultUnlessThePersonOrTheRequestIsAtFault) {
  const FallbackOptions options{.routes = plain(2)};
  for (const OutcomeKind kind :
       {rate_limited, slow_down, request_too_large, quota_exhausted, daily_limited, overloaded,
        server_error, bad_gateway, connection, timed_out, malformed_reply, stream_truncated,
        not_found, breaker_open, throttled, bulkhead_full, client_rate_limited}) {
    EXPECT_EQ(step(options, kind), FallbackStep::next_route) << to_string(kind);
  }
  for (const OutcomeKind kind :
       {authentication, permission, context_length, content_policy, invalid_request, cancelled}) {
    EXPECT_EQ(step(options, kind), FallbackStep::give_up) << to_string(kind);
  }
}

TEST(Fallback, AFailureThatDoesNotMoveOnGetsNoStoredOrDefaultReplyEither) {
  const FallbackOptions options{.cached = true, .default_reply = some_text()};
  EXPECT_EQ(step(options, authentication), FallbackStep::give_up);
}

TEST(Fallback, WhatHasReachedTheCallerIsNotStartedAgainElsewhere) {
  Outcome outcome = Outcome::failure(stream_truncated);
  outcome.committed = true;
  const FallbackOptions options{
      .routes = plain(2), .on = OutcomeSet::any(), .cached = true, .default_reply = some_text()};
  FallbackState state = begun(options);
  EXPECT_EQ(state.after_failure(options, outcome, at(1s), never).step, FallbackStep::give_up);
}

// 5s deadline: at 5s - 1ns a route may begin, at 5s only what needs no time may answer.
TEST(Fallback, NoRouteBeginsAtTheDeadlineButStoredAndDefaultRepliesStillAnswer) {
  FallbackOptions options{.routes = plain(2), .cached = true, .default_reply = some_text()};
  EXPECT_EQ(step(options, server_error, at(5s - 1ns), at(5s)), FallbackStep::next_route);
  EXPECT_EQ(step(options, server_error, at(5s), at(5s)), FallbackStep::look_in_cache);
  options.cached = false;
  EXPECT_EQ(step(options, server_error, at(5s), at(5s)), FallbackStep::default_reply);
  options.default_reply = nullptr;
  EXPECT_EQ(step(options, server_error, at(5s), at(5s)), FallbackStep::give_up);
}

TEST(Fallback, ARouteForCertainFailuresIsTakenAfterThoseAloneAndBeforeNoOthers) {
  // LiteLLM's three lists (litellm/router.py: fallbacks, context_window_fallbacks,
  // content_policy_fallbacks) in one.
  const FallbackOptions options{.routes = {{},
                                           {},
                                           only_for({context_length}),
                                           only_for({content_policy}),
                                           only_for({quota_exhausted, rate_limited})}};
  EXPECT_THAT(visited(options, server_error), ElementsAre(0, 1));
  EXPECT_THAT(visited(options, context_length), ElementsAre(0, 2));
  EXPECT_THAT(visited(options, content_policy), ElementsAre(0, 3));
  EXPECT_THAT(visited(options, quota_exhausted), ElementsAre(0, 1, 4));
  EXPECT_THAT(visited(options, invalid_request), ElementsAre(0));
}

TEST(Fallback, AFailureOfALaterRouteMayLeadToOneThatWasPassedOver) {
  const FallbackOptions options{.routes = {{}, only_for({context_length}), {}}};
  FallbackState state = begun(options);
  const auto after = [&](OutcomeKind kind) {
    return state.after_failure(options, Outcome::failure(kind), at(1s), never);
  };
  EXPECT_EQ(after(server_error).route, 2);
  EXPECT_EQ(after(context_length).route, 1);
  EXPECT_EQ(after(context_length).step, FallbackStep::give_up);
}

TEST(Fallback, ALastResortAnswersOnlyWhatOnListsEvenIfARouteWasForTheFailure) {
  const FallbackOptions options{.routes = {{}, only_for({context_length})},
                                .default_reply = some_text()};
  FallbackState state = begun(options);
  const auto after = [&](OutcomeKind kind) {
    return state.after_failure(options, Outcome::failure(kind), at(1s), never).step;
  };
  EXPECT_EQ(after(context_length), FallbackStep::next_route);
  EXPECT_EQ(after(context_length), FallbackStep::give_up) << "it is still the caller's fault";
}

TEST(Fallback, APoisonedRequestVisitsNoMoreRoutesThanMaxRoutes) {
  // C78: a request that makes every route fail with a 500 looks like an outage of all.
  FallbackOptions options{.routes = plain(8), .max_routes = 3};
  EXPECT_THAT(visited(options, server_error), ElementsAre(0, 1, 2));
  options.max_routes = 1;
  EXPECT_THAT(visited(options, server_error), ElementsAre(0));
}

TEST(Fallback, WaitsForTheFirstRouteToBeBackWhenAllRefuse) {
  // 1s: route 0 is back in 9s | 2s: route 1 in 3s | 3s: route 2 does not know | wait until 5s
  FallbackOptions options{.routes = plain(3), .wait_at_most = 10s, .default_reply = some_text()};
  FallbackState state = begun(options);
  state.after_failure(options, refusal(breaker_open, 9s), at(1s), never);
  state.after_failure(options, refusal(throttled, 3s), at(2s), never);
  const auto wait =
      state.after_failure(options, refusal(bulkhead_full, std::nullopt), at(3s), never);
  EXPECT_EQ(wait.step, FallbackStep::wait);
  EXPECT_EQ(wait.route, 1);
  EXPECT_EQ(wait.at, at(5s));
  const auto once = state.after_failure(options, refusal(throttled, 60s), at(5s), never);
  EXPECT_EQ(once.step, FallbackStep::default_reply) << "there is one wait";
  EXPECT_EQ(state.soonest_return(at(5s)), 5s) << "route 0";
}

TEST(Fallback, WaitsNeitherLongerThanAtMostNorUntilTheDeadline) {
  const FallbackOptions options{.wait_at_most = 10s, .default_reply = some_text()};
  const auto after = [&](Duration back, Instant deadline) {
    FallbackState state = begun(options);
    return state.after_failure(options, refusal(breaker_open, back), at(1s), deadline).step;
  };
  EXPECT_EQ(after(10s, never), FallbackStep::wait);
  EXPECT_EQ(after(10s + 1ns, never), FallbackStep::default_reply);
  EXPECT_EQ(after(4s, at(5s + 1ns)), FallbackStep::wait);
  EXPECT_EQ(after(4s, at(5s)), FallbackStep::default_reply);
  EXPECT_EQ(after(forever, never), FallbackStep::default_reply);
}

TEST(Fallback, DoesNotWaitWhenARouteFailedInAnotherWay) {
  const FallbackOptions options{.routes = plain(2), .wait_at_most = 10s};
  FallbackState state = begun(options);
  state.after_failure(options, refusal(breaker_open, 2s), at(1s), never);
  const auto last = state.after_failure(options, refusal(rate_limited, 2s), at(1s), never);
  EXPECT_EQ(last.step, FallbackStep::give_up);
  EXPECT_EQ(state.soonest_return(at(1s)), std::nullopt);
}

TEST(Fallback, WithoutAWaitTheSoonestReturnIsStillKnown) {
  const FallbackOptions options{.routes = plain(2)};
  FallbackState state = begun(options);
  state.after_failure(options, refusal(breaker_open, 60s), at(0s), never);
  state.after_failure(options, refusal(breaker_open, 7s), at(1s), never);
  EXPECT_EQ(state.soonest_return(at(3s)), 5s);
  EXPECT_EQ(state.soonest_return(at(30s)), 0s);
}

// --- order ------------------------------------------------------------------------------------

FallbackOptions weighted(const std::vector<std::uint32_t>& weights) {
  FallbackOptions options{.routes = {}, .order = FallbackOptions::Order::weighted};
  for (const std::uint32_t weight : weights) options.routes.push_back({.weight = weight});
  return options;
}

TEST(FallbackOrder, ListedRoutesDrawNothing) {
  Draws draws = DrawFamily(1, Purpose::route_order, "test").at(1);
  Draws untouched = draws;
  order_routes({.routes = plain(5)}, draws);
  EXPECT_EQ(draws(), untouched());
}

TEST(FallbackOrder, TheSameCallHasTheSameOrder) {
  const FallbackOptions options = weighted({1, 1, 1, 1, 1, 1, 1, 1});
  EXPECT_EQ(order_of(options, 7), order_of(options, 7));
  std::set<RouteOrder> orders;
  for (std::uint64_t call = 0; call < 50; ++call) orders.insert(order_of(options, call));
  EXPECT_GT(orders.size(), 45U) << "of 40,320";
}

// Of n calls a share p is n p with a standard deviation of sqrt(n p (1 - p)); five of them are
// exceeded once in two million tries.
void expect_share(int count, int calls, double share) {
  EXPECT_NEAR(count, calls * share, 5 * std::sqrt(calls * share * (1 - share)));
}

TEST(FallbackOrder, RoutesComeFirstAndSecondAsOftenAsTheirWeightsSay) {
  // Without replacement: second after first with weight(second) / (total - weight(first)).
  constexpr int calls = 60'000;
  const FallbackOptions options = weighted({1, 2, 3});
  int pairs[3][3] = {};
  for (std::uint64_t call = 0; call < calls; ++call) {
    const RouteOrder order = order_of(options, call);
    ++pairs[order[0]][order[1]];
  }
  for (int first = 0; first < 3; ++first) {
    expect_share(std::accumulate(pairs[first], pairs[first] + 3, 0), calls, (first + 1) / 6.0);
    for (int second = 0; second < 3; ++second) {
      if (second == first) continue;
      expect_share(pairs[first][second], calls,
                   (first + 1) / 6.0 * (second + 1) / (6.0 - (first + 1)));
    }
  }
}

TEST(FallbackOrder, ARouteForCertainFailuresIsNeverFirstWhateverItsWeight) {
  FallbackOptions options = weighted({1, 1'000'000});
  options.routes[1].only_for = OutcomeSet::of({context_length});
  for (std::uint64_t call = 0; call < 100; ++call) {
    EXPECT_EQ(FallbackState(options, order_of(options, call)).first_route(), 0);
  }
}

// --- properties -------------------------------------------------------------------------------

struct AnyFallback {
  FallbackOptions options;
  std::vector<Outcome> failures;
  std::vector<Duration> gaps;
  Instant deadline;
};

Outcome any_failure() {
  Outcome outcome =
      Outcome::failure(static_cast<OutcomeKind>(*rc::gen::inRange<int>(1, outcome_kind_count)));
  if (*rc::gen::inRange(0, 2) == 0) outcome.kind = breaker_open;
  if (*rc::gen::arbitrary<bool>()) {
    outcome.retry_after = std::chrono::seconds{*rc::gen::inRange(0, 20)};
  }
  return outcome;
}

AnyFallback any_fallback() {
  AnyFallback any;
  any.options.routes.clear();
  const int routes = *rc::gen::inRange(1, int{FallbackOptions::routes_max} + 1);
  for (int i = 0; i < routes; ++i) {
    FallbackRoute& route = any.options.routes.emplace_back();
    route.weight = *rc::gen::inRange<std::uint32_t>(1, 1'000'001);
    if (i > 0 && *rc::gen::inRange(0, 4) == 0) {
      route.only_for = OutcomeSet::of({any_failure().kind, any_failure().kind});
    }
  }
  if (*rc::gen::arbitrary<bool>()) any.options.order = FallbackOptions::Order::weighted;
  any.options.max_routes = static_cast<std::uint8_t>(*rc::gen::inRange(1, 33));
  if (*rc::gen::arbitrary<bool>()) any.options.on = OutcomeSet::any();
  if (*rc::gen::arbitrary<bool>()) {
    any.options.wait_at_most = std::chrono::seconds{*rc::gen::inRange(1, 20)};
  }
  for (int i = 0; i < 40; ++i) {
    any.failures.push_back(any_failure());
    any.gaps.push_back(std::chrono::seconds{*rc::gen::inRange(0, 5)});
  }
  any.deadline = at(std::chrono::seconds{*rc::gen::inRange(0, 100)});
  return any;
}

RC_GTEST_PROP(FallbackProperty, AnyOrderIsAPermutation, (std::uint64_t call)) {
  const FallbackOptions options = any_fallback().options;
  const RouteOrder order = order_of(options, call);
  std::vector<int> routes(order.begin(), order.begin() + options.routes.size());
  std::ranges::sort(routes);
  for (std::size_t i = 0; i < routes.size(); ++i) RC_ASSERT(routes[i] == static_cast<int>(i));
}

// C74: whatever fails however, a call comes to an end after finitely many steps.
RC_GTEST_PROP(FallbackProperty, EveryRouteIsTriedOnceAtMostAndOneIsWaitedForOnceAtMost, ()) {
  const AnyFallback any = any_fallback();
  const FallbackOptions& options = any.options;
  FallbackState state = begun(options);
  std::set<int> tried{state.first_route()};
  RC_ASSERT(!options.routes[state.first_route()].only_for);
  Instant now{};
  bool waited = false;
  for (std::size_t i = 0;; ++i) {
    RC_ASSERT(i < any.failures.size());
    const Outcome& failure = any.failures[i];
    now += any.gaps[i];
    const auto decision = state.after_failure(options, failure, now, any.deadline);
    if (decision.step == FallbackStep::next_route) {
      RC_ASSERT(tried.insert(decision.route).second);
      RC_ASSERT(now < any.deadline);
      const auto& only_for = options.routes[decision.route].only_for;
      const OutcomeSet& leads_here = only_for ? *only_for : options.on;
      RC_ASSERT(leads_here.contains(failure));
    } else if (decision.step == FallbackStep::wait) {
      RC_ASSERT(!std::exchange(waited, true));
      RC_ASSERT(tried.contains(decision.route));
      RC_ASSERT(is_own_refusal(failure.kind));
      RC_ASSERT(decision.at >= now);
      RC_ASSERT(decision.at - now <= *options.wait_at_most);
      RC_ASSERT(decision.at < any.deadline);
      now = decision.at;
    } else {
      break;
    }
  }
  RC_ASSERT(tried.size() <= std::min<std::size_t>(options.max_routes, options.routes.size()));
}

// --- answers ----------------------------------------------------------------------------------

TEST(Fallback, StoredRepliesAreKeptForAsLongAsTheyMayAnswer) {
  EXPECT_EQ(FallbackOptions{}.keep_for(), 0s);
  EXPECT_EQ((FallbackOptions{.cached = true, .cached_ttl = 2h}).keep_for(), 2h);
  EXPECT_EQ((FallbackOptions{.cached = true, .cached_stale = 24h}).keep_for(), 24h);
}

TEST(Fallback, TheDefaultReplyIsDegradedAndOfNoRoute) {
  const FallbackOptions options{.default_reply = some_text()};
  const Outcome outcome = answer_by_default(options);
  EXPECT_TRUE(outcome.ok());
  EXPECT_EQ(end_of(outcome), CallEnd::degraded);
  EXPECT_EQ(outcome.reply.text, options.default_reply);
  EXPECT_EQ(outcome.route, no_route);
}

TEST(Fallback, GivesBackTheFirstFailureThatAProviderCaused) {
  const Outcome failed = Outcome::failure(server_error);
  const Outcome limited = Outcome::failure(rate_limited);
  for (const OutcomeKind kind : {breaker_open, throttled, bulkhead_full, client_rate_limited}) {
    const Outcome refused = Outcome::failure(kind);
    EXPECT_TRUE(is_better_to_give_back(failed, refused));
    EXPECT_FALSE(is_better_to_give_back(refused, failed));
    EXPECT_FALSE(is_better_to_give_back(refused, refused));
  }
  EXPECT_FALSE(is_better_to_give_back(limited, failed)) << "the first one stays";
}

}  // namespace
}  // namespace brownout
