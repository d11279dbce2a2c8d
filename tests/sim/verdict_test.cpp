// Which policy survives which bundled scenario: what the scenarios are for.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/sim/bundled.hpp"

namespace brownout::sim {
namespace {

std::vector<std::string> failures(const Scenario& scenario, const std::string& policy) {
  const RunResult result = testing::fly(scenario, testing::bundled_policy(policy));
  EXPECT_EQ(result.end, RunEnd::completed);
  std::vector<std::string> failed;
  for (const ExpectationResult& expectation : result.expectations) {
    if (expectation.verdict == Verdict::failed) failed.push_back(expectation.expression);
  }
  EXPECT_EQ(result.verdict() == Verdict::failed, !failed.empty());
  return failed;
}

void expect_survives(const Scenario& scenario, const std::string& policy) {
  const RunResult result = testing::fly(scenario, testing::bundled_policy(policy));
  EXPECT_EQ(result.verdict(), Verdict::passed);
  EXPECT_FALSE(result.expectations.empty());
  for (const ExpectationResult& expectation : result.expectations) {
    EXPECT_EQ(expectation.verdict, Verdict::passed)
        << scenario.name << ", " << policy << ": " << expectation.expression << ", found "
        << expectation.actual;
  }
}

void expect_fails(const Scenario& scenario, const std::string& policy,
                  const std::vector<std::string>& expected) {
  EXPECT_THAT(failures(scenario, policy), ::testing::IsSupersetOf(expected))
      << scenario.name << ", " << policy;
}

void expect_healthy_day(const Scenario& healthy) {
  expect_survives(healthy, "recommended");
  EXPECT_EQ(failures(healthy, "no-resilience"), std::vector<std::string>{"availability >= 99.9%"});
}

void expect_collapse(const Scenario& collapse) {
  expect_survives(collapse, "recommended");
  for (const char* policy : {"guide-layered", "guide-retry-only"}) {
    expect_fails(collapse, policy, {"availability >= 99%", "availability during collapse >= 98%"});
  }
}

void expect_stall(const Scenario& stall) {
  expect_survives(stall, "recommended");
  expect_fails(
      stall, "guide-retry-only",
      {"availability >= 99%", "availability during stall >= 99%", "latency.p50 during stall <= 5s",
       "latency.p99 during stall <= 45s", "breaker(gpt-4).opened >= 1"});
}

TEST(Verdicts, ARateLimitIsSurvivedByGoingElsewhereNotByRetrying) {
  const Scenario limited = testing::bundled_scenario("incidents/tpm-30k");
  expect_survives(limited, "recommended");
  expect_fails(limited, "guide-retry-only",
               {"availability >= 99.5%", "availability during above >= 99%"});
}

TEST(Verdicts, AThinnedStallStillTellsPoliciesApart) {
  expect_stall(testing::thinned_scenario("incidents/dns-30s-stall"));
}

TEST(Verdicts, AThinnedCollapseStillFailsThoseWhoStayWithOneProvider) {
  expect_fails(testing::thinned_scenario("incidents/openai-control-plane-collapse"),
               "guide-layered", {"availability >= 99%", "availability during collapse >= 98%"});
}

TEST(VerdictsAtLength, AHealthyDayIsPassedByWhoeverRetries) {
  expect_healthy_day(testing::bundled_scenario("healthy"));
}

TEST(VerdictsAtLength, ACollapseIsSurvivedWithAnIndependentProvider) {
  expect_collapse(testing::bundled_scenario("incidents/openai-control-plane-collapse"));
}

TEST(VerdictsAtLength, AStallIsSurvivedByLimitsOnTheFirstToken) {
  expect_stall(testing::bundled_scenario("incidents/dns-30s-stall"));
}

}  // namespace
}  // namespace brownout::sim
