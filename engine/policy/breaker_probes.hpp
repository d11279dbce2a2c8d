#pragma once

// What a half-open breaker does: who may probe, and what the probes decide.

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/core/time.hpp"
#include "engine/policy/breaker_options.hpp"
#include "engine/policy/window.hpp"

namespace brownout {

/// Permits for probes, each with a lease, and the rule that closes or opens the breaker.
///
/// A permit is never used up: whoever ends gives it back, so that a probe that ends neutral, is
/// abandoned or never ends cannot keep others from probing. Where a number of results decides, no
/// more probes are let through than are still to be judged.
///
/// *Threads*: the owner serializes calls. *Determinism*: no draws; time only as told.
class BreakerProbes {
 public:
  enum class Decision : std::uint8_t { undecided, close, open };

  struct Permit {
    std::uint16_t slot = no_slot;  ///< none where every call probes
    std::uint32_t lease = 0;       ///< which lease of that slot
    static constexpr std::uint16_t no_slot = 0xFFFF;
  };

  /// Requires: options in their ranges.
  explicit BreakerProbes(const BreakerOptions& options);

  /// Half-open begins. All permits are back, nothing has been judged.
  void begin(Instant now);
  /// Another state begins; as begin().
  void clear() { begin(Instant{}); }

  std::optional<Permit> acquire(Instant now);

  /// True when the permit was still the holder's, not taken over by a later probe after its lease.
  bool give_back(const Permit& permit);

  Decision succeed(Instant now);
  Decision fail(Instant now);
  /// A probe was answered with an outcome that counts neither way.
  Decision answer_neutral(Instant now);
  /// What time alone decides: the end of a ramp that went well.
  Decision decide(Instant now) const;

  /// When a refused call should try again at the latest. At least 1 ns.
  Duration retry_after(Instant now) const;

  /// Half-open has gone on since `other` began it; the permits are back, nothing has been judged.
  void adopt(const BreakerProbes& other) { begin(other.began_); }

  std::uint32_t in_flight() const { return in_flight_; }

  /// Share of the calls a ramp lets through at `now`, in thousandths.
  std::uint32_t share(Instant now) const;

 private:
  struct Slot {
    bool taken = false;
    std::uint32_t lease = 0;
    Instant expires{};
  };

  std::size_t free_or_overdue(Instant now) const;
  std::uint32_t most_at_once() const;
  bool reaches(std::uint32_t failures, std::uint32_t calls) const;
  Decision judge(Instant now) const;
  Decision record(bool failed, Instant now);

  CloseRule rule_;
  std::uint32_t close_after_;
  std::uint32_t neutral_probes_;
  bool strict_;
  Duration lease_;

  std::vector<Slot> slots_;
  std::uint32_t in_flight_ = 0;
  std::uint32_t leases_ = 0;  // given out so far: the smallest number is the oldest
  std::uint32_t successes_ = 0;
  std::uint32_t failures_ = 0;
  std::uint32_t neutral_ = 0;  // in a row
  std::uint32_t credit_ = 0;   // of a ramp: thousandths of a call that may go through
  Instant began_{};
  std::optional<CountWindow> recent_;  // of a ramp
};

}  // namespace brownout
