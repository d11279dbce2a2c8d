#pragma once

#include "cli/request.hpp"

namespace brownout::cli {

/// brownout diff A B: the first event where two runs part, and what led there. Ends with 0 when the
/// logs are the same and with 1 when they are not.
void add_diff(CLI::App& program, Request& request);

}  // namespace brownout::cli
