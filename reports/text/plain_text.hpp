#pragma once

// Text from scenarios, policies and replies, made fit for documents that others parse.

#include <string>
#include <string_view>

namespace brownout::reports {

/// The same with U+FFFD in place of bytes that are not UTF-8 and of characters that XML 1.0
/// forbids: control characters but for tab, line feed and carriage return, U+FFFE and U+FFFF.
std::string clean(std::string_view text);

}  // namespace brownout::reports
