#pragma once

#include <string>

#include "engine/core/result.hpp"

namespace brownout::cli {

/// Whether this runs as a step of a GitHub job: GITHUB_ACTIONS is "true".
bool is_github_job();

/// The file GitHub shows as the step's summary: GITHUB_STEP_SUMMARY; empty if there is none.
std::string step_summary_path();

/// Appends to that file: other programs of the step may have written to it. Errors: environment.
Result<void> append_to(const std::string& path, const std::string& text);

}  // namespace brownout::cli
