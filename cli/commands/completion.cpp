#include "cli/commands/completion.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/completion.hpp"
#include "cli/options.hpp"

namespace brownout::cli {
namespace {

ExitCode print_completion(const CLI::App& program, const std::string& shell) {
  const auto commands = model_of(program);
  fmt::print("{}", shell == "bash"  ? bash_completion(commands)
                   : shell == "zsh" ? zsh_completion(commands)
                                    : fish_completion(commands));
  return ExitCode::passed;
}

}  // namespace

void add_completion(CLI::App& program, Request& request) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* command =
      program.add_subcommand("completion", "Print a script that completes commands");
  one_of(command->add_option("SHELL", *shell, "The shell it is for")->required(),
         {"bash", "zsh", "fish"});
  command->footer(
      "for this session:\n"
      "  source <(brownout completion bash)\n"
      "  source <(brownout completion zsh)\n"
      "  brownout completion fish | source");
  command->callback([shell, &program, &request] {
    request.action = [shell, &program] { return print_completion(program, *shell); };
  });
}

}  // namespace brownout::cli
