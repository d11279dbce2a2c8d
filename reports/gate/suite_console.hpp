#pragma once

// A gate's findings as text for people: a line per scenario while it goes on, the reasons after it.

#include <cstddef>
#include <string>
#include <vector>

#include "reports/gate/regression.hpp"
#include "reports/gate/suite.hpp"

namespace brownout::reports {

struct SuiteConsoleOptions {
  bool color = false;
  std::size_t name_width = 0;  ///< of the widest scenario name, for columns
};

/// The head of the table whose rows are console_suite_line(). docs/guide/ci.md explains the
/// columns.
std::string console_suite_head(const SuiteConsoleOptions& options);

/// "  PASS  healthy   20 of 20  99.97%..100.00% …". Ends with a newline.
std::string console_suite_line(const Suite& suite, const SuiteConsoleOptions& options);

/// Each failure: what was expected and found, with which seeds, why, where, and how to run it
/// again. Empty when all passed.
std::string console_failures(const std::vector<Suite>& suites, const SuiteConsoleOptions& options);

/// What the baseline says of each scenario: worse, not clear, improved; then what was not compared.
std::string console_review(const BaselineReview& review, const SuiteConsoleOptions& options);

/// "PASS: 41 scenarios of 20 seeds passed; …". The last line. Ends with a newline.
std::string console_suites_verdict(const std::vector<Suite>& suites, const BaselineReview* review,
                                   const SuiteConsoleOptions& options);

}  // namespace brownout::reports
