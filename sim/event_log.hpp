#pragma once

// Every event of a run, one JSON object per line, in order.

#include <cstdio>
#include <string>
#include <vector>

#include "engine/pipeline/pipeline.hpp"
#include "engine/telemetry/observer.hpp"

namespace brownout::sim {

/// Names that events refer to by number; from the policy and its binding.
struct EventNames {
  std::vector<std::string> routes;
  std::vector<std::string> breakers;
};

/// Times are virtual nanoseconds since the scenario's start; docs/reference/events.md lists the
/// fields. *Ownership*: does not close `file`. *Threads*: one.
class EventLog final : public Observer {
 public:
  EventLog(std::FILE* file, EventNames names) : file_(file), names_(std::move(names)) {}

  void on_call_start(const CallStartEvent& event) override;
  void on_attempt(const AttemptEvent& event, const Outcome& outcome) override;
  void on_wait(const WaitEvent& event) override;
  void on_hedge(const HedgeEvent& event) override;
  void on_lookup(const LookupEvent& event) override;
  void on_breaker(const BreakerEvent& event) override;
  void on_rejection(const RejectionEvent& event) override;
  void on_call(const CallEvent& event, const Outcome& outcome) override;
  void on_give_up(const GiveUpEvent& event) override;

  /// Whether everything so far could be written.
  bool ok() const { return ok_; }

 private:
  void write(const std::string& line);
  std::string route(RouteId id) const;

  std::FILE* file_;
  EventNames names_;
  bool ok_ = true;
};

}  // namespace brownout::sim
