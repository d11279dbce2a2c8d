#pragma once

// Somebody who watches a shared breaker, and somebody who calls through it.

#include <mutex>
#include <vector>

#include "engine/pipeline/shared_breaker.hpp"

namespace brownout::testing {

/// Thread-safe, and asks the breaker back, which would deadlock if its lock were still held.
class Witness final : public Observer {
 public:
  void on_breaker(const BreakerEvent& event) override {
    if (asks != nullptr) asks->state(event.credential);
    const std::lock_guard lock(mutex_);
    changes.push_back(event);
  }
  void on_breaker_failure(const BreakerFailureEvent& event) override {
    if (asks != nullptr) asks->state();
    const std::lock_guard lock(mutex_);
    failures.push_back(event);
  }

  SharedBreaker* asks = nullptr;
  std::vector<BreakerEvent> changes;
  std::vector<BreakerFailureEvent> failures;

 private:
  std::mutex mutex_;
};

struct Caller {
  SharedBreaker& breaker;
  Witness& witness;

  /// Whether the call was let through.
  bool call(OutcomeKind kind, Duration when, std::uint32_t credential = 0) {
    SharedBreaker::Refusal refusal;
    const auto pass = breaker.acquire(credential, Instant{} + when, witness, refusal);
    if (!pass) return false;
    Outcome outcome;
    outcome.kind = kind;
    breaker.record(*pass, outcome, 1, Instant{} + when, witness);
    return true;
  }
};

}  // namespace brownout::testing
