#pragma once

// Results as JUnit XML, which is what CI systems show: scenarios/schema/junit.xsd describes what is
// written.
//
// A scenario under a policy is a <testsuite>, each of its expectations a <testcase>, whose names
// hold neither seeds nor values, so that their history goes on. An expectation that some seed did
// not meet is a <failure>, one that could not be decided an <error>. "completes" is a case of
// scenarios that expect nothing, and of those whose seeds were not all run; "as good as the
// baseline" is one where there is a baseline, and <skipped> where the scenario was not compared.

#include <string>
#include <vector>

#include "reports/gate/regression.hpp"
#include "reports/gate/suite.hpp"

namespace brownout::reports {

struct JunitOptions {
  std::string version;                     ///< of the program; empty: not told
  const BaselineReview* review = nullptr;  ///< by suite; null: no baseline was asked for
};

/// XML 1.0 in UTF-8: bytes that are not UTF-8, and characters that XML forbids, become U+FFFD.
/// Where a suite has a real_time, its cases share it equally; otherwise nothing in the text
/// depends on anything but the suites.
std::string to_junit(const std::vector<Suite>& suites, const JunitOptions& options = {});

/// The same of results, without how long they took.
std::string to_junit(const std::vector<sim::RunResult>& runs);

}  // namespace brownout::reports
