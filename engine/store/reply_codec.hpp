#pragma once

// A stored reply as bytes, for stores that outlive the process.
//
//     offset  size
//      0       4    "bro1": what this is, and the version of the format
//      4       4    the low half of the XXH3 of everything that follows
//      8       8    stored_at, nanoseconds since 1970 (UTC)
//     16       4    input tokens
//     20       4    output tokens
//     24       1    1 if there is a text
//     25            the text
//
// Numbers are little-endian on every machine. A later version takes another mark, so that programs
// of different ages can share a store: what one cannot read it does not find.

#include <optional>
#include <string>
#include <string_view>

#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"

namespace brownout {

/// A stored reply on calendar time.
struct ReplyRecord {
  Reply reply;
  SystemTime stored_at{};
};

inline constexpr std::size_t reply_header_bytes = 25;

/// Replaces `bytes`, whose capacity is reused.
void encode_reply(const ReplyRecord& record, std::string& bytes);

/// Nothing when `bytes` are not exactly what encode_reply() makes: cut off, changed, of another
/// program or of another version.
std::optional<ReplyRecord> decode_reply(std::string_view bytes);

}  // namespace brownout
