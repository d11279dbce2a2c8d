#pragma once

// A circuit breaker: after enough failures it refuses calls for a while, then lets a few probes
// decide whether the provider is back.
//
//                    a rule of BreakerScore
//        +--------+ ------------------------------> +------+
//        | closed |                                 | open | <--+
//        +--------+                                 +------+    |
//             ^                                        | the first call after the open time
//             | the close rule           +-----------+ |        |
//             +------------------------- | half-open | <        | the close rule
//                                        +-----------+ ---------+
//
// Which rules there are: breaker_options.hpp. By default five failures in a row open it, a minute
// later one call at a time may probe, and its result decides.
//
// Every admission carries a permit with the generation of the state that admitted it; a result that
// comes back after the state has moved on is late and by default changes nothing (the idea is
// sony/gobreaker's generation counter). The generation moves with the state and at nothing else, so
// that calls longer than any window are counted like others. A probe holds its permit at most
// `probe_lease` long, so that one that never reports cannot keep the breaker half-open for ever.
//
// There are no timers: whatever has become due is noticed by the next call that comes or ends.

#include <cstdint>
#include <optional>

#include "engine/core/draw.hpp"
#include "engine/core/time.hpp"
#include "engine/policy/breaker_open_time.hpp"
#include "engine/policy/breaker_options.hpp"
#include "engine/policy/breaker_probes.hpp"
#include "engine/policy/breaker_score.hpp"
#include "engine/telemetry/observer.hpp"

namespace brownout {

/// *Ownership*: a value; a copy goes on by itself, with permits of its own. *Threads*: none of its
/// own; the owner serializes calls. *Determinism*: one draw for each opening when the open time has
/// a jitter, addressed by the number of the opening; time only as told, which must not go
/// backwards. Where instants begin does not matter.
class Breaker {
 public:
  using Mode = BreakerOptions::Mode;

  struct Permit {
    std::uint32_t generation = 0;
    BreakerScore::Place place = InFlightCalls::nowhere;  ///< among the calls in flight
    BreakerProbes::Permit probe;                         ///< held in half-open
    Instant admitted{};
  };

  /// `jitter` is what open times are spread with. Requires: options in their ranges.
  explicit Breaker(const BreakerOptions& options, const DrawFamily& jitter = {});

  /// A permit, or nothing when the call is refused. May move the breaker: from open to half-open;
  /// from closed to open when calls in flight have become slow; to closed at the end of a ramp, or
  /// of the open time where there is no half-open. Every permit must be given to exactly one of
  /// record() and release().
  std::optional<Permit> acquire(Instant now);

  /// The admitted call ended at `now`. May open or close the breaker. Whether it was counted as a
  /// failure.
  bool record(const Permit& permit, const Finding& finding, Instant now);
  bool record(const Permit& permit, Verdict verdict, Instant now) {
    return record(permit, Finding{verdict, false, std::nullopt}, now);
  }

  /// The admitted call was abandoned: neutral, but slow if it took that long. May open the breaker.
  void release(const Permit& permit, Instant now);

  BreakerState state() const { return state_; }
  Mode mode() const { return mode_; }

  /// Refuses everything, admits everything, only records, or goes back to working by its rules;
  /// then it is closed, with nothing counted. Every permit given out before is dead.
  void set_mode(Mode mode, Instant now);

  /// Opens it until close() or set_mode().
  void isolate(Instant now) { set_mode(Mode::forced_open, now); }

  /// Closes it, whatever its state, and lets it work by its rules, with nothing counted.
  void close(Instant now);

  /// Changes of state so far: the number of the last one.
  std::uint32_t transitions() const { return transitions_; }

  /// Whether a rule to open holds at `now`: what metrics_only asks for.
  bool would_open(Instant now) { return score_.is_tripped(now); }

  /// How long a call refused at `now` should stay away: the rest of the open period; in half-open,
  /// until the first lease runs out at the latest. `forever` when only somebody's word can end it.
  Duration retry_after(Instant now) const;

  /// Probes out with a permit that is still theirs.
  std::uint32_t probes_in_flight() const { return probes_.in_flight(); }

  /// What the window holds. All 0 when there is none.
  WindowCounts window_counts(Instant now) { return score_.counts(now); }

  /// Openings in a row, without recovery in between.
  std::uint32_t openings_in_a_row() const { return open_time_.in_a_row(); }

  /// Whether the next call is admitted, and its success changes nothing: an owner may then skip
  /// acquire() and record() for successes, using a permit of this generation.
  bool is_quiet() const;
  std::uint32_t generation() const { return generation_; }

  const BreakerOptions& options() const { return options_; }

  /// Goes on where `other` stands, under the own options: its state, its openings and the rest of
  /// its open time, its generation, what its window holds if the two are of one kind and size, and
  /// a mode set while running if the own options' mode is automatic. Probes start anew. For a
  /// policy that is replaced: calls that `other` admitted go on reporting to `other`. Requires: no
  /// permit of this one is out.
  void adopt(const Breaker& other);

 private:
  std::optional<Permit> acquire_closed(Instant now);
  std::optional<Permit> acquire_probe(Instant now);
  bool give_back(const Permit& permit);
  bool is_late(const Permit& permit) const { return permit.generation != generation_; }
  bool is_slow(const Permit& permit, Instant now) const;
  void succeed(bool slow, Instant now);
  void fail(const Finding& finding, bool slow, Instant now);
  void end_slowly(Instant now);
  void carry_out(BreakerProbes::Decision decision, std::optional<Duration> hint, Instant now);
  void open(std::optional<Duration> hint, Instant now);
  void move_to(BreakerState state, Instant now);
  void start_over(Instant now);

  BreakerOptions options_;
  Mode mode_;
  BreakerState state_ = BreakerState::closed;
  std::uint32_t generation_ = 0;
  std::uint32_t transitions_ = 0;
  Duration open_length_{};
  Instant open_until_{};
  BreakerScore score_;
  BreakerProbes probes_;
  BreakerOpenTime open_time_;
};

}  // namespace brownout
