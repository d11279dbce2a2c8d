#include "engine/policy/throttle.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

constexpr std::int64_t millionths = 1'000'000;

}  // namespace

Throttle::Throttle(const ThrottleOptions& options)
    : options_(options), requests_(options.window), accepts_(options.window) {
  BROWNOUT_CHECK(options.multiplier >= 1000 && options.multiplier <= 1'000'000);
  BROWNOUT_CHECK(options.max_rejection <= millionths);
  BROWNOUT_CHECK(options.allowance <= 1'000'000);
}

// Both sides of the fraction times 10^6: a multiplier in thousandths and a cap in millionths then
// need no division. An hour of a million requests per second stays below 2^63.
Throttle::Odds Throttle::odds(Instant now) const {
  const std::int64_t requests = requests_.total(now);
  const std::int64_t accepts = accepts_.total(now);
  const std::int64_t missing =
      1000 * (requests - options_.allowance) - options_.multiplier * accepts;
  const std::int64_t excess = 1000 * std::max(missing, std::int64_t{0});
  const std::int64_t cap = options_.max_rejection * (requests + 1);
  return {static_cast<std::uint64_t>(std::min(excess, cap)),
          static_cast<std::uint64_t>(millionths * (requests + 1))};
}

std::optional<Throttle::Ticket> Throttle::admit(Instant now, Draws& draws) {
  const auto [part, whole] = odds(now);
  const bool rejected = part > 0 && draws.below(whole) < part;
  const SlidingSum::Slot slot = requests_.add(1, now);
  if (rejected) return std::nullopt;
  return Ticket{slot};
}

void Throttle::accepted(Instant now) {
  accepts_.add(1, now);
}

void Throttle::forget(Instant now, const Ticket& ticket) {
  requests_.take_back(1, ticket.slot, now);
}

std::uint32_t Throttle::rejection(Instant now) const {
  const auto [part, whole] = odds(now);
  return static_cast<std::uint32_t>(part / (whole / millionths));
}

}  // namespace brownout
