#pragma once

// A breaker and its model, led through the same events and compared after each.

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/policy/breaker.hpp"
#include "tests/support/engine/breaker_model.hpp"

namespace brownout::testing {

enum class BreakerCommand : std::uint8_t {
  acquire,
  oldest_succeeds,  ///< the call admitted longest ago that has not ended
  oldest_fails,
  oldest_neutral,
  newest_succeeds,
  newest_fails,
  newest_neutral,
  release_oldest,
  release_newest,
  pass_almost_open_for,
  pass_open_for,
  pass_lease,
};
inline constexpr std::size_t breaker_command_count = 12;

inline std::string_view to_string(BreakerCommand command) {
  constexpr std::string_view names[] = {
      "acquire",         "oldest_succeeds",      "oldest_fails",   "oldest_neutral",
      "newest_succeeds", "newest_fails",         "newest_neutral", "release_oldest",
      "release_newest",  "pass_almost_open_for", "pass_open_for",  "pass_lease"};
  return names[static_cast<std::size_t>(command)];
}

/// Copyable: a copy continues on its own.
class BreakerPair {
 public:
  explicit BreakerPair(const BreakerOptions& options)
      : options_(options), breaker_(options), model_(options) {}

  /// Whether there is something for the command to act on.
  bool can(BreakerCommand command) const {
    switch (command) {
      case BreakerCommand::acquire:
      case BreakerCommand::pass_almost_open_for:
      case BreakerCommand::pass_open_for:
      case BreakerCommand::pass_lease:
        return true;
      case BreakerCommand::oldest_succeeds:
      case BreakerCommand::oldest_fails:
      case BreakerCommand::oldest_neutral:
      case BreakerCommand::release_oldest:
        return !out_.empty();
      case BreakerCommand::newest_succeeds:
      case BreakerCommand::newest_fails:
      case BreakerCommand::newest_neutral:
      case BreakerCommand::release_newest:
        return out_.size() > 1;  // else the oldest is meant
    }
    return false;
  }

  /// Does it to both. Requires: can(command). Returns what is wrong then; null when nothing is.
  const char* apply(BreakerCommand command) {
    switch (command) {
      case BreakerCommand::acquire:
        return acquire();
      case BreakerCommand::oldest_succeeds:
        return record(0, Verdict::success);
      case BreakerCommand::oldest_fails:
        return record(0, Verdict::failure);
      case BreakerCommand::oldest_neutral:
        return record(0, Verdict::neutral);
      case BreakerCommand::newest_succeeds:
        return record(out_.size() - 1, Verdict::success);
      case BreakerCommand::newest_fails:
        return record(out_.size() - 1, Verdict::failure);
      case BreakerCommand::newest_neutral:
        return record(out_.size() - 1, Verdict::neutral);
      case BreakerCommand::release_oldest:
        return record(0, std::nullopt);
      case BreakerCommand::release_newest:
        return record(out_.size() - 1, std::nullopt);
      case BreakerCommand::pass_almost_open_for:
        return pass(options_.open_for - Duration{1});
      case BreakerCommand::pass_open_for:
        return pass(options_.open_for);
      case BreakerCommand::pass_lease:
        return pass(options_.probe_lease);
    }
    return "no such command";
  }

  const char* pass(Duration duration) {
    now_ += duration;
    return compare();
  }

  /// Whatever came before: once the open period and every lease have passed, a provider that only
  /// succeeds closes it with `close_after` calls, one after the other, none of them refused.
  const char* heals() const {
    Breaker breaker = breaker_;
    const Instant later = now_ + std::max(options_.open_for, options_.probe_lease);
    for (std::uint32_t i = 0; i < options_.close_after; ++i) {
      const auto permit = breaker.acquire(later);
      if (!permit) return "it refuses a healthy provider";
      breaker.record(*permit, Verdict::success, later);
    }
    return breaker.state() == BreakerState::closed ? nullptr : "a healthy provider cannot close it";
  }

  const Breaker& breaker() const { return breaker_; }

 private:
  struct Admitted {
    Breaker::Permit permit;
    BreakerModel::Ticket ticket;
  };

  const char* acquire() {
    const BreakerState before = breaker_.state();
    const auto permit = breaker_.acquire(now_);
    const auto ticket = model_.acquire(now_);
    if (permit.has_value() != ticket.has_value())
      return "admits what the model refuses, or reverse";
    if (!permit && breaker_.retry_after(now_) <= Duration{0}) return "refuses and says come now";
    if (permit) out_.push_back({*permit, *ticket});
    const BreakerState after = breaker_.state();
    if (after != before && !(before == BreakerState::open && after == BreakerState::half_open)) {
      return "an acquisition moved it elsewhere than from open to half-open";
    }
    if (after == BreakerState::open && permit) return "admits while open";
    return compare();
  }

  const char* record(std::size_t index, std::optional<Verdict> verdict) {
    const Admitted call = out_[index];
    out_.erase(out_.begin() + static_cast<std::ptrdiff_t>(index));
    const BreakerState before = breaker_.state();
    const Duration retry_after = breaker_.retry_after(now_);
    const std::uint32_t in_flight = breaker_.probes_in_flight();
    const bool late = model_.is_late(call.ticket);
    if (verdict) {
      breaker_.record(call.permit, *verdict, now_);
      model_.record(call.ticket, *verdict, now_);
    } else {
      breaker_.release(call.permit);
      model_.release(call.ticket);
    }
    const bool same = breaker_.state() == before && breaker_.retry_after(now_) == retry_after &&
                      breaker_.probes_in_flight() == in_flight;
    const bool counts = verdict && *verdict != Verdict::neutral;
    const bool may_count = counts && options_.late_results != BreakerOptions::LateResults::ignored;
    if (late && !may_count && !same) return "a late result changed something";
    if (!counts && breaker_.state() != before) return "what counts neither way moved it";
    if (!late && in_flight > 0 && breaker_.state() == before &&
        breaker_.probes_in_flight() != in_flight - 1) {
      return "a probe that ended kept its permit";
    }
    return is_lawful(before, breaker_.state(), verdict, late) ? compare()
                                                              : "an unlawful transition";
  }

  // The arrows of the state diagram, and those the late-result modes add.
  bool is_lawful(BreakerState from, BreakerState to, std::optional<Verdict> verdict,
                 bool late) const {
    using enum BreakerState;
    if (from == to) return true;
    if (to == open) return verdict == Verdict::failure;
    if (from == half_open && to == closed) return verdict == Verdict::success;
    return from == open && to == closed && verdict == Verdict::success && late &&
           options_.late_results == BreakerOptions::LateResults::counted;
  }

  const char* compare() const {
    if (breaker_.state() != model_.state()) return "its state differs from the model's";
    if (breaker_.probes_in_flight() != model_.probes_in_flight()) {
      return "its probes in flight differ from the model's";
    }
    if (options_.probes != 0 && breaker_.probes_in_flight() > options_.probes) {
      return "more probes than permits";
    }
    if (breaker_.probes_in_flight() > out_.size()) return "a permit is out that nobody holds";
    return nullptr;
  }

  BreakerOptions options_;
  Breaker breaker_;
  BreakerModel model_;
  Instant now_{};
  std::vector<Admitted> out_;  // not ended, oldest first
};

inline std::string describe(const BreakerOptions& options) {
  return fmt::format("consecutive_failures {}, close_after {}, probes {}, late_results {}",
                     options.consecutive_failures, options.close_after, options.probes,
                     static_cast<int>(options.late_results));
}

}  // namespace brownout::testing
