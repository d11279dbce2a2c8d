// The command line: which subcommands there are, and what is said of a line that is none.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands/check.hpp"
#include "cli/commands/compare.hpp"
#include "cli/commands/completion.hpp"
#include "cli/commands/diff.hpp"
#include "cli/commands/explain.hpp"
#include "cli/commands/man.hpp"
#include "cli/commands/new.hpp"
#include "cli/commands/policy.hpp"
#include "cli/commands/report.hpp"
#include "cli/commands/run.hpp"
#include "cli/commands/serve.hpp"
#include "cli/commands/test.hpp"
#include "cli/commands/twin.hpp"
#include "engine/core/document.hpp"

namespace brownout::cli {
namespace {

// In the order of the help, one to a line.
// clang-format off
constexpr void (*add_commands[])(CLI::App&, Request&) = {
    add_run,
    add_test,
    add_compare,
    add_serve,
    add_twin,
    add_report,
    add_diff,
    add_check,
    add_policy,
    add_new,
    add_explain,
    add_completion,
    add_man,
};
// clang-format on

constexpr const char* purpose =
    "A wind tunnel for LLM resilience policies: a scripted provider plays outages, rate limits and"
    "\nlatency against the production engine on a virtual clock.";

constexpr const char* examples = R"(examples:
  brownout new my-outage                a scenario and a policy to begin with
  brownout run my-outage.json           fly the policy through it
  brownout explain attempts_per_call    what a word of a report means)";

constexpr const char* where_docs_are =
    R"(brownout --help lists the commands, brownout COMMAND --help their options.
The documentation lies in docs/ beside the sources; docs/guide is where to begin.)";

// A file opened while a standard stream is closed would take its number, and its text.
void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) == -1) ::open("/dev/null", O_RDWR);
  }
}

// The subcommands a user may name: those in no group of the help are not for them.
std::vector<const CLI::App*> subcommands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

// The innermost subcommand named at the beginning of `words`, which are left with what follows it.
const CLI::App* named_by(std::span<char*>& words, const CLI::App* app) {
  if (words.empty()) return app;
  for (const CLI::App* command : subcommands_of(*app)) {
    if (command->get_name() != words.front()) continue;
    words = words.subspan(1);
    return named_by(words, command);
  }
  return app;
}

std::string full_name(const CLI::App* command) {
  const CLI::App* parent = command->get_parent();
  return (parent != nullptr ? full_name(parent) + " " : "") + command->get_name();
}

ExitCode refuse(const CLI::App& app, std::string_view what, std::span<char*> words) {
  fmt::print(stderr, "error: {}\n", what);
  const CLI::App* command = named_by(words, &app);
  const std::string_view word = words.empty() ? "" : words.front();
  std::vector<std::string_view> names;
  for (const CLI::App* sub : subcommands_of(*command)) names.push_back(sub->get_name());
  if (!names.empty() && !word.starts_with('-') && (!word.empty() || command != &app)) {
    fmt::print(stderr, "{}\n", expected_one_of(word, names));
  }
  fmt::print(stderr, "See {} --help.\n", full_name(command));
  return ExitCode::invalid;
}

ExitCode main(int argc, char** argv) {
  CLI::App app{purpose};
  app.name("brownout");
  app.set_version_flag("--version", "brownout " BROWNOUT_VERSION);
  app.require_subcommand(0, 1);
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  Request request{arguments.front(), {}};
  for (const auto add : add_commands) add(app, request);
  app.footer(examples);  // after them, or each would have it too

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error), ExitCode::passed;  // --help, --version
    return refuse(app, error.what(), arguments.subspan(1));
  }
  if (request.action) return request.action();
  fmt::print("{}\n\n{}\n\n{}\n", purpose, examples, where_docs_are);
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
