#pragma once

// Lines of an event log (docs/reference/events.md), read and told in words.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/time.hpp"

namespace brownout::reports {

/// One line, taken apart. Unknown events and unknown fields are kept: a later version may have
/// written them.
struct LoggedEvent {
  struct Field {
    std::string name;
    std::string value;  ///< texts without quotes; null as "null"
  };

  std::string event;
  Instant at{};
  std::optional<std::uint64_t> call;
  std::vector<Field> fields;  ///< all of the line, in its order

  /// The value of a field; empty when it is not there or null.
  std::string_view operator[](std::string_view name) const;
};

/// Whether a line looks like an event at first sight, which is all that is affordable for each of
/// millions.
bool looks_like_event(std::string_view line);

/// The call a line is about, as far as a glance tells. Requires: looks_like_event(line).
std::optional<std::uint64_t> call_at_a_glance(std::string_view line);

/// Which event it is, likewise: "attempt".
std::string_view event_at_a_glance(std::string_view line);

/// Empty when the line is not an event after all.
std::optional<LoggedEvent> read_event(const std::string& line);

/// "call 17  attempt 2 at gpt-4 ends in server_error (status 500) after 520ms": without the time,
/// without a full stop, and with nothing in it that a terminal might obey.
std::string in_words(const LoggedEvent& event);

}  // namespace brownout::reports
