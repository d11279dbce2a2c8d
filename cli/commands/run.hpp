#pragma once

#include "cli/request.hpp"

namespace brownout::cli {

/// brownout run FILE…: flies a policy through scenarios and says whether it held. All files are
/// loaded and bound before the first run begins.
void add_run(CLI::App& program, Request& request);

}  // namespace brownout::cli
