#pragma once

#include <optional>
#include <string_view>

#include "engine/core/draw.hpp"
#include "engine/pipeline/layer.hpp"
#include "engine/pipeline/shared_budget.hpp"
#include "engine/policy/retry.hpp"

namespace brownout {

/// Rides down again after a wait, if its budget lets it. *Ownership*: refers to the budget, which
/// other layers may share; null for none. *Determinism*: one word per jittered wait, addressed by
/// the call, its attempts so far and the retries made here.
class RetryLayer final : public Layer {
 public:
  RetryLayer(const RetryOptions& options, SharedBudget* budget, RouteId route, std::uint64_t seed,
             std::string_view name);

  FrameLayout frame() const override { return FrameLayout::of<Frame>(); }
  Action enter(Visit& visit, Outcome& outcome) override;
  Action resume(Visit& visit, Signal signal, Outcome& outcome) override;
  Action leave(Visit& visit, Outcome& outcome) override;
  void abandon(Visit& visit, Cut cut) noexcept override;

 private:
  struct Frame {
    RetryState state;
    std::optional<Charge> charge;  // of the retry that is under way or waited for
    std::uint32_t sent = 0;        // attempts of the call when this one began
    bool waiting = false;
  };

  void settle_budget(Visit& visit, Frame& frame, const Outcome& outcome);

  const RetryOptions options_;
  SharedBudget* const budget_;
  const RouteId route_;
  const DrawFamily jitter_;
};

}  // namespace brownout
