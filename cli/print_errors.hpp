#pragma once

#include "cli/exit_code.hpp"
#include "engine/core/result.hpp"

namespace brownout::cli {

/// Prints errors to standard error; returns the exit code they deserve.
ExitCode print_errors(const Errors& errors);

/// Prints them as warnings to standard error.
void print_warnings(const Errors& warnings);

}  // namespace brownout::cli
