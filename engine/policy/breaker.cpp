#include "engine/policy/breaker.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout {

Verdict judge(const BreakerOptions& options, const Outcome& outcome) {
  if (outcome.ok()) return Verdict::success;
  return options.failures.contains(outcome) ? Verdict::failure : Verdict::neutral;
}

Breaker::Breaker(const BreakerOptions& options) : options_(options), probes_(options.probes) {
  BROWNOUT_CHECK(options.consecutive_failures >= 1);
  BROWNOUT_CHECK(options.close_after >= 1);
  BROWNOUT_CHECK(options.probes <= BreakerOptions::probes_max);
}

std::optional<Breaker::Permit> Breaker::acquire(Instant now) {
  if (state_ == BreakerState::closed) return Permit{generation_, Permit::no_probe, 0};
  if (state_ == BreakerState::open) {
    if (now < after(opened_at_, options_.open_for)) return std::nullopt;
    move_to(BreakerState::half_open);
  }
  return acquire_probe(now);
}

std::optional<Breaker::Permit> Breaker::acquire_probe(Instant now) {
  if (probes_.empty()) return Permit{generation_, Permit::no_probe, 0};
  const std::size_t chosen = free_or_overdue(now);
  if (chosen == probes_.size()) return std::nullopt;
  ProbeSlot& slot = probes_[chosen];
  if (!slot.taken) ++probes_in_flight_;
  slot = {true, ++leases_, after(now, options_.probe_lease)};
  return Permit{generation_, static_cast<std::uint16_t>(chosen), slot.lease};
}

// A slow probe keeps its permit while another is to be had; else the longest overdue one goes.
std::size_t Breaker::free_or_overdue(Instant now) const {
  std::size_t overdue = probes_.size();
  for (std::size_t i = 0; i < probes_.size(); ++i) {
    if (!probes_[i].taken) return i;
    if (now < probes_[i].expires) continue;
    if (overdue == probes_.size() || probes_[i].lease < probes_[overdue].lease) overdue = i;
  }
  return overdue;
}

// True when the permit was still the holder's: of this generation, and not taken over by a later
// probe after its lease ran out.
bool Breaker::give_back(const Permit& permit) {
  if (is_late(permit)) return false;
  if (permit.probe == Permit::no_probe) return true;
  ProbeSlot& slot = probes_[permit.probe];
  if (!slot.taken || slot.lease != permit.lease) return false;
  slot.taken = false;
  --probes_in_flight_;
  return true;
}

void Breaker::record(const Permit& permit, Verdict verdict, Instant now) {
  using enum BreakerOptions::LateResults;
  const bool current = give_back(permit);
  if (verdict == Verdict::neutral) return;
  if (!current) {
    if (options_.late_results == ignored) return;
    const bool late_success_while_open =
        verdict == Verdict::success && state_ == BreakerState::open;
    if (late_success_while_open && options_.late_results == extend_open) return;
  }
  verdict == Verdict::success ? succeed(now) : fail(now);
}

void Breaker::succeed(Instant) {
  failures_ = 0;
  if (state_ == BreakerState::closed) return;
  if (++successes_ >= options_.close_after) move_to(BreakerState::closed);
}

void Breaker::fail(Instant now) {
  switch (state_) {
    case BreakerState::closed:
      if (++failures_ < options_.consecutive_failures) return;
      break;
    case BreakerState::half_open:
      break;
    case BreakerState::open:
      break;  // a late failure that counts restarts the open period
  }
  opened_at_ = now;
  if (state_ != BreakerState::open) move_to(BreakerState::open);
}

void Breaker::move_to(BreakerState state) {
  state_ = state;
  ++generation_;
  failures_ = 0;
  successes_ = 0;
  probes_in_flight_ = 0;
  for (ProbeSlot& slot : probes_) slot.taken = false;
}

Duration Breaker::retry_after(Instant now) const {
  if (state_ == BreakerState::closed) return Duration{0};
  if (state_ == BreakerState::open) {
    return std::max(Duration{0}, after(opened_at_, options_.open_for) - now);
  }
  Instant soonest = never;
  for (const ProbeSlot& slot : probes_) soonest = std::min(soonest, slot.expires);
  return soonest == never ? Duration{0} : std::max(Duration{0}, soonest - now);
}

}  // namespace brownout
