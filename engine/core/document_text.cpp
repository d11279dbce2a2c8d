#include "engine/core/document_text.hpp"

#include <algorithm>

namespace brownout {
namespace {

constexpr std::size_t longest_quote = 40;  // characters of a string a message repeats
constexpr std::string_view replacement = "\xEF\xBF\xBD";
constexpr std::string_view ellipsis = "\xE2\x80\xA6";

}  // namespace

std::size_t character_length(std::string_view text, std::size_t at) {
  const auto within = [&](std::size_t offset, unsigned low, unsigned high) {
    if (at + offset >= text.size()) return false;
    const auto byte = static_cast<unsigned char>(text[at + offset]);
    return byte >= low && byte <= high;
  };
  const auto continues = [&](std::size_t offset) { return within(offset, 0x80, 0xBF); };
  if (within(0, 0x00, 0x7F)) return 1;
  if (within(0, 0xC2, 0xDF)) return continues(1) ? 2 : 0;
  if (within(0, 0xE0, 0xEF)) {
    const bool second = within(0, 0xE0, 0xE0)   ? within(1, 0xA0, 0xBF)
                        : within(0, 0xED, 0xED) ? within(1, 0x80, 0x9F)
                                                : continues(1);
    return second && continues(2) ? 3 : 0;
  }
  if (within(0, 0xF0, 0xF4)) {
    const bool second = within(0, 0xF0, 0xF0)   ? within(1, 0x90, 0xBF)
                        : within(0, 0xF4, 0xF4) ? within(1, 0x80, 0x8F)
                                                : continues(1);
    return second && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> result;
  for (std::size_t at = 0; at < text.size(); at += result.back().size()) {
    result.push_back(text.substr(at, std::max<std::size_t>(1, character_length(text, at))));
  }
  return result;
}

std::string_view printable(std::string_view character) {
  if (character == "\t") return character;
  if (is_control(character.front()) || character_length(character, 0) == 0) return replacement;
  return character;
}

bool may_hold_keys(std::string_view text) {
  constexpr std::string_view words[] = {"\"connections\"", "\"url\"", "\"headers\"",
                                        "\"key_variable\"", "\"key_variables\""};
  return std::ranges::any_of(words,
                             [&](std::string_view word) { return text.find(word) != text.npos; });
}

namespace {

// The end of the string that begins at a quote: its last quote, or the line's end.
std::size_t end_of_string(std::string_view line, std::size_t at) {
  for (++at; at < line.size() && line[at] != '"'; ++at) {
    if (line[at] == '\\') ++at;
  }
  return std::min(at, line.size());
}

bool is_name_of_member(std::string_view line, std::size_t end) {
  for (++end; end < line.size() && is_space(line[end]);) ++end;
  return end < line.size() && line[end] == ':';
}

constexpr std::string_view marks = "{}[],:\"";

}  // namespace

std::string without_values(std::string_view line, std::size_t begin, std::size_t end) {
  std::string masked(line);
  // Masks a value, from `from` to `to`, unless it is the one that was asked for.
  const auto mask = [&](std::size_t from, std::size_t to) {
    const bool is_whole = from == 0 || line[from - 1] != '"' || to < line.size();
    const bool is_wanted = is_whole && from <= begin + 1 && begin < to && end <= to + 1;
    for (std::size_t i = from; i < to; ++i) {
      if (!is_wanted || i < begin || i >= end) masked[i] = '*';
    }
  };
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] == '"') {
      const std::size_t last = end_of_string(line, at);
      if (!is_name_of_member(line, last)) mask(at + 1, last);
      at = last;
    } else if (!is_space(line[at]) && marks.find(line[at]) == marks.npos) {
      std::size_t last = at;
      while (last < line.size() && !is_space(line[last]) && marks.find(line[last]) == marks.npos) {
        ++last;
      }
      mask(at, last);
      at = last - 1;
    }
  }
  return masked;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  std::size_t shown = 0;
  for (const std::string_view character : characters(text)) {
    if (++shown > longest_quote) {
      result += ellipsis;
      break;
    }
    result += character == "\t" ? replacement : printable(character);
  }
  return result + "\"";
}

}  // namespace brownout
