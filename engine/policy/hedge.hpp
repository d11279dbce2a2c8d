#pragma once

// Hedging: when a call takes longer than most, a second copy of it races the first ("The Tail at
// Scale", Dean and Barroso, CACM 2013).
//
//   0          delay        2 * delay
//   |-- call ----------------------------------...
//              |-- hedge ------------> first success: the call ends here, the others are cut
//                           |-- hedge --...
//
// Three things make hedges dangerous, and each is answered here. A provider that is slow for
// everybody makes every call hedge, which makes it slower: a budget bounds hedges by a share of the
// calls. A delay learned from nothing hedges every call of a cold start: without enough samples
// there is no hedge. And a failure is not an answer: it ends the call only when nothing else is in
// flight and no hedge may follow, but then at once (a call of grpc-java once waited for its
// deadline after its budget had refused the next hedge). A loser is cut, never waited for.

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"
#include "engine/policy/quantile.hpp"

namespace brownout {

struct HedgeOptions {
  enum class Delay : std::uint8_t {
    fixed,    ///< `delay`
    learned,  ///< a quantile of recent latencies
  };
  Delay kind = Delay::fixed;

  /// How long after the newest copy began the next one does; 0 sends all at once. Ignored when
  /// learned. Default 2 s.
  Duration delay = std::chrono::seconds{2};

  /// The quantile that is learned, the samples it is learned from and the bounds of the delay that
  /// comes of it. Ignored when fixed. Default: the 95th percentile, between 1 ms and no bound.
  std::uint32_t per_mille = 950;
  QuantileOptions samples{};
  Duration floor = std::chrono::milliseconds{1};
  Duration ceiling = forever;

  /// Copies beside the first. 1 to 10. Default 1.
  std::uint8_t max_hedges = 1;
  static constexpr std::uint8_t max_hedges_max = 10;

  /// What a failure does while a further hedge is allowed.
  enum class OnFailure : std::uint8_t {
    hedge_at_once,    ///< the next hedge begins now, not when it is due (default; gRPC, Polly)
    wait_for_others,  ///< hedges are for slowness only: the others run on, and the last to fail
                      ///< ends the call
  };
  OnFailure on_failure = OnFailure::hedge_at_once;

  /// Failures after which another copy may still succeed; every other ends the call at once.
  /// Default: the retryable ones.
  OutcomeSet on = OutcomeSet::of(ErrorClass::retryable);
};

struct HedgeBudgetOptions {
  /// What a call earns, in hundredths of a hedge. At most 1000. Default 10: a hedge for ten calls.
  std::uint32_t percent = 10;

  /// Hedges that are saved up at most, and there to begin with. 1 to 1,000,000. Default 10.
  std::uint32_t burst = 10;
  static constexpr std::uint32_t burst_max = 1'000'000;

  /// Hedges a minute earns whatever the traffic, so that a quiet client may hedge as well. Default
  /// 0: none.
  std::uint32_t floor_per_minute = 0;
};

/// The hedges that the calls to one target may make together. In any stretch of time they are at
/// most burst + percent / 100 of the calls in it + floor_per_minute for each minute; exactly, and
/// whatever the order. (The account is Finagle's and gRPC's; a sliding window would let the calls
/// of its quiet part pay for a storm of hedges.)
///
/// *Threads*: none of its own; the owner serializes calls. *Determinism*: no draws, integers only.
class HedgeBudget {
 public:
  explicit HedgeBudget(const HedgeBudgetOptions& options);

  /// A call began.
  void on_call(Instant now);

  /// Whether a hedge may begin now; if so it is paid for.
  bool try_hedge(Instant now);

  /// Hedges that could begin at once.
  std::uint32_t available(Instant now) const;

 private:
  std::int64_t balance_at(Instant now) const;
  void settle_to(Instant now);

  const HedgeBudgetOptions options_;
  std::int64_t balance_;
  std::optional<Instant> last_;
};

/// What hedging remembers of one call.
struct HedgeState {
  std::optional<Duration> delay;  ///< between copies; empty when this call is not hedged
  Instant newest_began{};         ///< of the copies
  Instant not_before{};           ///< no hedge sooner: a failed copy brought a hint
  std::uint8_t hedges = 0;        ///< begun so far
  std::uint8_t in_flight = 1;     ///< copies that have not ended
  bool denied = false;            ///< the budget has refused one: none follows
};

/// A call whose first copy begins at `started`. `recent` are the latencies at its target; asked
/// only when the delay is learned, and not hedged while they are too few.
HedgeState begin_hedging(const HedgeOptions& options, const LatencyQuantile& recent,
                         Instant started);

/// When the next hedge is due, now at the earliest; empty when none will begin by itself.
std::optional<Instant> when_to_hedge(const HedgeOptions& options, const HedgeState& state,
                                     Instant now);

enum class HedgeStep : std::uint8_t {
  wait,    ///< for the copies in flight and for the next hedge that is due, if any
  hedge,   ///< begin a copy now
  settle,  ///< the call ends now with the outcome in hand; whatever is in flight is cut
};
std::string_view to_string(HedgeStep step);

/// The time when_to_hedge() gave has come: hedge or wait. A hedge is charged to the budget and
/// counted in `state`. With a delay of 0 the next may be due at once: ask again until it is wait.
HedgeStep on_hedge_due(const HedgeOptions& options, HedgeState& state, HedgeBudget& budget,
                       Instant now);

/// A copy ended at `now` with `outcome`. A success settles, and so does a failure that no copy can
/// help or that leaves nothing in flight. A failure with a retry_after postpones hedges until then;
/// if nothing else is in flight the call ends, because waiting is a retry's business. A copy that a
/// policy of ours refused says nothing about the others: they run on, without further hedges.
HedgeStep on_copy_end(const HedgeOptions& options, HedgeState& state, HedgeBudget& budget,
                      const Outcome& outcome, Instant now);

}  // namespace brownout
