#pragma once

// Suites made by hand: what a gate might have found out.

#include <string>
#include <vector>

#include "reports/gate/regression.hpp"
#include "reports/gate/suite.hpp"
#include "tests/reports/results.hpp"

namespace brownout::reports::testing {

/// One that met its expectations: `live` of 1,000 calls were answered, each after `latency`.
inline RunResult steady(std::uint64_t seed, std::uint64_t live = 1000, Duration latency = 1s) {
  RunResult result = sim::testing::empty_result();
  result.scenario = "steady";
  result.scenario_path = "scenarios/incidents/steady.json";
  result.scenario_digest = 0x5EED;
  result.policy_digest = 0xB0;
  result.seed = seed;
  result.semantic_digest = 0x1000 + seed;
  result.has_prices = false;
  result.replay = "brownout run scenarios/incidents/steady.json --seed " + std::to_string(seed);
  add_calls(result, {.phase = 0, .count = live, .latency = latency});
  if (live < 1000) {
    add_calls(result, {.phase = 0, .count = 1000 - live, .end = CallEnd::failed, .latency = 2s});
  }
  of_availability(
      expect(result, live >= 990 ? Verdict::passed : Verdict::failed, "availability >= 99%",
             (std::to_string(live / 10) + "." + std::to_string(live % 10) + "00%").c_str()),
      {static_cast<std::int64_t>(live), 1000});
  result.expectations.back().place.path = result.scenario_path;
  return result;
}

inline Suite suite_of(const std::vector<RunResult>& runs) {
  return suites_of(runs).front();
}

/// Three scenarios: one that passed with four seeds; one that failed with two of three, another of
/// whose expectations had no data with the third; one that ended in a deadlock, with a seed that
/// was not run.
inline std::vector<Suite> mixed_suites() {
  std::vector<RunResult> runs;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    runs.push_back(steady(seed, 1000 - seed, 1s + seed * 100ms));
  }
  for (std::uint64_t seed : {7U, 8U, 9U}) {
    RunResult run = failing();
    run.seed = seed;
    run.semantic_digest = 0x700 + seed;
    run.replay = "brownout run scenarios/by-hand.json --seed " + std::to_string(seed);
    if (seed == 8) run.expectations[0].verdict = Verdict::passed;
    runs.push_back(run);
  }
  RunResult stuck = deadlocked();
  stuck.scenario = "stuck";
  stuck.scenario_path = "scenarios/stuck.json";
  runs.push_back(stuck);
  for (RunResult& run : runs) {
    for (sim::ExpectationResult& expectation : run.expectations) {
      const std::string claimed =
          expectation.expression.substr(0, expectation.expression.rfind(' '));
      expectation.comparison = claimed.substr(claimed.rfind(' ') + 1);
    }
  }
  std::vector<Suite> suites = suites_of(runs);
  suites.back().planned = 2;
  suites.back().cut_short = "stopped after 3 failed runs";
  return suites;
}

}  // namespace brownout::reports::testing
