#pragma once

// The rate limiter of providers: a bucket that holds one minute's allowance and refills
// continuously. Five of five limiter messages captured from production print exactly the waits this
// arithmetic gives: wait = (used + requested - limit) / limit * 60 s.

#include <cstdint>
#include <optional>

#include "engine/core/time.hpp"

namespace brownout::mock {

/// Why a bucket refused, in the numbers providers print.
struct Refusal {
  std::int64_t limit = 0;
  std::int64_t used = 0;  ///< rounded up
  std::int64_t requested = 0;
  Duration wait{};  ///< from now until it fits, if nobody else takes; `forever` if too large

  /// Above the whole limit: waiting does not help.
  bool too_large() const { return requested > limit; }
};

/// *Determinism*: integers only, exact to the nanosecond. Instants must not go backwards.
/// *Threads*: none of its own; whoever shares it locks it.
class Bucket {
 public:
  /// Starts unused. Requires: 1 <= limit_per_minute <= 10^12.
  explicit Bucket(std::int64_t limit_per_minute);

  /// Why `amount` does not fit now, if so; takes nothing. A bucket in debt (see settle) refuses
  /// even 0. Requires: amount >= 0.
  std::optional<Refusal> check(std::int64_t amount, Instant now) const;

  /// Takes `amount` if it fits, else says why not. A refusal changes nothing.
  std::optional<Refusal> take(std::int64_t amount, Instant now);

  /// Charges `delta` more, or gives back when negative, without asking. May leave the bucket in
  /// debt; cannot make it more than full.
  void settle(std::int64_t delta, Instant now);

  std::int64_t limit() const { return limit_; }
  /// What can be taken now; 0 when in debt.
  std::int64_t remaining(Instant now) const;
  /// Until nothing is used any more.
  Duration reset_after(Instant now) const;

 private:
  // Used units times nanoseconds of a minute: the finest grain at which refilling is a whole number
  // (limit_ of them per nanosecond). 10^12 per minute times 6 * 10^10 needs more than 64 bits.
  __extension__ using Grains = __int128;

  Grains used_at(Instant now) const;

  std::int64_t limit_;
  Grains used_ = 0;
  Instant at_{};  // when used_ was true
};

}  // namespace brownout::mock
