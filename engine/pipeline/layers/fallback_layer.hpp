#pragma once

#include "engine/pipeline/layer.hpp"
#include "engine/policy/fallback.hpp"

namespace brownout {

/// Tries its children, the routes, in order; then a stored reply, then the default reply. Keeps
/// complete replies in the store when it may need them later. No draws.
class FallbackLayer final : public Layer {
 public:
  explicit FallbackLayer(const FallbackOptions& options) : options_(options) {}

  FrameLayout frame() const override { return FrameLayout::of<Frame>(); }
  Action enter(Visit& visit, Outcome& outcome) override;
  Action resume(Visit& visit, Signal signal, Outcome& outcome) override;
  Action leave(Visit& visit, Outcome& outcome) override;
  void abandon(Visit& visit, Cut cut) noexcept override;

 private:
  struct Frame {
    std::uint8_t route = 0;
    Outcome kept;  // the failure to give back if all else fails; success while there is none
  };

  Action take(FallbackStep step, Visit& visit, Outcome& outcome);
  Action end(Visit& visit);

  const FallbackOptions options_;
};

}  // namespace brownout
