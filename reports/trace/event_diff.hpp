#pragma once

// Where two runs part: their event logs, compared line by line.

#include <istream>
#include <string>

#include "engine/core/result.hpp"

namespace brownout::reports {

/// An event log to be read once, from its beginning.
struct EventLogText {
  std::string name;  ///< for messages
  std::istream& text;
};

struct EventDiff {
  bool same = false;
  std::string text;  ///< what was found, for people; ends with a newline
};

/// Compares two event logs up to the first line that differs, and tells what both runs did there,
/// what led there (the last events of the calls involved and of breakers), and how it went on. One
/// log may be the beginning of the other.
///
/// Reads both at once and keeps a few lines of each call in flight: logs may be of any length.
/// Errors: invalid for a line that is no event, up to where reading ends; environment when a log
/// cannot be read.
Result<EventDiff> diff_event_logs(EventLogText a, EventLogText b);

}  // namespace brownout::reports
