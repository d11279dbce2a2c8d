#include "engine/policy/fallback.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

bool leads_to(const FallbackOptions& options, std::uint8_t route, const Outcome& outcome) {
  const auto& only_for = options.routes[route].only_for;
  return only_for ? only_for->contains(outcome) : options.on.contains(outcome);
}

FallbackStep without_routes(const FallbackOptions& options) {
  return options.cached ? FallbackStep::look_in_cache : after_cache_miss(options);
}

}  // namespace

OutcomeSet FallbackOptions::default_on() {
  using enum OutcomeKind;
  OutcomeSet set = OutcomeSet::of(ErrorClass::retryable);
  return set.add(
      OutcomeSet::of({request_too_large, quota_exhausted, daily_limited, not_found, breaker_open,
                      deadline_exceeded, throttled, bulkhead_full, client_rate_limited}));
}

Duration FallbackOptions::keep_for() const {
  return cached ? std::max(cached_ttl, cached_stale) : Duration{0};
}

RouteOrder order_routes(const FallbackOptions& options, Draws& draws) {
  RouteOrder order{};
  const std::size_t size = options.routes.size();
  std::uint64_t weights = 0;  // of the routes not placed yet
  for (std::size_t i = 0; i < size; ++i) {
    order[i] = static_cast<std::uint8_t>(i);
    weights += options.routes[i].weight;
  }
  if (options.order == FallbackOptions::Order::listed) return order;
  for (auto place = order.begin(); place + 1 < order.begin() + size; ++place) {
    std::uint64_t drawn = draws.below(weights);
    auto chosen = place;
    while (drawn >= options.routes[*chosen].weight) drawn -= options.routes[*chosen++].weight;
    weights -= options.routes[*chosen].weight;
    std::rotate(place, chosen, chosen + 1);
  }
  return order;
}

FallbackState::FallbackState(const FallbackOptions& options, const RouteOrder& order)
    : order_(order) {
  BROWNOUT_CHECK(!options.routes.empty() && options.routes.size() <= FallbackOptions::routes_max);
  const auto end = order_.begin() + options.routes.size();
  const auto first = std::find_if(
      order_.begin(), end, [&](std::uint8_t route) { return !options.routes[route].only_for; });
  BROWNOUT_CHECK(first != end);
  begin(*first);
}

void FallbackState::begin(std::uint8_t route) {
  route_ = route;
  tried_ |= std::uint32_t{1} << route;
  ++count_;
}

FallbackDecision FallbackState::after_failure(const FallbackOptions& options,
                                              const Outcome& outcome, Instant now,
                                              Instant deadline) {
  if (outcome.committed) return {};
  note(outcome, now);
  const auto next = next_route(options, outcome);
  if (next && now < deadline) {
    begin(*next);
    return {FallbackStep::next_route, route_, {}};
  }
  if (!options.on.contains(outcome)) return {};
  if (options.wait_at_most && refused_by_all_ && !waited_ && back_ != never) {
    const Instant at = std::max(now, back_);
    if (at - now <= *options.wait_at_most && at < deadline) {
      waited_ = true;
      route_ = first_back_;
      back_ = next_back_;
      next_back_ = never;
      return {FallbackStep::wait, route_, at};
    }
  }
  return {without_routes(options), 0, {}};
}

// Once a route has been waited for, it is not known any more which one is back second: nobody asks.
void FallbackState::note(const Outcome& outcome, Instant now) {
  refused_by_all_ = refused_by_all_ && is_own_refusal(outcome);
  if (!refused_by_all_ || !outcome.retry_after) return;
  const Instant back = after(now, *outcome.retry_after);
  if (back < back_) {
    next_back_ = back_;
    back_ = back;
    first_back_ = route_;
  } else {
    next_back_ = std::min(next_back_, back);
  }
}

std::optional<std::uint8_t> FallbackState::next_route(const FallbackOptions& options,
                                                      const Outcome& outcome) const {
  if (count_ >= options.max_routes) return std::nullopt;
  for (std::size_t i = 0; i < options.routes.size(); ++i) {
    const bool tried = (tried_ >> order_[i] & 1) != 0;
    if (!tried && leads_to(options, order_[i], outcome)) return order_[i];
  }
  return std::nullopt;
}

std::optional<Duration> FallbackState::soonest_return(Instant now) const {
  if (!refused_by_all_ || back_ == never) return std::nullopt;
  return std::max(back_ - now, Duration{0});
}

FallbackStep after_cache_miss(const FallbackOptions& options) {
  return options.default_reply ? FallbackStep::default_reply : FallbackStep::give_up;
}

Outcome answer_by_default(const FallbackOptions& options) {
  Outcome outcome;
  outcome.served = Served::fallback;
  outcome.reply.text = options.default_reply;
  return outcome;
}

bool is_better_to_give_back(const Outcome& candidate, const Outcome& kept) {
  return is_own_refusal(kept) && !is_own_refusal(candidate);
}

}  // namespace brownout
