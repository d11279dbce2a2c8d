#include "cli/commands/check.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/input_files.hpp"
#include "cli/print_errors.hpp"
#include "engine/connections/connections.hpp"
#include "engine/policy_file/policy_traps.hpp"
#include "sim/scenario.hpp"

namespace brownout::cli {
namespace {

// Everything wrong with a scenario, or between it and the policy it names.
Errors check_scenario(const std::string& path) {
  const auto scenario = sim::load_scenario(path);
  if (!scenario) return scenario.error();
  if (scenario->policy_path.empty()) return {};
  const auto policy = load_policy_of(*scenario);
  if (!policy) return policy.error();
  const auto bound = sim::bind(*scenario, *policy, {});
  return bound ? Errors{} : bound.error();
}

// A policy that is right may still hold traps.
Errors check_policy(const std::string& path) {
  const auto policy = load_policy(path);
  if (!policy) return policy.error();
  print_warnings(find_traps(*policy).take());
  return {};
}

Errors check_file(const std::string& path) {
  const auto kind = kind_of(path);
  if (!kind) return kind.error();
  switch (*kind) {
    case FileKind::scenario:
      return check_scenario(path);
    case FileKind::policy:
      return check_policy(path);
    case FileKind::connections: {
      const auto connections = load_connections(path);
      if (!connections) return connections.error();
      print_warnings(find_traps(*connections).take());
      return {};
    }
    case FileKind::other:
      break;
  }
  // Reading it as a scenario says what is wrong with its "kind".
  return check_scenario(path);
}

ExitCode check(const std::vector<std::string>& paths) {
  const auto files = expand(paths, {FileKind::scenario, FileKind::policy, FileKind::connections});
  if (!files) return print_errors(files.error());
  if (files->empty()) {
    fmt::print(stderr, "no scenarios, policies or connections found\n");
    return ExitCode::nothing_ran;
  }
  ExitCode code = ExitCode::passed;
  for (const std::string& file : *files) {
    const Errors errors = check_file(file);
    if (errors.empty()) {
      fmt::print("ok  {}\n", file);
    } else {
      code = worse(code, print_errors(errors));
    }
  }
  return code;
}

}  // namespace

void add_check(CLI::App& program, Request& request) {
  const auto paths = std::make_shared<std::vector<std::string>>();
  CLI::App* command = program.add_subcommand(
      "check", "Report everything wrong with scenarios, policies and connections");
  command->add_option("FILE", *paths, "Scenario, policy or connections files, or folders of them")
      ->required();
  command->callback([paths, &request] { request.action = [paths] { return check(*paths); }; });
}

}  // namespace brownout::cli
