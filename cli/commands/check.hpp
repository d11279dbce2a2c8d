#pragma once

#include "cli/request.hpp"

namespace brownout::cli {

/// brownout check FILE…: reads scenarios and policies and reports everything that is wrong with
/// them; for a scenario that names a policy, also whether the two fit.
void add_check(CLI::App& program, Request& request);

}  // namespace brownout::cli
