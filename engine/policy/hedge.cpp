#include "engine/policy/hedge.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

// A hedge costs 100 percent points, times the nanoseconds of a minute so that time earns exactly.
constexpr std::int64_t minute = std::chrono::nanoseconds(std::chrono::minutes{1}).count();
constexpr std::int64_t price = 100 * minute;

__extension__ using Wide = __int128;

bool may_hedge(const HedgeOptions& options, const HedgeState& state) {
  return state.delay && !state.denied && state.hedges < options.max_hedges;
}

/// Charges the budget and counts the copy; false when the budget refuses.
bool begin_copy(HedgeState& state, HedgeBudget& budget, Instant now) {
  state.denied = !budget.try_hedge(now);
  if (state.denied) return false;
  ++state.hedges;
  ++state.in_flight;
  state.newest_began = now;
  return true;
}

}  // namespace

HedgeBudget::HedgeBudget(const HedgeBudgetOptions& options)
    : options_(options), balance_(options.burst * price) {
  BROWNOUT_CHECK(options.percent <= 1000);
  BROWNOUT_CHECK(options.burst >= 1 && options.burst <= HedgeBudgetOptions::burst_max);
}

std::int64_t HedgeBudget::balance_at(Instant now) const {
  if (!last_ || now <= *last_) return balance_;
  const Wide earned = Wide{(now - *last_).count()} * 100 * options_.floor_per_minute;
  const Wide most = Wide{options_.burst} * price;
  return static_cast<std::int64_t>(std::min(most, balance_ + earned));
}

void HedgeBudget::settle_to(Instant now) {
  balance_ = balance_at(now);
  last_ = last_ ? std::max(*last_, now) : now;
}

void HedgeBudget::on_call(Instant now) {
  settle_to(now);
  balance_ = std::min(options_.burst * price, balance_ + options_.percent * minute);
}

bool HedgeBudget::try_hedge(Instant now) {
  settle_to(now);
  if (balance_ < price) return false;
  balance_ -= price;
  return true;
}

std::uint32_t HedgeBudget::available(Instant now) const {
  return static_cast<std::uint32_t>(balance_at(now) / price);
}

std::string_view to_string(HedgeStep step) {
  switch (step) {
    case HedgeStep::wait:
      return "wait";
    case HedgeStep::hedge:
      return "hedge";
    case HedgeStep::settle:
      return "settle";
  }
  return "";
}

HedgeState begin_hedging(const HedgeOptions& options, const LatencyQuantile& recent,
                         Instant started) {
  BROWNOUT_CHECK(options.max_hedges >= 1 && options.max_hedges <= HedgeOptions::max_hedges_max);
  HedgeState state;
  state.newest_began = started;
  state.not_before = started;
  switch (options.kind) {
    case HedgeOptions::Delay::fixed:
      state.delay = options.delay;
      break;
    case HedgeOptions::Delay::learned:
      BROWNOUT_CHECK(options.floor <= options.ceiling);
      state.delay = recent.quantile(options.per_mille, started);
      if (state.delay) state.delay = std::clamp(*state.delay, options.floor, options.ceiling);
      break;
  }
  return state;
}

std::optional<Instant> when_to_hedge(const HedgeOptions& options, const HedgeState& state,
                                     Instant now) {
  if (!may_hedge(options, state)) return std::nullopt;
  return std::max({now, state.not_before, after(state.newest_began, *state.delay)});
}

HedgeStep on_hedge_due(const HedgeOptions& options, HedgeState& state, HedgeBudget& budget,
                       Instant now) {
  BROWNOUT_CHECK(state.in_flight > 0);
  const std::optional<Instant> due = when_to_hedge(options, state, now);
  if (!due || *due > now) return HedgeStep::wait;
  return begin_copy(state, budget, now) ? HedgeStep::hedge : HedgeStep::wait;
}

HedgeStep on_copy_end(const HedgeOptions& options, HedgeState& state, HedgeBudget& budget,
                      const Outcome& outcome, Instant now) {
  BROWNOUT_CHECK(state.in_flight > 0);
  --state.in_flight;
  if (is_own_refusal(outcome)) {
    state.denied = true;
    return state.in_flight > 0 ? HedgeStep::wait : HedgeStep::settle;
  }
  if (outcome.ok() || outcome.committed || !options.on.contains(outcome)) return HedgeStep::settle;
  if (outcome.retry_after) {
    state.not_before = std::max(state.not_before, after(now, *outcome.retry_after));
  }
  const bool at_once = options.on_failure == HedgeOptions::OnFailure::hedge_at_once &&
                       may_hedge(options, state) && now >= state.not_before;
  if (at_once && begin_copy(state, budget, now)) return HedgeStep::hedge;
  return state.in_flight > 0 ? HedgeStep::wait : HedgeStep::settle;
}

}  // namespace brownout
