#pragma once

// What happened lately, for breakers that look at rates.

#include <array>
#include <cstdint>
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
/// window count like any others. Instants that go backwards are filed under the latest one seen.
class TimeWindow {
 public:
  static constexpr std::uint32_t slices = 10;

  /// Requires: length >= 10 ns.
  explicit TimeWindow(Duration length);

  void record(WindowEntry entry, Instant now);
  const WindowCounts& counts(Instant now);
  void clear();

 private:
  void advance(Instant now);

  Duration slice_length_;
  std::int64_t current_ = 0;  // number of the slice that `now` falls into
  std::array<WindowCounts, slices> ring_{};
  WindowCounts counts_;
};

}  // namespace brownout
