#pragma once

// What an engine tells whoever watches it: metrics, logs, the simulator's recorder. Events are
// reported when they happen, in order, from the thread they happen on, while no lock is held; an
// observer of engines on several threads must be thread-safe. It must not call back into the
// engine.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/core/outcome.hpp"
#include "engine/core/request.hpp"
#include "engine/core/time.hpp"
#include "engine/transport/transport.hpp"

namespace brownout {

/// Index of a breaker in its pipeline.
using BreakerId = std::uint16_t;
inline constexpr BreakerId no_breaker = 0xFFFF;

enum class BreakerState : std::uint8_t { closed = 0, open = 1, half_open = 2 };
inline constexpr std::size_t breaker_state_count = 3;
std::string_view to_string(BreakerState state);

/// A call has arrived.
struct CallStartEvent {
  CallId call = 0;
  Instant at{};
};

/// A provider is about to be asked.
struct AttemptStartEvent {
  CallId call = 0;
  RouteId route = no_route;
  TargetId target = 0;
  std::uint32_t number = 0;  ///< within the call, 1-based
  std::uint32_t copy = 0;    ///< as in AttemptEvent
  Instant at{};
};

struct AttemptEvent {
  CallId call = 0;
  RouteId route = no_route;
  TargetId target = 0;
  std::uint32_t number = 0;  ///< within the call, 1-based
  Instant call_started{};
  Instant started{};
  Instant ended{};
  bool hedge = false;      ///< a copy that raced another, not the first of them
  std::uint32_t copy = 0;  ///< which: HedgeEvent::number; 0 for the call's own ride
};

/// What a call waits for.
enum class WaitReason : std::uint8_t {
  retry,  ///< the next attempt
  quota,  ///< its share of a client-side rate limit
  route,  ///< the soonest of routes that are all refusing for now
};
inline constexpr std::size_t wait_reason_count = 3;
std::string_view to_string(WaitReason reason);

struct WaitEvent {
  CallId call = 0;
  RouteId route = no_route;
  Instant from{};
  Instant until{};
  WaitReason reason = WaitReason::retry;
  OutcomeKind cause = OutcomeKind::success;  ///< for retries: the failure that causes it
  std::uint32_t copy = 0;                    ///< of the call that waits, as in AttemptEvent
};

/// A copy of an attempt begins because the first takes long.
struct HedgeEvent {
  CallId call = 0;
  RouteId route = no_route;
  std::uint32_t number = 0;  ///< 1 for the call's first hedge
  Instant call_started{};
  Instant at{};
};

/// A reply was looked for.
struct LookupEvent {
  enum class Result : std::uint8_t {
    hit,     ///< a fresh reply answers
    stale,   ///< an old reply answers, because everything else failed
    miss,    ///< there is none that may answer
    shared,  ///< none, but another call is asking: its answer will do
  };
  static constexpr std::size_t result_count = 4;

  CallId call = 0;
  Result result = Result::miss;
  Instant at{};
};
std::string_view to_string(LookupEvent::Result result);

struct BreakerEvent {
  BreakerId breaker = 0;
  BreakerState from = BreakerState::closed;
  BreakerState to = BreakerState::closed;
  Instant at{};
  std::uint32_t nth = 0;  ///< of the breaker's changes, 1-based: their order, whatever thread
                          ///< reports one first
  std::uint32_t credential = 0;  ///< whose breaker, where each Request::credential has its own
};

/// A breaker counted a failure.
struct BreakerFailureEvent {
  CallId call = 0;
  BreakerId breaker = 0;
  Instant at{};
};

/// A policy refused a call before anybody was asked.
struct RejectionEvent {
  CallId call = 0;
  BreakerId breaker = 0;  ///< `no_breaker` when something else refused
  Instant call_started{};
  Instant at{};
  OutcomeKind kind = OutcomeKind::breaker_open;  ///< what it was told
};

struct CallEvent {
  CallId call = 0;
  Instant started{};
  Instant ended{};
  std::uint32_t attempts = 0;
  std::uint64_t billed_tokens = 0;  ///< over all its attempts
  bool rejected = false;            ///< some policy turned it away at least once
};

/// A call is over without an outcome, and nobody is told one.
struct GiveUpEvent {
  CallId call = 0;
  Instant started{};
  Instant at{};
  std::uint32_t attempts = 0;
  std::uint64_t billed_tokens = 0;  ///< over all its attempts
  bool by_caller = false;           ///< Engine::cancel(); else its engine was destroyed
};

/// Between on_call_start and either on_call or on_give_up lies everything else about a call, and
/// between on_attempt_start and on_attempt an attempt.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_call_start(const CallStartEvent&) {}
  virtual void on_attempt_start(const AttemptStartEvent&) {}
  virtual void on_attempt(const AttemptEvent&, const Outcome&) {}
  virtual void on_wait(const WaitEvent&) {}
  virtual void on_hedge(const HedgeEvent&) {}
  virtual void on_lookup(const LookupEvent&) {}
  virtual void on_breaker(const BreakerEvent&) {}
  virtual void on_breaker_failure(const BreakerFailureEvent&) {}
  virtual void on_rejection(const RejectionEvent&) {}
  virtual void on_call(const CallEvent&, const Outcome&) {}
  virtual void on_give_up(const GiveUpEvent&) {}
};

}  // namespace brownout
