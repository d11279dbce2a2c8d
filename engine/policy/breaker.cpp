#include "engine/policy/breaker.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout {

using Decision = BreakerProbes::Decision;

Breaker::Breaker(const BreakerOptions& options, const DrawFamily& jitter)
    : options_(options),
      mode_(options.mode),
      state_(options.mode == Mode::forced_open ? BreakerState::open : BreakerState::closed),
      score_(options),
      probes_(options),
      open_time_(options, jitter) {}

std::optional<Breaker::Permit> Breaker::acquire(Instant now) {
  if (state_ == BreakerState::closed) return acquire_closed(now);
  if (state_ == BreakerState::open) {
    if (mode_ == Mode::forced_open || now < open_until_) return std::nullopt;
    if (options_.close_rule.kind == CloseRule::Kind::none) {
      move_to(BreakerState::closed, now);
      return acquire_closed(now);
    }
    move_to(BreakerState::half_open, now);
  }
  return acquire_probe(now);
}

std::optional<Breaker::Permit> Breaker::acquire_closed(Instant now) {
  Permit permit;
  permit.generation = generation_;
  permit.admitted = now;
  if (!score_.watches_calls_in_flight() || mode_ == Mode::disabled) return permit;
  if (score_.is_tripped_by_waiting(now) && mode_ == Mode::automatic) {
    open(std::nullopt, now);
    return std::nullopt;
  }
  permit.place = score_.admit(now);
  return permit;
}

std::optional<Breaker::Permit> Breaker::acquire_probe(Instant now) {
  if (probes_.decide(now) == Decision::close) {
    move_to(BreakerState::closed, now);
    return acquire_closed(now);
  }
  const auto probe = probes_.acquire(now);
  if (!probe) return std::nullopt;
  Permit permit;
  permit.generation = generation_;
  permit.admitted = now;
  permit.probe = *probe;
  return permit;
}

// True when the permit was still the holder's: of this generation, and not taken over by a later
// probe after its lease ran out.
bool Breaker::give_back(const Permit& permit) {
  if (is_late(permit)) return false;
  score_.end(permit.place);
  return probes_.give_back(permit.probe);
}

bool Breaker::is_slow(const Permit& permit, Instant now) const {
  return options_.slow_per_mille != 0 && now - permit.admitted > options_.slow_call;
}

bool Breaker::record(const Permit& permit, const Finding& finding, Instant now) {
  using enum BreakerOptions::LateResults;
  const bool current = give_back(permit);
  if (mode_ == Mode::disabled || mode_ == Mode::forced_open) return false;
  if (finding.verdict == Verdict::refused) return false;
  const bool slow = is_slow(permit, now);
  if (finding.verdict == Verdict::neutral) {
    if (!current) return false;
    if (slow) {
      end_slowly(now);
    } else if (state_ == BreakerState::half_open) {
      carry_out(probes_.answer_neutral(now), std::nullopt, now);
    }
    return false;
  }
  if (!current) {
    if (options_.late_results == ignored) return false;
    if (options_.late_results == unless_open && state_ == BreakerState::open) return false;
    const bool late_success_while_open =
        finding.verdict == Verdict::success && state_ == BreakerState::open;
    if (late_success_while_open && options_.late_results == extend_open) return false;
  }
  if (finding.verdict == Verdict::success) {
    succeed(slow, now);
    return false;
  }
  fail(finding, slow, now);
  return true;
}

void Breaker::release(const Permit& permit, Instant now) {
  const bool current = give_back(permit);
  if (mode_ == Mode::disabled || mode_ == Mode::forced_open) return;
  if (current && is_slow(permit, now)) end_slowly(now);
}

void Breaker::succeed(bool slow, Instant now) {
  if (state_ == BreakerState::closed) {
    if (score_.record_success(slow, now) && mode_ == Mode::automatic) open(std::nullopt, now);
    return;
  }
  carry_out(slow ? probes_.fail(now) : probes_.succeed(now), std::nullopt, now);
}

void Breaker::fail(const Finding& finding, bool slow, Instant now) {
  switch (state_) {
    case BreakerState::closed: {
      const bool tripped = score_.record_failure(slow, now) || finding.trips;
      if (tripped && mode_ == Mode::automatic) open(finding.retry_after, now);
      return;
    }
    case BreakerState::half_open: {
      const Decision decision = probes_.fail(now);
      return carry_out(finding.trips ? Decision::open : decision, finding.retry_after, now);
    }
    case BreakerState::open:
      // A late failure that counts restarts the open period.
      open_until_ = after(now, open_length_);
      return;
  }
}

// What ended neither way took so long that this itself is a sign.
void Breaker::end_slowly(Instant now) {
  if (state_ == BreakerState::half_open) return carry_out(probes_.fail(now), std::nullopt, now);
  if (score_.record_slow(now) && mode_ == Mode::automatic) open(std::nullopt, now);
}

void Breaker::carry_out(Decision decision, std::optional<Duration> hint, Instant now) {
  switch (decision) {
    case Decision::undecided:
      return;
    case Decision::close:
      return move_to(BreakerState::closed, now);
    case Decision::open:
      // While open already: a late slow success in a breaker that counts those.
      if (state_ == BreakerState::open) return;
      return open(hint, now);
  }
}

void Breaker::open(std::optional<Duration> hint, Instant now) {
  open_length_ = open_time_.open(options_, hint, now);
  open_until_ = after(now, open_length_);
  move_to(BreakerState::open, now);
}

void Breaker::move_to(BreakerState state, Instant now) {
  BROWNOUT_CHECK(state != state_);
  if (state == BreakerState::closed) open_time_.close(now);
  state_ = state;
  ++transitions_;
  start_over(now);
}

void Breaker::start_over(Instant now) {
  ++generation_;
  score_.clear();
  probes_.begin(now);
}

void Breaker::set_mode(Mode mode, Instant now) {
  if (mode == mode_) return;
  mode_ = mode;
  const BreakerState state = mode == Mode::forced_open ? BreakerState::open : BreakerState::closed;
  state == state_ ? start_over(now) : move_to(state, now);
}

void Breaker::close(Instant now) {
  set_mode(Mode::automatic, now);
  if (state_ != BreakerState::closed) move_to(BreakerState::closed, now);
}

bool Breaker::is_quiet() const {
  if (state_ != BreakerState::closed) return false;
  if (mode_ == Mode::disabled) return true;
  return !score_.watches_calls_in_flight() && score_.ignores_successes();
}

Duration Breaker::retry_after(Instant now) const {
  switch (state_) {
    case BreakerState::closed:
      return Duration{0};
    case BreakerState::open:
      if (mode_ == Mode::forced_open) return forever;
      return std::max(Duration{0}, open_until_ - now);
    case BreakerState::half_open:
      return probes_.retry_after(now);
  }
  return Duration{0};
}

void Breaker::adopt(const Breaker& other) {
  const bool set_while_running = other.mode_ != other.options_.mode;
  const bool own_word = options_.mode != Mode::automatic || !set_while_running;
  mode_ = own_word ? options_.mode : other.mode_;
  const bool both_automatic = mode_ == Mode::automatic && other.mode_ == Mode::automatic;
  state_ = mode_ == Mode::forced_open ? BreakerState::open : BreakerState::closed;
  if (both_automatic) state_ = other.state_;
  if (state_ == BreakerState::half_open && options_.close_rule.kind == CloseRule::Kind::none) {
    state_ = BreakerState::closed;
  }
  generation_ = other.generation_;
  transitions_ = other.transitions_;
  open_length_ = other.open_length_;
  open_until_ = other.open_until_;
  open_time_.adopt(other.open_time_);
  probes_.adopt(other.probes_);
  score_.adopt(other.score_);
}

}  // namespace brownout
