#pragma once

#include <mutex>
#include <optional>

#include "engine/pipeline/layer.hpp"
#include "engine/policy/rate_limiter.hpp"
#include "engine/policy_file/limit_specs.hpp"

namespace brownout {

/// Keeps what rides down within a quota of requests and tokens per minute: a call that would exceed
/// it waits here for its share, or is refused at once when the wait would be longer than `max_wait`
/// or its deadline (client_rate_limited, with the wait as retry_after), or when it is larger than
/// the whole limit (request_too_large, the provider's own word: waiting does not help).
///
/// Counts rides, so it belongs inside a retry. A share goes back whole when nobody was asked; it is
/// settled with what the outcome says was billed; of an attempt that is abandoned under way nobody
/// knows what it took, so all of it counts. Of copies that race each other, one that asked nobody
/// may count a request all the same, because another did meanwhile. What a provider tells of its
/// limits is learned from every live answer. The first minute begins with the first call.
///
/// *Threads*: calls may be on several; the limiter is guarded. No draws.
class RateLimitLayer final : public Layer {
 public:
  RateLimitLayer(const RateLimitSpec& spec, RouteId route) : spec_(spec), route_(route) {}

  FrameLayout frame() const override { return FrameLayout::of<Frame>(); }
  Action enter(Visit& visit, Outcome& outcome) override;
  Action resume(Visit& visit, Signal signal, Outcome& outcome) override;
  Action leave(Visit& visit, Outcome& outcome) override;
  void abandon(Visit& visit, Cut cut) noexcept override;

  /// For tests and diagnoses, while no call is in a door; null before the first call.
  const RateLimiter* limiter() const { return limiter_ ? &*limiter_ : nullptr; }

 private:
  using Answer = RateLimiter::Answer;
  struct Frame : RateLimiter::Reservation {
    Call* call = nullptr;
    std::int64_t tokens = 0;
    std::uint32_t attempts = 0;  // of the call, when it came here
    bool woken = false;          // and not resumed yet
    Answer answer{};             // what it was told last
  };

  std::int64_t tokens_of(const Visit& visit, const Limits& limits) const;
  Instant clock(const Visit& visit);
  Action act(Visit& visit, const Answer& answer, Outcome& outcome);
  void settle(Frame& frame, bool sent, std::int64_t tokens, Instant now);
  void serve(Instant now);

  const RateLimitSpec spec_;
  const RouteId route_;
  std::mutex mutex_;
  std::optional<RateLimiter> limiter_;
  Instant latest_{};  // threads may read the clock in one order and come here in another
};

}  // namespace brownout
