#include "engine/pipeline/layers/fallback_layer.hpp"

#include "engine/core/check.hpp"
#include "engine/policy/cache.hpp"
#include "engine/store/reply_store.hpp"

namespace brownout {

Action FallbackLayer::enter(Visit& visit, Outcome&) {
  Draws draws = order_.at(visit.call_id(), visit.attempts() << 16 | visit.copy());
  const Frame& frame =
      visit.make_frame<Frame>(FallbackState(options_, order_routes(options_, draws)));
  return Action::down(frame.state.first_route());
}

Action FallbackLayer::leave(Visit& visit, Outcome& outcome) {
  if (outcome.ok()) {
    if (options_.cached && is_worth_storing(outcome)) {
      visit.store().put(visit.request().key, outcome.reply, visit.now(), keep_for_);
    }
    return end(visit);
  }
  Frame& frame = visit.frame<Frame>();
  if (frame.kept.ok() || is_better_to_give_back(outcome, frame.kept)) frame.kept = outcome;
  return carry_out(frame.state.after_failure(options_, outcome, visit.now(), visit.limits().end),
                   visit, outcome);
}

Action FallbackLayer::resume(Visit& visit, Signal signal, Outcome& outcome) {
  switch (signal) {
    case Signal::time:
      return Action::down(visit.frame<Frame>().waits_for);
    case Signal::found:
      return answer_stored(visit, outcome);
    case Signal::missed:
      visit.observer().on_lookup({visit.call_id(), LookupEvent::Result::miss, visit.now()});
      return carry_out({after_cache_miss(options_), 0, {}}, visit, outcome);
    case Signal::woken:
    case Signal::expired:
      break;
  }
  BROWNOUT_UNREACHABLE("a fallback does not park");
}

Action FallbackLayer::answer_stored(Visit& visit, Outcome& outcome) {
  using enum LookupEvent::Result;
  const Instant now = visit.now();
  LookupEvent::Result result = miss;
  if (is_fresh(visit.found(), now, options_.cached_ttl)) {
    result = hit;
  } else if (is_fresh(visit.found(), now, options_.cached_stale)) {
    result = stale;
  }
  visit.observer().on_lookup({visit.call_id(), result, now});
  if (result == miss) return carry_out({after_cache_miss(options_), 0, {}}, visit, outcome);
  outcome = answer_from_cache(visit.found());
  if (result == stale) outcome.served = Served::stale;
  return end(visit);
}

Action FallbackLayer::carry_out(const FallbackDecision& decision, Visit& visit, Outcome& outcome) {
  Frame& frame = visit.frame<Frame>();
  switch (decision.step) {
    case FallbackStep::next_route:
      return Action::down(decision.route);
    case FallbackStep::wait:
      frame.waits_for = decision.route;
      visit.observer().on_wait({visit.call_id(), routes_[decision.route], visit.now(), decision.at,
                                WaitReason::route, OutcomeKind::success, visit.copy()});
      return Action::wait(decision.at);
    case FallbackStep::look_in_cache:
      return Action::lookup();
    case FallbackStep::default_reply:
      outcome = answer_by_default(options_);
      break;
    // A failure that does not move on is the caller's or the operator's to see, whatever failed
    // before it; so is one whose output has reached the caller, which no layer above may repeat.
    case FallbackStep::give_up:
      if (outcome.committed || !options_.on.contains(outcome)) break;
      outcome = std::move(frame.kept);
      if (const auto wait = frame.state.soonest_return(visit.now())) outcome.retry_after = wait;
      break;
  }
  return end(visit);
}

Action FallbackLayer::end(Visit& visit) {
  visit.frame<Frame>().~Frame();
  return Action::turn();
}

void FallbackLayer::abandon(Visit& visit, Cut) noexcept {
  visit.frame<Frame>().~Frame();
}

}  // namespace brownout
