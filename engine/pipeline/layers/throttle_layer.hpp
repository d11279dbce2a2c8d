#pragma once

#include <mutex>
#include <string_view>

#include "engine/core/draw.hpp"
#include "engine/pipeline/layer.hpp"
#include "engine/policy/throttle.hpp"

namespace brownout {

/// Refuses a part of the calls (`throttled`) while what lies below refuses or fails too many.
///
/// Accepted is what a provider answered: successes, and failures that are the request's or the
/// account's own fault. Not accepted are failures blamed on the provider, and rate limits, which
/// are its way to refuse. Rides on which nobody was asked, and refusals of ours, count neither way.
///
/// *Threads*: calls may be on several; the counts are guarded. *Determinism*: one word per call,
/// copy and number of attempts so far, while anything is rejected at all. So a call that comes
/// again without having asked anybody draws the same number: asking twice does not improve its
/// odds.
class ThrottleLayer final : public Layer {
 public:
  ThrottleLayer(const ThrottleOptions& options, std::uint64_t seed, std::string_view name)
      : throttle_(options), draws_(seed, Purpose::throttle, name) {}

  FrameLayout frame() const override { return FrameLayout::of<Frame>(); }
  Action enter(Visit& visit, Outcome& outcome) override;
  Action leave(Visit& visit, Outcome& outcome) override;
  void abandon(Visit& visit, Cut cut) noexcept override;

  /// For tests and diagnoses, while no call is in a door.
  const Throttle& throttle() const { return throttle_; }

 private:
  struct Frame {
    Throttle::Ticket ticket;
    std::uint32_t attempts = 0;  // of the call, when it came here
  };

  Instant clock(const Visit& visit);

  Throttle throttle_;
  const DrawFamily draws_;
  std::mutex mutex_;
  Instant latest_ = Instant::min();  // threads may come here in another order than they read it
};

}  // namespace brownout
