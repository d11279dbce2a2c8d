#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace brownout::cli {

/// Makes an option take one of these words and no other. Help, completion and the manual page list
/// them.
CLI::Option* one_of(CLI::Option* option, const std::vector<std::string>& words);

/// The words such an option takes; empty for every other.
std::vector<std::string> words_of(const CLI::Option& option);

/// Whether this is how many times as fast real time may play a scenario: "" or what was expected.
/// For CLI11's validators, whose ranges let through what is no number.
std::string check_speed(const std::string& text);

/// Options that several commands have, and mean alike in each.
void add_policy_option(CLI::App& command, std::string& policy);
void add_bind_option(CLI::App& command, std::vector<std::string>& bindings);
void add_seed_option(CLI::App& command, std::optional<std::uint64_t>& seed);

}  // namespace brownout::cli
