#pragma once

// What a circuit breaker should do, written down a second time and as plainly as possible: nothing
// is kept up to date, everything is counted anew from lists of what happened in the present state.
// No slots and no leases but a list of the probes that are out, oldest first, and permits known by
// number. The open time has no jitter here.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/policy/breaker.hpp"

namespace brownout::testing {

class BreakerModel {
 public:
  /// An admission, by the order of admissions.
  using Ticket = std::uint32_t;

  explicit BreakerModel(const BreakerOptions& options)
      : options_(options),
        mode_(options.mode),
        state_(mode_ == Breaker::Mode::forced_open ? BreakerState::open : BreakerState::closed) {}

  std::optional<Ticket> acquire(Instant now);
  void record(Ticket ticket, const Finding& finding, Instant now);
  void release(Ticket ticket, Instant now);
  void set_mode(Breaker::Mode mode, Instant now);
  void close(Instant now);

  BreakerState state() const { return state_; }
  Breaker::Mode mode() const { return mode_; }
  std::uint32_t transitions() const { return transitions_; }
  std::uint32_t probes_in_flight() const { return static_cast<std::uint32_t>(probes_.size()); }
  WindowCounts window_counts(Instant now) const;

  /// Whether a result on this ticket would be late.
  bool is_late(Ticket ticket) const;

 private:
  using Kind = CloseRule::Kind;

  struct Admission {
    std::uint32_t era;
    Instant at;
  };
  struct Probe {
    Ticket ticket;
    Instant taken_at;
  };
  struct Result {
    bool failed;
    bool slow;
    Instant at;
  };
  struct Waiting {
    Ticket ticket;
    bool slow;  // has been noticed
  };

  bool watches() const { return options_.slow_per_mille != 0; }
  bool is_automatic() const { return mode_ == Breaker::Mode::automatic; }
  bool is_slow(Ticket ticket, Instant now) const {
    return watches() && now - tickets_[ticket].at > options_.slow_call;
  }
  bool reaches(std::uint64_t part, std::uint64_t whole, std::uint64_t per_mille) const {
    return options_.comparison == BreakerOptions::Comparison::above
               ? part * 1000 > whole * per_mille
               : part * 1000 >= whole * per_mille;
  }

  std::optional<Ticket> acquire_closed(Instant now);
  std::optional<Ticket> acquire_probe(Instant now);
  Ticket admit(Instant now);
  bool end(Ticket ticket);  // whether it was not late
  bool notice_slow(Instant now);
  bool window_trips(Instant now) const;
  void close_call(Result result, bool trips, std::optional<Duration> hint, Instant now);
  void end_slowly(Instant now);
  void judge_probe(bool failed, bool trips, std::optional<Duration> hint, Instant now);
  std::optional<BreakerState> decided(Instant now) const;
  void open(std::optional<Duration> hint, Instant now);
  void become(BreakerState state, Instant now);
  void forget(Instant now);

  BreakerOptions options_;
  Breaker::Mode mode_;
  BreakerState state_;
  std::uint32_t transitions_ = 0;
  std::uint32_t era_ = 0;
  Instant changed_at_{};
  Duration open_length_{};
  Instant open_until_{};
  std::uint32_t openings_in_a_row_ = 0;
  std::optional<Instant> closed_at_;
  std::vector<Admission> tickets_;

  // Of the present era:
  std::vector<Probe> probes_;
  std::vector<Waiting> waiting_;
  std::vector<Result> results_;
  std::uint32_t failures_in_a_row_ = 0;
  std::uint32_t neutral_in_a_row_ = 0;
  std::uint32_t credit_ = 0;
};

inline std::optional<BreakerModel::Ticket> BreakerModel::acquire(Instant now) {
  if (state_ == BreakerState::closed) return acquire_closed(now);
  if (state_ == BreakerState::half_open) return acquire_probe(now);
  if (mode_ == Breaker::Mode::forced_open || now < open_until_) return std::nullopt;
  if (options_.close_rule.kind == Kind::none) {
    become(BreakerState::closed, now);
    return acquire_closed(now);
  }
  become(BreakerState::half_open, now);
  return acquire_probe(now);
}

inline std::optional<BreakerModel::Ticket> BreakerModel::acquire_closed(Instant now) {
  if (!watches() || mode_ == Breaker::Mode::disabled) return admit(now);
  const bool news = notice_slow(now);
  if (news && window_trips(now) && is_automatic()) {
    open(std::nullopt, now);
    return std::nullopt;
  }
  const Ticket ticket = admit(now);
  waiting_.push_back({ticket, false});
  return ticket;
}

inline std::optional<BreakerModel::Ticket> BreakerModel::acquire_probe(Instant now) {
  const CloseRule& rule = options_.close_rule;
  if (rule.kind == Kind::ramp) {
    if (decided(now) == BreakerState::closed) {
      become(BreakerState::closed, now);
      return acquire_closed(now);
    }
    const Duration past = now - changed_at_;
    const std::uint32_t from = rule.ramp_from_per_mille;
    const std::int64_t thousandths = past / std::max(rule.ramp / 1000, Duration{1});
    const std::uint32_t share =
        past >= rule.ramp
            ? 1000
            : from + static_cast<std::uint32_t>((1000 - from) *
                                                std::min<std::int64_t>(1000, thousandths) / 1000);
    credit_ = std::min<std::uint32_t>(1999, credit_ + share);
    if (credit_ < 1000) return std::nullopt;
  }
  if (options_.probes != 0) {
    std::size_t most = options_.probes;
    if (rule.kind == Kind::m_of_n || rule.kind == Kind::ratio) {
      const std::size_t left = rule.calls > results_.size() ? rule.calls - results_.size() : 1;
      most = std::min(most, left);
    }
    if (probes_.size() >= most) {
      if (now - probes_.front().taken_at < options_.probe_lease) return std::nullopt;
      probes_.erase(probes_.begin());
    }
  }
  if (rule.kind == Kind::ramp) credit_ -= 1000;
  const Ticket ticket = admit(now);
  if (options_.probes != 0) probes_.push_back({ticket, now});
  return ticket;
}

inline BreakerModel::Ticket BreakerModel::admit(Instant now) {
  tickets_.push_back({era_, now});
  return static_cast<Ticket>(tickets_.size() - 1);
}

inline bool BreakerModel::is_late(Ticket ticket) const {
  if (tickets_[ticket].era != era_) return true;
  if (state_ != BreakerState::half_open || options_.probes == 0) return false;
  return std::ranges::find(probes_, ticket, &Probe::ticket) == probes_.end();
}

inline bool BreakerModel::end(Ticket ticket) {
  if (is_late(ticket)) return false;
  std::erase_if(probes_, [&](const Probe& probe) { return probe.ticket == ticket; });
  std::erase_if(waiting_, [&](const Waiting& call) { return call.ticket == ticket; });
  return true;
}

inline bool BreakerModel::notice_slow(Instant now) {
  bool news = false;
  for (Waiting& call : waiting_) {
    if (call.slow || !is_slow(call.ticket, now)) continue;
    call.slow = news = true;
  }
  return news;
}

inline WindowCounts BreakerModel::window_counts(Instant now) const {
  WindowCounts counts;
  const auto slice = [&](Instant at) { return (at - Instant{}) / (options_.window_time / 10); };
  for (std::size_t i = 0; i < results_.size(); ++i) {
    if (options_.window_calls == 0 && options_.window_time == Duration{0}) break;
    if (options_.window_calls != 0 && results_.size() - i > options_.window_calls) continue;
    if (options_.window_calls == 0 && slice(now) - slice(results_[i].at) >= 10) continue;
    counts += {1, results_[i].failed ? 1U : 0U, results_[i].slow ? 1U : 0U};
  }
  for (const Waiting& call : waiting_) {
    if (call.slow) counts += {1, 0, 1};
  }
  return counts;
}

inline bool BreakerModel::window_trips(Instant now) const {
  const WindowCounts counts = window_counts(now);
  std::uint32_t minimum = options_.minimum_calls;
  if (options_.window_calls != 0) minimum = std::min(minimum, options_.window_calls);
  const bool enough = counts.calls >= minimum;
  const bool rate = options_.failure_per_mille != 0 && enough &&
                    reaches(counts.failures, counts.calls, options_.failure_per_mille);
  const bool count =
      options_.failures_in_window != 0 && counts.failures >= options_.failures_in_window;
  const bool slow =
      watches() && enough && reaches(counts.slow, counts.calls, options_.slow_per_mille);
  if (slow) return true;
  return options_.require_both ? rate && count : rate || count;
}

inline void BreakerModel::record(Ticket ticket, const Finding& finding, Instant now) {
  using enum BreakerOptions::LateResults;
  const bool late = !end(ticket);
  if (mode_ == Breaker::Mode::disabled || mode_ == Breaker::Mode::forced_open) return;
  if (finding.verdict == Verdict::refused) return;
  const bool slow = is_slow(ticket, now);
  if (finding.verdict == Verdict::neutral) {
    if (late) return;
    if (slow) return end_slowly(now);
    if (state_ != BreakerState::half_open || options_.neutral_probes == 0) return;
    if (++neutral_in_a_row_ == options_.neutral_probes) {
      judge_probe(false, false, std::nullopt, now);
    }
    return;
  }
  if (late && options_.late_results == ignored) return;
  if (late && options_.late_results == unless_open && state_ == BreakerState::open) return;
  const bool failed = finding.verdict == Verdict::failure;
  switch (state_) {
    case BreakerState::closed:
      return close_call({failed, slow, now}, finding.trips, finding.retry_after, now);
    case BreakerState::half_open:
      return judge_probe(failed || slow, failed && finding.trips, finding.retry_after, now);
    case BreakerState::open:
      if (failed) {
        open_until_ = after(now, open_length_);
      } else if (options_.late_results == counted) {
        judge_probe(slow, false, std::nullopt, now);
      }
      return;
  }
}

// A result in closed.
inline void BreakerModel::close_call(Result result, bool trips, std::optional<Duration> hint,
                                     Instant now) {
  failures_in_a_row_ = result.failed ? failures_in_a_row_ + 1 : 0;
  results_.push_back(result);
  const bool news = notice_slow(now);
  const bool look = result.failed || result.slow || news ||
                    options_.evaluate == BreakerOptions::Evaluate::results;
  bool opens = look && window_trips(now);
  if (result.failed && options_.consecutive_failures != 0) {
    opens |= failures_in_a_row_ >= options_.consecutive_failures;
  }
  if ((opens || (result.failed && trips)) && is_automatic()) open(hint, now);
}

inline void BreakerModel::release(Ticket ticket, Instant now) {
  if (!end(ticket)) return;
  if (mode_ == Breaker::Mode::disabled || mode_ == Breaker::Mode::forced_open) return;
  if (is_slow(ticket, now)) end_slowly(now);
}

inline void BreakerModel::end_slowly(Instant now) {
  if (state_ == BreakerState::half_open) return judge_probe(true, false, std::nullopt, now);
  results_.push_back({false, true, now});
  notice_slow(now);
  if (window_trips(now) && is_automatic()) open(std::nullopt, now);
}

inline void BreakerModel::judge_probe(bool failed, bool trips, std::optional<Duration> hint,
                                      Instant now) {
  results_.push_back({failed, false, now});
  neutral_in_a_row_ = 0;
  auto next = decided(now);
  if (trips) next = BreakerState::open;
  if (!next || *next == state_) return;
  *next == BreakerState::open ? open(hint, now) : become(*next, now);
}

inline std::optional<BreakerState> BreakerModel::decided(Instant now) const {
  const CloseRule& rule = options_.close_rule;
  const auto failed = [](const Result& result) { return result.failed; };
  const auto all = static_cast<std::uint32_t>(results_.size());
  const auto failures = static_cast<std::uint32_t>(std::ranges::count_if(results_, failed));
  const std::uint32_t successes = all - failures;
  switch (rule.kind) {
    case Kind::none:
    case Kind::successes:
      if (failures != 0) return BreakerState::open;
      if (successes >= options_.close_after) return BreakerState::closed;
      return std::nullopt;
    case Kind::m_of_n:
      if (successes >= rule.successes) return BreakerState::closed;
      if (failures > rule.calls - rule.successes) return BreakerState::open;
      return std::nullopt;
    case Kind::ratio: {
      const std::uint32_t left = rule.calls > all ? rule.calls - all : 0;
      const std::uint32_t whole = failures + successes + left;
      const std::uint32_t worst = failures + left;
      if (whole != rule.calls) return std::nullopt;
      if (reaches(failures, whole, rule.failure_per_mille)) return BreakerState::open;
      if (!reaches(worst, whole, rule.failure_per_mille)) return BreakerState::closed;
      return std::nullopt;
    }
    case Kind::ramp: {
      if (all < rule.calls) return std::nullopt;
      const auto bad = std::count_if(results_.end() - rule.calls, results_.end(), failed);
      if (reaches(static_cast<std::uint64_t>(bad), rule.calls, rule.failure_per_mille)) {
        return BreakerState::open;
      }
      if (now - changed_at_ >= rule.ramp) return BreakerState::closed;
      return std::nullopt;
    }
  }
  return std::nullopt;
}

inline void BreakerModel::open(std::optional<Duration> hint, Instant now) {
  const OpenTimeOptions& open_time = options_.open_time;
  if (closed_at_) {
    const Duration closed_for = now - *closed_at_;
    switch (open_time.reset) {
      case OpenTimeOptions::Reset::on_close:
        openings_in_a_row_ = 0;
        break;
      case OpenTimeOptions::Reset::after:
        if (closed_for >= open_time.reset_every) openings_in_a_row_ = 0;
        break;
      case OpenTimeOptions::Reset::step:
        for (Duration left = closed_for; left >= open_time.reset_every && openings_in_a_row_ > 0;
             left -= open_time.reset_every) {
          --openings_in_a_row_;
        }
        break;
    }
    closed_at_.reset();
  }
  open_length_ = options_.open_for;
  for (std::uint32_t i = 0; i < openings_in_a_row_; ++i) {
    const std::int64_t grown = open_time.add > Duration{0}
                                   ? (open_length_ + open_time.add).count()
                                   : open_length_.count() * open_time.factor_per_mille / 1000;
    open_length_ = std::min(open_time.max, Duration{grown});
  }
  ++openings_in_a_row_;
  if (hint && open_time.obey_retry_after) {
    open_length_ = std::max(open_time.hint_min, std::min(open_time.hint_max, *hint));
  }
  open_until_ = after(now, open_length_);
  become(BreakerState::open, now);
}

inline void BreakerModel::become(BreakerState state, Instant now) {
  if (state == BreakerState::closed) closed_at_ = now;
  state_ = state;
  ++transitions_;
  forget(now);
}

inline void BreakerModel::forget(Instant now) {
  changed_at_ = now;
  ++era_;
  probes_.clear();
  waiting_.clear();
  results_.clear();
  failures_in_a_row_ = neutral_in_a_row_ = 0;
  credit_ = 1000 - options_.close_rule.ramp_from_per_mille;
}

inline void BreakerModel::set_mode(Breaker::Mode mode, Instant now) {
  if (mode == mode_) return;
  mode_ = mode;
  const auto state = mode == Breaker::Mode::forced_open ? BreakerState::open : BreakerState::closed;
  if (state == state_) {
    forget(now);
  } else {
    become(state, now);
  }
}

inline void BreakerModel::close(Instant now) {
  set_mode(Breaker::Mode::automatic, now);
  if (state_ != BreakerState::closed) become(BreakerState::closed, now);
}

}  // namespace brownout::testing
