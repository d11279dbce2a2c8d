#pragma once

#include "cli/request.hpp"

namespace brownout::cli {

/// brownout man, which no help lists: prints the manual page, for the build to install.
void add_man(CLI::App& program, Request& request);

}  // namespace brownout::cli
