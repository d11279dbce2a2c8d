#include "sim/transport.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout::sim {
namespace {

constexpr JobName flight_job{"attempt"};

// Models number their tickets on their own.
std::uint64_t key_of(const mock::Ticket& ticket) {
  return std::uint64_t{ticket.model} << 48 | (ticket.number & 0xFFFF'FFFF'FFFF);
}

}  // namespace

// One attempt under way.
class SimTransport::Flight final : public Timer {
 public:
  Flight(SimTransport& transport, std::uint32_t number)
      : Timer(flight_job), transport_(transport), number_(number) {}

  Handle begin(const Attempt& attempt, AttemptListener& listener);
  TargetId target() const { return attempt_.target; }
  Outcome detach();
  void take_slot(const mock::Plan& plan);

 private:
  friend class SimTransport;

  // What the timer means.
  enum class Leg : std::uint8_t {
    none,       // nothing will happen by itself: an answer that never comes, and no limit
    outbound,   // the request is on its way
    queued,     // it waits for a slot; the timer is the limit
    answering,  // the provider works; the timer is its end
    inbound,    // the reply is on its way
    speaking,   // its first output is on its way, and the listener wants to know
    limit,      // a limit passes before any of that
  };

  void fire() override;
  void arrive();
  void follow_plan();
  void schedule(Leg leg, Instant at, Instant limit);
  void provider_done();
  void go_on(Leg leg, Instant at);
  void tell_first_output();
  void deliver();
  void time_out();
  Outcome outcome_of_plan() const;
  Instant first_output_at() const;
  Instant connect_limit() const;
  Instant first_token_limit() const;
  Instant limit_on_plan() const;
  void leave_provider();
  void end(Outcome&& outcome);

  SimTransport& transport_;
  const std::uint32_t number_;  // in flights_
  std::uint32_t generation_ = 0;
  AttemptListener* listener_ = nullptr;
  Attempt attempt_;
  Instant started_{};
  Instant plan_started_{};
  Instant limit_ = never;         // when the attempt runs out of time, as far as is known
  Instant first_output_ = never;  // when to tell of it; never once told
  Instant then_at_{};             // while speaking: what comes after, and when
  Leg then_ = Leg::none;
  Duration back_{};  // network latency of the reply
  mock::Ticket ticket_;
  mock::Plan plan_;
  Leg leg_ = Leg::none;
  bool at_provider_ = false;  // the provider holds a plan of ours
  bool in_queue_ = false;
  bool told_ = false;  // the listener knows of the first output
};

Transport::Handle SimTransport::Flight::begin(const Attempt& attempt, AttemptListener& listener) {
  attempt_ = attempt;
  listener_ = &listener;
  started_ = transport_.runtime_.now();
  plan_ = {};
  limit_ = std::min(attempt.limits.end, first_token_limit());
  at_provider_ = false;
  in_queue_ = false;
  told_ = false;
  ++generation_;
  Draws out = transport_.network_out_[attempt.target].at(attempt.call, attempt.nth_at_target);
  Draws back = transport_.network_back_[attempt.target].at(attempt.call, attempt.nth_at_target);
  back_ = Duration{transport_.network_latency_.draw(back)};
  const Duration there{transport_.network_latency_.draw(out)};
  schedule(Leg::outbound, after(started_, there), std::min(limit_, connect_limit()));
  return Handle{std::uint64_t{generation_} << 32 | number_};
}

// Whatever comes first: `leg` at `at`, or the limit. At the same instant the limit has passed.
void SimTransport::Flight::schedule(Leg leg, Instant at, Instant limit) {
  const bool limited = limit <= at;
  leg_ = limited ? Leg::limit : leg;
  const Instant due = limited ? limit : at;
  if (due == never) {
    leg_ = Leg::none;
    return;
  }
  transport_.runtime_.arm(*this, due);
}

void SimTransport::Flight::fire() {
  switch (leg_) {
    case Leg::outbound:
      return arrive();
    case Leg::answering:
      return provider_done();
    case Leg::inbound:
      return deliver();
    case Leg::speaking:
      return tell_first_output();
    case Leg::queued:
    case Leg::limit:
      return time_out();
    case Leg::none:
      break;
  }
  BROWNOUT_UNREACHABLE("an attempt that waits for nothing was fired");
}

void SimTransport::Flight::arrive() {
  const Request& request = *attempt_.request;
  const mock::Arrival arrival =
      transport_.provider_.arrive({attempt_.target, attempt_.call, attempt_.nth_at_target,
                                   request.input_tokens, static_cast<std::uint32_t>(request.tag),
                                   output_cap(request, attempt_.limits), request.stream},
                                  transport_.runtime_.now());
  at_provider_ = true;
  if (!arrival.queued) {
    plan_ = arrival.plan;
    return follow_plan();
  }
  ticket_ = arrival.ticket;
  in_queue_ = true;
  transport_.queued_.emplace(key_of(ticket_), this);
  schedule(Leg::queued, never, limit_);
}

void SimTransport::Flight::take_slot(const mock::Plan& plan) {
  in_queue_ = false;
  transport_.runtime_.disarm(*this);
  plan_ = plan;
  follow_plan();
}

void SimTransport::Flight::follow_plan() {
  plan_started_ = transport_.runtime_.now();
  limit_ = limit_on_plan();
  const bool tells = attempt_.limits.tell_first_output && !attempt_.limits.hold_output &&
                     plan_.stream && plan_.delivered_tokens > 0;
  first_output_ = tells ? first_output_at() : never;
  go_on(Leg::answering, plan_.hang ? never : after(plan_started_, plan_.complete));
}

// The next leg, with a stop where the listener is to be told of the first output before its end.
void SimTransport::Flight::go_on(Leg leg, Instant at) {
  if (first_output_ > at || first_output_ == never) return schedule(leg, at, limit_);
  then_ = leg;
  then_at_ = at;
  schedule(Leg::speaking, first_output_, limit_);
}

void SimTransport::Flight::tell_first_output() {
  first_output_ = never;
  told_ = true;
  schedule(then_, then_at_, limit_);
  listener_->on_first_output();
}

// A connection is there when the request is: its handshake is part of the network's latency.
Instant SimTransport::Flight::connect_limit() const {
  return after(started_, attempt_.limits.connect);
}

Instant SimTransport::Flight::first_token_limit() const {
  return attempt_.request->stream ? after(started_, attempt_.limits.first_token) : never;
}

// The first limit that this plan is going to break, seen from the client: the network delays what
// the provider sends by the same amount throughout, so gaps keep their length.
Instant SimTransport::Flight::limit_on_plan() const {
  const Limits& limits = attempt_.limits;
  if (plan_.hang) {
    const Instant limit = std::min(limits.end, first_token_limit());
    return plan_.connects ? limit : std::min(limit, connect_limit());
  }
  const Instant first_byte = first_output_at();
  Instant limit = limits.end;
  if (first_byte >= first_token_limit()) limit = std::min(limit, first_token_limit());
  // Tokens are evenly spaced, and a break comes no later than the next would: either the first gap
  // breaks the idle limit or, unless the stream stalls, none does.
  if (plan_.stream && plan_.delivered_tokens > 0) {
    const Duration next = plan_.delivered_tokens > 1 ? token_at(plan_, 1) : plan_.complete;
    const Duration gap = next - plan_.first_token;
    if (gap >= limits.idle) {
      limit = std::min(limit, after(first_byte, limits.idle));
    } else if (plan_.complete == forever) {
      const Instant last = after(plan_started_, token_at(plan_, plan_.delivered_tokens - 1));
      limit = std::min(limit, after(after(last, back_), limits.idle));
    }
  }
  return limit;
}

void SimTransport::Flight::provider_done() {
  at_provider_ = false;
  const auto next = transport_.provider_.finish(plan_, transport_.runtime_.now());
  go_on(Leg::inbound, after(transport_.runtime_.now(), back_));
  if (next) transport_.started(*next);
}

Outcome SimTransport::Flight::outcome_of_plan() const {
  Outcome outcome = Outcome::failure(plan_.kind, plan_.status);
  outcome.retry_after = plan_.retry_after;
  outcome.should_retry = plan_.should_retry;
  if (plan_.status != 0) outcome.limits = plan_.told;
  if (plan_.generates) {
    outcome.billed_input_tokens = plan_.billed_input_tokens;
    outcome.billed_output_tokens = plan_.delivered_tokens;
    outcome.committed = plan_.stream && plan_.delivered_tokens > 0 && !attempt_.limits.hold_output;
  }
  if (plan_.stream && plan_.delivered_tokens > 0) outcome.first_output = first_output_at();
  if (outcome.ok()) outcome.reply = {nullptr, plan_.billed_input_tokens, plan_.output_tokens};
  return outcome;
}

Instant SimTransport::Flight::first_output_at() const {
  return after(after(plan_started_, plan_.first_byte), back_);
}

void SimTransport::Flight::deliver() {
  end(outcome_of_plan());
}

// Tells the provider that its client is gone; what it billed by then goes into the outcome.
void SimTransport::Flight::leave_provider() {
  if (!at_provider_) return;
  at_provider_ = false;
  if (in_queue_) {
    in_queue_ = false;
    transport_.queued_.erase(key_of(ticket_));
    transport_.provider_.abandon(ticket_);
    return;
  }
  const Instant now = transport_.runtime_.now();
  const auto next = transport_.provider_.abandon(plan_, now - plan_started_, now);
  if (next) transport_.started(*next);
}

Outcome SimTransport::Flight::detach() {
  transport_.runtime_.disarm(*this);
  Outcome outcome = Outcome::failure(OutcomeKind::cancelled);
  const Instant now = transport_.runtime_.now();
  const bool planned = leg_ != Leg::outbound && !in_queue_ && at_provider_;
  const bool answered =
      leg_ == Leg::inbound || (!at_provider_ && (leg_ == Leg::limit || leg_ == Leg::speaking));
  if ((planned || answered) && plan_.generates) {
    outcome.billed_input_tokens = plan_.billed_input_tokens;
    outcome.billed_output_tokens = tokens_generated(plan_, now - plan_started_);
    // Like a limit, the end of the attempt comes before what arrives at the same instant; but what
    // has been told of has come.
    const bool came = plan_.stream && plan_.delivered_tokens > 0 && first_output_at() < now;
    const bool spoke = told_ || came;
    if (spoke) outcome.first_output = first_output_at();
    outcome.committed = spoke && !attempt_.limits.hold_output;
  }
  leave_provider();
  return outcome;
}

void SimTransport::Flight::time_out() {
  Outcome outcome = detach();
  outcome.kind = OutcomeKind::timed_out;
  end(std::move(outcome));
}

void SimTransport::Flight::end(Outcome&& outcome) {
  AttemptListener& listener = *listener_;
  transport_.recycle(this);
  listener.on_end(std::move(outcome));
}

SimTransport::SimTransport(Runtime& runtime, mock::ScriptedProvider& provider,
                           const mock::Distribution& network_latency)
    : runtime_(runtime), provider_(provider), network_latency_(network_latency) {
  for (const mock::ModelSpec& model : provider.script().models) {
    network_out_.emplace_back(runtime.seed(), Purpose::network_out, model.full_name);
    network_back_.emplace_back(runtime.seed(), Purpose::network_back, model.full_name);
  }
  under_way_.resize(provider.script().models.size());
  peaks_.resize(provider.script().phases.size(), under_way_);
}

SimTransport::~SimTransport() {
  for (const auto& flight : flights_) runtime_.disarm(*flight);
}

Transport::Handle SimTransport::start(const Attempt& attempt, AttemptListener& listener) {
  count_start(attempt.target);
  return acquire()->begin(attempt, listener);
}

void SimTransport::count_start(TargetId target) {
  const auto& phases = provider_.script().phases;
  const Duration now = runtime_.now() - Instant{};
  std::size_t phase = 0;
  while (phase + 1 < phases.size() && phases[phase].until <= now) ++phase;
  std::uint32_t& peak = peaks_[phase][target];
  peak = std::max(peak, ++under_way_[target]);
}

Outcome SimTransport::detach(Handle handle) {
  const auto word = static_cast<std::uint64_t>(handle);
  Flight* flight = flights_[word & 0xFFFFFFFF].get();
  BROWNOUT_CHECK(flight->generation_ == word >> 32);
  Outcome outcome = flight->detach();
  recycle(flight);
  return outcome;
}

void SimTransport::started(const mock::Start& start) {
  const auto found = queued_.find(key_of(start.ticket));
  BROWNOUT_CHECK(found != queued_.end());
  Flight* flight = found->second;
  queued_.erase(found);
  flight->take_slot(start.plan);
}

SimTransport::Flight* SimTransport::acquire() {
  if (free_.empty()) {
    flights_.push_back(
        std::make_unique<Flight>(*this, static_cast<std::uint32_t>(flights_.size())));
    return flights_.back().get();
  }
  Flight* flight = free_.back();
  free_.pop_back();
  return flight;
}

void SimTransport::recycle(Flight* flight) {
  --under_way_[flight->target()];
  free_.push_back(flight);
}

}  // namespace brownout::sim
