#include "reports/comparison/comparison.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "reports/html/comparison_page.hpp"
#include "tests/reports/pages.hpp"
#include "tests/reports/results.hpp"
#include "tests/support/golden.hpp"

namespace brownout::reports {
namespace {

using namespace testing;

/// A run of 1,000 calls: how many failed, how many attempts they made, what they cost.
struct Made {
  std::uint64_t failed = 0;
  std::uint64_t attempts = 1'000;
  std::uint64_t millidollars = 1'000;
  std::uint64_t seed = 1;
};

RunResult made(const Made& what) {
  RunResult result = sim::testing::empty_result();
  result.seed = what.seed;
  result.replay = "brownout run s.json --seed " + std::to_string(what.seed);
  const auto split = [&](std::size_t phase, std::uint64_t failed) {
    add_calls(result, {.phase = phase, .count = 500 - failed});
    if (failed > 0) {
      add_calls(result, {.phase = phase, .count = failed, .end = CallEnd::failed});
    }
  };
  split(0, 0);
  split(1, what.failed);
  result.total.attempts = what.attempts;
  result.total.cost_picodollars = what.millidollars;
  result.total.cost_picodollars *= 1'000'000'000;
  result.faults.push_back({"late", "server_error", 500, what.failed, 0});
  of_availability(expect(result, what.failed == 0 ? Verdict::passed : Verdict::failed,
                         "availability >= 99%", ""),
                  {});
  return result;
}

Comparison three_policies() {
  ComparisonBuilder builder({"cheap", "dear", "bad"}, {"outage", "quiet </script>|"});
  builder.add(0, 0, made({.failed = 100, .millidollars = 500}));
  builder.add(0, 1, made({.failed = 0, .attempts = 1'200, .millidollars = 2'000}));
  builder.add(0, 2, made({.failed = 200, .attempts = 3'000, .millidollars = 2'500}));
  builder.add(1, 0, made({}));
  builder.add(1, 1, made({}));
  builder.refuse(1, 2, "scenario quiet has no role tertiary");
  return builder.finish();
}

TEST(Comparison, ACellAddsUpItsSeeds) {
  ComparisonBuilder builder({"one"}, {"outage"});
  builder.add(0, 0, made({.failed = 100, .seed = 1}));
  builder.add(0, 0, made({.failed = 0, .seed = 2}));
  const Comparison comparison = builder.finish();
  const Cell& cell = comparison.cell(0, 0);
  EXPECT_EQ(cell.runs, 2U);
  EXPECT_EQ(cell.passed, 1U);
  EXPECT_EQ(cell.failed, 1U);
  EXPECT_EQ(cell.verdict(), Verdict::failed);
  EXPECT_EQ(cell.total.calls, 2'000U);
  EXPECT_EQ(cell.in_faults.calls, 1'000U);
  EXPECT_EQ(cell.replay, "brownout run s.json --seed 1");
}

TEST(Comparison, ScoresAreMeansOverScenarios) {
  const Comparison comparison = three_policies();
  const PolicyScore& cheap = comparison.scores[0];
  EXPECT_DOUBLE_EQ(cheap.availability, 0.95);
  EXPECT_DOUBLE_EQ(cheap.worst_availability, 0.9);
  EXPECT_EQ(cheap.worst_scenario, "outage");
  EXPECT_EQ(cheap.passed, 1U);
  EXPECT_EQ(cheap.scenarios, 2U);
  EXPECT_DOUBLE_EQ(*cheap.dollars_per_1000, 0.75);
  EXPECT_EQ(comparison.scores[2].scenarios, 1U);
  EXPECT_DOUBLE_EQ(comparison.scores[2].attempts_per_call, 3);
}

// Cheap is cheaper, dear more available; bad is beaten by both.
TEST(Comparison, TheFrontierHoldsWhatNobodyBeats) {
  const Comparison comparison = three_policies();
  EXPECT_TRUE(comparison.scores[0].on_frontier);
  EXPECT_TRUE(comparison.scores[1].on_frontier);
  EXPECT_FALSE(comparison.scores[2].on_frontier);
}

TEST(Comparison, TwoThatAreEqualAreBothOnTheFrontier) {
  ComparisonBuilder builder({"one", "same"}, {"outage"});
  builder.add(0, 0, made({}));
  builder.add(0, 1, made({}));
  const Comparison comparison = builder.finish();
  EXPECT_TRUE(comparison.scores[0].on_frontier);
  EXPECT_TRUE(comparison.scores[1].on_frontier);
}

TEST(Comparison, WithoutPricesThereIsNoFrontier) {
  RunResult free = made({});
  free.has_prices = false;
  ComparisonBuilder builder({"one"}, {"outage"});
  builder.add(0, 0, free);
  const Comparison comparison = builder.finish();
  EXPECT_FALSE(comparison.scores[0].dollars_per_1000);
  EXPECT_FALSE(comparison.scores[0].on_frontier);
}

TEST(Comparison, AsText) {
  const Comparison comparison = three_policies();
  brownout::testing::expect_golden("comparison.txt", console_comparison(comparison, false));
  brownout::testing::expect_golden("comparison.md", markdown_comparison(comparison));
  brownout::testing::expect_golden("comparison.json", json_comparison(comparison));
}

TEST(Comparison, AsAPage) {
  const Comparison comparison = three_policies();
  const std::string page = comparison_page(comparison);
  EXPECT_EQ(page, comparison_page(comparison));
  EXPECT_EQ(page.find("</script>|"), std::string::npos);
  EXPECT_NE(page.find("quiet &lt;/script&gt;|"), std::string::npos);
  EXPECT_NE(page.find("scenario quiet has no role tertiary"), std::string::npos);
  EXPECT_EQ(page.find("<a href"), std::string::npos);
  brownout::testing::expect_golden("comparison.html", without_assets(page));
}

TEST(Comparison, ACellLeadsToItsPage) {
  ComparisonBuilder builder({"one"}, {"outage"});
  builder.add(0, 0, made({}));
  builder.link(0, 0, "reports/one/\"outage\".html");
  const std::string page = comparison_page(builder.finish());
  EXPECT_NE(page.find("<a href=\"reports/one/&quot;outage&quot;.html\""), std::string::npos);
}

TEST(Comparison, WhatIsAlmostAllIsNotShownAsAll) {
  ComparisonBuilder builder({"one"}, {"outage"});
  RunResult almost = made({});
  almost.total.calls += 1'000'000;
  almost.total.ended[0] += 999'999;
  almost.total.ended[3] += 1;
  builder.add(0, 0, almost);
  const std::string text = console_comparison(builder.finish(), false);
  EXPECT_NE(text.find("99.9"), std::string::npos) << text;
  EXPECT_EQ(text.find("100.0"), std::string::npos) << text;
}

TEST(Comparison, ManyPoliciesStandInBlocksThatFitAScreen) {
  std::vector<std::string> policies;
  for (int i = 0; i < 30; ++i) policies.push_back("policy-" + std::to_string(i));
  ComparisonBuilder builder(policies, {"a-scenario-with-a-long-name"});
  for (std::size_t i = 0; i < 30; ++i) builder.add(0, i, made({.failed = i}));
  const std::string text = console_comparison(builder.finish(), false);
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != text.npos; end = text.find('\n', begin)) {
    EXPECT_LE(end - begin, 100U) << text.substr(begin, end - begin);
    begin = end + 1;
  }
  EXPECT_NE(text.find("[30]"), std::string::npos);
}

}  // namespace
}  // namespace brownout::reports
