#pragma once

// What happened lately, for breakers that look at rates.

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "engine/core/time.hpp"

namespace brownout {

struct WindowCounts {
  std::uint32_t calls = 0;
  std::uint32_t failures = 0;
  std::uint32_t slow = 0;

  WindowCounts& operator+=(const WindowCounts& other) {
    calls += other.calls;
    failures += other.failures;
    slow += other.slow;
    return *this;
  }
  WindowCounts& operator-=(const WindowCounts& other) {
    calls -= other.calls;
    failures -= other.failures;
    slow -= other.slow;
    return *this;
  }
  bool operator==(const WindowCounts&) const = default;
};

/// One finished call as a window sees it.
struct WindowEntry {
  bool failed = false;
  bool slow = false;
};

/// The last `size` calls. O(1) per call, two bits each. *Determinism*: no clock, no draws.
class CountWindow {
 public:
  /// Requires: size >= 1.
  explicit CountWindow(std::uint32_t size);

  void record(WindowEntry entry);
  const WindowCounts& counts() const { return counts_; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(ring_.size()); }
  void clear();

 private:
  std::vector<std::uint8_t> ring_;
  std::uint32_t next_ = 0;
  std::uint32_t filled_ = 0;
  WindowCounts counts_;
};

/// The calls that finished within the last `length`, in `slices` equal slices: a call is forgotten
/// between length - length / slices and length after it finished. Idle longer than the window means
/// an empty window. A call is filed under the time it finishes, so that calls longer than the
/// window count like any others. Instants that go backwards are filed under the latest one seen;
/// where instants begin does not matter, they may be negative. *Determinism*: no clock, no draws.
class TimeWindow {
 public:
  static constexpr std::int64_t slices = 10;

  /// Requires: length >= 10 ns.
  explicit TimeWindow(Duration length);

  void record(WindowEntry entry, Instant now);
  const WindowCounts& counts(Instant now);
  Duration length() const { return slice_length_ * slices; }
  void clear();

 private:
  void advance(Instant now);
  WindowCounts& slice(std::int64_t number);

  Duration slice_length_;
  std::int64_t current_ = before_all;  // number of the slice that `now` falls into
  std::array<WindowCounts, slices> ring_{};
  WindowCounts counts_;

  static constexpr std::int64_t before_all = std::numeric_limits<std::int64_t>::min();
};

}  // namespace brownout
