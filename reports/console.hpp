#pragma once

// A result as text for people: the verdict first, then the reasons.

#include <string>

#include "engine/core/time.hpp"
#include "sim/result.hpp"

namespace brownout::reports {

struct ConsoleOptions {
  bool color = false;
  /// The command that runs the same again; printed when something failed. Empty: none.
  std::string replay;
};

/// One line: "PASS  healthy  with recommended". Ends with a newline.
std::string console_verdict(const sim::RunResult& result, const ConsoleOptions& options);

/// The whole summary but for how long it took; the same text for the same result.
/// docs/reference/output.md explains every column.
std::string console_summary(const sim::RunResult& result, const ConsoleOptions& options);

/// "6h simulated in 0.91 s (1.7 M events)"; below 100,000 their exact number. Ends with a newline.
std::string console_speed(const sim::RunResult& result, Duration real_time);

}  // namespace brownout::reports
