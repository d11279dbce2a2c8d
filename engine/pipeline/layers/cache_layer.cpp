#include "engine/pipeline/layers/cache_layer.hpp"

#include "engine/core/check.hpp"
#include "engine/pipeline/call.hpp"
#include "engine/store/reply_store.hpp"

namespace brownout {

Action CacheLayer::enter(Visit& visit, Outcome&) {
  Frame& frame = visit.make_frame<Frame>();
  frame.call = &visit.call();
  frame.key = visit.request().key;
  return Action::lookup();
}

Action CacheLayer::resume(Visit& visit, Signal signal, Outcome& outcome) {
  Frame& frame = visit.frame<Frame>();
  switch (signal) {
    case Signal::found:
      if (!is_fresh(visit.found(), visit.now(), options_.ttl)) return ask(visit, frame);
      report(visit, LookupEvent::Result::hit);
      outcome = answer_from_cache(visit.found());
      return end(frame);
    case Signal::missed:
      return ask(visit, frame);
    case Signal::woken:
      return on_grant(frame, outcome);
    case Signal::expired: {
      const std::lock_guard lock(mutex_);
      if (frame.role != Role::follower) return Action::park();
      unlink(frame);
      outcome = Outcome::failure(OutcomeKind::deadline_exceeded);
      return end(frame);
    }
    case Signal::time:
      break;
  }
  BROWNOUT_UNREACHABLE("a cache layer does not wait for a time");
}

Action CacheLayer::ask(Visit& visit, Frame& frame) {
  if (!options_.single_flight || join(frame)) {
    report(visit, LookupEvent::Result::miss);
    return Action::down();
  }
  report(visit, LookupEvent::Result::shared);
  return Action::park();
}

// True for the leader of a new flight.
bool CacheLayer::join(Frame& frame) {
  const std::lock_guard lock(mutex_);
  if (spare_flights_.empty()) {
    Flights hangar{{frame.key, {}}};
    spare_flights_.push_back(hangar.extract(frame.key));
  }
  Flights::node_type& spare = spare_flights_.back();
  spare.key() = frame.key;
  spare.mapped() = {};
  auto [flight, is_new, refused] = flights_.insert(std::move(spare));
  is_new ? spare_flights_.pop_back() : void(spare = std::move(refused));
  frame.flight = &flight->second;
  frame.role = is_new ? Role::leader : Role::follower;
  if (!is_new) append(*frame.flight, frame);
  return is_new;
}

// Nobody but its own call touches a frame that was granted something.
Action CacheLayer::on_grant(Frame& frame, Outcome& outcome) {
  const std::lock_guard lock(mutex_);
  if (frame.role == Role::promoted) {
    frame.role = Role::leader;
    return Action::down();
  }
  outcome = std::move(frame.grant);
  return end(frame);
}

void CacheLayer::report(Visit& visit, LookupEvent::Result result) {
  visit.observer().on_lookup({visit.call_id(), result, visit.now()});
}

Action CacheLayer::leave(Visit& visit, Outcome& outcome) {
  Frame& frame = visit.frame<Frame>();
  if (is_worth_storing(outcome)) {
    visit.store().put(frame.key, outcome.reply, visit.now(), keep_for_);
  }
  if (frame.role == Role::leader) {
    // The leader's deadline is its own affair: its followers may have more time.
    const bool out_of_time = !outcome.ok() && visit.now() >= visit.limits().end;
    const std::lock_guard lock(mutex_);
    out_of_time ? hand_over(frame) : share(frame, outcome);
  }
  return end(frame);
}

void CacheLayer::abandon(Visit& visit, Cut) noexcept {
  Frame& frame = visit.frame<Frame>();
  const std::lock_guard lock(mutex_);
  switch (frame.role) {
    case Role::leader:
    case Role::promoted:
      hand_over(frame);
      break;
    case Role::follower:
      unlink(frame);
      break;
    case Role::alone:
    case Role::granted:
      break;
  }
  end(frame);
}

Action CacheLayer::end(Frame& frame) {
  frame.~Frame();
  return Action::turn();
}

void CacheLayer::share(const Frame& leader, const Outcome& outcome) {
  Frame* follower = leader.flight->first;
  land(leader.key);
  for (; follower != nullptr; follower = follower->behind) {
    follower->role = Role::granted;
    follower->grant = outcome;
    follower->grant.billed_input_tokens = 0;
    follower->grant.billed_output_tokens = 0;
    follower->grant.committed = false;  // the leader's caller has seen output, this one has not
    if (outcome.served == Served::live) follower->grant.served = Served::shared;
    follower->call->wake();
  }
}

void CacheLayer::hand_over(const Frame& leader) {
  Frame* heir = leader.flight->first;
  if (heir == nullptr) {
    land(leader.key);
    return;
  }
  unlink(*heir);
  heir->role = Role::promoted;
  heir->call->wake();
}

void CacheLayer::land(const CacheKey& key) {
  spare_flights_.push_back(flights_.extract(key));
}

void CacheLayer::append(Flight& flight, Frame& follower) {
  follower.before = flight.last;
  (flight.last != nullptr ? flight.last->behind : flight.first) = &follower;
  flight.last = &follower;
}

void CacheLayer::unlink(Frame& follower) {
  Flight& flight = *follower.flight;
  (follower.before != nullptr ? follower.before->behind : flight.first) = follower.behind;
  (follower.behind != nullptr ? follower.behind->before : flight.last) = follower.before;
}

}  // namespace brownout
