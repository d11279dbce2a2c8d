#pragma once

// The program as its parser knows it: what completion and the manual page are written from, so that
// neither can go stale.

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace brownout::cli {

/// What may stand in a place of the command line.
struct Values {
  bool files = false;
  std::vector<std::string> words;  ///< these and nothing else, unless `files` as well
};

struct OptionModel {
  std::vector<std::string> names;  ///< "-q", "--quiet": short ones first
  std::string value;               ///< "FILE", "fifo|random"; empty for a flag
  std::string description;
  Values values;
};

struct PositionalModel {
  std::string name;  ///< "FILE"
  std::string description;
  bool required = false;
  bool repeated = false;
  Values values;
};

struct CommandModel {
  std::vector<std::string> path;  ///< "policy", "show"; empty for the program itself
  std::string description;
  std::vector<OptionModel> options;
  std::vector<PositionalModel> positionals;
  std::vector<std::string> subcommands;  ///< by name

  /// The last of its path.
  const std::string& name() const { return path.back(); }
};

/// The program, and every subcommand that its help lists, each before its own subcommands.
///
/// A value is a file when its type is called FILE, OUT or DIR; words when the option came from
/// one_of(); a name of the glossary when it is called WORD. Positional arguments are files unless
/// they are one of the others.
std::vector<CommandModel> model_of(const CLI::App& program);

}  // namespace brownout::cli
