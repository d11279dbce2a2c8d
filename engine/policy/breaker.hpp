#pragma once

// A circuit breaker: after enough consecutive failures it refuses calls for a while, then lets a
// few probes decide whether the provider is back.
//
//                    consecutive_failures in a row
//        +--------+ ------------------------------> +------+
//        | closed |                                 | open | <--+
//        +--------+                                 +------+    |
//             ^                                        | the first call after open_for
//             | close_after successes    +-----------+ |        |
//             +------------------------- | half-open | <        | one failure
//                                        +-----------+ ---------+
//
// Every admission carries a permit with the generation of the state that admitted it; a result that
// comes back after the state has moved on is late and by default changes nothing (the idea is
// sony/gobreaker's generation counter). A probe holds its permit at most `probe_lease` long, so
// that one that never reports cannot keep the breaker half-open for ever.

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"
#include "engine/telemetry/observer.hpp"

namespace brownout {

struct BreakerOptions {
  /// Failures in a row that open it; a success in between starts over. At least 1. Default 5.
  std::uint32_t consecutive_failures = 5;

  /// How long it refuses everything. Default 60 s.
  Duration open_for = std::chrono::seconds{60};

  /// Successful probes in half-open that close it. At least 1. Default 1.
  std::uint32_t close_after = 1;

  /// Probes in flight at once in half-open; 0 admits every call, as simple breakers do. Default 1.
  std::uint32_t probes = 1;
  static constexpr std::uint32_t probes_max = 1024;

  /// How long a probe may hold its permit before another, finding no free one, may take it.
  /// Ignored when `probes` is 0. Default 60 s.
  Duration probe_lease = std::chrono::seconds{60};

  /// What a result does whose permit is from an earlier state.
  enum class LateResults : std::uint8_t {
    ignored,      ///< nothing (default)
    extend_open,  ///< a failure restarts the open period or counts in the present state; a success
                  ///< while open does nothing: a breaker without generations that checks its state
    counted,      ///< both count in whatever state the breaker is in: one without any check
  };
  LateResults late_results = LateResults::ignored;

  /// Outcomes that count as failures; every other failure is neutral: it counts neither way and
  /// gives its permit back. Default: those the provider is to blame for.
  OutcomeSet failures = OutcomeSet::blamed_on_provider();
};

enum class Verdict : std::uint8_t { success, failure, neutral };

/// How the breaker sees an outcome.
Verdict judge(const BreakerOptions& options, const Outcome& outcome);

/// *Threads*: none of its own; the owner serializes calls. *Determinism*: no draws; time only as
/// told, which must not go backwards.
class Breaker {
 public:
  struct Permit {
    std::uint32_t generation = 0;
    std::uint16_t probe = no_probe;  ///< slot held in half-open
    std::uint32_t lease = 0;         ///< which lease of that slot
    static constexpr std::uint16_t no_probe = 0xFFFF;
  };

  explicit Breaker(const BreakerOptions& options);

  /// A permit, or nothing when the call is refused. May move open to half-open. Every permit must
  /// be given to exactly one of record() and release().
  std::optional<Permit> acquire(Instant now);

  /// The admitted call ended at `now`. May open or close the breaker.
  void record(const Permit& permit, Verdict verdict, Instant now);

  /// The admitted call was abandoned: neutral.
  void release(const Permit& permit) { give_back(permit); }

  BreakerState state() const { return state_; }

  /// How long a call refused at `now` should stay away: the rest of the open period; in half-open,
  /// until the first lease runs out at the latest.
  Duration retry_after(Instant now) const;

  /// Probes out with a permit that is still theirs.
  std::uint32_t probes_in_flight() const { return probes_in_flight_; }

 private:
  struct ProbeSlot {
    bool taken = false;
    std::uint32_t lease = 0;
    Instant expires{};
  };

  std::optional<Permit> acquire_probe(Instant now);
  std::size_t free_or_overdue(Instant now) const;
  bool give_back(const Permit& permit);
  bool is_late(const Permit& permit) const { return permit.generation != generation_; }
  void succeed(Instant now);
  void fail(Instant now);
  void move_to(BreakerState state);

  const BreakerOptions options_;
  BreakerState state_ = BreakerState::closed;
  std::uint32_t generation_ = 0;
  std::uint32_t failures_ = 0;   // consecutive, while closed
  std::uint32_t successes_ = 0;  // while half-open
  Instant opened_at_{};
  std::vector<ProbeSlot> probes_;
  std::uint32_t probes_in_flight_ = 0;
  std::uint32_t leases_ = 0;  // given out so far: the smallest number is the oldest
};

}  // namespace brownout
