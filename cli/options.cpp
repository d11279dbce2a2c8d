#include "cli/options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <sstream>

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

}  // namespace brownout::cli
