#pragma once

#include "engine/pipeline/layer.hpp"
#include "engine/policy/timeout.hpp"

namespace brownout {

/// Narrows the limits of everything below it. No timer, no state, no draws.
class TimeoutLayer final : public Layer {
 public:
  explicit TimeoutLayer(const TimeoutOptions& options) : options_(options) {}

  FrameLayout frame() const override { return {}; }
  Action enter(Visit& visit, Outcome&) override {
    visit.limits() = narrow(visit.limits(), options_, visit.now());
    return Action::down();
  }
  Action leave(Visit&, Outcome&) override { return Action::turn(); }
  void abandon(Visit&, Cut) noexcept override {}

 private:
  const TimeoutOptions options_;
};

}  // namespace brownout
