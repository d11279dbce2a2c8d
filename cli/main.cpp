// The command line: parsing and nothing else.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "cli/check_command.hpp"
#include "cli/metrics.hpp"
#include "cli/policy_command.hpp"
#include "cli/run_command.hpp"
#include "engine/core/document.hpp"

namespace brownout::cli {
namespace {

constexpr const char* purpose =
    "A wind tunnel for LLM resilience policies: a scripted provider plays outages, rate limits "
    "and\n"
    "latency against the production engine on a virtual clock.";

constexpr const char* examples = R"(examples:
  brownout run scenarios/openai-control-plane-collapse.json
  brownout run scenarios/tpm-30k.json --policy scenarios/policies/guide-layered.json --seed 7
  brownout policy show scenarios/policies/recommended.json
  brownout check scenarios)";

// As a scenario's own seed: exact in every JSON reader. Without this, -1 would be taken for 2^64
// - 1.
std::string check_seed(const std::string& text) {
  constexpr std::string_view most = "9007199254740991";
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  const bool small = text.size() < most.size() || (text.size() == most.size() && text <= most);
  return digits && small ? "" : fmt::format("expected a whole number from 0 to {}", most);
}

void add_run(CLI::App& app, RunArguments& arguments) {
  CLI::App* run =
      app.add_subcommand("run", "Fly a policy through scenarios and say whether it held");
  run->add_option("FILE", arguments.paths, "Scenario files, or folders of them")->required();
  run->add_option("--policy", arguments.policy, "Policy file, instead of the scenario's own")
      ->type_name("FILE");
  run->add_option("--bind", arguments.bindings, "Where a route goes, instead of by its role")
      ->type_name("ROUTE=PROVIDER/MODEL")
      ->allow_extra_args(false);
  run->add_option("--seed", arguments.seed, "Seed of every draw, instead of the scenario's own")
      ->check(CLI::Validator(check_seed, ""))
      ->type_name("N");
  run->add_option("--json", arguments.json, "Write the results there; - is standard output")
      ->type_name("OUT");
  run->add_option("--events", arguments.events, "Write every event there, one JSON object a line")
      ->type_name("OUT");
  if (metrics_are_built_in()) {
    run->add_option("--metrics", arguments.metrics,
                    "Write the engine's metrics there at the end, as Prometheus would read them")
        ->type_name("OUT");
  }
  run->add_option_function<std::string>(
         "--ties", [&](const std::string& word) { arguments.random_ties = word == "random"; },
         "Order of simultaneous events: fifo (default), or random by seed")
      ->check(CLI::IsMember({"fifo", "random"}))
      ->type_name("fifo|random");
  run->add_flag("--verify", arguments.verify, "Run everything twice and compare to the last event");
  run->add_flag("--quiet,-q", arguments.quiet, "One line per scenario");
}

// A file opened while a standard stream is closed would take its number, and its text.
void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) == -1) ::open("/dev/null", O_RDWR);
  }
}

ExitCode refuse(const CLI::App& app, std::string_view what, std::string_view command,
                std::string_view subcommand) {
  fmt::print(stderr, "error: {}\n", what);
  const auto parsed = app.get_subcommands();
  if (parsed.empty() && !command.empty() && !command.starts_with('-')) {
    fmt::print(stderr, "{}\n", expected_one_of(command, {"run", "check", "policy"}));
  }
  if (command == "policy" && parsed.size() == 1 && parsed.front()->get_subcommands().empty()) {
    fmt::print(stderr, "{}\n", expected_one_of(subcommand, {"show"}));
  }
  fmt::print(stderr, "See brownout {}--help.\n",
             parsed.empty() ? "" : parsed.front()->get_name() + " ");
  return ExitCode::invalid;
}

ExitCode main(int argc, char** argv) {
  CLI::App app{purpose};
  app.name("brownout");
  app.footer(examples);
  app.set_version_flag("--version", "brownout " BROWNOUT_VERSION);
  app.require_subcommand(0, 1);

  RunArguments run_arguments;
  run_arguments.program = argv[0];
  add_run(app, run_arguments);
  std::vector<std::string> check_paths;
  CLI::App* check =
      app.add_subcommand("check", "Report everything wrong with scenarios and policies");
  check->add_option("FILE", check_paths, "Scenario or policy files, or folders of them")
      ->required();

  std::vector<std::string> policy_paths;
  CLI::App* policy = app.add_subcommand("policy", "Look at policies");
  policy->require_subcommand(1);
  CLI::App* show = policy->add_subcommand("show", "Print layers with their effective settings");
  show->add_option("FILE", policy_paths, "Policy files, or folders of them")->required();

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error), ExitCode::passed;  // --help, --version
    return refuse(app, error.what(), argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "");
  }
  if (app.got_subcommand("run")) return run_command(run_arguments);
  if (app.got_subcommand(check)) return check_command(check_paths);
  if (policy->got_subcommand(show)) return policy_show_command(policy_paths);
  fmt::print("{}", app.help());
  return ExitCode::passed;
}

}  // namespace
}  // namespace brownout::cli

int main(int argc, char** argv) {
  using brownout::cli::ExitCode;
  brownout::cli::open_standard_streams();
  ExitCode code = ExitCode::environment;
  try {
    code = brownout::cli::main(argc, argv);
  } catch (const std::exception& error) {
    // What reaches this place is a stream that cannot be written: fmt throws, stdio does not.
    std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(ExitCode::environment);
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fputs("error: cannot write to standard output\n", stderr);
    code = brownout::cli::worse(code, ExitCode::environment);
  }
  return static_cast<int>(code);
}
