#pragma once

// What a suite once came to, kept in a file that lives beside the policy: the numbers a gate
// compares with. scenarios/schema/baseline.schema.json describes the file.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "reports/gate/measure.hpp"
#include "reports/gate/suite.hpp"

namespace brownout::reports {

struct BaselineRun {
  std::uint64_t seed = 0;
  std::uint64_t semantic_digest = 0;
  std::vector<Reading> readings;  ///< by BaselineScenario::measures

  bool operator==(const BaselineRun&) const = default;
};

struct BaselineScenario {
  std::string name;
  std::uint64_t digest = 0;           ///< of the scenario's file
  std::vector<std::string> measures;  ///< their names
  std::vector<BaselineRun> runs;      ///< by seed, ascending

  bool operator==(const BaselineScenario&) const = default;
};

struct Baseline {
  std::string policy;
  std::uint64_t policy_digest = 0;
  std::vector<BaselineScenario> scenarios;  ///< by name, ascending

  /// Null when there is none of that name.
  const BaselineScenario* find(const std::string& scenario) const;
};

/// Of suites of one policy whose scenarios have different names. Runs that did not complete are
/// left out. Requires: not empty, and simulated: what real time decides is no measure for others.
Baseline baseline_of(const std::vector<Suite>& suites);

/// As a file: sorted, and one line for each scenario and seed, so that a difference of versions
/// can be read. The same baseline gives the same text.
std::string to_text(const Baseline& baseline);

/// Reads such a text; `name` stands for the file in errors. Errors: invalid, with their places.
Result<Baseline> parse_baseline(const std::string& name, std::string text);

/// The same from a file. Errors: environment as well, when it cannot be read.
Result<Baseline> load_baseline(const std::string& path);

}  // namespace brownout::reports
