#include "engine/pipeline/layers/breaker_layer.hpp"

namespace brownout {

Action BreakerLayer::enter(Visit& visit, Outcome& outcome) {
  SharedBreaker::Refusal refusal;
  const auto pass =
      breaker_.acquire(visit.request().credential, visit.now(), visit.observer(), refusal);
  if (pass) {
    visit.make_frame<SharedBreaker::Pass>(*pass);
    return Action::down();
  }
  visit.reject(breaker_.id());
  outcome = Outcome::failure(OutcomeKind::breaker_open);
  outcome.retry_after = refusal.retry_after;
  return Action::turn();
}

Action BreakerLayer::leave(Visit& visit, Outcome& outcome) {
  breaker_.record(visit.frame<SharedBreaker::Pass>(), outcome, visit.call_id(), visit.now(),
                  visit.observer());
  return Action::turn();
}

void BreakerLayer::abandon(Visit& visit, Cut cut) noexcept {
  const auto& pass = visit.frame<SharedBreaker::Pass>();
  if (cut == Cut::shutdown) return breaker_.forget(pass, visit.now());
  breaker_.release(pass, visit.now(), visit.observer());
}

}  // namespace brownout
