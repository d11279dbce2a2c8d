#include "engine/pipeline/layers/bulkhead_layer.hpp"

#include <algorithm>

#include "engine/pipeline/call.hpp"

namespace brownout {

Action BulkheadLayer::enter(Visit& visit, Outcome& outcome) {
  Frame& frame = visit.make_frame<Frame>();
  frame.call = &visit.call();
  frame.attempts = visit.attempts();
  constexpr std::uint8_t least_urgent = Bulkhead::priorities - 1;
  Bulkhead::Admission admission{};
  {
    const std::lock_guard lock(mutex_);
    admission = bulkhead_.acquire(frame, std::min(visit.request().priority, least_urgent));
    if (admission == Bulkhead::Admission::granted) begin(frame, clock(visit));
  }
  switch (admission) {
    case Bulkhead::Admission::granted:
      return Action::down();
    case Bulkhead::Admission::queued:
      return Action::park(after(visit.now(), max_wait_));
    case Bulkhead::Admission::refused:
      break;
  }
  frame.~Frame();
  outcome = visit.refuse(OutcomeKind::bulkhead_full);
  return Action::turn();
}

Action BulkheadLayer::resume(Visit& visit, Signal signal, Outcome& outcome) {
  if (signal == Signal::woken) return Action::down();
  Frame& frame = visit.frame<Frame>();
  {
    const std::lock_guard lock(mutex_);
    // It was granted its place in the meantime: the wake is on its way.
    if (frame.state() == Bulkhead::Waiter::State::holding) return Action::park();
    wake(bulkhead_.leave(frame), clock(visit));
  }
  frame.~Frame();
  if (visit.now() < visit.limits().end) {
    outcome = visit.refuse(OutcomeKind::bulkhead_full);
  } else {
    outcome = Outcome::failure(OutcomeKind::deadline_exceeded);
  }
  return Action::turn();
}

Action BulkheadLayer::leave(Visit& visit, Outcome& outcome) {
  Frame& frame = visit.frame<Frame>();
  {
    const std::lock_guard lock(mutex_);
    const Instant now = clock(visit);
    wake(bulkhead_.leave(frame), now);
    if (visit.attempts() != frame.attempts) ended(frame, outcome, now);
  }
  frame.~Frame();
  return Action::turn();
}

void BulkheadLayer::abandon(Visit& visit, Cut) noexcept {
  Frame& frame = visit.frame<Frame>();
  {
    const std::lock_guard lock(mutex_);
    wake(bulkhead_.leave(frame), clock(visit));
  }
  frame.~Frame();
}

void BulkheadLayer::resize(std::uint32_t places, Instant now) {
  bulkhead_.set_max_concurrent(places);
  while (Bulkhead::Waiter* waiter = bulkhead_.admit()) wake(waiter, now);
}

void BulkheadLayer::begin(Frame& frame, Instant now) {
  frame.began = now;
  frame.in_flight = bulkhead_.holders();
}

void BulkheadLayer::wake(Bulkhead::Waiter* waiter, Instant now) {
  if (waiter == nullptr) return;
  Frame& frame = static_cast<Frame&>(*waiter);
  begin(frame, now);
  frame.call->wake();
}

Instant BulkheadLayer::clock(const Visit& visit) {
  latest_ = std::max(latest_, visit.now());
  return latest_;
}

AdaptiveConcurrencyLayer::AdaptiveConcurrencyLayer(const AdaptiveConcurrencySpec& spec)
    : BulkheadLayer({{spec.concurrency.initial_limit, spec.max_queued}, spec.max_wait}),
      concurrency_(spec.concurrency) {}

void AdaptiveConcurrencyLayer::ended(const Frame& frame, const Outcome& outcome, Instant now) {
  const bool lost = outcome.kind == OutcomeKind::timed_out ||
                    outcome.kind == OutcomeKind::overloaded ||
                    outcome.kind == OutcomeKind::slow_down;
  if (!lost && (!outcome.ok() || outcome.served != Served::live)) return;
  concurrency_.record({now - frame.began, frame.in_flight, lost}, now);
  resize(concurrency_.limit(), now);
}

}  // namespace brownout
