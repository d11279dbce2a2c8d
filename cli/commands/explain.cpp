#include "cli/commands/explain.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/document_text.hpp"
#include "reports/glossary/glossary.hpp"

namespace brownout::cli {
namespace {

using reports::Entry;

// Several words may be one name ("retry budget", "exit-code 4") or each a name of its own.
std::vector<std::string> names_of(const std::vector<std::string>& words) {
  const std::string together = fmt::format("{}", fmt::join(words, " "));
  return reports::find_entries(together).empty() ? words : std::vector{together};
}

ExitCode explain(const std::vector<std::string>& words) {
  if (words.empty()) {
    fmt::print("{}\nbrownout explain NAME says what one of them means.\n", reports::list_entries());
    return ExitCode::passed;
  }
  ExitCode code = ExitCode::passed;
  std::vector<const Entry*> entries;
  for (const std::string& name : names_of(words)) {
    const auto found = reports::find_entries(name);
    entries.insert(entries.end(), found.begin(), found.end());
    if (!found.empty()) continue;
    code = ExitCode::invalid;
    const auto near = reports::nearest_entry(name);
    fmt::print(stderr, "error: there is nothing called {} to explain\n{}\n", brownout::quoted(name),
               near ? fmt::format("did you mean {}?", brownout::quoted(*near))
                    : "brownout explain lists all names");
  }
  for (const Entry* entry : entries) {
    fmt::print("{}{}", entry == entries.front() ? "" : "\n", reports::explain(*entry));
  }
  return code;
}

}  // namespace

void add_explain(CLI::App& program, Request& request) {
  const auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* command = program.add_subcommand(
      "explain", "Say what a metric, an outcome, an exit code or a word means");
  command->add_option("WORD", *words, "As it stands in a report or a file; none: list them all");
  command->callback([words, &request] { request.action = [words] { return explain(*words); }; });
}

}  // namespace brownout::cli
