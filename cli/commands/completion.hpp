#pragma once

#include "cli/request.hpp"

namespace brownout::cli {

/// brownout completion bash|zsh|fish: prints a script for the shell.
void add_completion(CLI::App& program, Request& request);

}  // namespace brownout::cli
