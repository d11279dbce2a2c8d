#include "engine/pipeline/layers/hedge_layer.hpp"

namespace brownout {

Action HedgeLayer::enter(Visit& visit, Outcome&) {
  Frame& frame = visit.make_frame<Frame>();
  frame.started = visit.now();
  {
    const std::lock_guard lock(mutex_);
    budget_.on_call(frame.started);
    frame.state = begin_hedging(options_, recent_, frame.started);
  }
  set_alarm(visit, frame);
  if (visit.request().stream) visit.limits().tell_first_output = true;
  return Action::down();
}

Action HedgeLayer::alarm(Visit& visit) {
  Frame& frame = visit.frame<Frame>();
  HedgeStep step{};
  {
    const std::lock_guard lock(mutex_);
    step = on_hedge_due(options_, frame.state, budget_, visit.now());
  }
  set_alarm(visit, frame);
  return step == HedgeStep::hedge ? Action::fork() : Action::hold();
}

bool HedgeLayer::first_output(Visit& visit) {
  Frame& frame = visit.frame<Frame>();
  visit.silence(frame.alarm);
  frame.state.in_flight = 1;
  frame.state.denied = true;
  return true;
}

Action HedgeLayer::leave(Visit& visit, Outcome& outcome) {
  Frame& frame = visit.frame<Frame>();
  HedgeStep step{};
  {
    const std::lock_guard lock(mutex_);
    step = on_copy_end(options_, frame.state, budget_, outcome, visit.now());
    // Of the first copy, the others began later: what was cut by then has taken at least as long.
    const bool live = outcome.ok() && outcome.served == Served::live;
    const bool learns = options_.kind == HedgeOptions::Delay::learned;
    if (learns && step == HedgeStep::settle && live) {
      recent_.record(visit.now() - frame.started, visit.now());
    }
  }
  switch (step) {
    case HedgeStep::hedge:
      set_alarm(visit, frame);
      return Action::fork();
    case HedgeStep::wait:
      set_alarm(visit, frame);
      return Action::hold();
    case HedgeStep::settle:
      break;
  }
  end(visit, frame);
  return Action::turn();
}

void HedgeLayer::abandon(Visit& visit, Cut) noexcept {
  end(visit, visit.frame<Frame>());
}

void HedgeLayer::set_alarm(Visit& visit, Frame& frame) const {
  const auto due = when_to_hedge(options_, frame.state, visit.now());
  due ? visit.set(frame.alarm, *due) : visit.silence(frame.alarm);
}

void HedgeLayer::end(Visit& visit, Frame& frame) {
  visit.silence(frame.alarm);
  frame.~Frame();
}

}  // namespace brownout
