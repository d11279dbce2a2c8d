#include "reports/gate/suite.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/reports/suites.hpp"

namespace brownout::reports {
namespace {

using namespace testing;

TEST(Suites, RunsAreGroupedByScenarioFileAndPolicy) {
  std::vector<RunResult> runs{steady(1), failing(), steady(2)};
  runs.push_back(steady(3));
  runs.back().policy = "another";
  const std::vector<Suite> suites = suites_of(runs);
  ASSERT_EQ(suites.size(), 3U);
  EXPECT_EQ(suites[0].runs.size(), 2U);
  EXPECT_EQ(suites[0].runs[1].seed, 2U);
  EXPECT_EQ(suites[1].scenario, "by-hand");
  EXPECT_EQ(suites[2].policy, "another");
}

TEST(Suites, StagesAndSpeedsDoNotMix) {
  const std::vector<Suite> suites =
      suites_of({steady(1), over_http(steady(1)), over_http(steady(2)), over_http(steady(3), 10)});
  ASSERT_EQ(suites.size(), 3U);
  EXPECT_EQ(suites[0].stage, sim::RunStage::sim);
  EXPECT_EQ(suites[1].stage, sim::RunStage::http);
  EXPECT_EQ(suites[1].runs.size(), 2U);
  EXPECT_EQ(suites[2].speed, 10);
  EXPECT_DEATH(baseline_of({suites[1]}), "") << "a baseline is of simulated runs";
}

TEST(Suites, FailedBeatsUndecidedBeatsPassed) {
  EXPECT_EQ(suite_of({steady(1), steady(2)}).verdict(), Verdict::passed);
  EXPECT_EQ(suite_of({steady(1), steady(2, 900)}).verdict(), Verdict::failed);
  RunResult undecided = steady(3);
  undecided.end = sim::RunEnd::livelock;
  EXPECT_EQ(suite_of({steady(1), undecided}).verdict(), Verdict::undecided);
  EXPECT_EQ(suite_of({undecided, steady(2, 900)}).verdict(), Verdict::failed);
}

TEST(Suites, RunsThatWereNotMadeAreNoPass) {
  Suite suite = suite_of({steady(1)});
  suite.planned = 2;
  EXPECT_EQ(suite.verdict(), Verdict::undecided);
  EXPECT_EQ(Suite{}.verdict(), Verdict::undecided);
}

TEST(Suites, AnExpectationIsTalliedOverTheSeeds) {
  const std::vector<Suite> suites = mixed_suites();
  const Tally availability = tally(suites[1], 0);
  EXPECT_EQ(availability.verdict, Verdict::failed);
  ASSERT_EQ(availability.failed.size(), 2U);
  EXPECT_EQ(availability.failed[1]->seed, 9U);
  EXPECT_EQ(tally(suites[1], 1).verdict, Verdict::passed);
  EXPECT_EQ(tally(suites[1], 2).undecided.size(), 3U);
}

TEST(Suites, RangesAreOfCompletedRuns) {
  RunResult broken = steady(9, 10);
  broken.end = sim::RunEnd::interrupted;
  const Suite suite = suite_of({steady(1, 999), steady(2, 995, 2s), broken});
  EXPECT_EQ(format_range(suite, "availability"), "99.50%..99.90%");
  EXPECT_EQ(format_range(suite, "latency.p99"), "1s..2s");
  EXPECT_EQ(format_range(suite, "attempts_per_call"), "1.000");
  EXPECT_EQ(format_range(suite, "cost"), "-");
}

TEST(Suites, SeedsAreShownByTheEndsOfTheirRuns) {
  EXPECT_EQ(format_seeds({}), "");
  EXPECT_EQ(format_seeds({7}), "7");
  EXPECT_EQ(format_seeds({1, 2}), "1, 2");
  EXPECT_EQ(format_seeds({1, 2, 3, 5, 8, 9, 10}), "1..3, 5, 8..10");
  EXPECT_EQ(format_seeds({1, 3, 5, 7, 9}, 2), "1, 3 and 3 more");
}

TEST(Suites, NamesHoldNeitherSeedNorValue) {
  std::vector<sim::ExpectationResult> expectations(3);
  expectations[0].expression = "latency(all).p99 during collapse <= 5s";
  expectations[1].expression = "latency(all).p99 during collapse >= 1s";
  expectations[2].expression = "breaker(main).state at 2h == open";
  expectations[0].comparison = "<=";
  expectations[1].comparison = ">=";
  expectations[2].comparison = "==";
  EXPECT_EQ(stable_names(expectations),
            (std::vector<std::string>{"latency(all).p99 during collapse",
                                      "latency(all).p99 during collapse (2)",
                                      "breaker(main).state at 2h"}));
}

// --- measures -----------------------------------------------------------------------------------

Reading reading(const RunResult& run, const std::string& name) {
  const std::vector<Measure> measures = measures_of(run);
  const auto found = std::ranges::find(measures, name, &Measure::name);
  EXPECT_NE(found, measures.end()) << name;
  if (found == measures.end()) return {};
  return readings_of(run, measures)[static_cast<std::size_t>(found - measures.begin())];
}

TEST(Measures, AreExact) {
  EXPECT_EQ(reading(steady(1, 997), "availability"),
            (Reading{Reading::State::number, {997, 1000}}));
  EXPECT_EQ(reading(steady(1, 500), "answered"), (Reading{Reading::State::number, {1, 2}}));
  EXPECT_EQ(reading(steady(1, 997), "failed"), (Reading{Reading::State::number, {3, 1}}));
  EXPECT_EQ(reading(steady(1), "latency.p50"),
            (Reading{Reading::State::number, {1'000'000'000, 1}}));
  EXPECT_EQ(reading(passing(), "cost"),
            (Reading{Reading::State::number, {4'567'890'000'000, 1'000'000'000}}));
  EXPECT_EQ(reading(undecided(), "latency.p99").state, Reading::State::none);
}

TEST(Measures, AreWhatExpectationsLookAtAsWell) {
  RunResult run = steady(1);
  sim::ExpectationResult& recovered =
      expect(run, Verdict::failed, "time_to_recover(main) <= 90s", "never");
  recovered.metric = "time_to_recover";
  recovered.unit = "duration";
  recovered.comparison = "<=";
  recovered.value = sim::Quantity{std::numeric_limits<std::int64_t>::max(), 1};
  EXPECT_EQ(reading(run, "time_to_recover(main)").state, Reading::State::never);
  recovered.value = sim::Quantity{5'000'000'000, 1};
  EXPECT_EQ(reading(run, "time_to_recover(main)"),
            (Reading{Reading::State::number, {5'000'000'000, 1}}));
  // One that is measured anyway is measured once.
  EXPECT_EQ(std::ranges::count(measures_of(run), "availability", &Measure::name), 1);
}

TEST(Measures, ReadAsPeopleWriteThem) {
  const Measure share{"availability", "availability", "share"};
  const Measure time{"latency.p99", "latency", "duration"};
  const Measure count{"failed", "failed", "count"};
  const Measure dollars{"cost", "cost", "dollars"};
  EXPECT_EQ(format({Reading::State::number, {997, 1000}}, share), "99.70%");
  EXPECT_EQ(format({Reading::State::number, {4'120'000'000, 1}}, time), "4.12s");
  EXPECT_EQ(format({Reading::State::number, {1234567, 1}}, count), "1,234,567");
  EXPECT_EQ(format({Reading::State::never, {}}, time), "never");
  EXPECT_EQ(format({}, time), "-");
  EXPECT_EQ(format_difference(-0.005, share), "-0.50 points");
  EXPECT_EQ(format_difference(0.12, time), "+120ms");
  EXPECT_EQ(format_difference(-1234, count), "-1,234");
  EXPECT_EQ(format_difference(2.5, count), "+2.5");
  EXPECT_EQ(format_difference(-0.151, dollars), "-$0.15");
}

TEST(Measures, KnowWhichWayIsBetter) {
  EXPECT_EQ(better({"availability during x", "availability", "share"}), Better::higher);
  EXPECT_EQ(better({"latency.p99", "latency", "duration"}), Better::lower);
  EXPECT_EQ(better({"breaker(main).opened", "breaker.opened", "count"}), Better::neither);
}

}  // namespace
}  // namespace brownout::reports
