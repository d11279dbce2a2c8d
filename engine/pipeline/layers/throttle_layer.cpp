#include "engine/pipeline/layers/throttle_layer.hpp"

#include <algorithm>

namespace brownout {
namespace {

bool says_nothing(const Outcome& outcome) {
  return is_own_refusal(outcome) || outcome.kind == OutcomeKind::cancelled ||
         outcome.kind == OutcomeKind::deadline_exceeded;
}

bool is_accepted(const Outcome& outcome) {
  return blame(outcome.kind) == Blame::neutral && outcome.kind != OutcomeKind::rate_limited &&
         outcome.kind != OutcomeKind::slow_down;
}

}  // namespace

Action ThrottleLayer::enter(Visit& visit, Outcome& outcome) {
  Draws draws = draws_.at(visit.call_id(), visit.attempts() ^ visit.copy() << 16);
  std::optional<Throttle::Ticket> ticket;
  {
    const std::lock_guard lock(mutex_);
    ticket = throttle_.admit(clock(visit), draws);
  }
  if (ticket) {
    visit.make_frame<Frame>(*ticket, visit.attempts());
    return Action::down();
  }
  outcome = visit.refuse(OutcomeKind::throttled);
  return Action::turn();
}

Action ThrottleLayer::leave(Visit& visit, Outcome& outcome) {
  const Frame& frame = visit.frame<Frame>();
  const bool asked = visit.attempts() != frame.attempts;
  const std::lock_guard lock(mutex_);
  const Instant now = clock(visit);
  if (!asked || says_nothing(outcome)) {
    throttle_.forget(now, frame.ticket);
  } else if (is_accepted(outcome)) {
    throttle_.accepted(now);
  }
  return Action::turn();
}

void ThrottleLayer::abandon(Visit& visit, Cut) noexcept {
  const std::lock_guard lock(mutex_);
  throttle_.forget(clock(visit), visit.frame<Frame>().ticket);
}

Instant ThrottleLayer::clock(const Visit& visit) {
  latest_ = std::max(latest_, visit.now());
  return latest_;
}

}  // namespace brownout
