#pragma once

// JSON documents as text that people can read and programs can compare.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace brownout::reports {

/// Indents by two, but keeps what holds only numbers, texts and lists of numbers on one line: a
/// series of a thousand values is one line, not a thousand. Bytes that are not UTF-8 become U+FFFD.
/// Ends with a newline.
std::string pretty(const nlohmann::ordered_json& document);

/// The inside of a <script> element: no spaces, and no '<' that could end it.
std::string for_script(const nlohmann::ordered_json& document);

/// Text as those two write it: bytes that are not UTF-8 are U+FFFD.
std::string valid_utf8(std::string_view text);

}  // namespace brownout::reports
