#pragma once

#include "cli/request.hpp"

namespace brownout::cli {

/// Adds `serve`: the scripted provider on a socket.
void add_serve(CLI::App& program, Request& request);

}  // namespace brownout::cli
