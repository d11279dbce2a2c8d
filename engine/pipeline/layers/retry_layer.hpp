#pragma once

#include <string_view>

#include "engine/core/draw.hpp"
#include "engine/pipeline/layer.hpp"
#include "engine/policy/retry.hpp"

namespace brownout {

/// Rides down again after a wait. *Determinism*: one word per jittered wait, addressed by the call,
/// its attempts so far and the retries made here.
class RetryLayer final : public Layer {
 public:
  RetryLayer(const RetryOptions& options, RouteId route, std::uint64_t seed, std::string_view name);

  FrameLayout frame() const override { return FrameLayout::of<RetryState>(); }
  Action enter(Visit& visit, Outcome& outcome) override;
  Action resume(Visit& visit, Signal signal, Outcome& outcome) override;
  Action leave(Visit& visit, Outcome& outcome) override;
  void abandon(Visit&, Cut) noexcept override {}

 private:
  const RetryOptions options_;
  const RouteId route_;
  const DrawFamily jitter_;
};

}  // namespace brownout
