#pragma once

#include "engine/pipeline/layer.hpp"
#include "engine/policy/token_limit.hpp"
#include "engine/policy_file/limit_specs.hpp"

namespace brownout {

/// Keeps a request that is too long for the model's window from being sent: it is refused here
/// (context_length, the provider's own word for it), or sent with a smaller cap on its output.
///
/// `route` ends like `fail`: the outcome is context_length, and it is a fallback above that moves
/// on to a route with a larger window when its `on` has context_length. No state, no draws.
class TokenLimitLayer final : public Layer {
 public:
  /// `window`: what the model's holds; 0 where it is not known, which everything fits.
  TokenLimitLayer(const TokenLimitOptions& options, std::uint32_t window)
      : options_(options), window_(window) {}

  FrameLayout frame() const override { return {}; }
  Action enter(Visit& visit, Outcome& outcome) override;
  Action leave(Visit&, Outcome&) override { return Action::turn(); }
  void abandon(Visit&, Cut) noexcept override {}

  std::uint32_t window() const { return window_; }

 private:
  const TokenLimitOptions options_;
  const std::uint32_t window_;
};

}  // namespace brownout
