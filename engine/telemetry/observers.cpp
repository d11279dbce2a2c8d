#include "engine/telemetry/observers.hpp"

namespace brownout {

Observers::Observers(std::vector<Observer*> observers) : observers_(std::move(observers)) {
  std::erase(observers_, nullptr);
}

void Observers::on_call_start(const CallStartEvent& event) {
  for (Observer* observer : observers_) observer->on_call_start(event);
}

void Observers::on_attempt_start(const AttemptStartEvent& event) {
  for (Observer* observer : observers_) observer->on_attempt_start(event);
}

void Observers::on_attempt(const AttemptEvent& event, const Outcome& outcome) {
  for (Observer* observer : observers_) observer->on_attempt(event, outcome);
}

void Observers::on_wait(const WaitEvent& event) {
  for (Observer* observer : observers_) observer->on_wait(event);
}

void Observers::on_hedge(const HedgeEvent& event) {
  for (Observer* observer : observers_) observer->on_hedge(event);
}

void Observers::on_lookup(const LookupEvent& event) {
  for (Observer* observer : observers_) observer->on_lookup(event);
}

void Observers::on_breaker(const BreakerEvent& event) {
  for (Observer* observer : observers_) observer->on_breaker(event);
}

void Observers::on_breaker_failure(const BreakerFailureEvent& event) {
  for (Observer* observer : observers_) observer->on_breaker_failure(event);
}

void Observers::on_rejection(const RejectionEvent& event) {
  for (Observer* observer : observers_) observer->on_rejection(event);
}

void Observers::on_call(const CallEvent& event, const Outcome& outcome) {
  for (Observer* observer : observers_) observer->on_call(event, outcome);
}

void Observers::on_give_up(const GiveUpEvent& event) {
  for (Observer* observer : observers_) observer->on_give_up(event);
}

}  // namespace brownout
