#include "cli/commands/man.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "cli/program_model.hpp"
#include "reports/glossary/glossary.hpp"

namespace brownout::cli {
namespace {

// Text as roff prints it: no line is taken for a request, no hyphen for a dash.
std::string roff(std::string_view text) {
  std::string escaped;
  for (const char letter : text) {
    const bool begins_line = escaped.empty() || escaped.back() == '\n';
    if (begins_line && (letter == '.' || letter == '\'')) escaped += "\\&";
    if (letter == '\\') {
      escaped += "\\e";
    } else if (letter == '-') {
      escaped += "\\-";
    } else {
      escaped += letter;
    }
  }
  return escaped;
}

// A paragraph in lines that roff fills again; some who read them want them short.
std::string paragraph(std::string_view text) {
  constexpr std::size_t columns = 75;  // leaves room for what roff() adds
  std::string lines;
  std::size_t width = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find_first_of(" \n"));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    const bool fits = width + 1 + word.size() <= columns;
    if (width > 0) lines += fits ? ' ' : '\n';
    width = width > 0 && fits ? width + 1 + word.size() : word.size();
    lines += word;
  }
  return roff(lines) + "\n";
}

// The same for a description without its full stop.
std::string sentence(const std::string& description) {
  return paragraph(description + ".");
}

std::string full_name(const CommandModel& command) {
  std::string name = "brownout";
  for (const std::string& word : command.path) name += " " + word;
  return name;
}

// "fifo|random" are words to type, "FILE" stands for one.
std::string value(const OptionModel& option) {
  if (option.value.empty()) return {};
  return fmt::format(" \\f{}{}\\fR", option.values.words.empty() ? 'I' : 'B', roff(option.value));
}

std::string synopsis(const CommandModel& command) {
  std::string text = fmt::format("\\fB{}\\fR", roff(full_name(command)));
  if (!command.options.empty()) text += " [\\fIOPTIONS\\fR]";
  for (const PositionalModel& positional : command.positionals) {
    const bool choice = !positional.values.words.empty() && positional.name != "WORD";
    const std::string name =
        choice ? fmt::format("\\fB{}\\fR",
                             roff(fmt::format("{}", fmt::join(positional.values.words, "|"))))
               : fmt::format("\\fI{}\\fR", roff(positional.name));
    const std::string_view dots = positional.repeated ? "..." : "";
    text +=
        positional.required ? fmt::format(" {}{}", name, dots) : fmt::format(" [{}{}]", name, dots);
  }
  return text;
}

std::string options(const CommandModel& command) {
  std::string text;
  for (const OptionModel& option : command.options) {
    const bool helps = option.names.back() == "--help";
    if (helps && !command.path.empty()) continue;  // said once is enough
    text += ".TP\n";
    for (const std::string& name : option.names) {
      text += fmt::format("{}\\fB{}\\fR", &name == &option.names.front() ? "" : ", ", roff(name));
    }
    text += value(option) + "\n" + sentence(option.description);
  }
  return text;
}

std::string commands(const std::vector<CommandModel>& all) {
  std::string text = ".SH COMMANDS\n";
  for (const CommandModel& command : all) {
    if (command.path.empty() || !command.subcommands.empty()) continue;
    text += fmt::format(".SS {}\n{}", synopsis(command), sentence(command.description));
    for (const PositionalModel& positional : command.positionals) {
      text += fmt::format(".TP\n\\fI{}\\fR\n{}", roff(positional.name),
                          sentence(positional.description));
    }
    text += options(command);
  }
  return text;
}

std::string exit_status() {
  std::string text = ".SH EXIT STATUS\n";
  for (const reports::Entry& entry : reports::glossary()) {
    if (entry.kind != reports::EntryKind::exit_code) continue;
    text += fmt::format(".TP\n\\fB{}\\fR\n{}", entry.name, paragraph(entry.sentence));
  }
  return text;
}

// What follows the heading "examples:".
std::string_view examples(std::string_view footer) {
  const auto end = footer.find('\n');
  return end == footer.npos ? "" : footer.substr(end + 1);
}

std::string man_page(const CLI::App& program) {
  const auto models = model_of(program);
  std::string text =
      ".\\\" Written by: brownout man\n"
      ".TH BROWNOUT 1 \"\" \"brownout " BROWNOUT_VERSION
      "\" \"User Commands\"\n"
      ".SH NAME\n"
      "brownout \\- a wind tunnel for LLM resilience policies\n"
      ".SH SYNOPSIS\n"
      "\\fBbrownout\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n";
  text += ".SH DESCRIPTION\n" + paragraph(program.get_description());
  text += ".PP\n";
  text += paragraph(
      "A scenario describes a world: providers, what goes wrong when, who calls, what is expected. "
      "A policy describes what stands between a caller and its providers: retries, breakers, "
      "limits, fallbacks. Both are JSON files. The same seed gives the same run.");
  text += ".SH OPTIONS\n" + options(models.front());
  text += commands(models);
  text += exit_status();
  std::string codes;
  for (const ExitCode code : exit_codes) {
    codes += fmt::format("{}{}", codes.empty() ? "" : ", ", static_cast<int>(code));
  }
  text += ".PP\n" + paragraph("Of several, the gravest is returned: " + codes + ".");
  text +=
      ".SH ENVIRONMENT\n"
      ".TP\n"
      "\\fBNO_COLOR\\fR\n"
      "When it is set to anything, nothing is coloured, on terminals either.\n"
      ".SH EXAMPLES\n"
      ".nf\n";
  text += roff(examples(program.get_footer())) + "\n.fi\n";
  text +=
      ".SH SEE ALSO\n"
      "\\fBbrownout explain\\fR says what every metric, outcome, exit code and word of a report\n"
      "means, without a network.\n";
  return text;
}

}  // namespace

void add_man(CLI::App& program, Request& request) {
  CLI::App* command = program.add_subcommand("man", "Print the manual page");
  command->group("");
  command->callback([&program, &request] {
    request.action = [&program] {
      fmt::print("{}", man_page(program));
      return ExitCode::passed;
    };
  });
}

}  // namespace brownout::cli
