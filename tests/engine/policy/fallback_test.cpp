#include "engine/policy/fallback.hpp"

#include <gtest/gtest.h>

#include <string>

namespace brownout {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;

constexpr Instant at(Duration since_start) {
  return Instant{} + since_start;
}

FallbackStep step(const FallbackOptions& options, std::uint8_t failed,
                  OutcomeKind kind = server_error) {
  return after_route(options, failed, Outcome::failure(kind), at(1s), never);
}

SharedText some_text() {
  return std::make_shared<const std::string>(R"({"error": "sorry"})");
}

TEST(Fallback, TakesRoutesInOrderThenTheCacheThenTheDefault) {
  const FallbackOptions options{.routes = 3, .cached = true, .default_reply = some_text()};
  EXPECT_EQ(step(options, 0), FallbackStep::next_route);
  EXPECT_EQ(step(options, 1), FallbackStep::next_route);
  EXPECT_EQ(step(options, 2), FallbackStep::look_in_cache);
  EXPECT_EQ(after_cache_miss(options), FallbackStep::default_reply);
}

TEST(Fallback, SkipsWhatThePolicyDoesNotHave) {
  EXPECT_EQ(step({.routes = 1, .default_reply = some_text()}, 0), FallbackStep::default_reply);
  EXPECT_EQ(step({.routes = 1, .cached = true}, 0), FallbackStep::look_in_cache);
  EXPECT_EQ(after_cache_miss({.cached = true}), FallbackStep::give_up);
  EXPECT_EQ(step({.routes = 1}, 0), FallbackStep::give_up);
}

TEST(Fallback, MovesOnByDefaultUnlessThePersonOrTheRequestIsAtFault) {
  const FallbackOptions options{.routes = 2};
  for (const OutcomeKind kind :
       {rate_limited, slow_down, request_too_large, quota_exhausted, daily_limited, overloaded,
        server_error, bad_gateway, connection, timed_out, malformed_reply, stream_truncated,
        not_found, breaker_open}) {
    EXPECT_EQ(step(options, 0, kind), FallbackStep::next_route) << to_string(kind);
  }
  for (const OutcomeKind kind :
       {authentication, permission, context_length, content_policy, invalid_request, cancelled}) {
    EXPECT_EQ(step(options, 0, kind), FallbackStep::give_up) << to_string(kind);
  }
}

TEST(Fallback, AFailureThatDoesNotMoveOnGetsNoStoredOrDefaultReplyEither) {
  const FallbackOptions options{.routes = 1, .cached = true, .default_reply = some_text()};
  EXPECT_EQ(step(options, 0, authentication), FallbackStep::give_up);
}

TEST(Fallback, WhatHasReachedTheCallerIsNotStartedAgainElsewhere) {
  Outcome outcome = Outcome::failure(stream_truncated);
  outcome.committed = true;
  const FallbackOptions options{
      .routes = 2, .on = OutcomeSet::any(), .cached = true, .default_reply = some_text()};
  EXPECT_EQ(after_route(options, 0, outcome, at(1s), never), FallbackStep::give_up);
}

// 5s deadline: at 5s - 1ns a route may begin, at 5s only what needs no time may answer.
TEST(Fallback, NoRouteBeginsAtTheDeadlineButStoredAndDefaultRepliesStillAnswer) {
  const Outcome failure = Outcome::failure(server_error);
  FallbackOptions options{.routes = 2, .cached = true, .default_reply = some_text()};
  EXPECT_EQ(after_route(options, 0, failure, at(5s - 1ns), at(5s)), FallbackStep::next_route);
  EXPECT_EQ(after_route(options, 0, failure, at(5s), at(5s)), FallbackStep::look_in_cache);
  options.cached = false;
  EXPECT_EQ(after_route(options, 0, failure, at(5s), at(5s)), FallbackStep::default_reply);
  options.default_reply = nullptr;
  EXPECT_EQ(after_route(options, 0, failure, at(5s), at(5s)), FallbackStep::give_up);
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
  const Outcome refused = Outcome::failure(breaker_open);
  const Outcome failed = Outcome::failure(server_error);
  const Outcome limited = Outcome::failure(rate_limited);
  EXPECT_TRUE(is_better_to_give_back(failed, refused));
  EXPECT_FALSE(is_better_to_give_back(refused, failed));
  EXPECT_FALSE(is_better_to_give_back(limited, failed)) << "the first one stays";
  EXPECT_FALSE(is_better_to_give_back(refused, refused));
}

}  // namespace
}  // namespace brownout
