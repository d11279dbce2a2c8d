#include "reports/text/json_text.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace brownout::reports {
namespace {

using Json = nlohmann::ordered_json;

std::string compact(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_list_of_scalars(const Json& value) {
  return value.is_array() && std::ranges::all_of(value, &Json::is_primitive);
}

bool fits_on_a_line(const Json& value) {
  return std::ranges::all_of(value, [](const Json& item) {
    return item.is_primitive() || is_list_of_scalars(item) || item.empty();
  });
}

void append_line(const Json& value, std::string& text) {
  if (value.is_primitive()) {
    text += compact(value);
    return;
  }
  text += value.is_array() ? '[' : '{';
  bool first = true;
  for (const auto& [key, item] : value.items()) {
    if (!first) text += ", ";
    first = false;
    if (value.is_object()) text += compact(Json(key)) + ": ";
    append_line(item, text);
  }
  text += value.is_array() ? ']' : '}';
}

void append(const Json& value, std::size_t indent, std::string& text) {
  if (value.is_primitive() || value.empty() || fits_on_a_line(value)) {
    return append_line(value, text);
  }
  text += value.is_array() ? "[\n" : "{\n";
  bool first = true;
  for (const auto& [key, item] : value.items()) {
    if (!first) text += ",\n";
    first = false;
    text.append(indent + 2, ' ');
    if (value.is_object()) text += compact(Json(key)) + ": ";
    append(item, indent + 2, text);
  }
  text += '\n';
  text.append(indent, ' ');
  text += value.is_array() ? ']' : '}';
}

}  // namespace

std::string pretty(const Json& document) {
  std::string text;
  append(document, 0, text);
  return text + "\n";
}

std::string for_script(const Json& document) {
  std::string text;
  for (const char letter : compact(document)) {
    if (letter == '<') {
      text += "\\u003c";
    } else {
      text += letter;
    }
  }
  return text;
}

std::string valid_utf8(std::string_view text) {
  const bool is_ascii =
      std::ranges::all_of(text, [](char letter) { return static_cast<signed char>(letter) >= 0; });
  if (is_ascii) return std::string(text);
  return Json::parse(compact(Json(text))).get<std::string>();
}

}  // namespace brownout::reports
