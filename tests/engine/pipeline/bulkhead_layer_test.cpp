// The layers that bound how many calls are under way at once: who gets a place, who waits, who is
// refused, and that places are never lost.

#include "engine/pipeline/layers/bulkhead_layer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::Contains;
using ::testing::ElementsAre;

constexpr const char* one_and_two_in_line =
    R"([{ "bulkhead": { "max_concurrent": 1, "max_queued": 2, "max_wait": "3s" } }])";

const Bulkhead& places(const Stage& stage) {
  return stage.layer<BulkheadLayer>().bulkhead();
}

// 0s one goes, two wait, one is refused | 1s the next | 2s the last
TEST(BulkheadLayer, ParksWhoFindsNoPlaceAndRefusesWhoFindsNoPlaceInLine) {
  Stage stage(one_and_two_in_line);
  for (CallId id = 1; id <= 4; ++id) stage.call({.id = id});
  stage.run();
  EXPECT_THAT(
      stage.log(),
      ElementsAre("0s call 1 asks gpt-4", "0s call 4 is refused: bulkhead_full",
                  "0s call 4 ends: bulkhead_full", "1s call 1 succeeds at gpt-4",
                  "1s call 1 ends: success", "1s call 2 asks gpt-4", "2s call 2 succeeds at gpt-4",
                  "2s call 2 ends: success", "2s call 3 asks gpt-4", "3s call 3 succeeds at gpt-4",
                  "3s call 3 ends: success"));
  EXPECT_TRUE(stage.is_quiet());
}

TEST(BulkheadLayer, ServesTheMostUrgentFirstAndWhoCameFirstAmongEquals) {
  Stage stage(R"([{ "bulkhead": { "max_concurrent": 1, "max_queued": 9 } }])");
  stage.call({.id = 1});
  stage.call({.id = 2, .priority = 200});
  stage.call({.id = 3, .priority = 3});
  stage.call({.id = 4, .priority = 1});
  stage.call({.id = 5, .priority = 0});
  stage.run();
  std::vector<CallId> order;
  for (const Event& event : stage.events()) {
    if (event.what == Event::What::asked) order.push_back(event.call);
  }
  EXPECT_THAT(order, ElementsAre(1, 5, 4, 2, 3)) << "more than 3 is as little urgent as 3";
}

// 0s one hangs, one waits | 3s it has waited long enough
TEST(BulkheadLayer, WhoHasWaitedTooLongIsRefused) {
  Stage stage(one_and_two_in_line);
  stage.script("gpt-4", {hangs()});
  stage.call({.id = 1});
  stage.call({.id = 2});
  stage.run_until(10s);
  EXPECT_THAT(stage.log_of(2),
              ElementsAre("3s call 2 is refused: bulkhead_full", "3s call 2 ends: bulkhead_full"));
  EXPECT_EQ(places(stage).queued(), 0U);
  stage.cancel(1);
  EXPECT_TRUE(stage.is_quiet());
}

TEST(BulkheadLayer, WhoseDeadlinePassesInLineRanOutOfTime) {
  Stage stage(one_and_two_in_line);
  stage.script("gpt-4", {hangs()});
  stage.call({.id = 1});
  stage.call({.id = 2, .deadline = at(2s)});
  stage.run_until(10s);
  EXPECT_THAT(stage.log_of(2), ElementsAre("2s call 2 ends: deadline_exceeded"));
}

// 0s one takes 3s, one waits for up to 3s | 3s both things happen, in either order
TEST(BulkheadLayer, APlaceThatComesAtTheVeryEndOfTheWaitIsTakenOrPassedOn) {
  Stage stage(one_and_two_in_line);
  stage.script("gpt-4", {succeeds(3s)});
  stage.call({.id = 1});
  stage.call({.id = 2});
  stage.call_at(2s, {.id = 3});
  stage.run();
  EXPECT_TRUE(stage.has_ended(2));
  EXPECT_TRUE(stage.outcome(3).ok());
  EXPECT_TRUE(stage.is_quiet());
}

TEST(BulkheadLayer, WhoIsCancelledAfterItsPlaceCameButBeforeItWokePassesItOn) {
  Stage stage(one_and_two_in_line);
  for (CallId id = 1; id <= 3; ++id) stage.call({.id = id});
  stage.on_end = [&](CallId id) {
    if (id == 1) stage.cancel(2);
  };
  stage.run();
  EXPECT_TRUE(stage.log_of(2).empty());
  EXPECT_TRUE(stage.outcome(3).ok());
  EXPECT_TRUE(stage.is_quiet());
}

TEST(BulkheadLayer, ARetryWaitHoldsThePlaceOnlyWhenTheRetryIsInside) {
  const char* retry = R"({ "retry": { "max_attempts": 2, "wait": { "fixed": "9s" } } })";
  const char* bulkhead = R"({ "bulkhead": { "max_concurrent": 1, "max_queued": 1 } })";
  const auto second_asks = [&](const char* outer, const char* inner) {
    Stage stage(fmt::format("[{}, {}]", outer, inner));
    stage.script("gpt-4", {fails(server_error, 1s)});
    stage.call({.id = 1});
    stage.call({.id = 2});
    stage.run();
    return stage.log_of(2).front();
  };
  EXPECT_EQ(second_asks(bulkhead, retry), "11s call 2 asks gpt-4");
  EXPECT_EQ(second_asks(retry, bulkhead), "1s call 2 asks gpt-4");
}

TEST(BulkheadLayer, AShutDownWithCallsInLineLeavesNothingBehind) {
  Stage stage(one_and_two_in_line);
  for (CallId id = 1; id <= 3; ++id) stage.call({.id = id});
  stage.shut_down();
  stage.run();
  EXPECT_EQ(stage.ends(1) + stage.ends(2) + stage.ends(3), 0U);
}

RC_GTEST_PROP(BulkheadLayerProperty, NeverMoreThanThePlacesAtOnceAndNoPlaceIsEverLost, ()) {
  const auto places = *rc::gen::inRange<std::size_t>(1, 5);
  Stage stage(fmt::format(
      R"([{{ "bulkhead": {{ "max_concurrent": {}, "max_queued": 4, "max_wait": "2s" }} }}])",
      places));
  const auto calls = *rc::gen::inRange<CallId>(1, 40);
  Duration when{0};
  for (CallId id = 1; id <= calls; ++id) {
    // Whole and half seconds, so that ends, wakes, waits and cancellations often coincide.
    when += 500ms * *rc::gen::inRange(0, 3);
    stage.call_at(when, {.id = id, .priority = *rc::gen::inRange<std::uint8_t>(0, 4)});
    if (*rc::gen::inRange(0, 3) == 0) {
      const auto then = when + 500ms * *rc::gen::inRange(0, 6);
      stage.later(then, [&stage, id] { stage.cancel(id); });
    }
  }
  std::size_t most = 0;
  for (Duration t{0}; t <= when + 10s; t += 250ms) {
    stage.run_until(t);
    most = std::max(most, stage.transport().in_flight());
  }
  stage.run();
  RC_ASSERT(most <= places);
  RC_ASSERT(stage.is_quiet());
}

constexpr const char* adaptive = R"([{ "adaptive_concurrency": {
    "initial_limit": 4, "min_limit": 1, "max_limit": 8, "window": "1s", "window_samples": 2,
    "smoothing": 1, "max_queued": 100 } }])";

TEST(AdaptiveConcurrencyLayer, GrowsWhileAnswersStayFastAndTheNewPlacesAreFilledFromTheLine) {
  Stage stage(adaptive);
  for (CallId id = 1; id <= 60; ++id) stage.call({.id = id});
  stage.run_until(0s);
  EXPECT_EQ(stage.transport().in_flight(), 4U);
  stage.run();
  const auto& layer = stage.layer<AdaptiveConcurrencyLayer>();
  EXPECT_GT(layer.concurrency().limit(), 4U);
  EXPECT_EQ(layer.bulkhead().max_concurrent(), layer.concurrency().limit());
  EXPECT_LT(stage.now(), at(12s)) << "fifteen rounds of four take longer";
  EXPECT_TRUE(stage.is_quiet());
}

TEST(AdaptiveConcurrencyLayer, ShrinksWhenCallsAreLostButNotForOtherFailures) {
  const auto limit_after = [](OutcomeKind kind) {
    Stage stage(adaptive);
    stage.transport().set_otherwise(fails(kind, 1s));
    for (CallId id = 1; id <= 20; ++id) stage.call({.id = id});
    stage.run();
    return stage.layer<AdaptiveConcurrencyLayer>().concurrency().limit();
  };
  EXPECT_LT(limit_after(overloaded), 4U);
  EXPECT_LT(limit_after(timed_out), 4U);
  EXPECT_EQ(limit_after(server_error), 4U);
  EXPECT_EQ(limit_after(rate_limited), 4U) << "a quota is not load";
}

TEST(AdaptiveConcurrencyLayer, LearnsNothingFromRidesOnWhichNobodyWasAsked) {
  Stage stage(fmt::format("{}, {}]",
                          std::string(adaptive).substr(0, std::string(adaptive).size() - 1),
                          R"({ "breaker": { "consecutive_failures": 1 } })"));
  stage.script("gpt-4", {fails(server_error, 0s)});
  for (CallId id = 1; id <= 30; ++id) stage.call_at(id * 200ms, {.id = id});
  stage.run();
  const auto& layer = stage.layer<AdaptiveConcurrencyLayer>();
  EXPECT_EQ(layer.concurrency().limit(), 4U);
  EXPECT_EQ(layer.concurrency().long_latency(), Duration{0});
}

}  // namespace
}  // namespace brownout::testing
