#pragma once

// The runs of one scenario under one policy, one per seed: what a gate judges. A run is kept as a
// few numbers and verdicts, so that a million of them fit into memory.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/time.hpp"
#include "reports/gate/measure.hpp"
#include "sim/result.hpp"

namespace brownout::reports {

/// What one run says of one expectation.
struct SeedFinding {
  sim::Verdict verdict = sim::Verdict::undecided;
  std::string actual;            ///< the value found, or why there is none
  std::string why;               ///< reports::why(), of the first seed that did not meet it
  std::optional<double> margin;  ///< reports::margin_left()
};

struct SeedRun {
  std::uint64_t seed = 0;
  sim::Verdict verdict = sim::Verdict::undecided;
  sim::RunEnd end = sim::RunEnd::completed;
  std::string diagnosis;
  std::string could_not_follow;  ///< sim::RunResult's
  Duration simulated{};
  std::uint64_t semantic_digest = 0;
  std::string replay;                 ///< the command that runs it again; empty: unknown
  std::vector<SeedFinding> findings;  ///< by Suite::expectations
  std::vector<Reading> readings;      ///< by Suite::measures
};

struct Suite {
  std::string scenario;
  std::string scenario_path;
  std::uint64_t scenario_digest = 0;
  std::string policy;
  std::string policy_path;
  std::uint64_t policy_digest = 0;
  sim::RunStage stage = sim::RunStage::sim;
  double speed = 1;                                  ///< of runs over HTTP
  std::vector<sim::ExpectationResult> expectations;  ///< of the first run
  std::vector<Measure> measures;
  std::vector<SeedRun> runs;  ///< in the order they were added
  /// How many runs were asked for; with fewer in `runs` the rest was not made, for the reason in
  /// `cut_short`.
  std::size_t planned = 0;
  std::string cut_short;
  /// How long the runs took on this machine, added up; absent where output must not depend on it.
  std::optional<Duration> real_time;

  /// Failed beats undecided beats passed; with runs missing, at best undecided.
  sim::Verdict verdict() const;

  std::size_t count(sim::Verdict verdict) const;

  /// The simulated time of all runs.
  Duration simulated() const;
};

/// What one expectation came to over all seeds.
struct Tally {
  sim::Verdict verdict = sim::Verdict::passed;  ///< failed beats undecided beats passed
  std::vector<const SeedRun*> failed;
  std::vector<const SeedRun*> undecided;
};

/// Requires: expectation < suite.expectations.size(). The runs belong to the suite.
Tally tally(const Suite& suite, std::size_t expectation);

/// Adds a run of the suite's scenario, policy, stage and speed; the first one fills in the suite's
/// head.
/// `planned` grows with it where it would be less than the number of runs.
void add_run(Suite& suite, const sim::RunResult& run);

/// The runs by scenario file, policy, stage and speed, in the order of their first appearance.
std::vector<Suite> suites_of(const std::vector<sim::RunResult>& runs);

/// The least and greatest reading of a measure over the completed runs; "-" in both where there is
/// none.
struct Range {
  Reading least;
  Reading greatest;
};
Range range_of(const Suite& suite, std::string_view measure);

/// "3.91s..4.12s", or one value when both look the same.
std::string format_range(const Suite& suite, std::string_view measure);

/// "1..20", or "1, 4, 7..9": ascending runs are shown by their ends. At most `most` parts, then
/// "and 12 more".
std::string format_seeds(const std::vector<std::uint64_t>& seeds, std::size_t most = 20);

/// How expectations are told apart in histories: claims, with " (2)" behind the second of two that
/// look at the same. The same whatever the seeds and thresholds.
std::vector<std::string> stable_names(const std::vector<sim::ExpectationResult>& expectations);

}  // namespace brownout::reports
