#include "cli/without_http.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "cli/commands/serve.hpp"
#include "cli/commands/twin.hpp"
#include "cli/print_errors.hpp"

namespace brownout::cli {
namespace {

// A command that takes every line and says why it does nothing.
void add_missing(CLI::App& program, Request& request, const std::string& name) {
  CLI::App* command = program.add_subcommand(name, "Not in this build, which has no HTTP");
  command->allow_extras();
  command->callback([&request, name] {
    request.action = [name] {
      return print_errors({{ErrorKind::environment, without_http(name), {}}});
    };
  });
}

}  // namespace

std::string without_http(std::string_view what) {
  return fmt::format("this program was built without HTTP (BROWNOUT_HTTP=OFF), and {} needs it",
                     what);
}

void add_serve(CLI::App& program, Request& request) {
  add_missing(program, request, "serve");
}

void add_twin(CLI::App& program, Request& request) {
  add_missing(program, request, "twin");
}

}  // namespace brownout::cli
