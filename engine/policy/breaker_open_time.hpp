#pragma once

// How long a breaker stays open this time.

#include <cstdint>
#include <optional>

#include "engine/core/draw.hpp"
#include "engine/core/time.hpp"
#include "engine/policy/breaker_options.hpp"

namespace brownout {

/// The open time that `in_a_row` openings without recovery have led to, before jitter:
/// `open_for * factor^in_a_row`, or `open_for + add * in_a_row`, at most `max`; exact to a
/// nanosecond per step, and finite for every number of openings.
Duration grown_open_time(const BreakerOptions& options, std::uint32_t in_a_row);

/// Counts openings and computes their lengths.
///
/// *Threads*: the owner serializes calls. *Determinism*: at most one draw for each opening, from
/// the family given, addressed by the opening's number; none without jitter.
class BreakerOpenTime {
 public:
  BreakerOpenTime(const BreakerOptions& options, const DrawFamily& jitter);

  /// The breaker opens at `now`: for how long. `hint` is the retry-after of the failure that opened
  /// it.
  Duration open(const BreakerOptions& options, std::optional<Duration> hint, Instant now);
  void close(Instant now) { closed_at_ = now; }

  /// Openings so far, and of those how many came without recovery in between.
  std::uint32_t openings() const { return openings_; }
  std::uint32_t in_a_row() const { return in_a_row_; }

  void adopt(const BreakerOpenTime& other);

 private:
  void recover(const OpenTimeOptions& options, Instant now);
  Duration spread(const OpenTimeOptions& options, Duration length, bool first);

  DrawFamily jitter_;
  std::uint32_t openings_ = 0;
  std::uint32_t in_a_row_ = 0;
  std::optional<Instant> closed_at_;  // since when it has been closed, if it is and had been open
};

}  // namespace brownout
