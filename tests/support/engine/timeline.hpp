#pragma once

// What happened on a stage, in order: as data to judge and as lines to read.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/outcome.hpp"
#include "engine/core/request.hpp"
#include "engine/telemetry/observer.hpp"

namespace brownout::testing {

/// One thing that happened. Fields that make no sense for its kind keep their defaults.
struct Event {
  enum class What : std::uint8_t {
    asked,     ///< an attempt began: `target`, `limits`, `nth` at that target
    answered,  ///< an attempt ended: `target`, `route`, `outcome`, `since` when it began
    detached,  ///< the transport was told to forget an attempt: `target`
    waited,    ///< a wait began: `until`, `reason`, `route`
    hedged,    ///< a copy began to race
    looked,    ///< a stored reply was looked for: `lookup`
    moved,     ///< a breaker changed its state: `breaker`, `from`, `to`
    rejected,  ///< a policy refused a call: `breaker`, or `outcome` when it was none
    observed,  ///< the observer heard of a call's end: `outcome`, `attempts`, `billed`
    ended,     ///< the caller got `outcome`
  };

  What what{};
  Instant at{};
  CallId call = 0;
  TargetId target = 0;
  RouteId route = no_route;
  BreakerId breaker = 0;
  BreakerState from = BreakerState::closed;
  BreakerState to = BreakerState::closed;
  std::uint32_t nth = 0;
  std::uint32_t attempts = 0;
  std::uint64_t billed = 0;
  bool was_rejected = false;
  Instant since{};
  Instant until{};
  WaitReason reason = WaitReason::retry;
  LookupEvent::Result lookup{};
  Limits limits{};
  Outcome outcome{};
};

/// What numbers are called in the lines.
struct Names {
  std::vector<std::string> targets;
  std::vector<std::string> breakers;
};

/// "5s call 1 asks gpt-4", "6s call 1 fails at gpt-4: server_error", "6s call 1 waits until 10s",
/// "6s call 1 waits for a route until 10s", "6s call 1 looks for a reply: miss",
/// "6s breaker main opens", "6s call 1 is refused by main", "6s call 1 is refused: throttled",
/// "6s call 1 ends: default reply".
/// Observed ends are told like ended ones, with "observed" in place of "ends".
std::string to_string(const Event& event, const Names& names);

}  // namespace brownout::testing
