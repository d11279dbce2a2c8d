#include "mockserver/wire/fill.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace brownout::mock::wire {
namespace {

std::size_t name_length(std::string_view text) {
  const auto in_name = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), in_name) -
                                  text.begin());
}

// Whether every placeholder had a value.
bool fill_known(std::string_view text, const Values& values, std::string& out) {
  bool complete = true;
  for (;;) {
    const std::size_t dollar = text.find('$');
    out += text.substr(0, dollar);
    if (dollar == std::string_view::npos) return complete;
    text.remove_prefix(dollar + 1);
    const std::string_view name = text.substr(0, name_length(text));
    text.remove_prefix(name.size());
    if (const std::string* value = values.find(name)) {
      out += *value;
    } else {
      complete = false;
      out += '$';
      out += name;
    }
  }
}

}  // namespace

void Values::set(std::string_view name, std::string value) {
  values_.emplace_back(name, std::move(value));
}

void Values::set(std::string_view name, std::uint64_t value) {
  set(name, fmt::format_int(value).str());
}

const std::string* Values::find(std::string_view name) const {
  const auto named = [name](const auto& entry) { return entry.first == name; };
  const auto found = std::find_if(values_.begin(), values_.end(), named);
  return found == values_.end() ? nullptr : &found->second;
}

void fill(std::string_view text, const Values& values, std::string& out) {
  fill_known(text, values, out);
}

std::string filled(std::string_view text, const Values& values) {
  std::string out;
  fill_known(text, values, out);
  return out;
}

std::optional<std::string> filled_completely(std::string_view text, const Values& values) {
  std::string out;
  if (!fill_known(text, values, out)) return std::nullopt;
  return out;
}

std::string json_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (byte < 0x20 || c == '$') {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

DeltaTemplate::DeltaTemplate(std::string_view text) {
  constexpr std::string_view text_name = "$text";
  constexpr std::string_view sequence_name = "$sequence";
  for (;;) {
    const std::size_t at = std::min(text.find(text_name), text.find(sequence_name));
    Part& part = parts_.emplace_back();
    part.before = text.substr(0, at);
    if (at == std::string_view::npos) return;
    text.remove_prefix(at);
    const bool is_text = text.substr(0, text_name.size()) == text_name;
    part.then = is_text ? Part::Then::text : Part::Then::sequence;
    text.remove_prefix(is_text ? text_name.size() : sequence_name.size());
  }
}

void DeltaTemplate::append(std::string_view text, std::uint64_t sequence, std::string& out) const {
  for (const Part& part : parts_) {
    out += part.before;
    if (part.then == Part::Then::text) out += text;
    if (part.then == Part::Then::sequence) {
      const fmt::format_int digits(sequence);
      out.append(digits.data(), digits.size());
    }
  }
}

}  // namespace brownout::mock::wire
