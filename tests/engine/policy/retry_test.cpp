#include "engine/policy/retry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace brownout {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;

constexpr Instant at(Duration since_start) {
  return Instant{} + since_start;
}

Draws draws_for(std::uint64_t call) {
  return DrawFamily(1, Purpose::backoff_jitter, "test").at(call);
}

BackoffOptions fixed_wait(Duration wait) {
  return {.shape = BackoffOptions::Shape::fixed, .multiplier = wait, .jitter = Jitter::none};
}

struct After {
  std::uint32_t attempts = 1;
  Duration now = 1s;
  Instant deadline = never;
};

// The first attempt began at 0s.
RetryDecision decide(const RetryOptions& options, const Outcome& outcome, const After& after = {}) {
  Draws draws = draws_for(1);
  RetryState state{after.attempts, Instant{}, {.n = after.attempts - 1}};
  return next_retry(options, state, outcome, at(after.now), after.deadline, draws);
}

RetryStop stop_of(const RetryOptions& options, const Outcome& outcome, const After& after = {}) {
  return decide(options, outcome, after).stop;
}

TEST(Retry, TriesAgainAfterTheWait) {
  const RetryDecision decision =
      decide({.wait = fixed_wait(5s)}, Outcome::failure(server_error), {.now = 2s});
  EXPECT_TRUE(decision.retries());
  EXPECT_EQ(decision.at, at(7s));
}

TEST(Retry, TheNthRetryWaitsTheNthBackoff) {
  const RetryOptions options{
      .max_attempts = 7, .wait = {.multiplier = 1s, .min = 4s, .max = 10s, .jitter = Jitter::none}};
  std::vector<Duration> waits;
  for (std::uint32_t attempts = 1; attempts < 7; ++attempts) {
    const auto decision =
        decide(options, Outcome::failure(server_error), {.attempts = attempts, .now = 100s});
    waits.push_back(decision.at - at(100s));
  }
  EXPECT_THAT(waits, testing::ElementsAre(4s, 4s, 4s, 8s, 10s, 10s));
}

TEST(Retry, SuccessIsNotRepeated) {
  EXPECT_EQ(stop_of({}, Outcome{}), RetryStop::succeeded);
}

TEST(Retry, OnlyWhatIsRetryableByDefault) {
  for (std::size_t i = 1; i < outcome_kind_count; ++i) {
    const auto kind = static_cast<OutcomeKind>(i);
    const bool retries = decide({}, Outcome::failure(kind)).retries();
    EXPECT_EQ(retries, classify(kind) == ErrorClass::retryable) << to_string(kind);
  }
}

TEST(Retry, NeitherAWrongKeyNorATooLongPromptIsTriedAgain) {
  EXPECT_EQ(stop_of({}, Outcome::failure(authentication, 401)), RetryStop::not_retryable);
  EXPECT_EQ(stop_of({}, Outcome::failure(context_length, 400)), RetryStop::not_retryable);
}

Outcome told(OutcomeKind kind, bool should_retry) {
  Outcome outcome = Outcome::failure(kind);
  outcome.should_retry = should_retry;
  return outcome;
}

TEST(Retry, TheServersNoStopsUnlessItIsIgnored) {
  EXPECT_EQ(stop_of({}, told(rate_limited, false)), RetryStop::refused);
  RetryOptions options{.hint = {.obey_should_retry = ObeyShouldRetry::always}};
  EXPECT_EQ(stop_of(options, told(rate_limited, false)), RetryStop::refused);
  options.hint.obey_should_retry = ObeyShouldRetry::ignore;
  EXPECT_TRUE(decide(options, told(rate_limited, false)).retries());
}

// openai-python _base_client.py and anthropic-sdk: "if should_retry_header == 'true': return True".
TEST(Retry, TheServersYesMakesAFailureRetryableOnlyWhenThePolicySaysSo) {
  EXPECT_EQ(stop_of({}, told(invalid_request, true)), RetryStop::not_retryable);
  RetryOptions options{.hint = {.obey_should_retry = ObeyShouldRetry::always}};
  EXPECT_TRUE(decide(options, told(invalid_request, true)).retries());
  EXPECT_EQ(stop_of(options, Outcome::failure(invalid_request)), RetryStop::not_retryable);
  EXPECT_EQ(stop_of(options, told(invalid_request, true), {.attempts = 3}),
            RetryStop::attempts_spent);
  Outcome committed = told(stream_truncated, true);
  committed.committed = true;
  EXPECT_EQ(stop_of(options, committed), RetryStop::committed);
}

TEST(Retry, AFailureMayBeNamedByItsStatus) {
  RetryOptions options{.on = OutcomeSet::none().add_status(529, 529)};
  EXPECT_TRUE(decide(options, Outcome::failure(overloaded, 529)).retries());
  EXPECT_EQ(stop_of(options, Outcome::failure(overloaded, 503)), RetryStop::not_retryable);
}

TEST(Retry, APredicateAddsToTheSetAndIsAskedOnlyAboutTheRest) {
  int asked = 0;
  RetryOptions options{.on = OutcomeSet::of({timed_out})};
  options.when = [&](const Outcome& outcome) { return ++asked, outcome.status == 418; };
  EXPECT_TRUE(decide(options, Outcome::failure(timed_out)).retries());
  EXPECT_EQ(asked, 0);
  EXPECT_TRUE(decide(options, Outcome::failure(invalid_request, 418)).retries());
  EXPECT_EQ(stop_of(options, Outcome::failure(invalid_request, 400)), RetryStop::not_retryable);
  EXPECT_EQ(asked, 2);
}

TEST(Retry, WhatHasReachedTheCallerIsNeverStartedAgain) {
  Outcome outcome = Outcome::failure(stream_truncated);
  EXPECT_TRUE(decide({}, outcome).retries());
  outcome.committed = true;
  RetryOptions options{.on = OutcomeSet::any()};
  options.when = [](const Outcome&) { return true; };
  EXPECT_EQ(stop_of(options, outcome), RetryStop::committed);
}

TEST(Retry, MaxAttemptsCountsTheFirstOne) {
  const Outcome failure = Outcome::failure(server_error);
  EXPECT_TRUE(decide({.max_attempts = 3}, failure, {.attempts = 2}).retries());
  EXPECT_EQ(stop_of({.max_attempts = 3}, failure, {.attempts = 3}), RetryStop::attempts_spent);
  EXPECT_EQ(stop_of({.max_attempts = 1}, failure), RetryStop::attempts_spent);
}

TEST(Retry, ZeroAttemptsMeansNoBound) {
  EXPECT_TRUE(decide({.max_attempts = 0}, Outcome::failure(server_error), {.attempts = 1'000'000})
                  .retries());
}

TEST(Retry, GivesUpAtTheInstantTheTimeIsSpentAndNotBefore) {
  const RetryOptions options{.max_attempts = 0, .give_up_after = 300s, .wait = fixed_wait(120s)};
  const Outcome failure = Outcome::failure(rate_limited);
  const RetryDecision decision = decide(options, failure, {.now = 300s - 1ns});
  EXPECT_TRUE(decision.retries());
  EXPECT_EQ(decision.at, at(420s - 1ns)) << "the last wait may overshoot";
  EXPECT_EQ(stop_of(options, failure, {.now = 300s}), RetryStop::time_spent);
}

TEST(Retry, ADeadlineDoesNotOvershoot) {
  const RetryOptions options{.wait = fixed_wait(4s)};
  const Outcome failure = Outcome::failure(server_error);
  EXPECT_EQ(stop_of(options, failure, {.now = 1s, .deadline = at(5s)}), RetryStop::deadline);
  const RetryDecision decision = decide(options, failure, {.now = 1s, .deadline = at(5s + 1ns)});
  EXPECT_TRUE(decision.retries());
  EXPECT_EQ(decision.at, at(5s));
}

TEST(Retry, TheServersHintIsALowerBound) {
  Outcome outcome = Outcome::failure(rate_limited, 429);
  outcome.retry_after = 6s;
  EXPECT_EQ(decide({.wait = fixed_wait(4s)}, outcome).at, at(7s));
  EXPECT_EQ(decide({.wait = fixed_wait(9s)}, outcome).at, at(10s));
}

TEST(Retry, TheServersHintMayBeIgnored) {
  Outcome outcome = Outcome::failure(rate_limited, 429);
  outcome.retry_after = 6s;
  EXPECT_EQ(decide({.wait = fixed_wait(4s), .hint = {.policy = HintPolicy::ignore}}, outcome).at,
            at(5s));
}

TEST(Retry, AHintAboveTheCapStopsInsteadOfComingBackSooner) {
  Outcome outcome = Outcome::failure(rate_limited, 429);
  outcome.retry_after = 121s;
  EXPECT_EQ(stop_of({.wait = fixed_wait(4s)}, outcome), RetryStop::hint_too_long);
  const RetryOptions clamped{.wait = fixed_wait(4s), .hint = {.above_cap = AboveCap::clamp}};
  EXPECT_EQ(decide(clamped, outcome).at, at(121s));
}

TEST(Retry, AHintBeyondTheDeadlineEndsTheCallNow) {
  Outcome outcome = Outcome::failure(rate_limited, 429);
  outcome.retry_after = 60s;
  EXPECT_EQ(stop_of({.wait = fixed_wait(4s)}, outcome, {.deadline = at(60s)}), RetryStop::deadline);
}

TEST(Retry, AHintIsReadOfTheFailuresThePolicyNamesOnly) {
  const RetryOptions options{.wait = fixed_wait(4s),
                             .on = OutcomeSet::any(),
                             .hint = {.of = OutcomeSet::of({rate_limited})}};
  Outcome limited = Outcome::failure(rate_limited, 429);
  limited.retry_after = 60s;
  EXPECT_EQ(decide(options, limited).at, at(61s));
  Outcome overload = Outcome::failure(overloaded, 503);
  overload.retry_after = 3600s;
  EXPECT_EQ(decide(options, overload).at, at(5s));
}

TEST(Retry, AFailureThatNeedsAHintIsNotRetriedWithoutOneThatIsRead) {
  RetryOptions options{.wait = fixed_wait(4s),
                       .hint = {.required_of = OutcomeSet::of({rate_limited})}};
  Outcome limited = Outcome::failure(rate_limited, 429);
  EXPECT_EQ(stop_of(options, limited), RetryStop::not_retryable);
  limited.retry_after = 0s;
  EXPECT_TRUE(decide(options, limited).retries()) << "at once is an answer too";
  EXPECT_TRUE(decide(options, Outcome::failure(overloaded, 503)).retries());
  options.hint.of = OutcomeSet::of({overloaded});
  EXPECT_EQ(stop_of(options, limited), RetryStop::not_retryable);
}

TEST(Retry, TheFirstSpecialWaitThatNamesTheFailureCountsAndAllCountTheSameRetries) {
  BackoffOptions doubling{.multiplier = 1s, .jitter = Jitter::none};
  const RetryOptions options{
      .wait = fixed_wait(4s),
      .special_waits = {{OutcomeSet::of({rate_limited}), doubling},
                        {OutcomeSet::of({rate_limited, overloaded}), fixed_wait(9s)}}};
  EXPECT_EQ(decide(options, Outcome::failure(server_error, 500)).at, at(5s));
  EXPECT_EQ(decide(options, Outcome::failure(overloaded, 503)).at, at(10s));
  EXPECT_EQ(decide(options, Outcome::failure(rate_limited, 429)).at, at(2s));
  EXPECT_EQ(decide(options, Outcome::failure(rate_limited, 429), {.attempts = 2}).at, at(3s));
}

TEST(Retry, AnEndlessHintIsNeverDueAndDoesNotOverflow) {
  Outcome outcome = Outcome::failure(rate_limited, 429);
  outcome.retry_after = forever;
  EXPECT_EQ(stop_of({}, outcome), RetryStop::hint_too_long);
  EXPECT_EQ(stop_of({.hint = {.cap = forever}}, outcome), RetryStop::deadline);
}

TEST(Retry, TheFirstReasonToStopIsTheOneGiven) {
  Outcome outcome = Outcome::failure(authentication, 401);
  const RetryOptions options{.max_attempts = 1, .give_up_after = 1ns};
  EXPECT_EQ(stop_of(options, outcome), RetryStop::not_retryable);
  outcome.kind = server_error;
  EXPECT_EQ(stop_of(options, outcome), RetryStop::attempts_spent);
}

TEST(Retry, ReasonsHaveNames) {
  EXPECT_EQ(to_string(RetryStop::no), "no");
  EXPECT_EQ(to_string(RetryStop::not_retryable), "not_retryable");
  EXPECT_EQ(to_string(RetryStop::deadline), "deadline");
  EXPECT_EQ(to_string(RetryStop::refused), "refused");
}

// Retries one failing call until it stops; an attempt takes as long as `attempt_takes`.
struct Run {
  std::uint32_t attempts = 1;
  std::vector<std::pair<Instant, Instant>> waits;
  RetryStop stop = RetryStop::no;
};

Run retry_until_it_stops(const RetryOptions& options, const std::vector<Outcome>& outcomes,
                         Duration attempt_takes, Instant deadline) {
  Run run;
  RetryState state;
  Instant now{};
  for (std::size_t i = 0;; ++i) {
    now += attempt_takes;
    Draws draws = draws_for(i);
    state.attempts = run.attempts;
    const RetryDecision decision =
        next_retry(options, state, outcomes[i % outcomes.size()], now, deadline, draws);
    run.stop = decision.stop;
    if (!decision.retries()) return run;
    run.waits.emplace_back(now, decision.at);
    now = decision.at;
    ++run.attempts;
  }
}

RC_GTEST_PROP(Retry, KeepsEveryBoundItWasGiven, ()) {
  const auto milliseconds = [](std::int64_t most) {
    return std::chrono::milliseconds{*rc::gen::inRange<std::int64_t>(0, most)};
  };
  RetryOptions options;
  options.max_attempts = *rc::gen::inRange<std::uint32_t>(1, 12);
  options.give_up_after = 1ms + milliseconds(200'000);
  options.wait.multiplier = 1ms + milliseconds(5'000);
  options.wait.min = milliseconds(5'000);
  options.wait.max = options.wait.min + milliseconds(60'000);
  options.wait.jitter = *rc::gen::element(Jitter::none, Jitter::full, Jitter::equal);
  options.hint.policy = *rc::gen::element(HintPolicy::ignore, HintPolicy::at_least);
  const Instant deadline = at(milliseconds(200'000));
  std::vector<Outcome> outcomes(1 + *rc::gen::inRange<std::size_t>(0, 6));
  for (Outcome& outcome : outcomes) {
    outcome = Outcome::failure(*rc::gen::element(rate_limited, server_error, timed_out));
    if (*rc::gen::arbitrary<bool>()) outcome.retry_after = milliseconds(90'000);
  }

  const Run run = retry_until_it_stops(options, outcomes, milliseconds(3'000), deadline);
  RC_ASSERT(run.attempts <= options.max_attempts);
  for (std::size_t i = 0; i < run.waits.size(); ++i) {
    const auto& [from, until] = run.waits[i];
    const std::optional<Duration> hint = outcomes[i % outcomes.size()].retry_after;
    const bool obeys = options.hint.policy == HintPolicy::at_least && hint;
    RC_ASSERT(until < deadline);
    RC_ASSERT(from - Instant{} < options.give_up_after);
    RC_ASSERT(until - from >= options.wait.min);
    RC_ASSERT(until - from <= std::max(options.wait.max, obeys ? *hint : Duration{0}));
    if (obeys) RC_ASSERT(until - from >= *hint);
  }
}

}  // namespace
}  // namespace brownout
