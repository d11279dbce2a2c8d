#include "engine/policy/fallback.hpp"

namespace brownout {

OutcomeSet FallbackOptions::default_on() {
  using enum OutcomeKind;
  OutcomeSet set = OutcomeSet::of(ErrorClass::retryable);
  return set.add(
      OutcomeSet::of({request_too_large, quota_exhausted, daily_limited, not_found, breaker_open,
                      deadline_exceeded, throttled, bulkhead_full, client_rate_limited}));
}

FallbackStep after_route(const FallbackOptions& options, std::uint8_t failed,
                         const Outcome& outcome, Instant now, Instant deadline) {
  if (outcome.committed || !options.on.contains(outcome)) return FallbackStep::give_up;
  if (failed + 1 < options.routes && now < deadline) return FallbackStep::next_route;
  return options.cached ? FallbackStep::look_in_cache : after_cache_miss(options);
}

FallbackStep after_cache_miss(const FallbackOptions& options) {
  return options.default_reply ? FallbackStep::default_reply : FallbackStep::give_up;
}

Outcome answer_by_default(const FallbackOptions& options) {
  Outcome outcome;
  outcome.served = Served::fallback;
  outcome.reply.text = options.default_reply;
  return outcome;
}

bool is_better_to_give_back(const Outcome& candidate, const Outcome& kept) {
  return kept.kind == OutcomeKind::breaker_open && candidate.kind != OutcomeKind::breaker_open;
}

}  // namespace brownout
