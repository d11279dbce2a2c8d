#pragma once

#include <functional>
#include <string>

#include "cli/exit_code.hpp"

namespace CLI {
class App;
}

namespace brownout::cli {

/// What a command line asks for.
///
/// Each subcommand's file has a function `void add_…(CLI::App& program, Request& request)` that
/// adds the subcommand to the program and makes it set `action` when it is the one that was named;
/// main.cpp lists these functions. Both arguments outlive the action.
struct Request {
  std::string program;               ///< as it was called, for commands to be copied
  std::function<ExitCode()> action;  ///< empty: no subcommand was named
};

}  // namespace brownout::cli
