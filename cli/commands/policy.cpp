#include "cli/commands/policy.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/input_files.hpp"
#include "cli/print_errors.hpp"
#include "engine/policy_file/policy_traps.hpp"

namespace brownout::cli {
namespace {

ExitCode show(const std::vector<std::string>& paths) {
  const auto files = expand(paths, {FileKind::policy});
  if (!files) return print_errors(files.error());
  if (files->empty()) {
    fmt::print(stderr, "no policies found\n");
    return ExitCode::nothing_ran;
  }
  ExitCode code = ExitCode::passed;
  bool first = true;
  for (const std::string& file : *files) {
    const auto policy = load_policy(file);
    if (!policy) {
      code = worse(code, print_errors(policy.error()));
      continue;
    }
    fmt::print("{}{}", first ? "" : "\n", describe(*policy));
    first = false;
    print_warnings(find_traps(*policy).take());
  }
  return code;
}

}  // namespace

void add_policy(CLI::App& program, Request& request) {
  const auto paths = std::make_shared<std::vector<std::string>>();
  CLI::App* policy = program.add_subcommand("policy", "Look at policies");
  policy->require_subcommand(1);
  CLI::App* command = policy->add_subcommand("show", "Print layers with their effective settings");
  command->add_option("FILE", *paths, "Policy files, or folders of them")->required();
  command->callback([paths, &request] { request.action = [paths] { return show(*paths); }; });
}

}  // namespace brownout::cli
