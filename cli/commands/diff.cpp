#include "cli/commands/diff.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "cli/print_errors.hpp"
#include "engine/core/document.hpp"
#include "reports/trace/event_diff.hpp"
#include "reports/trace/event_words.hpp"

namespace brownout::cli {
namespace {

struct DiffArguments {
  std::string program;
  std::string a;
  std::string b;
};

// What a file is that is no event log, as far as it says so.
std::string kind_of_document(const std::string& path) {
  const auto document = Document::load(path);
  if (!document) return {};
  const Node* kind = (*document)->root().find("kind");
  return kind != nullptr && kind->type == Node::Type::string ? kind->text : "";
}

// Whoever compares two scenarios, policies or results wants their runs compared.
Error refuse(const std::string& path, const DiffArguments& arguments) {
  const std::string kind = kind_of_document(path);
  std::string message = path + " is no event log";
  if (kind == "scenario") {
    message +=
        fmt::format(" but a scenario; {} run {} --events OUT writes one", arguments.program, path);
  } else if (kind == "policy") {
    message += fmt::format(" but a policy; {} run SCENARIO --policy {} --events OUT writes one",
                           arguments.program, path);
  } else if (kind == "result") {
    message += fmt::format(
        " but a result, which does not hold every event; run it again with --events OUT");
  } else {
    message += fmt::format("; {} run SCENARIO --events OUT writes one", arguments.program);
  }
  return {ErrorKind::invalid, message, {}};
}

// Opens a log, and looks at its first line if it is a file that can be looked at twice.
Result<void> open(const std::string& path, const DiffArguments& arguments, std::ifstream& file) {
  std::error_code ignored;
  errno = 0;
  const bool folder = std::filesystem::is_directory(path, ignored);
  if (!folder) file.open(path, std::ios::binary);
  if (folder || !file) {
    return fail(ErrorKind::environment,
                fmt::format("cannot read {}: {}", path, std::strerror(folder ? EISDIR : errno)));
  }
  if (!std::filesystem::is_regular_file(path, ignored)) return {};
  std::string line;
  if (std::getline(file, line) && !reports::looks_like_event(line)) {
    return tl::unexpected(Errors{refuse(path, arguments)});
  }
  file.clear();
  file.seekg(0);
  return {};
}

ExitCode diff(const DiffArguments& arguments) {
  std::ifstream a;
  std::ifstream b;
  for (const auto& [path, file] : {std::pair{&arguments.a, &a}, std::pair{&arguments.b, &b}}) {
    if (const auto opened = open(*path, arguments, *file); !opened) {
      return print_errors(opened.error());
    }
  }
  const auto found = reports::diff_event_logs({arguments.a, a}, {arguments.b, b});
  if (!found) return print_errors(found.error());
  fmt::print("{}", found->text);
  return found->same ? ExitCode::passed : ExitCode::failed;
}

}  // namespace

void add_diff(CLI::App& program, Request& request) {
  const auto arguments = std::make_shared<DiffArguments>();
  arguments->program = request.program;
  CLI::App* command = program.add_subcommand(
      "diff", "Show the first event where two runs part, and what led there");
  command->add_option("A", arguments->a, "Event log of one run: brownout run … --events A")
      ->required();
  command->add_option("B", arguments->b, "Event log of the other")->required();
  command->callback(
      [arguments, &request] { request.action = [arguments] { return diff(*arguments); }; });
}

}  // namespace brownout::cli
