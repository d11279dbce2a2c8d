#pragma once

#include <vector>

#include "engine/telemetry/observer.hpp"

namespace brownout {

/// Passes every event to several observers, in the order they were given.
///
/// *Ownership*: refers to the observers, which must outlive it. *Threads*: as its observers.
class Observers final : public Observer {
 public:
  /// Null ones are left out.
  explicit Observers(std::vector<Observer*> observers);

  bool empty() const { return observers_.empty(); }

  void on_call_start(const CallStartEvent& event) override;
  void on_attempt_start(const AttemptStartEvent& event) override;
  void on_attempt(const AttemptEvent& event, const Outcome& outcome) override;
  void on_wait(const WaitEvent& event) override;
  void on_hedge(const HedgeEvent& event) override;
  void on_lookup(const LookupEvent& event) override;
  void on_breaker(const BreakerEvent& event) override;
  void on_breaker_failure(const BreakerFailureEvent& event) override;
  void on_rejection(const RejectionEvent& event) override;
  void on_call(const CallEvent& event, const Outcome& outcome) override;
  void on_give_up(const GiveUpEvent& event) override;

 private:
  std::vector<Observer*> observers_;
};

}  // namespace brownout
