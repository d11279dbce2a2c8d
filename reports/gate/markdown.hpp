#pragma once

// Results as Markdown, for job summaries and comments on merge requests.

#include <cstddef>
#include <string>
#include <vector>

#include "reports/gate/regression.hpp"
#include "reports/gate/suite.hpp"

namespace brownout::reports {

struct MarkdownOptions {
  /// The text is no longer; what does not fit is left out, and a last line says so. GitHub drops
  /// job summaries over 1 MiB and comments over 65,536 characters. At least 1,000.
  std::size_t bytes_max = 1'000'000;
  const BaselineReview* review = nullptr;  ///< by suite; null: no baseline was asked for
};

/// A table with a row per scenario, then each failure with what was expected and found, where and
/// why, then what the baseline says. Whatever comes from a file is in <code> or a code block, with
/// nothing in it that GitHub or GitLab would take for markup or for a person's name.
std::string to_markdown(const std::vector<Suite>& suites, const MarkdownOptions& options = {});

/// The same of results.
std::string to_markdown(const std::vector<sim::RunResult>& runs);

}  // namespace brownout::reports
