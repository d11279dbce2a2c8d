#pragma once

#include <mutex>

#include "engine/pipeline/layer.hpp"
#include "engine/policy/adaptive_concurrency.hpp"
#include "engine/policy/bulkhead.hpp"
#include "engine/policy_file/limit_specs.hpp"

namespace brownout {

/// Lets so many calls ride down at once, parks so many more in line by their priority, and refuses
/// the others (bulkhead_full), as well as those that have waited `max_wait`; who has no time left
/// in line ends as deadline_exceeded.
///
/// *Threads*: calls may be on several; the places are guarded. No draws.
class BulkheadLayer : public Layer {
 public:
  explicit BulkheadLayer(const BulkheadSpec& spec)
      : bulkhead_(spec.bulkhead), max_wait_(spec.max_wait) {}

  FrameLayout frame() const final { return FrameLayout::of<Frame>(); }
  Action enter(Visit& visit, Outcome& outcome) final;
  Action resume(Visit& visit, Signal signal, Outcome& outcome) final;
  Action leave(Visit& visit, Outcome& outcome) final;
  void abandon(Visit& visit, Cut cut) noexcept final;

  /// For tests and diagnoses, while no call is in a door.
  const Bulkhead& bulkhead() const { return bulkhead_; }

 protected:
  struct Frame : Bulkhead::Waiter {
    Call* call = nullptr;
    Instant began{};              // when it got its place
    std::uint32_t in_flight = 0;  // then, itself included
    std::uint32_t attempts = 0;   // of the call, when it came here
  };

  /// A call that held a place has ended; called with the lock held.
  virtual void ended(const Frame&, const Outcome&, Instant) {}

  /// Changes the number of places and fills those that became free. Requires: the lock is held.
  void resize(std::uint32_t places, Instant now);

 private:
  void begin(Frame& frame, Instant now);
  void wake(Bulkhead::Waiter* waiter, Instant now);
  Instant clock(const Visit& visit);

  Bulkhead bulkhead_;
  const Duration max_wait_;
  std::mutex mutex_;
  Instant latest_ = Instant::min();  // threads may come here in another order than they read it
};

/// A bulkhead whose number of places follows how long calls take. Measured are rides that asked a
/// provider and succeeded; those that timed out or found it overloaded count as lost; how long
/// other failures took says nothing.
class AdaptiveConcurrencyLayer final : public BulkheadLayer {
 public:
  explicit AdaptiveConcurrencyLayer(const AdaptiveConcurrencySpec& spec);

  const AdaptiveConcurrency& concurrency() const { return concurrency_; }

 private:
  void ended(const Frame& frame, const Outcome& outcome, Instant now) override;

  AdaptiveConcurrency concurrency_;
};

}  // namespace brownout
