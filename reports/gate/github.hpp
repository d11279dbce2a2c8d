#pragma once

// Annotations that GitHub shows beside the lines of scenario files.

#include <string>
#include <vector>

#include "reports/gate/regression.hpp"
#include "reports/gate/suite.hpp"

namespace brownout::reports {

/// Workflow commands, one a line, to be printed on a job's standard output:
///
///     ::error file=scenarios/x.json,line=31,col=5,endColumn=44,title=x: not met::availability …
///
/// An error for each expectation that some seed did not meet or decide, each scenario that did not
/// come to its end, and each scenario that is worse than the baseline; failures first. GitHub
/// shows ten of a step: of more than ten, nine are told, and a last one says how many there are
/// more.
/// `review` is by suite; null: no baseline was asked for.
std::string to_github(const std::vector<Suite>& suites, const BaselineReview* review = nullptr);

}  // namespace brownout::reports
