#include "cli/commands/report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "cli/print_errors.hpp"
#include "cli/result_outputs.hpp"
#include "cli/terminal.hpp"
#include "reports/console.hpp"
#include "reports/result/result_document.hpp"

namespace brownout::cli {
namespace {

struct ReportArguments {
  std::vector<std::string> paths;
  Outputs outputs;
  bool quiet = false;
};

ExitCode report(ReportArguments& arguments) {
  std::vector<sim::RunResult> results;
  for (const std::string& path : arguments.paths) {
    auto read = reports::load_results(path);
    if (!read) return print_errors(read.error());
    std::ranges::move(*read, std::back_inserter(results));
  }
  if (results.empty()) {
    fmt::print(stderr, "no results found\n");
    return ExitCode::nothing_ran;
  }
  const auto opened = arguments.outputs.open(results.size(), arguments.paths);
  if (!opened) return print_errors(opened.error());

  std::FILE* const console = arguments.outputs.take_standard_output() ? stderr : stdout;
  ExitCode code = ExitCode::passed;
  for (const sim::RunResult& result : results) {
    const reports::ConsoleOptions options{wants_color(console), result.replay};
    const bool is_first = &result == &results.front();
    if (arguments.quiet) {
      fmt::print(console, "{}", reports::console_verdict(result, options));
    } else {
      fmt::print(console, "{}{}", is_first ? "" : "\n", reports::console_summary(result, options));
    }
    code = worse(code, exit_code(result));
  }
  write_results(results, arguments.outputs);
  return worse(code, arguments.outputs.commit());
}

}  // namespace

void add_report(CLI::App& program, Request& request) {
  const auto arguments = std::make_shared<ReportArguments>();
  CLI::App* command = program.add_subcommand(
      "report", "Show results that were kept with --json, in any other form");
  command->add_option("RESULT", arguments->paths, "Files that run --json has written")->required();
  add_result_outputs(*command, arguments->outputs);
  command->add_flag("--quiet,-q", arguments->quiet, "One line per run");
  command->callback(
      [arguments, &request] { request.action = [arguments] { return report(*arguments); }; });
}

}  // namespace brownout::cli
