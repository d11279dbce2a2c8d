#pragma once

// What an engine tells whoever watches it: metrics, logs, the simulator's recorder. Events are
// reported when they happen, in order, from the thread they happen on; an observer must not call
// back into the engine.

#include <cstdint>

#include "engine/core/outcome.hpp"
#include "engine/core/request.hpp"
#include "engine/core/time.hpp"
#include "engine/transport/transport.hpp"

namespace brownout {

/// Index of a breaker in its pipeline.
using BreakerId = std::uint16_t;

enum class BreakerState : std::uint8_t { closed = 0, open = 1, half_open = 2 };
std::string_view to_string(BreakerState state);

struct AttemptEvent {
  CallId call = 0;
  RouteId route = no_route;
  TargetId target = 0;
  std::uint32_t number = 0;  ///< within the call, 1-based
  Instant call_started{};
  Instant started{};
  Instant ended{};
};

struct WaitEvent {
  CallId call = 0;
  RouteId route = no_route;
  Instant from{};
  Instant until{};
};

struct BreakerEvent {
  BreakerId breaker = 0;
  BreakerState from = BreakerState::closed;
  BreakerState to = BreakerState::closed;
  Instant at{};
};

struct RejectionEvent {
  CallId call = 0;
  BreakerId breaker = 0;
  Instant call_started{};
  Instant at{};
};

struct CallEvent {
  CallId call = 0;
  Instant started{};
  Instant ended{};
  std::uint32_t attempts = 0;
  std::uint64_t billed_tokens = 0;  ///< over all its attempts
  bool rejected = false;            ///< some breaker turned it away at least once
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_attempt(const AttemptEvent&, const Outcome&) {}
  virtual void on_wait(const WaitEvent&) {}
  virtual void on_breaker(const BreakerEvent&) {}
  virtual void on_rejection(const RejectionEvent&) {}
  virtual void on_call(const CallEvent&, const Outcome&) {}
};

}  // namespace brownout
