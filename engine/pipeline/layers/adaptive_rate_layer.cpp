#include "engine/pipeline/layers/adaptive_rate_layer.hpp"

#include <algorithm>

namespace brownout {
namespace {

using Kind = AdaptiveRate::Answer::Kind;

bool is_throttled(const Outcome& outcome) {
  return outcome.kind == OutcomeKind::rate_limited || outcome.kind == OutcomeKind::slow_down;
}

}  // namespace

Action AdaptiveRateLayer::enter(Visit& visit, Outcome& outcome) {
  AdaptiveRate::Answer answer;
  {
    const std::lock_guard lock(mutex_);
    answer = rate_.acquire(clock(visit), visit.limits().end);
  }
  switch (answer.kind) {
    case Kind::granted:
      visit.make_frame<Frame>(visit.attempts());
      return Action::down();
    case Kind::wait:
      visit.make_frame<Frame>(visit.attempts());
      visit.observer().on_wait({visit.call_id(), route_, visit.now(), answer.at, WaitReason::quota,
                                OutcomeKind::success, visit.copy()});
      return Action::wait(answer.at);
    case Kind::too_late:
      break;
  }
  outcome = visit.refuse(OutcomeKind::client_rate_limited, answer.at - visit.now());
  return Action::turn();
}

Action AdaptiveRateLayer::resume(Visit&, Signal, Outcome&) {
  return Action::down();
}

Action AdaptiveRateLayer::leave(Visit& visit, Outcome& outcome) {
  const bool asked = visit.attempts() != visit.frame<Frame>().attempts;
  const std::lock_guard lock(mutex_);
  const Instant now = clock(visit);
  asked ? rate_.on_answer(is_throttled(outcome), now) : rate_.give_back(now);
  return Action::turn();
}

void AdaptiveRateLayer::abandon(Visit& visit, Cut) noexcept {
  if (visit.attempts() != visit.frame<Frame>().attempts) return;
  const std::lock_guard lock(mutex_);
  rate_.give_back(clock(visit));
}

Instant AdaptiveRateLayer::clock(const Visit& visit) {
  latest_ = std::max(latest_, visit.now());
  return latest_;
}

}  // namespace brownout
