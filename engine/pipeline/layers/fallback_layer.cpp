#include "engine/pipeline/layers/fallback_layer.hpp"

#include "engine/policy/cache.hpp"
#include "engine/store/reply_store.hpp"

namespace brownout {

Action FallbackLayer::enter(Visit& visit, Outcome&) {
  visit.make_frame<Frame>();
  return Action::down(0);
}

Action FallbackLayer::leave(Visit& visit, Outcome& outcome) {
  if (outcome.ok()) {
    if (options_.cached && is_worth_storing(outcome)) {
      visit.store().put(visit.request().key, outcome.reply, visit.now(), options_.cached_ttl);
    }
    return end(visit);
  }
  Frame& frame = visit.frame<Frame>();
  if (frame.kept.ok() || is_better_to_give_back(outcome, frame.kept)) frame.kept = outcome;
  return take(after_route(options_, frame.route, outcome, visit.now(), visit.limits().end), visit,
              outcome);
}

Action FallbackLayer::resume(Visit& visit, Signal signal, Outcome& outcome) {
  if (signal == Signal::found && is_fresh(visit.found(), visit.now(), options_.cached_ttl)) {
    outcome = answer_from_cache(visit.found());
    return end(visit);
  }
  return take(after_cache_miss(options_), visit, outcome);
}

Action FallbackLayer::take(FallbackStep step, Visit& visit, Outcome& outcome) {
  Frame& frame = visit.frame<Frame>();
  switch (step) {
    case FallbackStep::next_route:
      return Action::down(++frame.route);
    case FallbackStep::look_in_cache:
      return Action::lookup();
    case FallbackStep::default_reply:
      outcome = answer_by_default(options_);
      break;
    // A failure that does not move on is the caller's or the operator's to see, whatever failed
    // before it; so is one whose output has reached the caller, which no layer above may repeat.
    case FallbackStep::give_up:
      if (!outcome.committed && options_.on.contains(outcome)) outcome = std::move(frame.kept);
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
