#pragma once

#include "cli/request.hpp"

namespace brownout::cli {

/// brownout policy show FILE…: each policy's layers with their effective settings, and on standard
/// error what in it may not do what its author thinks.
void add_policy(CLI::App& program, Request& request);

}  // namespace brownout::cli
