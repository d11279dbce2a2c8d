#pragma once

#include <string>
#include <vector>

#include "cli/exit_code.hpp"

namespace brownout::cli {

/// `brownout policy show FILE…`: each policy's layers with their effective settings, and on
/// standard error what in it may not do what its author thinks.
ExitCode policy_show_command(const std::vector<std::string>& paths);

}  // namespace brownout::cli
