#include "engine/pipeline/layers/breaker_layer.hpp"

namespace brownout {

Action BreakerLayer::enter(Visit& visit, Outcome& outcome) {
  const BreakerState before = breaker_.state();
  const auto permit = breaker_.acquire(visit.now());
  report(visit, before);
  if (permit) {
    visit.make_frame<Breaker::Permit>(*permit);
    return Action::down();
  }
  visit.reject(id_);
  outcome = Outcome::failure(OutcomeKind::breaker_open);
  outcome.retry_after = breaker_.retry_after(visit.now());
  return Action::turn();
}

Action BreakerLayer::leave(Visit& visit, Outcome& outcome) {
  const BreakerState before = breaker_.state();
  breaker_.record(visit.frame<Breaker::Permit>(), judge(options_, outcome), visit.now());
  report(visit, before);
  return Action::turn();
}

void BreakerLayer::abandon(Visit& visit, Cut) noexcept {
  breaker_.release(visit.frame<Breaker::Permit>());
}

void BreakerLayer::report(Visit& visit, BreakerState before) {
  const BreakerState now = breaker_.state();
  if (now != before) visit.observer().on_breaker({id_, before, now, visit.now()});
}

}  // namespace brownout
