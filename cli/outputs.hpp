#pragma once

// The files a command writes: all that were asked for are opened before anything runs, and each is
// written in full or not at all.

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "cli/exit_code.hpp"
#include "cli/output_file.hpp"
#include "engine/core/result.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace brownout::cli {

/// Whether two paths lead to one file, be it there or not yet.
bool same_place(const std::string& a, const std::string& b);

class Outputs {
 public:
  /// How many runs one file can hold.
  enum class Holds { one, many };

  /// Adds an option such as "--json OUT" to a command. `option` lives as long as the program.
  CLI::Option* add(CLI::App& command, std::string_view option, const std::string& description,
                   Holds holds);

  /// Opens what was asked for. Errors: invalid, when two go to one place, one would overwrite one
  /// of `inputs`, or one that holds one run would have to hold `runs`; environment.
  Result<void> open(std::size_t runs, const std::vector<std::string>& inputs);

  /// The file of an option, or null if it was not given. Requires: opened.
  OutputFile* file(std::string_view option);
  bool is_given(std::string_view option) const;
  /// Where it goes; empty if it was not given.
  const std::string& path(std::string_view option) const { return find(option).path; }

  /// Whether one of them is standard output, which must not be mixed with other text then.
  bool take_standard_output() const;

  /// Puts all files in place and prints what could not be written.
  ExitCode commit();

 private:
  struct Output {
    std::string_view option;
    Holds holds;
    std::string path;  // empty: not asked for
    OutputFile file{};
  };
  Result<void> check(const Output& output, std::size_t runs,
                     const std::vector<std::string>& inputs) const;
  const Output& find(std::string_view option) const;

  std::deque<Output> outputs_;  // CLI11 keeps references to the paths
};

}  // namespace brownout::cli
