#include "engine/pipeline/layer.hpp"

#include "engine/core/check.hpp"
#include "engine/pipeline/call.hpp"
#include "engine/pipeline/engine.hpp"

namespace brownout {
namespace {

constexpr JobName alarm_job{"alarm"};

}  // namespace

Alarm::Alarm() : Timer(alarm_job) {}

void Alarm::fire() {
  call_->sound(*node_);
}

Action Layer::alarm(Visit&) {
  BROWNOUT_UNREACHABLE("a layer that sets no alarm was rung");
}

Action Layer::resume(Visit&, Signal, Outcome&) {
  BROWNOUT_UNREACHABLE("a layer that never waits was resumed");
}

Instant Visit::now() const {
  return call_.engine_.runtime_.now();
}
CallId Visit::call_id() const {
  return call_.id_;
}
const Request& Visit::request() const {
  return *call_.request_;
}
Instant Visit::call_started() const {
  return call_.started_;
}
std::uint32_t Visit::attempts() const {
  return call_.whole_->attempts_;
}
std::uint32_t Visit::copy() const {
  return call_.copy_;
}

void Visit::set(Alarm& alarm, Instant at) {
  alarm.call_ = &call_;
  alarm.node_ = &node_;
  silence(alarm);
  call_.engine_.runtime_.arm(alarm, at);
}

void Visit::silence(Alarm& alarm) {
  call_.engine_.runtime_.disarm(alarm);
}

ReplyStore& Visit::store() {
  return call_.engine_.store_;
}
Observer& Visit::observer() {
  return *call_.layout_.observer;
}

const StoredReply& Visit::found() const {
  BROWNOUT_CHECK(call_.found_.has_value());
  return *call_.found_;
}

void Visit::reject(BreakerId breaker) {
  call_.whole_->rejected_ = true;
  observer().on_rejection({call_.id_, breaker, call_.started_, now()});
}

Outcome Visit::refuse(OutcomeKind kind, std::optional<Duration> retry_after) {
  call_.whole_->rejected_ = true;
  observer().on_rejection({call_.id_, no_breaker, call_.started_, now(), kind});
  Outcome outcome = Outcome::failure(kind);
  outcome.refused = true;
  outcome.retry_after = retry_after;
  return outcome;
}

}  // namespace brownout
