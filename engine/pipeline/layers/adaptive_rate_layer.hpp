#pragma once

#include <mutex>

#include "engine/pipeline/layer.hpp"
#include "engine/policy/adaptive_rate.hpp"

namespace brownout {

/// Holds calls back to a rate that follows what the provider throttles (rate_limited, slow_down);
/// refuses those that would wait too long (`client_rate_limited`). Every other answer lets the rate
/// grow; rides on which nobody was asked give their turn back. No draws.
class AdaptiveRateLayer final : public Layer {
 public:
  AdaptiveRateLayer(const AdaptiveRateOptions& options, RouteId route)
      : rate_(options), route_(route) {}

  FrameLayout frame() const override { return FrameLayout::of<Frame>(); }
  Action enter(Visit& visit, Outcome& outcome) override;
  Action resume(Visit& visit, Signal signal, Outcome& outcome) override;
  Action leave(Visit& visit, Outcome& outcome) override;
  void abandon(Visit& visit, Cut cut) noexcept override;

  /// For tests and diagnoses, while no call is in a door.
  const AdaptiveRate& rate() const { return rate_; }

 private:
  struct Frame {
    std::uint32_t attempts = 0;  // of the call, when it came here
  };

  Instant clock(const Visit& visit);

  std::mutex mutex_;
  AdaptiveRate rate_;
  const RouteId route_;
  Instant latest_ = Instant::min();  // threads may come here in another order than they read it
};

}  // namespace brownout
