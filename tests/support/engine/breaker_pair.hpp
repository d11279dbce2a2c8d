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
  // Beyond what the short sequences are made of:
  newest_refused,  ///< by a policy of ours below
  newest_trips,
  newest_fails_with_hint,
  pass_slow_call,
  isolate,
  close,
  disable,
  only_measure,
};
inline constexpr std::size_t breaker_command_count = 12;  // in short sequences
inline constexpr std::size_t all_breaker_commands = 20;

inline std::string_view to_string(BreakerCommand command) {
  constexpr std::string_view names[] = {"acquire",
                                        "oldest_succeeds",
                                        "oldest_fails",
                                        "oldest_neutral",
                                        "newest_succeeds",
                                        "newest_fails",
                                        "newest_neutral",
                                        "release_oldest",
                                        "release_newest",
                                        "pass_almost_open_for",
                                        "pass_open_for",
                                        "pass_lease",
                                        "newest_refused",
                                        "newest_trips",
                                        "newest_fails_with_hint",
                                        "pass_slow_call",
                                        "isolate",
                                        "close",
                                        "disable",
                                        "only_measure"};
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
      case BreakerCommand::isolate:
      case BreakerCommand::close:
      case BreakerCommand::disable:
      case BreakerCommand::only_measure:
        return true;
      case BreakerCommand::pass_slow_call:
        return options_.slow_per_mille != 0;
      case BreakerCommand::newest_refused:
      case BreakerCommand::newest_trips:
      case BreakerCommand::newest_fails_with_hint:
        return !out_.empty();
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
    const std::size_t newest = out_.size() - 1;
    switch (command) {
      case BreakerCommand::acquire:
        return acquire();
      case BreakerCommand::oldest_succeeds:
        return record(0, Finding{Verdict::success, false, {}});
      case BreakerCommand::oldest_fails:
        return record(0, Finding{Verdict::failure, false, {}});
      case BreakerCommand::oldest_neutral:
        return record(0, Finding{Verdict::neutral, false, {}});
      case BreakerCommand::newest_succeeds:
        return record(newest, Finding{Verdict::success, false, {}});
      case BreakerCommand::newest_fails:
        return record(newest, Finding{Verdict::failure, false, {}});
      case BreakerCommand::newest_neutral:
        return record(newest, Finding{Verdict::neutral, false, {}});
      case BreakerCommand::newest_refused:
        return record(newest, Finding{Verdict::refused, false, {}});
      case BreakerCommand::newest_trips:
        return record(newest, Finding{Verdict::failure, true, {}});
      case BreakerCommand::newest_fails_with_hint:
        return record(newest, Finding{Verdict::failure, false, std::chrono::seconds{33}});
      case BreakerCommand::release_oldest:
        return record(0, std::nullopt);
      case BreakerCommand::release_newest:
        return record(newest, std::nullopt);
      case BreakerCommand::pass_almost_open_for:
        return pass(options_.open_for - Duration{1});
      case BreakerCommand::pass_open_for:
        return pass(options_.open_for);
      case BreakerCommand::pass_lease:
        return pass(options_.probe_lease);
      case BreakerCommand::pass_slow_call:
        return pass(options_.slow_call + Duration{1});
      case BreakerCommand::isolate:
        return set_mode(Breaker::Mode::forced_open);
      case BreakerCommand::disable:
        return set_mode(Breaker::Mode::disabled);
      case BreakerCommand::only_measure:
        return set_mode(Breaker::Mode::metrics_only);
      case BreakerCommand::close:
        return close();
    }
    return "no such command";
  }

  const char* pass(Duration duration) {
    now_ += duration;
    return compare();
  }

  /// Whatever came before: a provider that only succeeds closes it, by calls that come one after
  /// the other, each as soon as the refusal before it said. Where the rules are the simple ones it
  /// takes `close_after` calls, none of them refused, once the open period and every lease are
  /// over.
  const char* heals() const {
    if (breaker_.mode() == Breaker::Mode::forced_open) return nullptr;  // for that, see close()
    Breaker breaker = breaker_;
    Instant now = now_;
    if (is_simple()) now += std::max(options_.open_for, options_.probe_lease);
    const std::uint32_t most = is_simple() ? options_.close_after : patience;
    for (std::uint32_t i = 0; i < most; ++i) {
      const auto permit = breaker.acquire(now);
      if (!permit) {
        if (is_simple()) return "it refuses a healthy provider";
        const Duration wait = breaker.retry_after(now);
        if (wait <= Duration{0} || wait == forever) return "refuses and says come now, or never";
        now = after(now, wait);
        continue;
      }
      breaker.record(*permit, Verdict::success, now);
      if (!is_simple() && breaker.state() == BreakerState::closed) return nullptr;
      // A ramp takes its time, however many calls there are.
      if (options_.close_rule.kind == CloseRule::Kind::ramp) now += options_.close_rule.ramp / 4;
    }
    return breaker.state() == BreakerState::closed ? nullptr : "a healthy provider cannot close it";
  }

  const Breaker& breaker() const { return breaker_; }

 private:
  struct Admitted {
    Breaker::Permit permit;
    BreakerModel::Ticket ticket;
  };

  // By how many calls a healthy provider must have closed it, refused ones included.
  static constexpr std::uint32_t patience = 200;

  // Without rules that look at time or at calls in flight, and never told what to do.
  bool is_simple() const {
    return options_.slow_per_mille == 0 && options_.close_rule.kind == CloseRule::Kind::successes &&
           options_.open_time == OpenTimeOptions{} && !was_told_;
  }

  const char* acquire() {
    const BreakerState before = breaker_.state();
    const auto permit = breaker_.acquire(now_);
    const auto ticket = model_.acquire(now_);
    if (permit.has_value() != ticket.has_value())
      return "admits what the model refuses, or reverse";
    if (!permit && breaker_.retry_after(now_) <= Duration{0}) return "refuses and says come now";
    if (!permit && is_lenient()) return "refuses in a mode that never does";
    if (permit) out_.push_back({*permit, *ticket});
    const BreakerState after = breaker_.state();
    if (after == BreakerState::open && permit) return "admits while open";
    return is_lawful_admission(before, after) ? compare() : "an unlawful transition at admission";
  }

  bool is_lenient() const {
    return breaker_.mode() == Breaker::Mode::disabled ||
           breaker_.mode() == Breaker::Mode::metrics_only;
  }

  bool is_lawful_admission(BreakerState from, BreakerState to) const {
    using enum BreakerState;
    if (from == to || (from == open && to == half_open)) return true;
    if (from == closed) return to == open && options_.slow_per_mille != 0;
    if (to != closed) return false;
    return options_.close_rule.kind ==
           (from == open ? CloseRule::Kind::none : CloseRule::Kind::ramp);
  }

  const char* set_mode(Breaker::Mode mode) {
    was_told_ = true;
    breaker_.set_mode(mode, now_);
    model_.set_mode(mode, now_);
    const auto due = mode == Breaker::Mode::forced_open ? BreakerState::open : BreakerState::closed;
    return breaker_.state() == due ? compare() : "it does not do as it is told";
  }

  const char* close() {
    was_told_ = true;
    breaker_.close(now_);
    model_.close(now_);
    return breaker_.state() == BreakerState::closed ? compare() : "it does not close when told";
  }

  const char* record(std::size_t index, const std::optional<Finding>& finding) {
    const Admitted call = out_[index];
    out_.erase(out_.begin() + static_cast<std::ptrdiff_t>(index));
    const BreakerState before = breaker_.state();
    const Duration retry_after = breaker_.retry_after(now_);
    const std::uint32_t in_flight = breaker_.probes_in_flight();
    const bool late = model_.is_late(call.ticket);
    if (finding) {
      breaker_.record(call.permit, *finding, now_);
      model_.record(call.ticket, *finding, now_);
    } else {
      breaker_.release(call.permit, now_);
      model_.release(call.ticket, now_);
    }
    const bool same = breaker_.state() == before && breaker_.retry_after(now_) == retry_after &&
                      breaker_.probes_in_flight() == in_flight;
    const bool counts =
        finding && (finding->verdict == Verdict::success || finding->verdict == Verdict::failure);
    const bool may_count = counts && options_.late_results != BreakerOptions::LateResults::ignored;
    if (late && !may_count && !same) return "a late result changed something";
    if (is_simple() && !finding && breaker_.state() != before) return "an abandoned call moved it";
    if (!late && in_flight > 0 && breaker_.state() == before &&
        breaker_.probes_in_flight() != in_flight - 1) {
      return "a probe that ended kept its permit";
    }
    return is_lawful(before, breaker_.state(), finding, late) ? compare()
                                                              : "an unlawful transition";
  }

  // The arrows of the state diagram, and those the late-result modes add.
  bool is_lawful(BreakerState from, BreakerState to, const std::optional<Finding>& finding,
                 bool late) const {
    using enum BreakerState;
    if (from == to) return true;
    if (finding && finding->verdict == Verdict::refused) return false;
    const bool succeeded = finding && finding->verdict == Verdict::success;
    const bool failed = finding && finding->verdict == Verdict::failure;
    if (to == half_open) return false;
    if (to == open) {
      // A success can be slow, fill the minimum of a window, or fill the number that judges a ramp.
      const bool others = options_.slow_per_mille != 0 ||
                          options_.evaluate == BreakerOptions::Evaluate::results ||
                          (from == half_open && options_.close_rule.kind == CloseRule::Kind::ramp);
      return failed || others;
    }
    if (from == half_open) {
      const bool by_neutral = finding && finding->verdict == Verdict::neutral;
      const bool by_ramp = options_.close_rule.kind == CloseRule::Kind::ramp;
      return succeeded || by_ramp || (by_neutral && options_.neutral_probes != 0);
    }
    return succeeded && late && options_.late_results == BreakerOptions::LateResults::counted;
  }

  const char* compare() const {
    if (breaker_.state() != model_.state()) return "its state differs from the model's";
    if (breaker_.mode() != model_.mode()) return "its mode differs from the model's";
    if (breaker_.transitions() != model_.transitions()) return "it has counted its changes wrong";
    const bool has_window = options_.window_calls != 0 || options_.window_time != Duration{0};
    if (has_window && breaker_.state() == BreakerState::closed &&
        Breaker(breaker_).window_counts(now_) != model_.window_counts(now_)) {
      return "its window differs from the model's";
    }
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
  bool was_told_ = false;
  std::vector<Admitted> out_;  // not ended, oldest first
};

}  // namespace brownout::testing
