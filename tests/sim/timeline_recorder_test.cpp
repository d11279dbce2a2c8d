#include "sim/timeline_recorder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "sim/run.hpp"
#include "tests/sim/bundled.hpp"

namespace brownout::sim {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

Instant at(Duration since_start) {
  return Instant{} + since_start;
}

std::vector<std::int64_t> values(const Timeline& timeline, std::string_view metric,
                                 std::string_view of = {}) {
  const Series* series = timeline.find(metric, of);
  return series != nullptr ? series->values : std::vector<std::int64_t>{};
}

TEST(TimelineRecorder, BucketsAreRoundAndFewEnough) {
  EXPECT_EQ(TimelineRecorder(6h).width(), Duration{2min});
  EXPECT_EQ(TimelineRecorder(4h).width(), Duration{1min});
  EXPECT_EQ(TimelineRecorder(4min).width(), Duration{1s});
  EXPECT_EQ(TimelineRecorder(4min + 1ns).width(), Duration{2s});
  EXPECT_EQ(TimelineRecorder(1s).width(), Duration{5ms});
  EXPECT_EQ(TimelineRecorder(1us).width(), Duration{1us});
  EXPECT_EQ(TimelineRecorder(24h * 365).width(), Duration{48h});
  EXPECT_EQ(TimelineRecorder(24h * 3650).width(), Duration{24h * 16});
}

// Buckets of 1 s. Arrivals at 0.2, 0.7 and 2.1; the second fails at 2.5.
TEST(TimelineRecorder, CallsCountWhereTheyArrived) {
  TimelineRecorder recorder(4min);
  Outcome live;
  live.served = Served::live;
  live.first_output = at(500ms);
  recorder.on_call({0, at(200ms), at(900ms), 1, 0, false}, live);
  recorder.on_call({1, at(700ms), at(2500ms), 1, 0, false},
                   Outcome::failure(OutcomeKind::timed_out));
  live.first_output = never;
  recorder.on_call({2, at(2100ms), at(2600ms), 1, 0, false}, live);
  const Timeline timeline = recorder.finish();
  EXPECT_EQ(timeline.buckets, 3U);
  EXPECT_THAT(values(timeline, "calls"), ElementsAre(2, 0, 1));
  EXPECT_THAT(values(timeline, "ended", "success"), ElementsAre(1, 0, 1));
  EXPECT_THAT(values(timeline, "ended", "failed"), ElementsAre(1, 0, 0));
  EXPECT_THAT(values(timeline, "failed", "timed_out"), ElementsAre(1, 0, 0));
  EXPECT_EQ(timeline.find("failed", "overloaded"), nullptr);
  EXPECT_THAT(values(timeline, "latency", "max"), ElementsAre(700'000'000, -1, 500'000'000));
  EXPECT_THAT(values(timeline, "first_token", "p99"), ElementsAre(300'000'000, -1, -1));
}

// Under way: 0.2 to 0.9 and 0.7 to 2.5, that is 0.7 + 0.3, then 1, then 0.5 on average.
TEST(TimelineRecorder, InFlightIsAMeanOverTheBucket) {
  TimelineRecorder recorder(4min);
  for (const auto& [from, until] : {std::pair{200ms, 900ms}, std::pair{700ms, 2500ms}}) {
    recorder.on_call({0, at(from), at(until), 1, 0, false}, Outcome{});
    AttemptEvent attempt;
    attempt.started = at(from);
    attempt.ended = at(until);
    recorder.on_attempt(attempt, Outcome{});
  }
  const Timeline timeline = recorder.finish();
  EXPECT_THAT(values(timeline, "in_flight", "calls"), ElementsAre(1000, 1000, 500));
  EXPECT_THAT(values(timeline, "in_flight", "attempts"), ElementsAre(1000, 1000, 500));
}

TEST(TimelineRecorder, WhatComesLongAfterTheScenarioIsLeftOut) {
  TimelineRecorder recorder(4min);
  recorder.on_call({0, at(239s), at(24h), 1, 0, false}, Outcome{});
  recorder.on_wait({0, 0, at(23h), at(24h)});
  const Timeline timeline = recorder.finish();
  EXPECT_EQ(timeline.buckets, 301U);
  EXPECT_EQ(values(timeline, "in_flight", "calls").back(), 1000);
  const auto waits = values(timeline, "waits");
  EXPECT_EQ(std::accumulate(waits.begin(), waits.end(), std::int64_t{0}), 0);
}

TEST(TimelineRecorder, LevelsAreThoseThatWereTold) {
  TimelineRecorder recorder(4min);
  const auto quota = recorder.add_level({"quota", "lab/model rpm", "count", 60, {}});
  recorder.set_level(quota, 1, 40);
  recorder.set_level(quota, 5, 60);  // after the last event: not kept
  recorder.on_call({0, at(0s), at(2500ms), 1, 0, false}, Outcome{});
  const Timeline timeline = recorder.finish();
  EXPECT_EQ(timeline.find("quota", "lab/model rpm")->full, 60);
  EXPECT_THAT(values(timeline, "quota", "lab/model rpm"), ElementsAre(-1, 40, -1));
}

// The sums over time are the totals, whatever happens.
TEST(TimelineRecorder, TheBucketsOfAWholeRunAddUpToItsTotals) {
  const Scenario scenario = testing::bundled_scenario("incidents/tpm-30k");
  const Policy policy = testing::bundled_policy("recommended");
  const BoundPolicy bound = testing::loaded(bind(scenario, policy, {}));
  RunOptions options;
  options.detail = true;
  const RunResult result = run(scenario, policy, bound, options);
  const auto sum = [&](std::string_view metric, std::string_view of = {}) {
    const auto column = values(result.timeline, metric, of);
    return static_cast<std::uint64_t>(
        std::accumulate(column.begin(), column.end(), std::int64_t{0}));
  };
  EXPECT_EQ(sum("calls"), result.total.calls);
  EXPECT_EQ(sum("ended", "success"), result.total.ended_as(CallEnd::success));
  EXPECT_EQ(sum("attempts"), result.total.attempts);
  EXPECT_EQ(sum("failed_attempts"), result.total.attempts - result.total.attempts_as[0]);
  EXPECT_EQ(sum("waits"), result.total.waits);
  const Series* quota = result.timeline.find("quota", "openai/gpt-4 tpm");
  ASSERT_NE(quota, nullptr);
  EXPECT_EQ(quota->full, 30'000);
  EXPECT_LT(*std::ranges::min_element(quota->values), 1'000);
}

TEST(TimelineRecorder, KeepingDetailChangesNothingOfTheRun) {
  const Scenario scenario = testing::bundled_scenario("incidents/tpm-30k");
  const Policy policy = testing::bundled_policy("recommended");
  const BoundPolicy bound = testing::loaded(bind(scenario, policy, {}));
  RunOptions options;
  const RunResult plain = run(scenario, policy, bound, options);
  options.detail = true;
  const RunResult detailed = run(scenario, policy, bound, options);
  EXPECT_EQ(plain.semantic_digest, detailed.semantic_digest);
  EXPECT_EQ(plain.schedule_digest, detailed.schedule_digest);
  EXPECT_EQ(plain.ended, detailed.ended);
  EXPECT_EQ(plain.timeline.width, Duration{0});
}

}  // namespace
}  // namespace brownout::sim
