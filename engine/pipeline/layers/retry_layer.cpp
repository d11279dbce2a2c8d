#include "engine/pipeline/layers/retry_layer.hpp"

namespace brownout {

RetryLayer::RetryLayer(const RetryOptions& options, SharedBudget* budget, RouteId route,
                       std::uint64_t seed, std::string_view name)
    : options_(options),
      budget_(budget),
      route_(route),
      jitter_(seed, Purpose::backoff_jitter, name) {}

Action RetryLayer::enter(Visit& visit, Outcome&) {
  Frame& frame = visit.make_frame<Frame>();
  frame.state.attempts = 1;
  frame.state.first_started = visit.now();
  if (budget_ != nullptr) budget_->on_call(visit.now());
  return Action::down();
}

Action RetryLayer::resume(Visit& visit, Signal, Outcome&) {
  Frame& frame = visit.frame<Frame>();
  frame.waiting = false;
  ++frame.state.attempts;
  frame.sent = visit.attempts();
  return Action::down();
}

Action RetryLayer::leave(Visit& visit, Outcome& outcome) {
  Frame& frame = visit.frame<Frame>();
  settle_budget(visit, frame, outcome);
  if (outcome.ok()) return Action::turn();
  const std::uint32_t nth = visit.attempts() << 16 | (frame.state.attempts & 0xFFFF);
  Draws draws = jitter_.at(visit.call_id(), nth ^ visit.copy() << 12);
  const RetryDecision decision =
      next_retry(options_, frame.state, outcome, visit.now(), visit.limits().end, draws);
  if (!decision.retries()) return Action::turn();
  if (budget_ != nullptr) {
    frame.charge = budget_->try_withdraw(visit.now(), outcome);
    if (!frame.charge) return Action::turn();
  }
  frame.waiting = true;
  visit.observer().on_wait({visit.call_id(), route_, visit.now(), decision.at, WaitReason::retry,
                            outcome.kind, visit.copy()});
  return Action::wait(decision.at);
}

// A refusal of our own says nothing about the provider: it neither costs nor brings anything. What
// was charged for a retry that a layer below turned away is given back, as nothing was sent; but it
// stays spent when a copy of the call sent something meanwhile, which looks the same from here.
void RetryLayer::settle_budget(Visit& visit, Frame& frame, const Outcome& outcome) {
  if (budget_ == nullptr) return;
  if (outcome.ok()) {
    frame.charge ? budget_->on_success(visit.now(), *frame.charge)
                 : budget_->on_success(visit.now());
    return;
  }
  if (frame.charge && visit.attempts() == frame.sent) {
    budget_->give_back(visit.now(), *frame.charge);
    frame.charge.reset();
  }
  if (is_own_refusal(outcome)) return;
  const bool stop = outcome.should_retry == false;
  budget_->on_failure(visit.now(), outcome, stop ? Pushback::stop : Pushback::none);
}

void RetryLayer::abandon(Visit& visit, Cut) noexcept {
  const Frame& frame = visit.frame<Frame>();
  if (frame.waiting && frame.charge) budget_->give_back(visit.now(), *frame.charge);
}

}  // namespace brownout
