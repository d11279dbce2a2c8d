#include "tests/support/engine/timeline.hpp"

#include <fmt/format.h>

namespace brownout::testing {
namespace {

std::string_view verb(BreakerState to) {
  switch (to) {
    case BreakerState::closed:
      return "closes";
    case BreakerState::open:
      return "opens";
    case BreakerState::half_open:
      return "half-opens";
  }
  return "";
}

std::string_view end_text(const Outcome& outcome) {
  switch (outcome.served) {
    case Served::nothing:
      return to_string(outcome.kind);
    case Served::live:
      return "success";
    case Served::shared:
      return "shared reply";
    case Served::cached:
      return "cached reply";
    case Served::fallback:
      return "default reply";
    case Served::stale:
      return "stale reply";
  }
  return "";
}

std::string_view wait_text(WaitReason reason) {
  switch (reason) {
    case WaitReason::retry:
      return "";
    case WaitReason::quota:
      return "for its quota ";
    case WaitReason::route:
      return "for a route ";
  }
  return "";
}

std::string what_text(const Event& event, const Names& names) {
  switch (event.what) {
    case Event::What::asked:
      return fmt::format("asks {}", names.targets[event.target]);
    case Event::What::answered:
      if (event.outcome.ok()) return fmt::format("succeeds at {}", names.targets[event.target]);
      return fmt::format("fails at {}: {}", names.targets[event.target],
                         to_string(event.outcome.kind));
    case Event::What::detached:
      return fmt::format("forgets {}", names.targets[event.target]);
    case Event::What::waited:
      return fmt::format("waits {}until {}", wait_text(event.reason),
                         format_duration(event.until - Instant{}));
    case Event::What::hedged:
      return "hedges";
    case Event::What::looked:
      return fmt::format("looks for a reply: {}", to_string(event.lookup));
    case Event::What::rejected:
      if (event.breaker == no_breaker) {
        return fmt::format("is refused: {}", to_string(event.outcome.kind));
      }
      return fmt::format("is refused by {}", names.breakers[event.breaker]);
    case Event::What::observed:
      return fmt::format("observed: {}", end_text(event.outcome));
    case Event::What::ended:
      return fmt::format("ends: {}", end_text(event.outcome));
    case Event::What::moved:
      break;
  }
  return "";
}

}  // namespace

std::string to_string(const Event& event, const Names& names) {
  const std::string at = format_duration(event.at - Instant{});
  if (event.what == Event::What::moved) {
    return fmt::format("{} breaker {} {}", at, names.breakers[event.breaker], verb(event.to));
  }
  return fmt::format("{} call {} {}", at, event.call, what_text(event, names));
}

}  // namespace brownout::testing
