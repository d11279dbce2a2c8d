// Calls held back to a rate that follows refusals.

#include "engine/pipeline/layers/adaptive_rate_layer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::ElementsAre;

constexpr const char* adaptive = R"([{ "adaptive_rate": { "max_wait": "5s" } }])";

TEST(AdaptiveRateLayer, HoldsCallsBackAfterARefusal) {
  // 0s call 1 is refused over there: 0.5/s from now on | 1s call 2 waits 1 s of its 2
  Stage stage(adaptive);
  stage.script("gpt-4", {fails(rate_limited, 0s), succeeds(1s)});
  stage.call({.id = 1});
  stage.call_at(1s, {.id = 2});
  stage.run();
  EXPECT_EQ(stage.outcome(1).kind, rate_limited);
  EXPECT_TRUE(stage.outcome(2).ok());
  EXPECT_GT(stage.now(), at(3s - 1ms));
  EXPECT_LT(stage.now(), at(3s + 1ms));
}

TEST(AdaptiveRateLayer, RefusesWhoWouldWaitTooLongAndSaysForHowLong) {
  Stage stage(adaptive);
  stage.script("gpt-4", {fails(slow_down, 0s)});
  stage.call({.id = 1});
  for (CallId id = 2; id <= 4; ++id) stage.call_at(1ms, {.id = id});
  stage.run();
  EXPECT_TRUE(stage.outcome(3).ok());
  EXPECT_EQ(stage.outcome(4).kind, client_rate_limited) << "2 s, 4 s, and 6 s is more than 5";
  EXPECT_TRUE(stage.outcome(4).refused);
  EXPECT_TRUE(stage.outcome(4).retry_after.has_value());
}

TEST(AdaptiveRateLayer, WhoLeavesWhileWaitingGivesTheTurnBack) {
  Stage stage(adaptive);
  stage.script("gpt-4", {fails(rate_limited, 0s)});
  stage.call({.id = 1});
  stage.call_at(1ms, {.id = 2});
  stage.later(2ms, [&] { stage.cancel(2); });
  stage.call_at(3ms, {.id = 3});
  stage.run();
  EXPECT_TRUE(stage.outcome(3).ok());
  EXPECT_LT(stage.now(), at(3100ms)) << "the turn at 2 s, not the one at 4 s";
  EXPECT_TRUE(stage.is_quiet());
}

TEST(AdaptiveRateLayer, RidesThatAskedNobodyChangeNothing) {
  Stage stage(R"([{ "adaptive_rate": {} }, { "breaker": { "consecutive_failures": 1 } }])");
  stage.script("gpt-4", {fails(server_error, 1s)});
  stage.call({.id = 1});
  for (CallId id = 2; id <= 9; ++id) stage.call_at(2s, {.id = id});
  stage.run();
  EXPECT_EQ(stage.outcome(9).kind, breaker_open);
  EXPECT_FALSE(stage.layer<AdaptiveRateLayer>().rate().limits());
}

}  // namespace
}  // namespace brownout::testing
