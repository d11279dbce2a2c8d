#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/draw.hpp"
#include "engine/pipeline/layer.hpp"
#include "engine/policy/fallback.hpp"

namespace brownout {

/// Tries its children, the routes, in order; then a stored reply, then the default reply. Keeps
/// complete replies in the store when it may need them later. A retry above it begins each time
/// afresh, the one wait for a route included.
///
/// *Threads*: no state shared between calls. *Determinism*: draws route_order when routes are
/// weighted, addressed by the call, its attempts so far and the copy that rides.
class FallbackLayer final : public Layer {
 public:
  /// `routes[i]` is the number of child i; `keep_for` is how long anybody in the pipeline will have
  /// a use for a stored reply.
  FallbackLayer(const FallbackOptions& options, std::vector<RouteId> routes, Duration keep_for,
                std::uint64_t seed, std::string_view name)
      : options_(options),
        routes_(std::move(routes)),
        keep_for_(keep_for),
        order_(seed, Purpose::route_order, name) {}

  FrameLayout frame() const override { return FrameLayout::of<Frame>(); }
  Action enter(Visit& visit, Outcome& outcome) override;
  Action resume(Visit& visit, Signal signal, Outcome& outcome) override;
  Action leave(Visit& visit, Outcome& outcome) override;
  void abandon(Visit& visit, Cut cut) noexcept override;

 private:
  struct Frame {
    FallbackState state;
    std::uint8_t waits_for = 0;  // a route
    Outcome kept{};  // the failure to give back if all else fails; success while there is none
  };

  Action carry_out(const FallbackDecision& decision, Visit& visit, Outcome& outcome);
  Action answer_stored(Visit& visit, Outcome& outcome);
  Action end(Visit& visit);

  const FallbackOptions options_;
  const std::vector<RouteId> routes_;
  const Duration keep_for_;
  const DrawFamily order_;
};

}  // namespace brownout
