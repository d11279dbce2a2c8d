#pragma once

// Whether a suite has become worse than its baseline.

#include <map>
#include <string>
#include <vector>

#include "reports/gate/baseline.hpp"
#include "reports/gate/measure.hpp"
#include "reports/gate/suite.hpp"
#include "sim/result.hpp"

namespace brownout::reports {

/// How much of a difference is tolerated.
struct Tolerances {
  double relative = 0.01;  ///< of the old value; see tolerance()
  /// For measures of that name instead: of the old value, but points of a share. No noise is
  /// allowed for beside it.
  std::map<std::string, double> special;

  /// In the measure's scale. `before` and `calls` are means of the old runs.
  double of(const Measure& measure, double before, double calls) const;
};

enum class Change : std::uint8_t {
  same,      ///< equal on every seed, or the mean within the tolerance
  improved,  ///< the whole interval is better than the tolerance
  worse,     ///< the whole interval is worse than the tolerance
  unclear,   ///< the mean is beyond the tolerance, but the interval reaches into it
  differs,   ///< of measures that have no better
};

std::string_view to_string(Change change);

struct MeasureChange {
  Measure measure;
  Change change = Change::same;
  /// "availability 99.20% → 98.70% (-0.50 points, 95% interval -0.70 to -0.30 over 20 seeds):
  /// worse"
  std::string sentence;
};

struct SuiteChange {
  std::string scenario;
  std::string scenario_path;
  std::size_t pairs = 0;                ///< seeds that could be compared
  bool identical = false;               ///< every pair has the same digest
  std::string why_not;                  ///< with no pair: "the scenario has changed"; else empty
  std::vector<MeasureChange> measures;  ///< by Suite::measures; empty without pairs
  std::vector<std::string> notes;       ///< seeds that are missing, measures that are gone
};

struct BaselineReview {
  std::vector<SuiteChange> suites;
  std::vector<std::string> notes;  ///< of the whole: another policy, scenarios that were not run

  std::size_t compared() const;  ///< suites with pairs
  std::size_t count(Change change) const;

  /// Failed when anything is worse, undecided when nothing could be compared.
  sim::Verdict verdict() const;
};

/// Compares each suite with the scenario of its name, seed by seed.
///
/// The verdict is one of means: with six pairs or more, of their paired-t interval (paired.hpp);
/// with fewer, all pairs have to agree. A time that has become endless on more seeds than before
/// is worse. A scenario whose file has changed, that the baseline does not have, or that was flown
/// over HTTP, is not compared, and the review says so.
BaselineReview compare_with(const Baseline& baseline, const std::vector<Suite>& suites,
                            const Tolerances& tolerances);

/// Of all of it: failed when a suite failed or something is worse, undecided when a suite, or the
/// comparison as a whole, could not be decided. `review` is null where there is no baseline.
sim::Verdict verdict_of(const std::vector<Suite>& suites, const BaselineReview* review);

}  // namespace brownout::reports
