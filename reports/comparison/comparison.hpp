#pragma once

// Policies side by side: what each of them reached in each scenario.
//
// Everything here is a pure function of results; runs of one policy and scenario with different
// seeds are added up.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/result.hpp"

namespace brownout::reports {

/// What one policy reached in one scenario, over all seeds.
struct Cell {
  std::uint64_t runs = 0;       ///< seeds; 0: it was not flown
  std::uint64_t passed = 0;     ///< runs that met every expectation
  std::uint64_t failed = 0;     ///< runs that did not meet one
  std::uint64_t undecided = 0;  ///< the others
  sim::CallStats total;         ///< of all calls
  sim::CallStats in_faults;     ///< of calls that arrived in phases with faults
  bool has_prices = false;
  std::string refused;  ///< why it could not be flown; empty if it was
  std::string replay;   ///< the command that flies the first of the runs
  std::string report;   ///< where the page of the first run lies, relative to the comparison's

  /// Worst first: failed beats undecided beats passed. Requires: runs > 0.
  sim::Verdict verdict() const;
};

/// What a policy reached over all scenarios it was flown through. Each scenario counts alike,
/// however many calls it has.
struct PolicyScore {
  std::string policy;
  std::uint64_t scenarios = 0;    ///< it was flown through
  std::uint64_t passed = 0;       ///< in which all runs met every expectation
  double availability = 0;        ///< mean over scenarios, 0 to 1
  double answered = 0;            ///< likewise
  double worst_availability = 1;  ///< of one scenario
  std::string worst_scenario;
  double attempts_per_call = 0;            ///< mean over scenarios
  double worst_attempts_per_call = 0;      ///< of one scenario
  std::optional<double> dollars_per_1000;  ///< per thousand calls, mean over scenarios with prices
  double wasted_share = 0;                 ///< of billed tokens, mean over scenarios
  bool on_frontier = false;  ///< of those flown through every scenario, none is at least as good
                             ///< in both availability and cost, and better in one
};

struct Comparison {
  std::vector<std::string> policies;
  std::vector<std::string> scenarios;
  std::vector<Cell> cells;          ///< by scenario, then policy
  std::vector<PolicyScore> scores;  ///< by policy

  const Cell& cell(std::size_t scenario, std::size_t policy) const {
    return cells[scenario * policies.size() + policy];
  }
};

/// Adds up runs as they come, so that nobody has to keep them.
///
/// *Threads*: one. The order of runs of one cell decides whose replay command it shows.
class ComparisonBuilder {
 public:
  /// Their labels: names that tell them apart.
  ComparisonBuilder(std::vector<std::string> policies, std::vector<std::string> scenarios);

  void add(std::size_t scenario, std::size_t policy, const sim::RunResult& run);
  /// This pair could not be flown.
  void refuse(std::size_t scenario, std::size_t policy, std::string reason);

  /// Where the page of this pair's first run lies.
  void link(std::size_t scenario, std::size_t policy, std::string report);

  Comparison finish();

 private:
  Cell& cell(std::size_t scenario, std::size_t policy);

  Comparison comparison_;
};

/// The matrix and the scores as text for people, at most 100 columns wide: policies that do not fit
/// beside each other follow below.
std::string console_comparison(const Comparison& comparison, bool color);

/// The same as Markdown tables.
std::string markdown_comparison(const Comparison& comparison);

/// As JSON, for programs.
std::string json_comparison(const Comparison& comparison);

}  // namespace brownout::reports
