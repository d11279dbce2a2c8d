#pragma once

// Generated histories on which the bundled policies and the guide's own code must agree.
//
// All times are whole ticks of 1/512 s, which Python's floats and our nanoseconds both hold
// exactly: a difference of one tick at a boundary is a difference of behaviour, never of rounding.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"

namespace brownout::conformance {

using Ticks = std::int64_t;
inline constexpr Ticks ticks_per_second = 512;
inline constexpr Duration tick{1'953'125};
static_assert(tick * ticks_per_second == std::chrono::seconds{1});

/// What a provider does with one attempt.
struct Answer {
  OutcomeKind outcome = OutcomeKind::success;
  Ticks after = 0;
};

/// Calls that come one at a time.
struct PolicyCase {
  struct Call {
    Ticks gap = 0;  ///< since the end of the call before
    std::uint32_t prompt = 0;
  };

  std::string policy;                        ///< "guide-layered"
  std::vector<std::vector<Answer>> scripts;  ///< by model, as `models`; each repeats
  std::vector<Call> calls;
};
inline constexpr const char* models[] = {"gpt-4", "gpt-3.5-turbo"};

/// Overlapping calls through a breaker alone.
struct BreakerCase {
  struct Event {
    enum class Kind : std::uint8_t { enter, success, failure };
    Ticks gap = 0;  ///< since the event before
    Kind kind = Kind::enter;
    std::uint32_t place = 0;  ///< which call ends: its place among those in flight, modulo
  };

  std::string breaker;  ///< "library" or "class"
  std::vector<Event> events;
};

/// *Determinism*: functions of `number` alone, which also decides the kind of history.
PolicyCase make_policy_case(const std::string& policy, std::uint64_t number);
BreakerCase make_breaker_case(const std::string& breaker, std::uint64_t number);

/// One line of JSON, as guide_reference.py reads it.
std::string to_json(const PolicyCase& history);
std::string to_json(const BreakerCase& history);

}  // namespace brownout::conformance
