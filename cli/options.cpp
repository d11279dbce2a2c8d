#include "cli/options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <sstream>

#include "cli/flight.hpp"

namespace brownout::cli {

CLI::Option* one_of(CLI::Option* option, const std::vector<std::string>& words) {
  // The type name lists them already; the check's own description would list them again.
  return option->check(CLI::IsMember(words).description(""))
      ->type_name(fmt::format("{}", fmt::join(words, "|")));
}

std::vector<std::string> words_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  std::vector<std::string> words;
  if (type.find('|') == type.npos) return words;
  std::istringstream stream(type);
  for (std::string word; std::getline(stream, word, '|');) words.push_back(word);
  return words;
}

std::string check_speed(const std::string& text) {
  double speed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), speed);
  const bool is_number = error == std::errc{} && end == text.data() + text.size();
  return is_number && speed >= 0.001 && speed <= 100'000 ? ""
                                                         : "expected a number from 0.001 to 100000";
}

void add_policy_option(CLI::App& command, std::string& policy) {
  command.add_option("--policy", policy, "Policy file, instead of the scenario's own")
      ->type_name("FILE");
}

void add_bind_option(CLI::App& command, std::vector<std::string>& bindings) {
  command.add_option("--bind", bindings, "Where a route goes, instead of by its role")
      ->type_name("ROUTE=PROVIDER/MODEL")
      ->allow_extra_args(false);
}

void add_seed_option(CLI::App& command, std::optional<std::uint64_t>& seed) {
  command.add_option("--seed", seed, "Seed of every draw, instead of the scenario's own")
      ->check(CLI::Validator(check_seed, ""))
      ->type_name("N");
}

}  // namespace brownout::cli
