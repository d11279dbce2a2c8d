#pragma once

// Adaptive throttling: a client that sees its provider refuse more than it accepts refuses a part
// of its own calls, without asking. With
//
//   p = max(0, (requests - multiplier * accepts) / (requests + 1))
//
// over a sliding window each request is rejected here with probability p. A provider that accepts
// C per second of an offered L is then sent min(L, multiplier * C); while it accepts more than one
// in `multiplier`, nothing is rejected. Source: "Site Reliability Engineering" (O'Reilly, 2016),
// chapter 21, "Client-Side Throttling" (sre.google/sre-book/handling-overload).
//
// Requests count when they are made, the rejected ones included: the more is rejected, the surer
// the next rejection, until accepts return; and hanging requests are seen before they time out. The
// price is that requests still on their way look like refused ones; `allowance` covers them.
// Both counts expire by themselves, so that a client that went silent in an outage starts afresh.

#include <cstdint>
#include <optional>

#include "engine/core/draw.hpp"
#include "engine/core/time.hpp"
#include "engine/policy/budget.hpp"

namespace brownout {

struct ThrottleOptions {
  /// Requests made per accept before any is rejected, in thousandths: K in the book. Lower rejects
  /// sooner and wastes less of the provider's capacity on refusing; higher notices recovery sooner.
  /// 1000 to 1,000,000. Default 2000 (2).
  std::uint32_t multiplier = 2000;

  /// How long requests and accepts count, see SlidingSum. 1 s to 1 h; best several times the
  /// longest call, so that the requests on their way weigh little. Default 2 min.
  Duration window = std::chrono::minutes{2};

  /// The most that is ever rejected, in millionths; the rest goes through as probes, and it is they
  /// that notice recovery: after an outage longer than the window what goes through multiplies by
  /// about 5 per window (multiplier 2), from the probes up. At 50 requests per second all of it is
  /// back after 4 min with the default, and after 10 min or more with the book's formula alone,
  /// which is 1,000,000. 0 to 1,000,000. Default 900,000 (failsafe-go's).
  std::uint32_t max_rejection = 900'000;

  /// Requests that need no accept: taken from `requests` above the fraction bar. About as many as
  /// are in flight at once, else a client that starts with a burst rejects a part of it while the
  /// first answers are still on their way. 0 to 1,000,000. Default 0, as in the book (go-zero's
  /// core/breaker has 5).
  std::uint32_t allowance = 0;
};

/// *Threads*: none of its own; the owner serializes calls. *Determinism*: integers; one word of the
/// draws given to admit() when the probability is not 0, else none; time only as told, by
/// differences.
class Throttle {
 public:
  /// A request that was let through.
  struct Ticket {
    SlidingSum::Slot slot = 0;
  };

  explicit Throttle(const ThrottleOptions& options);

  /// Counts a request; nothing when it is rejected. What is let through ends in accepted(), in
  /// forget(), or, when the provider refused it or failed, in neither.
  std::optional<Ticket> admit(Instant now, Draws& draws);

  /// The provider took a request on and answered it. Which answers are that is the caller's to say;
  /// a rejection of bad input usually is, an overload or a timeout is not.
  void accepted(Instant now);

  /// The request was abandoned here before its answer, which says nothing about the provider: it is
  /// as if it had not been made.
  void forget(Instant now, const Ticket& ticket);

  /// The probability that a request made at `now` is rejected, in millionths, rounded down.
  std::uint32_t rejection(Instant now) const;

  std::int64_t requests(Instant now) const { return requests_.total(now); }
  std::int64_t accepts(Instant now) const { return accepts_.total(now); }

 private:
  // Of `whole` equally likely numbers, those below `part` reject.
  struct Odds {
    std::uint64_t part;
    std::uint64_t whole;
  };

  Odds odds(Instant now) const;

  const ThrottleOptions options_;
  SlidingSum requests_;
  SlidingSum accepts_;
};

}  // namespace brownout
