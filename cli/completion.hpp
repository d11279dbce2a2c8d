#pragma once

#include <string>
#include <vector>

#include "cli/program_model.hpp"

namespace brownout::cli {

/// Scripts that complete the program's subcommands, options, their values, files and the words of
/// the glossary. A function of the model.
std::string bash_completion(const std::vector<CommandModel>& commands);
std::string zsh_completion(const std::vector<CommandModel>& commands);
std::string fish_completion(const std::vector<CommandModel>& commands);

}  // namespace brownout::cli
