#include "engine/pipeline/layers/retry_layer.hpp"

namespace brownout {

RetryLayer::RetryLayer(const RetryOptions& options, RouteId route, std::uint64_t seed,
                       std::string_view name)
    : options_(options), route_(route), jitter_(seed, Purpose::backoff_jitter, name) {}

Action RetryLayer::enter(Visit& visit, Outcome&) {
  visit.make_frame<RetryState>(1U, visit.now());
  return Action::down();
}

Action RetryLayer::resume(Visit& visit, Signal, Outcome&) {
  ++visit.frame<RetryState>().attempts;
  return Action::down();
}

Action RetryLayer::leave(Visit& visit, Outcome& outcome) {
  if (outcome.ok()) return Action::turn();
  const RetryState& state = visit.frame<RetryState>();
  Draws draws = jitter_.at(visit.call_id(), visit.attempts() << 16 | (state.attempts & 0xFFFF));
  const RetryDecision decision =
      next_retry(options_, state, outcome, visit.now(), visit.limits().end, draws);
  if (!decision.retries()) return Action::turn();
  visit.observer().on_wait({visit.call_id(), route_, visit.now(), decision.at});
  return Action::wait(decision.at);
}

}  // namespace brownout
