#pragma once

// Time as the engine knows it: integers of nanoseconds since an epoch that means nothing.
//
// `Instant` has a clock type of its own without a now(), so that neither std::chrono::steady_clock
// nor a wall-clock time point converts to it by accident: every instant comes from a Runtime.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brownout {

using Duration = std::chrono::nanoseconds;

struct EngineClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<EngineClock, Duration>;
  static constexpr bool is_steady = true;
};

/// A point in monotonic time. Only differences carry meaning.
using Instant = EngineClock::time_point;

/// Calendar time (UTC), for HTTP dates and quota resets only; may step in either direction.
using SystemTime = std::chrono::sys_time<Duration>;

/// Later than every instant a run can reach.
inline constexpr Instant never = Instant::max();

/// Longer than every wait; `after(x, forever)` is `never`.
inline constexpr Duration forever = Duration::max();

/// `at + by`, saturating at `never`. Requires: by >= 0.
constexpr Instant after(Instant at, Duration by) {
  if (by > never - (at < Instant{} ? Instant{} : at)) return never;
  return at + by;
}

/// Reads "250ms", "1.5s", "3h20m" (units ns, us, ms, s, m, h, d; each number followed by its unit,
/// larger units first, none twice). No sign, no spaces, no bare numbers. A fraction must come out
/// at a whole number of nanoseconds. Empty when the text is not such a duration or exceeds
/// `forever` (292 years).
std::optional<Duration> parse_duration(std::string_view text);

/// The exact duration in the style providers use, zero-valued units left out: "0s", "644ms",
/// "9.816s", "6m", "1h3m20s". Days are told as hours; below a second the largest unit that gives at
/// least one. parse_duration() reads it back to the same value; a negative one begins with "-".
std::string format_duration(Duration duration);

/// For people, rounded: at most three significant digits below a minute ("1.23s", "644ms", "20s"),
/// then two units ("10m00s", "2h05m", "3d04h").
std::string format_duration_short(Duration duration);

}  // namespace brownout
