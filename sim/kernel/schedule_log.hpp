#pragma once

// What a run leaves behind of its schedule: a digest of every event and a memory of the last few.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/core/time.hpp"
#include "engine/runtime/runtime.hpp"

namespace brownout::sim {

/// *Ownership*: remembers job names by address; they are static constants.
class ScheduleLog {
 public:
  static constexpr std::size_t remembered = 64;

  void record(Instant at, const JobName& name) {
    last_[events_++ % remembered] = {at, &name};
    take(static_cast<std::uint64_t>(at.time_since_epoch().count()));
    take(name.hash);
  }

  std::uint64_t events() const { return events_; }

  /// When the last event was; Instant{} before the first.
  Instant last_at() const {
    return events_ == 0 ? Instant{} : last_[(events_ - 1) % remembered].at;
  }

  /// Equal for equal sequences of (instant, job name). Two sequences of one length that differ in a
  /// single word never collide.
  std::uint64_t digest() const { return state_ ^ state_ >> 29; }

  /// The last events, oldest first, one per line; repetitions are counted, not repeated.
  std::string describe_recent() const;

  /// `32 x "retry wait", 32 x "attempt end"`: which jobs the last events were, in order of
  /// appearance.
  std::string describe_mix() const;

 private:
  struct Event {
    Instant at;
    const JobName* name;
  };

  // Each step is a bijection of the state, so that a difference once taken in stays.
  void take(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x9E3779B97F4A7C15U;
    state_ ^= state_ >> 32;
  }

  std::size_t kept() const;
  const Event& nth_oldest(std::size_t nth) const;

  std::uint64_t state_ = 0;
  std::uint64_t events_ = 0;
  std::array<Event, remembered> last_{};
};

}  // namespace brownout::sim
