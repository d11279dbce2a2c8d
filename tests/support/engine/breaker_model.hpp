#pragma once

// What a circuit breaker should do, written down a second time and as plainly as possible: no slots
// and no leases but a list of the probes that are out, oldest first, and permits known by number.

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/policy/breaker.hpp"

namespace brownout::testing {

class BreakerModel {
 public:
  /// An admission, by the order of admissions.
  using Ticket = std::uint32_t;

  explicit BreakerModel(const BreakerOptions& options) : options_(options) {}

  std::optional<Ticket> acquire(Instant now);
  void record(Ticket ticket, Verdict verdict, Instant now);
  void release(Ticket ticket) { is_current(ticket); }

  BreakerState state() const { return state_; }
  std::uint32_t probes_in_flight() const { return static_cast<std::uint32_t>(probes_.size()); }

  /// Whether a result on this ticket would be late.
  bool is_late(Ticket ticket) const;

 private:
  struct Probe {
    Ticket ticket;
    Instant taken_at;
  };

  Ticket admit();
  bool is_current(Ticket ticket);  // gives a probe's permit back
  void become(BreakerState state, Instant now);

  BreakerOptions options_;
  BreakerState state_ = BreakerState::closed;
  Instant since_{};                  // of open: its latest beginning
  std::uint32_t count_ = 0;          // of failures in closed, of successes elsewhere
  std::uint32_t era_ = 0;            // number of changes of state so far
  std::vector<std::uint32_t> eras_;  // by ticket
  std::vector<Probe> probes_;
};

inline std::optional<BreakerModel::Ticket> BreakerModel::acquire(Instant now) {
  if (state_ == BreakerState::closed) return admit();
  if (state_ == BreakerState::open) {
    if (now - since_ < options_.open_for) return std::nullopt;
    become(BreakerState::half_open, now);
  }
  if (options_.probes == 0) return admit();
  if (probes_.size() == options_.probes) {
    if (now - probes_.front().taken_at < options_.probe_lease) return std::nullopt;
    probes_.erase(probes_.begin());
  }
  const Ticket ticket = admit();
  probes_.push_back({ticket, now});
  return ticket;
}

inline BreakerModel::Ticket BreakerModel::admit() {
  eras_.push_back(era_);
  return static_cast<Ticket>(eras_.size() - 1);
}

inline bool BreakerModel::is_late(Ticket ticket) const {
  if (eras_[ticket] != era_) return true;
  if (state_ == BreakerState::closed || options_.probes == 0) return false;
  for (const Probe& probe : probes_) {
    if (probe.ticket == ticket) return false;
  }
  return true;
}

inline bool BreakerModel::is_current(Ticket ticket) {
  if (is_late(ticket)) return false;
  for (std::size_t i = 0; i < probes_.size(); ++i) {
    if (probes_[i].ticket == ticket) {
      probes_.erase(probes_.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    }
  }
  return true;
}

inline void BreakerModel::record(Ticket ticket, Verdict verdict, Instant now) {
  using enum BreakerOptions::LateResults;
  const bool late = !is_current(ticket);
  if (verdict == Verdict::neutral || (late && options_.late_results == ignored)) return;
  if (verdict == Verdict::success) {
    switch (state_) {
      case BreakerState::closed:
        count_ = 0;
        return;
      case BreakerState::open:
        if (options_.late_results == extend_open) return;
        [[fallthrough]];
      case BreakerState::half_open:
        if (++count_ == options_.close_after) become(BreakerState::closed, now);
        return;
    }
  }
  switch (state_) {
    case BreakerState::closed:
      if (++count_ == options_.consecutive_failures) become(BreakerState::open, now);
      return;
    case BreakerState::half_open:
      become(BreakerState::open, now);
      return;
    case BreakerState::open:
      since_ = now;
      return;
  }
}

inline void BreakerModel::become(BreakerState state, Instant now) {
  state_ = state;
  since_ = now;
  count_ = 0;
  ++era_;
  probes_.clear();
}

}  // namespace brownout::testing
