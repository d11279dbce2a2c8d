#pragma once

#include "cli/request.hpp"

namespace brownout::cli {

/// Adds `brownout test POLICY --scenarios DIR`: the gate of a CI job.
void add_test(CLI::App& program, Request& request);

}  // namespace brownout::cli
