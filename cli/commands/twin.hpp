#pragma once

#include "cli/request.hpp"

namespace brownout::cli {

/// Adds `twin`: a scenario in virtual time and over HTTP, compared call by call.
void add_twin(CLI::App& program, Request& request);

}  // namespace brownout::cli
