#include "engine/policy/breaker_probes.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout {

using Kind = CloseRule::Kind;

BreakerProbes::BreakerProbes(const BreakerOptions& options)
    : rule_(options.close_rule),
      close_after_(options.close_after),
      neutral_probes_(options.neutral_probes),
      strict_(options.comparison == BreakerOptions::Comparison::above),
      lease_(options.probe_lease),
      slots_(options.probes) {
  BROWNOUT_CHECK(options.close_after >= 1);
  BROWNOUT_CHECK(options.probes <= BreakerOptions::probes_max);
  BROWNOUT_CHECK(rule_.calls >= 1);
  BROWNOUT_CHECK(rule_.kind != Kind::m_of_n ||
                 (rule_.successes >= 1 && rule_.successes <= rule_.calls));
  BROWNOUT_CHECK(rule_.failure_per_mille >= 1);
  if (rule_.kind == Kind::ramp) recent_.emplace(rule_.calls);
}

void BreakerProbes::begin(Instant now) {
  for (Slot& slot : slots_) slot.taken = false;
  in_flight_ = successes_ = failures_ = neutral_ = 0;
  began_ = now;
  // The call that makes the transition is let through.
  credit_ = 1000 - std::min<std::uint32_t>(1000, rule_.ramp_from_per_mille);
  if (recent_) recent_->clear();
}

std::uint32_t BreakerProbes::share(Instant now) const {
  const Duration elapsed = now - began_;
  if (elapsed >= rule_.ramp) return 1000;
  const std::uint32_t from = std::min<std::uint32_t>(1000, rule_.ramp_from_per_mille);
  const Duration step = std::max(rule_.ramp / 1000, Duration{1});
  const auto steps = static_cast<std::uint32_t>(std::min<std::int64_t>(1000, elapsed / step));
  return from + (1000 - from) * steps / 1000;
}

std::optional<BreakerProbes::Permit> BreakerProbes::acquire(Instant now) {
  if (rule_.kind == Kind::ramp) {
    // What is left of a call goes on to the next; what no permit could be had for does not pile up.
    credit_ = std::min<std::uint32_t>(credit_ + share(now), 1999);
    if (credit_ < 1000) return std::nullopt;
  }
  Permit permit;
  if (!slots_.empty()) {
    const std::size_t chosen = free_or_overdue(now);
    if (chosen == slots_.size()) return std::nullopt;
    Slot& slot = slots_[chosen];
    if (!slot.taken) ++in_flight_;
    slot = {true, ++leases_, after(now, lease_)};
    permit = {static_cast<std::uint16_t>(chosen), slot.lease};
  }
  if (rule_.kind == Kind::ramp) credit_ -= 1000;
  return permit;
}

// Probes beyond those that are still to be judged would be wasted on a sick provider.
std::uint32_t BreakerProbes::most_at_once() const {
  const auto slots = static_cast<std::uint32_t>(slots_.size());
  if (rule_.kind != Kind::m_of_n && rule_.kind != Kind::ratio) return slots;
  const std::uint32_t judged = successes_ + failures_;
  return std::min(slots, judged < rule_.calls ? rule_.calls - judged : 1);
}

// A slow probe keeps its permit while another is to be had; else the longest overdue one goes.
std::size_t BreakerProbes::free_or_overdue(Instant now) const {
  const bool may_take_free = in_flight_ < most_at_once();
  std::size_t overdue = slots_.size();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].taken) {
      if (may_take_free) return i;
      continue;
    }
    if (now < slots_[i].expires) continue;
    if (overdue == slots_.size() || slots_[i].lease < slots_[overdue].lease) overdue = i;
  }
  return overdue;
}

bool BreakerProbes::give_back(const Permit& permit) {
  if (permit.slot == Permit::no_slot) return true;
  Slot& slot = slots_[permit.slot];
  if (!slot.taken || slot.lease != permit.lease) return false;
  slot.taken = false;
  --in_flight_;
  return true;
}

bool BreakerProbes::reaches(std::uint32_t failures, std::uint32_t calls) const {
  const std::uint64_t have = std::uint64_t{failures} * 1000;
  const std::uint64_t need = std::uint64_t{calls} * rule_.failure_per_mille;
  return strict_ ? have > need : have >= need;
}

BreakerProbes::Decision BreakerProbes::succeed(Instant now) {
  return record(false, now);
}

BreakerProbes::Decision BreakerProbes::fail(Instant now) {
  return record(true, now);
}

BreakerProbes::Decision BreakerProbes::record(bool failed, Instant now) {
  ++(failed ? failures_ : successes_);
  neutral_ = 0;
  if (recent_) recent_->record({.failed = failed, .slow = false});
  return judge(now);
}

BreakerProbes::Decision BreakerProbes::answer_neutral(Instant now) {
  if (neutral_probes_ == 0 || ++neutral_ < neutral_probes_) return Decision::undecided;
  return succeed(now);
}

// Rules about a number of results decide as soon as the rest of them cannot change it.
BreakerProbes::Decision BreakerProbes::judge(Instant now) const {
  switch (rule_.kind) {
    case Kind::successes:
    case Kind::none:
      if (failures_ > 0) return Decision::open;
      return successes_ >= close_after_ ? Decision::close : Decision::undecided;
    case Kind::m_of_n:
      if (successes_ >= rule_.successes) return Decision::close;
      return failures_ > rule_.calls - rule_.successes ? Decision::open : Decision::undecided;
    case Kind::ratio: {
      if (reaches(failures_, rule_.calls)) return Decision::open;
      const std::uint32_t at_most = rule_.calls - std::min(rule_.calls, successes_);
      return reaches(at_most, rule_.calls) ? Decision::undecided : Decision::close;
    }
    case Kind::ramp: {
      const WindowCounts& counts = recent_->counts();
      const bool bad = counts.calls >= rule_.calls && reaches(counts.failures, counts.calls);
      return bad ? Decision::open : decide(now);
    }
  }
  return Decision::undecided;
}

BreakerProbes::Decision BreakerProbes::decide(Instant now) const {
  if (!recent_ || now - began_ < rule_.ramp) return Decision::undecided;
  const WindowCounts& counts = recent_->counts();
  return counts.calls >= rule_.calls ? Decision::close : Decision::undecided;
}

Duration BreakerProbes::retry_after(Instant now) const {
  Instant soonest = never;
  for (const Slot& slot : slots_) {
    if (slot.taken) soonest = std::min(soonest, slot.expires);
  }
  // A ramp refuses for its share, not for want of a permit, while one can be had.
  const bool full = !slots_.empty() && in_flight_ == slots_.size() && now < soonest;
  if (rule_.kind == Kind::ramp && !full) return std::max(Duration{1}, rule_.ramp / 10);
  return soonest == never ? Duration{1} : std::max(Duration{1}, soonest - now);
}

}  // namespace brownout
