// The layer that refuses a part of the calls while too many are refused over there.

#include "engine/pipeline/layers/throttle_layer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::ElementsAre;

constexpr const char* throttle = R"([{ "throttle": { "multiplier": 2, "window": "10m" } }])";

const Throttle& counts(const Stage& stage) {
  return stage.layer<ThrottleLayer>().throttle();
}

std::size_t refused(const Stage& stage, CallId calls) {
  std::size_t found = 0;
  for (CallId id = 1; id <= calls; ++id) found += stage.outcome(id).kind == throttled ? 1 : 0;
  return found;
}

// A call a second, each answered at once.
void call_every_second(Stage& stage, CallId calls) {
  for (CallId id = 1; id <= calls; ++id) stage.call_at(id * 1s, {.id = id});
  stage.run();
}

TEST(ThrottleLayer, RefusesNobodyWhileTheProviderAccepts) {
  Stage stage(throttle);
  stage.transport().set_otherwise(succeeds(0s));
  call_every_second(stage, 100);
  EXPECT_EQ(refused(stage, 100), 0U);
}

TEST(ThrottleLayer, RefusesMostWhenTheProviderRefusesAllAndSaysSo) {
  Stage stage(throttle);
  stage.transport().set_otherwise(fails(overloaded, 0s));
  call_every_second(stage, 300);
  EXPECT_GT(refused(stage, 300), 300U * 8 / 10);
  EXPECT_LT(refused(stage, 300), 300U * 95 / 100) << "a tenth goes through as probes";
  EXPECT_EQ(counts(stage).requests(stage.now()), 300);
  CallId last = 300;
  while (stage.outcome(last).kind != throttled) --last;
  EXPECT_THAT(
      stage.log_of(last),
      ElementsAre(fmt::format("{} call {} is refused: throttled", format_duration(last * 1s), last),
                  fmt::format("{} call {} ends: throttled", format_duration(last * 1s), last)));
}

TEST(ThrottleLayer, AcceptedIsWhatTheProviderAnsweredWhateverTheAnswer) {
  const auto accepts = [](OutcomeKind kind) {
    Stage stage(throttle);
    stage.transport().set_otherwise(fails(kind, 0s));
    stage.call({});
    stage.run();
    return counts(stage).accepts(stage.now());
  };
  for (const OutcomeKind kind : {success, authentication, permission, not_found, context_length,
                                 content_policy, invalid_request, request_too_large}) {
    EXPECT_EQ(accepts(kind), 1) << to_string(kind);
  }
  for (const OutcomeKind kind : {rate_limited, slow_down, overloaded, server_error, bad_gateway,
                                 connection, timed_out, stream_truncated, quota_exhausted}) {
    EXPECT_EQ(accepts(kind), 0) << to_string(kind);
  }
}

TEST(ThrottleLayer, RefusalsOfOursAndCancelledCallsCountNeitherWay) {
  Stage stage(R"([{ "throttle": { "allowance": 9 } }, { "bulkhead": { "max_concurrent": 1 } }])");
  for (CallId id = 1; id <= 50; ++id) stage.call({.id = id});
  stage.run_until(0s);
  EXPECT_EQ(counts(stage).requests(at(0s)), 1) << "the one that found a place";
  stage.cancel(1);
  EXPECT_EQ(counts(stage).requests(at(0s)), 0);
  EXPECT_EQ(counts(stage).accepts(at(0s)), 0);
  EXPECT_EQ(stage.outcome(50).kind, bulkhead_full);
}

TEST(ThrottleLayer, ItsRefusalsFeedNoBreaker) {
  Stage stage(R"([{ "breaker": { "consecutive_failures": 2, "failures": [ "throttled" ] } },
                  { "throttle": { "window": "10m" } }])");
  stage.transport().set_otherwise(fails(overloaded, 0s));
  call_every_second(stage, 100);
  EXPECT_GT(refused(stage, 100), 50U);
  EXPECT_EQ(stage.breaker("main").state(), BreakerState::closed);
}

TEST(ThrottleLayer, ACallThatComesAgainWithoutHavingAskedAnybodyDrawsTheSameNumber) {
  Stage stage(R"([{ "retry": { "max_attempts": 5, "on": [ "throttled" ],
                               "wait": { "fixed": "1ms" } } },
                  { "throttle": { "window": "10m", "max_rejection": 0.5 } }])");
  stage.transport().set_otherwise(fails(overloaded, 0s));
  call_every_second(stage, 400);
  // A number of its own for each of five visits would let all but one in 32 through.
  EXPECT_NEAR(static_cast<double>(refused(stage, 400)), 200, 40);
}

}  // namespace
}  // namespace brownout::testing
