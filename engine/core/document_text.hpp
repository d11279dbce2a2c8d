#pragma once

// Characters of a document: UTF-8 as bytes, as columns, and as what a terminal may be shown.

#include <string>
#include <string_view>
#include <vector>

namespace brownout {

/// The largest file a Document is made of, in bytes.
inline constexpr std::size_t most_document_bytes = std::size_t{16} << 20;

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_word(char c) {
  return is_digit(c) || is_letter(c) || c == '_';
}
/// Whether `text` is a name as read_name() takes them.
constexpr bool is_name(std::string_view text) {
  for (const char c : text) {
    if (!is_word(c) && c != '.' && c != '-') return false;
  }
  return !text.empty();
}
/// What names are made of, for messages.
inline constexpr std::string_view name_letters = "a name is made of letters, digits and . - _";

constexpr bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
constexpr bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

/// Bytes of the well-formed UTF-8 character at `at` (Unicode 15, table 3-7); 0 if there is none.
std::size_t character_length(std::string_view text, std::size_t at);

/// The characters of `text`, in order; a byte that belongs to none stands alone.
std::vector<std::string_view> characters(std::string_view text);

/// One character as a terminal may see it.
std::string_view printable(std::string_view character);

/// Whether a document is a connections file, or might be one that says so wrongly: whether it holds
/// one of the words of such files, in quotes. Keys have been written into them by mistake.
bool may_hold_keys(std::string_view text);

/// A line of JSON in which `*` stands for every character of a value, but for bytes from `begin` to
/// `end` when those lie within one of them. Names of members are shown, and what is neither.
std::string without_values(std::string_view line, std::size_t begin, std::size_t end);

/// `text` in double quotes, fit for a message: shortened, and nothing a terminal might obey.
std::string quoted(std::string_view text);

}  // namespace brownout
