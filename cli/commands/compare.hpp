#pragma once

#include "cli/request.hpp"

namespace brownout::cli {

/// brownout compare --policies FILE… --scenarios PATH…: every policy through every scenario, side
/// by side. Expectations about routes that a policy does not have are left out for it. Not a gate:
/// policies that fail their expectations are what it is for, and its exit code is 0 all the same.
void add_compare(CLI::App& program, Request& request);

}  // namespace brownout::cli
