#include "engine/pipeline/call.hpp"

#include <algorithm>

#include "engine/core/check.hpp"
#include "engine/pipeline/engine.hpp"

namespace brownout {
namespace {

constexpr JobName call_job{"call"};

}  // namespace

Call::Call(Engine& engine) : Timer(call_job), engine_(engine), pipeline_(*engine.pipeline_) {}

void Call::begin(CallId id, const Request& request, Instant deadline, CallListener& listener) {
  id_ = id;
  request_ = &request;
  listener_ = &listener;
  started_ = engine_.runtime_.now();
  billed_tokens_ = 0;
  attempts_ = 0;
  rejected_ = false;
  outcome_ = Outcome{};
  for (std::uint16_t leaf = 0; leaf < pipeline_.leaves(); ++leaf) attempts_at(leaf) = 0;

  const Pipeline::Node& root = pipeline_.root();
  limits_at(root.depth) = {std::min(deadline, after(started_, pipeline_.deadline()))};
  beginning_ = true;
  at_ = &root;
  if (root.layer) {
    ride(enter(root));
  } else if (!send()) {
    ride(Action::turn());
  }
  beginning_ = false;
}

// Carries out actions until one of them has to wait or the call is over; the call may be gone
// afterwards.
void Call::ride(Action action) {
  for (;;) {
    switch (action.kind) {
      case Action::Kind::down: {
        const Pipeline::Node& child = *at_->children[action.child];
        limits_at(child.depth) = limits_at(at_->depth);
        if (child.layer) {
          action = enter(child);
          break;
        }
        at_ = &child;
        if (send()) return;
        action = Action::turn();
        break;
      }
      case Action::Kind::turn:
        if (at_->parent == nullptr) return finish();
        action = leave(*at_->parent);
        break;
      case Action::Kind::wait:
        stand_ = Stand::waiting;
        engine_.runtime_.arm(*this, action.at);
        return;
      case Action::Kind::park:
        return park();
      case Action::Kind::lookup:
        if (!look_up(action)) return;
        break;
    }
  }
}

Action Call::enter(const Pipeline::Node& node) {
  at_ = &node;
  Visit here = visit(node);
  return node.layer->enter(here, outcome_);
}

Action Call::leave(const Pipeline::Node& node) {
  at_ = &node;
  Visit here = visit(node);
  return node.layer->leave(here, outcome_);
}

void Call::resume(Signal signal) {
  stand_ = Stand::riding;
  Visit here = visit(*at_);
  ride(at_->layer->resume(here, signal, outcome_));
}

// False when there is no time left to begin: the outcome then says so.
bool Call::send() {
  const Limits& limits = limits_at(at_->depth);
  attempt_started_ = engine_.runtime_.now();
  if (limits.end <= attempt_started_) {
    outcome_ = Outcome::failure(OutcomeKind::deadline_exceeded);
    outcome_.route = at_->route;
    return false;
  }
  ++attempts_;
  stand_ = Stand::sending;
  attempt_ = engine_.transport_.start(
      {id_, attempts_at(at_->leaf)++, at_->target, request_, limits}, *this);
  return true;
}

void Call::on_end(Outcome&& outcome) {
  outcome_ = std::move(outcome);
  outcome_.route = at_->route;
  if (outcome_.ok()) outcome_.served = Served::live;
  account(outcome_);
  stand_ = Stand::riding;
  ride(Action::turn());
}

void Call::account(const Outcome& outcome) {
  billed_tokens_ += outcome.billed_input_tokens;
  billed_tokens_ += outcome.billed_output_tokens;
  engine_.observer_.on_attempt(
      {id_, at_->route, at_->target, attempts_, started_, attempt_started_, engine_.runtime_.now()},
      outcome);
}

void Call::park() {
  stand_ = Stand::parked;
  const Instant limit = limits_at(at_->depth).end;
  if (limit != never) engine_.runtime_.arm(*this, limit);
}

void Call::wake() {
  BROWNOUT_CHECK(stand_ == Stand::parked);
  engine_.runtime_.disarm(*this);
  stand_ = Stand::woken;
  engine_.runtime_.post(*this);
}

void Call::fire() {
  switch (stand_) {
    case Stand::waiting:
      return resume(Signal::time);
    case Stand::parked:
      return resume(Signal::expired);
    case Stand::woken:
      return resume(Signal::woken);
    case Stand::ended:
      return finish();
    case Stand::riding:
    case Stand::looking_up:
    case Stand::sending:
      BROWNOUT_UNREACHABLE("a call that arms no timer was fired");
  }
}

// A store may answer inside get(): then the ride goes on with `action`; else it ends here for now.
bool Call::look_up(Action& action) {
  stand_ = Stand::riding;
  lookup_answered_ = false;
  engine_.store_.get(request_->key, *this);
  if (!lookup_answered_) {
    stand_ = Stand::looking_up;
    return false;
  }
  Visit here = visit(*at_);
  action = at_->layer->resume(here, found_ != nullptr ? Signal::found : Signal::missed, outcome_);
  return true;
}

void Call::on_lookup(const StoredReply* found) {
  found_ = found;
  lookup_answered_ = true;
  if (stand_ == Stand::looking_up) resume(found != nullptr ? Signal::found : Signal::missed);
}

void Call::finish() {
  if (beginning_) {
    stand_ = Stand::ended;
    at_ = nullptr;
    return engine_.runtime_.post(*this);
  }
  const CallEvent event{id_,       started_,       engine_.runtime_.now(),
                        attempts_, billed_tokens_, rejected_};
  CallListener& listener = *listener_;
  Outcome outcome = std::move(outcome_);
  engine_.observer_.on_call(event, outcome);
  engine_.recycle(this);
  listener.on_call_end(event.call, std::move(outcome));
}

void Call::give_up(Cut cut) {
  engine_.runtime_.disarm(*this);
  if (stand_ == Stand::looking_up) engine_.store_.cancel(*this);
  if (stand_ == Stand::sending) account(engine_.transport_.detach(attempt_));
  for (const Pipeline::Node* node = at_; node != nullptr; node = node->parent) {
    if (!node->layer) continue;
    Visit here = visit(*node);
    node->layer->abandon(here, cut);
  }
  engine_.recycle(this);
}

std::string Call::describe() const {
  const auto at = [](Instant instant) { return format_duration(instant - Instant{}); };
  std::string text = "call " + std::to_string(id_);
  switch (stand_) {
    case Stand::riding:
    case Stand::ended:
      text += " is at ";
      break;
    case Stand::waiting:
      text += " waits until " + at(due()) + " at ";
      break;
    case Stand::parked:
      text += " is parked at ";
      break;
    case Stand::woken:
      text += " was woken at ";
      break;
    case Stand::looking_up:
      text += " looks for a stored reply at ";
      break;
    case Stand::sending:
      text += " has had no answer since " + at(attempt_started_) + " from ";
      break;
  }
  text += at_ != nullptr ? at_->name : "the end";
  return text + " (attempts so far: " + std::to_string(attempts_) + ")";
}

Limits& Call::limits_at(std::uint16_t depth) {
  return reinterpret_cast<Limits*>(reinterpret_cast<std::byte*>(this) +
                                   engine_.limits_offset_)[depth];
}

std::uint32_t& Call::attempts_at(std::uint16_t leaf) {
  return reinterpret_cast<std::uint32_t*>(reinterpret_cast<std::byte*>(this) +
                                          engine_.counters_offset_)[leaf];
}

void* Call::frame_of(const Pipeline::Node& node) {
  return reinterpret_cast<std::byte*>(this) + engine_.frames_offset_ + node.frame_offset;
}

Visit Call::visit(const Pipeline::Node& node) {
  return {*this, frame_of(node), limits_at(node.depth)};
}

}  // namespace brownout
