#include "reports/text/plain_text.hpp"

#include "engine/core/document_text.hpp"

namespace brownout::reports {

std::string clean(std::string_view text) {
  constexpr std::string_view replacement = "\xEF\xBF\xBD";
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text, at);
    const std::string_view character = text.substr(at, length);
    const bool forbidden = length == 0 || (is_control(text[at]) && !is_space(text[at])) ||
                           character == "\xEF\xBF\xBE" || character == "\xEF\xBF\xBF";
    out += forbidden ? replacement : character;
    at += length == 0 ? 1 : length;
  }
  return out;
}

}  // namespace brownout::reports
