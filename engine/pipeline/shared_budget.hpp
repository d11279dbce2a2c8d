#pragma once

#include <mutex>

#include "engine/policy/budget.hpp"

namespace brownout {

/// A retry budget that several layers charge and whose level anybody may read. Its methods are
/// those of RetryBudget.
///
/// *Threads*: any; each method holds its lock for the few instructions it takes. Instants of
/// different threads may arrive out of order: an earlier one counts as the newest (SlidingSum).
class SharedBudget {
 public:
  explicit SharedBudget(const BudgetOptions& options) : budget_(options) {}

  void on_call(Instant now) {
    const std::lock_guard lock(mutex_);
    budget_.on_call(now);
  }
  std::optional<Charge> try_withdraw(Instant now, const Outcome& cause) {
    const std::lock_guard lock(mutex_);
    return budget_.try_withdraw(now, cause);
  }
  std::optional<Charge> try_withdraw(Instant now) {
    const std::lock_guard lock(mutex_);
    return budget_.try_withdraw(now);
  }
  void on_success(Instant now) {
    const std::lock_guard lock(mutex_);
    budget_.on_success(now);
  }
  void on_success(Instant now, const Charge& charge) {
    const std::lock_guard lock(mutex_);
    budget_.on_success(now, charge);
  }
  void on_failure(Instant now, const Outcome& outcome, Pushback pushback = Pushback::none) {
    const std::lock_guard lock(mutex_);
    budget_.on_failure(now, outcome, pushback);
  }
  void give_back(Instant now, const Charge& charge) {
    const std::lock_guard lock(mutex_);
    budget_.give_back(now, charge);
  }

  /// Thousandths of a token, or of an extra attempt; never negative.
  std::int64_t level(Instant now) const {
    const std::lock_guard lock(mutex_);
    return budget_.level(now);
  }

 private:
  mutable std::mutex mutex_;
  RetryBudget budget_;
};

}  // namespace brownout
