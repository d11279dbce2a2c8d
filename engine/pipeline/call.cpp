#include "engine/pipeline/call.hpp"

#include <algorithm>

#include "engine/core/check.hpp"
#include "engine/pipeline/engine.hpp"

namespace brownout {
namespace {

constexpr JobName call_job{"call"};
constexpr JobName wake_up_job{"wake-up"};

}  // namespace

Call::WakeUp::WakeUp(Call& call) : Timer(wake_up_job), call_(call) {}

Call::Call(Engine& engine, CallLayout& layout)
    : Timer(call_job), engine_(engine), layout_(layout), wake_up_(*this) {}

void Call::begin(CallId id, const Request& request, Instant deadline, CallListener& listener) {
  id_ = id;
  request_ = &request;
  listener_ = &listener;
  started_ = engine_.runtime_.now();
  whole_ = this;
  billed_tokens_ = 0;
  attempts_ = 0;
  copies_made_ = 0;
  rejected_ = false;
  outcome_ = Outcome{};
  const Pipeline& pipeline = *layout_.pipeline;
  for (std::uint16_t leaf = 0; leaf < pipeline.leaves(); ++leaf) attempts_at(leaf) = 0;
  Limits& limits = limits_at(pipeline.root().depth);
  limits = {};
  limits.end = std::min(deadline, after(started_, pipeline.deadline()));
  limits.hold_output = pipeline.holds_output();
  layout_.observer->on_call_start({id_, started_});
  board(pipeline.root());
}

// A copy rides from the child of the layer that forked it, and ends when it comes back there.
void Call::begin_copy(Call& parent, const PipelineNode& forked_at) {
  id_ = parent.id_;
  request_ = parent.request_;
  started_ = parent.started_;
  whole_ = parent.whole_;
  copy_ = ++whole_->copies_made_;
  parent_ = &parent;
  forked_at_ = &forked_at;
  outcome_ = Outcome{};
  const PipelineNode& child = *forked_at.children.front();
  limits_at(child.depth) = parent.limits_at(forked_at.depth);
  board(child);
}

void Call::board(const PipelineNode& node) {
  beginning_ = true;
  at_ = &node;
  stand_ = Stand::riding;
  if (node.layer) {
    ride(enter(node));
  } else if (!send()) {
    ride(Action::turn());
  }
  beginning_ = false;
}

// Carries out actions until one of them has to wait or the ride is over; the call may be gone
// afterwards.
void Call::ride(Action action) {
  for (;;) {
    switch (action.kind) {
      case Action::Kind::down: {
        const PipelineNode& child = *at_->children[action.child];
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
        if (at_->parent == forked_at_) return end_ride();
        at_ = at_->parent;
        action = leave(*at_, outcome_);
        if (action.kind == Action::Kind::turn) cut_copies(*at_, nullptr, Cut::lost_hedge);
        break;
      case Action::Kind::fork:
      case Action::Kind::hold:
        stand_ = Stand::holding;
        return decide(*at_, action, nullptr);
      case Action::Kind::wait:
        stand_ = Stand::waiting;
        engine_.runtime_.arm(*this, action.at);
        return;
      case Action::Kind::park:
        return park(std::min(action.at, limits_at(at_->depth).end));
      case Action::Kind::lookup:
        if (!look_up(action)) return;
        break;
    }
  }
}

Action Call::enter(const PipelineNode& node) {
  at_ = &node;
  Visit here = visit(node);
  return node.layer->enter(here, outcome_);
}

Action Call::leave(const PipelineNode& node, Outcome& outcome) {
  Visit here = visit(node);
  return node.layer->leave(here, outcome);
}

void Call::resume(Signal signal) {
  stand_ = Stand::riding;
  Visit here = visit(*at_);
  const Action action = at_->layer->resume(here, signal, outcome_);
  // Granted in the meantime: the wake-up is on its way, and the limit has passed already.
  const bool granted = action.kind == Action::Kind::park && action.at == never;
  if (signal == Signal::expired && granted) return park(never);
  ride(action);
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
  attempt_number_ = ++whole_->attempts_;
  stand_ = Stand::sending;
  layout_.observer->on_attempt_start(
      {id_, at_->route, at_->target, attempt_number_, copy_, attempt_started_});
  attempt_ = engine_.transport_.start(
      {id_, attempts_at(at_->leaf)++, at_->target, request_, limits}, *this);
  return true;
}

// Told to every layer above the attempt; one that lets copies race may call the race off.
void Call::on_first_output() {
  Call* ride = this;
  const PipelineNode* below = at_;
  for (;;) {
    const PipelineNode* node = below->parent;
    Call* copy = nullptr;
    if (node == ride->forked_at_) {
      if (ride->parent_ == nullptr) break;
      copy = ride;
      ride = ride->parent_;
    }
    Visit here = ride->visit(*node);
    if (node->layer->first_output(here)) {
      if (copy != nullptr && ride->at_ != node) {
        ride->abandon_below(node, Cut::lost_hedge);
        ride->stand_ = Stand::holding;
      }
      ride->cut_copies(*node, copy, Cut::lost_hedge);
    }
    below = node;
  }
  whole_->listener_->on_first_output(id_);
}

// The first output has cut every other ride that could speak.
void Call::on_output(std::string_view text) {
  whole_->listener_->on_output(id_, text);
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
  whole_->billed_tokens_ += outcome.billed_input_tokens;
  whole_->billed_tokens_ += outcome.billed_output_tokens;
  layout_.observer->on_attempt(
      {id_, at_->route, at_->target, attempt_number_, started_, attempt_started_,
       engine_.runtime_.now(), parent_ != nullptr, copy_},
      outcome);
}

void Call::park(Instant limit) {
  stand_ = Stand::parked;
  if (limit != never) engine_.runtime_.arm(*this, limit);
}

void Call::wake() {
  engine_.runtime_.post_from_anywhere(wake_up_);
}

void Call::woken() {
  BROWNOUT_CHECK(stand_ == Stand::parked);
  engine_.runtime_.disarm(*this);
  resume(Signal::woken);
}

void Call::fire() {
  switch (stand_) {
    case Stand::waiting:
      return resume(Signal::time);
    case Stand::parked:
      return resume(Signal::expired);
    case Stand::ended:
      return finish();
    case Stand::riding:
    case Stand::holding:
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
  action = at_->layer->resume(here, found_ ? Signal::found : Signal::missed, outcome_);
  return true;
}

void Call::on_lookup(const StoredReply* found) {
  found != nullptr ? void(found_ = *found) : found_.reset();
  lookup_answered_ = true;
  if (stand_ == Stand::looking_up) resume(found != nullptr ? Signal::found : Signal::missed);
}

// A ride has come back to where it began. A copy that ends while it begins is told of by fork().
void Call::end_ride() {
  stand_ = Stand::ended;
  if (parent_ == nullptr) return finish();
  if (!beginning_) parent_->copy_ended(*this);
}

void Call::finish() {
  if (beginning_) {
    at_ = nullptr;
    return engine_.runtime_.post(*this);
  }
  const CallEvent event{id_,       started_,       engine_.runtime_.now(),
                        attempts_, billed_tokens_, rejected_};
  CallListener& listener = *listener_;
  Outcome outcome = std::move(outcome_);
  layout_.observer->on_call(event, outcome);
  engine_.recycle(this);
  listener.on_call_end(event.call, std::move(outcome));
}

void Call::sound(const PipelineNode& node) {
  Visit here = visit(node);
  decide(node, node.layer->alarm(here), nullptr);
}

void Call::copy_ended(Call& copy) {
  const PipelineNode& node = *copy.forked_at_;
  decide(node, leave(node, copy.outcome_), &copy);
}

// Carries out what the layer at `node` wants while the call's own ride is below it or holds there.
// `ended` is the copy whose outcome is in hand, null when it is none's or the own ride's.
void Call::decide(const PipelineNode& node, Action action, Call* ended) {
  while (action.kind == Action::Kind::fork) {
    if (ended != nullptr) engine_.recycle_copy(ended);
    Call& copy = fork(node);
    const bool at_once = copy.stand_ == Stand::ended;
    ended = at_once ? &copy : nullptr;
    action = at_once ? leave(node, copy.outcome_) : Action::hold();
  }
  if (action.kind == Action::Kind::hold) {
    if (ended != nullptr) engine_.recycle_copy(ended);
    return;
  }
  BROWNOUT_CHECK(action.kind == Action::Kind::turn);
  if (at_ != &node) abandon_below(&node, Cut::lost_hedge);
  if (ended != nullptr) {
    outcome_ = std::move(ended->outcome_);
    engine_.recycle_copy(ended);
  }
  at_ = &node;
  stand_ = Stand::riding;
  cut_copies(node, nullptr, Cut::lost_hedge);
  ride(Action::turn());
}

Call& Call::fork(const PipelineNode& node) {
  layout_.observer->on_hedge(
      {id_, node.route, whole_->copies_made_ + 1, started_, engine_.runtime_.now()});
  Call& copy = *engine_.acquire(layout_);
  copy.next_copy_ = copies_;
  copies_ = &copy;
  copy.begin_copy(*this, node);
  return copy;
}

void Call::cut_copies(const PipelineNode& node, const Call* winner, Cut cut) {
  for (Call* copy = copies_; copy != nullptr;) {
    Call* next = copy->next_copy_;
    if (copy->forked_at_ == &node && copy != winner) {
      copy->abandon_below(&node, cut);
      engine_.recycle_copy(copy);
    }
    copy = next;
  }
}

// Gives the ride up from where it stands up to, but not including, `top`, the innermost layer
// first; and the copies that were forked on the way.
void Call::abandon_below(const PipelineNode* top, Cut cut) {
  engine_.runtime_.disarm(*this);
  if (stand_ == Stand::looking_up) engine_.store_.cancel(*this);
  if (stand_ == Stand::sending) account(engine_.transport_.detach(attempt_));
  for (const PipelineNode* node = at_; node != top; node = node->parent) {
    if (!node->layer) continue;
    cut_copies(*node, nullptr, cut);
    Visit here = visit(*node);
    node->layer->abandon(here, cut);
  }
  engine_.runtime_.withdraw(wake_up_);
  at_ = top;
}

void Call::give_up(Cut cut) {
  abandon_below(nullptr, cut);
  layout_.observer->on_give_up(
      {id_, started_, engine_.runtime_.now(), attempts_, billed_tokens_, cut == Cut::caller});
  engine_.recycle(this);
}

std::string Call::describe() const {
  std::string text = "call " + std::to_string(id_) + describe_ride() +
                     " (attempts so far: " + std::to_string(attempts_) + ")";
  for (const Call* copy = copies_; copy != nullptr; copy = copy->next_copy_) {
    text += "\n  copy " + std::to_string(copy->copy_) + copy->describe_ride();
  }
  return text;
}

std::string Call::describe_ride() const {
  const auto at = [](Instant instant) { return format_duration(instant - Instant{}); };
  const std::string place = at_ != nullptr ? at_->name : "the end";
  switch (stand_) {
    case Stand::riding:
    case Stand::ended:
      return " is at " + place;
    case Stand::waiting:
      return " waits until " + at(due()) + " at " + place;
    case Stand::parked:
      return " is parked at " + place;
    case Stand::holding:
      return " waits for its copies at " + place;
    case Stand::looking_up:
      return " looks for a stored reply at " + place;
    case Stand::sending:
      return " has had no answer since " + at(attempt_started_) + " from " + place;
  }
  return "";
}

Limits& Call::limits_at(std::uint16_t depth) {
  return reinterpret_cast<Limits*>(reinterpret_cast<std::byte*>(this) +
                                   layout_.limits_offset)[depth];
}

std::uint32_t& Call::attempts_at(std::uint16_t leaf) {
  return reinterpret_cast<std::uint32_t*>(reinterpret_cast<std::byte*>(whole_) +
                                          layout_.counters_offset)[leaf];
}

void* Call::frame_of(const PipelineNode& node) {
  return reinterpret_cast<std::byte*>(this) + layout_.frames_offset + node.frame_offset;
}

Visit Call::visit(const PipelineNode& node) {
  return {*this, node, frame_of(node), limits_at(node.depth)};
}

}  // namespace brownout
