#pragma once

#include <string>
#include <vector>

#include "cli/exit_code.hpp"

namespace brownout::cli {

/// brownout check: reads scenarios and policies and reports everything that is wrong with them; for
/// a scenario that names a policy, also whether the two fit.
ExitCode check_command(const std::vector<std::string>& paths);

}  // namespace brownout::cli
