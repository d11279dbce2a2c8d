#include "reports/gate/regression.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "tests/reports/suites.hpp"

namespace brownout::reports {
namespace {

using namespace testing;

Suite twenty(std::uint64_t (*live)(std::uint64_t seed)) {
  std::vector<RunResult> runs;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) runs.push_back(steady(seed, live(seed)));
  return suite_of(runs);
}

Suite as_before() {
  return twenty([](std::uint64_t seed) { return 992 + seed % 3; });
}

BaselineReview compared(const Suite& before, const Suite& after,
                        const Tolerances& tolerances = {}) {
  return compare_with(baseline_of({before}), {after}, tolerances);
}

const MeasureChange& of(const BaselineReview& review, const std::string& measure) {
  const auto& measures = review.suites.front().measures;
  return *std::ranges::find_if(
      measures, [&](const MeasureChange& change) { return change.measure.name == measure; });
}

TEST(Regression, TheSameIsTheSame) {
  const BaselineReview review = compared(as_before(), as_before());
  EXPECT_TRUE(review.suites.front().identical);
  EXPECT_EQ(review.suites.front().pairs, 20U);
  EXPECT_EQ(review.verdict(), Verdict::passed);
  for (const MeasureChange& change : review.suites.front().measures) {
    EXPECT_EQ(change.change, Change::same) << change.sentence;
  }
  EXPECT_EQ(of(review, "availability").sentence,
            "availability 99.30%, equal on every one of 20 seeds: same");
}

TEST(Regression, FewerAnsweredCallsAreWorse) {
  const BaselineReview review =
      compared(as_before(), twenty([](std::uint64_t seed) { return 987 + (seed + seed / 4) % 3; }));
  EXPECT_EQ(of(review, "availability").change, Change::worse);
  EXPECT_EQ(of(review, "availability").sentence,
            "availability 99.30% → 98.80% (-0.50 points, 95% interval -0.55 to -0.45 over 20 "
            "seeds): worse");
  EXPECT_EQ(of(review, "failed").change, Change::worse);
  EXPECT_EQ(of(review, "calls").change, Change::same);
  EXPECT_EQ(review.verdict(), Verdict::failed);
  EXPECT_EQ(
      compared(twenty([](std::uint64_t) { return std::uint64_t{980}; }), as_before()).verdict(),
      Verdict::passed);
}

TEST(Regression, WhatIsWithinTheToleranceIsTheSame) {
  const Suite slower = suite_of([] {
    std::vector<RunResult> runs;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      runs.push_back(steady(seed, 992 + seed % 3, 1020ms));
    }
    return runs;
  }());
  EXPECT_EQ(of(compared(as_before(), slower), "latency.p99").change, Change::worse);
  EXPECT_EQ(
      of(compared(as_before(), slower, {.relative = 0.03, .special = {}}), "latency.p99").change,
      Change::same);
  EXPECT_EQ(
      of(compared(as_before(), slower, {.special = {{"latency.p99", 0.03}}}), "latency.p99").change,
      Change::same);
}

TEST(Regression, SharesTolerateATenthInPointsOrWhatIsAskedForInPoints) {
  const Suite worse = twenty([](std::uint64_t seed) { return 990 + seed % 3; });  // 0.2 points
  EXPECT_EQ(of(compared(as_before(), worse), "availability").change, Change::worse);
  EXPECT_EQ(
      of(compared(as_before(), worse, {.relative = 0.03, .special = {}}), "availability").change,
      Change::same);
  const Tolerances special{.special = {{"availability", 0.003}}};
  EXPECT_EQ(of(compared(as_before(), worse, special), "availability").change, Change::same);
}

TEST(Regression, ADifferenceOfOneSeedIsNotClear) {
  const BaselineReview review = compared(
      as_before(), twenty([](std::uint64_t seed) { return seed == 5 ? 700 : 992 + seed % 3; }));
  EXPECT_EQ(of(review, "availability").change, Change::unclear);
  EXPECT_EQ(review.verdict(), Verdict::passed);
}

TEST(Regression, WithFewSeedsAllOfThemHaveToAgree) {
  const Suite before = suite_of({steady(1, 999), steady(2, 999), steady(3, 999)});
  const Suite all = suite_of({steady(1, 991), steady(2, 992), steady(3, 993)});
  const Suite some = suite_of({steady(1, 991), steady(2, 999), steady(3, 993)});
  EXPECT_EQ(of(compared(before, all), "availability").sentence,
            "availability 99.90% → 99.20% (-0.70 points, -0.80 to -0.60 on 3 seeds): worse");
  EXPECT_EQ(of(compared(before, some), "availability").change, Change::unclear);
  EXPECT_EQ(
      of(compared(suite_of({steady(1, 999)}), suite_of({steady(1, 990)})), "availability").sentence,
      "availability 99.90% → 99.00% (-0.90 points on 1 seed): worse");
}

RunResult recovering(std::uint64_t seed, std::int64_t ns) {
  RunResult run = steady(seed);
  sim::ExpectationResult& recovered =
      expect(run, Verdict::passed, "time_to_recover(main) <= 90s", "");
  recovered.metric = "time_to_recover";
  recovered.unit = "duration";
  recovered.comparison = "<=";
  recovered.value = sim::Quantity{ns, 1};
  return run;
}

TEST(Regression, ATimeThatNeverEndsAnyMoreIsWorse) {
  const std::int64_t never_ns = std::numeric_limits<std::int64_t>::max();
  const Suite before = suite_of({recovering(1, 5'000'000'000), recovering(2, 5'000'000'000)});
  const Suite after = suite_of({recovering(1, 5'000'000'000), recovering(2, never_ns)});
  EXPECT_EQ(of(compared(before, after), "time_to_recover(main)").sentence,
            "time_to_recover(main) never ends on 1 of 2 seeds, before on 0: worse");
  EXPECT_EQ(of(compared(after, before), "time_to_recover(main)").change, Change::improved);
  EXPECT_EQ(of(compared(after, after), "time_to_recover(main)").sentence,
            "time_to_recover(main) equal on every one of 2 seeds: same");
}

TEST(Regression, WhatHasNoBetterOnlyDiffers) {
  Suite after = as_before();
  for (SeedRun& run : after.runs) run.readings[0].value.numerator += 500;  // calls
  const BaselineReview review = compared(as_before(), after);
  EXPECT_EQ(of(review, "calls").change, Change::differs);
  EXPECT_EQ(review.verdict(), Verdict::passed);
}

TEST(Regression, AChangedScenarioIsNotComparedAndThatIsSaid) {
  Suite after = as_before();
  after.scenario_digest = 1;
  const BaselineReview review = compared(as_before(), after);
  EXPECT_EQ(review.suites.front().why_not,
            "the scenario's file has changed since the baseline (--update-baseline accepts it)");
  EXPECT_EQ(review.verdict(), Verdict::undecided) << "a gate that compared nothing is no pass";
}

TEST(Regression, WhatWasFlownOverHttpIsNotComparedWithSimulatedRuns) {
  const BaselineReview review =
      compared(as_before(), suite_of({over_http(steady(1)), over_http(steady(2))}));
  EXPECT_EQ(review.suites.front().why_not,
            "it was flown over HTTP, 5 times as fast, and the baseline is of simulated runs");
  EXPECT_EQ(review.verdict(), Verdict::undecided);
}

TEST(Regression, WhatOneSideLacksIsTold) {
  Suite renamed = as_before();
  renamed.scenario = "renamed";
  const BaselineReview none = compared(as_before(), renamed);
  EXPECT_EQ(none.suites.front().why_not, "the baseline does not have it");
  EXPECT_EQ(none.notes, std::vector<std::string>{"the baseline has more than was run: steady"});

  const BaselineReview seeds = compared(suite_of({steady(1), steady(2)}),
                                        suite_of({steady(2), steady(3), steady(4), steady(5)}));
  EXPECT_EQ(seeds.suites.front().pairs, 1U);
  EXPECT_EQ(seeds.suites.front().notes,
            std::vector<std::string>{"the baseline does not have seed 3..5"});

  const BaselineReview measures = compared(suite_of({steady(1)}), suite_of({recovering(1, 0)}));
  EXPECT_EQ(measures.suites.front().notes,
            std::vector<std::string>{"the baseline does not have time_to_recover(main)"});

  Suite other_policy = as_before();
  other_policy.policy = "candidate";
  EXPECT_EQ(compared(as_before(), other_policy).notes,
            std::vector<std::string>{"the baseline is of policy two-routes"});
}

TEST(Regression, RunsThatDidNotCompleteAreNotCompared) {
  RunResult broken = steady(1, 10);
  broken.end = sim::RunEnd::interrupted;
  const BaselineReview review = compared(suite_of({steady(1)}), suite_of({broken}));
  EXPECT_EQ(review.suites.front().pairs, 0U);
  EXPECT_EQ(review.verdict(), Verdict::undecided);
  Suite none = suite_of({steady(1)});
  none.runs.clear();
  EXPECT_EQ(compared(suite_of({steady(1)}), none).suites.front().why_not, "it was not run");
}

// Whatever the runs are: what is worse one way is improved the other way, and the same is neither.
RC_GTEST_PROP(Regression, WorseOneWayIsImprovedTheOther, ()) {
  const auto lives = [] {
    return *rc::gen::container<std::vector<std::uint64_t>>(
        8, rc::gen::inRange<std::uint64_t>(900, 1000));
  };
  const auto suite = [](const std::vector<std::uint64_t>& live) {
    std::vector<RunResult> runs;
    for (std::uint64_t i = 0; i < live.size(); ++i) runs.push_back(steady(i + 1, live[i]));
    return suite_of(runs);
  };
  const Suite one = suite(lives());
  const Suite two = suite(lives());
  const Change there = of(compared(one, two), "availability").change;
  const Change back = of(compared(two, one), "availability").change;
  RC_ASSERT((there == Change::worse) == (back == Change::improved));
  RC_ASSERT((there == Change::unclear) == (back == Change::unclear));
  RC_ASSERT(of(compared(one, one), "availability").change == Change::same);
}

}  // namespace
}  // namespace brownout::reports
