#pragma once

#include "engine/pipeline/layer.hpp"
#include "engine/pipeline/shared_breaker.hpp"

namespace brownout {

/// Refuses calls while its breaker says so, and tells the breaker how the others ended. The outcome
/// of a refused call says when to come back, where that is known. An abandoned call gives its
/// permit back and counts neither way, unless it took so long that it counts as slow; what the
/// engine cuts off when it shuts down was never there.
///
/// *Ownership*: the breaker is the pipeline's; several layers may stand before one. *Threads*: any;
/// the lock is the breaker's. *Determinism*: the draws of the breaker.
class BreakerLayer final : public Layer {
 public:
  explicit BreakerLayer(SharedBreaker& breaker) : breaker_(breaker) {}

  FrameLayout frame() const override { return FrameLayout::of<SharedBreaker::Pass>(); }
  Action enter(Visit& visit, Outcome& outcome) override;
  Action leave(Visit& visit, Outcome& outcome) override;
  void abandon(Visit& visit, Cut cut) noexcept override;

 private:
  SharedBreaker& breaker_;
};

}  // namespace brownout
