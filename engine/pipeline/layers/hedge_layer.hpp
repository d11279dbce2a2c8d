#pragma once

#include <mutex>

#include "engine/pipeline/layer.hpp"
#include "engine/policy/hedge.hpp"

namespace brownout {

/// Lets further copies of a slow call race it; see engine/policy/hedge.hpp. The first success ends
/// the race, and so does the first output of a stream: the other copies are cut then, all the way
/// to the wire, and never waited for. No draws.
class HedgeLayer final : public Layer {
 public:
  HedgeLayer(const HedgeOptions& options, const HedgeBudgetOptions& budget)
      : options_(options), recent_(options.samples), budget_(budget) {}

  FrameLayout frame() const override { return FrameLayout::of<Frame>(); }
  Action enter(Visit& visit, Outcome& outcome) override;
  Action alarm(Visit& visit) override;
  bool first_output(Visit& visit) override;
  Action leave(Visit& visit, Outcome& outcome) override;
  void abandon(Visit& visit, Cut cut) noexcept override;

 private:
  struct Frame {
    HedgeState state;
    Instant started{};
    Alarm alarm;
  };

  void set_alarm(Visit& visit, Frame& frame) const;
  static void end(Visit& visit, Frame& frame);

  const HedgeOptions options_;
  std::mutex mutex_;  // of the two below
  LatencyQuantile recent_;
  HedgeBudget budget_;
};

}  // namespace brownout
