#pragma once

// The score a closed breaker keeps, and the rules by which it opens.

#include <cstdint>
#include <variant>
#include <vector>

#include "engine/core/time.hpp"
#include "engine/policy/breaker_options.hpp"
#include "engine/policy/window.hpp"

namespace brownout {

/// Admitted calls that have not ended, in order of admission, so that those which have become slow
/// are found without a timer: the order of admission is the order of becoming slow. O(1) per call;
/// memory grows to the most calls that were ever in flight at once, and stays.
///
/// *Threads*: the owner serializes calls. *Determinism*: no draws; time only as told.
class InFlightCalls {
 public:
  using Place = std::uint32_t;
  static constexpr Place nowhere = 0xFFFF'FFFF;

  Place add(Instant now);
  /// True when the call had been counted as slow. Requires: `place` came from add(), once.
  bool remove(Place place);
  /// Counts those admitted before `now - limit` as slow. Whether there are new ones among them.
  bool age(Instant now, Duration limit);
  std::uint32_t slow() const { return slow_; }
  void clear();

 private:
  struct Entry {
    Instant admitted{};
    Place before = nowhere;
    Place after = nowhere;  // in the list of free entries: the next free one
    bool slow = false;      // then it is in neither list
  };

  void unlink(const Entry& entry);

  std::vector<Entry> entries_;
  Place oldest_ = nowhere;
  Place newest_ = nowhere;
  Place free_ = nowhere;
  std::uint32_t slow_ = 0;
};

/// Several rules may be on at once; any of them opens the breaker.
///
/// *Threads*: the owner serializes calls. *Determinism*: no draws; time only as told.
class BreakerScore {
 public:
  using Place = InFlightCalls::Place;

  /// Requires: options in their ranges; at most one window, and no rule about one without it.
  explicit BreakerScore(const BreakerOptions& options);

  /// Whether calls in flight matter, so that every admission must be told.
  bool watches_calls_in_flight() const { return slow_per_mille_ != 0; }
  Place admit(Instant now);
  /// The admitted call ended, whatever became of it.
  void end(Place place);

  /// Looks at the calls in flight: whether they alone are now a reason to open.
  bool is_tripped_by_waiting(Instant now);

  /// A result. Whether it is a reason to open.
  bool record_success(bool slow, Instant now);
  bool record_failure(bool slow, Instant now);
  /// A slow call that ended neither way.
  bool record_slow(Instant now);

  /// Whether a rule about the window or about failures in a row holds.
  bool is_tripped(Instant now);

  /// What the window holds, calls in flight that are slow included.
  WindowCounts counts(Instant now);
  std::uint32_t consecutive_failures() const { return in_a_row_; }

  /// Whether a success would change nothing.
  bool ignores_successes() const {
    return in_a_row_ == 0 && std::holds_alternative<std::monostate>(window_);
  }

  void clear();

  /// Takes over what another has counted, as far as both count in the same way; not its calls in
  /// flight, whose permits are the other's.
  void adopt(const BreakerScore& other);

 private:
  bool reaches(std::uint32_t part, std::uint32_t whole, std::uint32_t per_mille) const;
  bool window_trips(Instant now);
  bool file(WindowEntry entry, bool evaluate, Instant now);

  std::uint32_t consecutive_;
  std::uint32_t minimum_;
  std::uint32_t failure_per_mille_;
  std::uint32_t failures_;
  std::uint32_t slow_per_mille_;
  bool both_;
  bool strict_;
  bool on_every_result_;
  Duration slow_call_;

  std::uint32_t in_a_row_ = 0;
  std::variant<std::monostate, CountWindow, TimeWindow> window_;
  InFlightCalls in_flight_;
};

}  // namespace brownout
