#pragma once

#include "engine/pipeline/layer.hpp"
#include "engine/policy/breaker.hpp"

namespace brownout {

/// Refuses calls while its breaker says so, and tells the breaker how the others ended. An
/// abandoned call gives its permit back and counts neither way. No draws.
class BreakerLayer final : public Layer {
 public:
  BreakerLayer(const BreakerOptions& options, BreakerId id)
      : options_(options), breaker_(options), id_(id) {}

  FrameLayout frame() const override { return FrameLayout::of<Breaker::Permit>(); }
  Action enter(Visit& visit, Outcome& outcome) override;
  Action leave(Visit& visit, Outcome& outcome) override;
  void abandon(Visit& visit, Cut cut) noexcept override;

  const Breaker& breaker() const { return breaker_; }

 private:
  void report(Visit& visit, BreakerState before);

  const BreakerOptions options_;
  Breaker breaker_;
  const BreakerId id_;
};

}  // namespace brownout
