#pragma once

// What a circuit breaker is told to do, and how it sees an outcome. Shares are thousandths.

#include <cstdint>
#include <optional>

#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"

namespace brownout {

/// How long a breaker stays open: `open_for` times a factor for each opening that was not followed
/// by recovery, spread by a jitter, or what the server asked for.
struct OpenTimeOptions {
  /// Times the open time grows with each opening in a row; 1000 = it does not. At most 100,000.
  /// Default 1000.
  std::uint32_t factor_per_mille = 1000;

  /// What each opening in a row adds, as Envoy's ejections grow; instead of the factor. Default 0.
  Duration add{0};

  /// It grows, and is spread, up to this. At least `open_for`. Default: no bound.
  Duration max = forever;

  enum class Jitter : std::uint8_t {
    none,          ///< exactly the computed time (default)
    equal,         ///< uniform between half of it and all of it
    full,          ///< uniform between nothing (1 ns) and all of it
    proportional,  ///< times a uniform factor between `spread_low` and `spread_high`
  };
  Jitter jitter = Jitter::none;

  /// Factors of the proportional jitter. Requires: low <= high <= 10,000. Default 0.75 and 1.25.
  std::uint32_t spread_low_per_mille = 750;
  std::uint32_t spread_high_per_mille = 1250;

  /// Whether the open time is spread at an opening that no other preceded without recovery.
  /// Default yes; Finagle's is not.
  bool jitter_first = true;

  enum class Reset : std::uint8_t {
    on_close,  ///< growth starts over as soon as the breaker closes (default)
    after,     ///< only once it has been closed for `reset_every` without a break
    step,      ///< one step less for every `reset_every` it has been closed, as Envoy's ejections
  };
  Reset reset = Reset::on_close;
  Duration reset_every = std::chrono::seconds{10};

  /// Whether a retry-after that came with the failure which opened the breaker is the open time,
  /// within the two bounds, instead of the computed one. Such a time neither grows nor is spread:
  /// it is never shorter than what the server asked for unless that is above `hint_max`. Default
  /// no.
  bool obey_retry_after = false;
  Duration hint_min = std::chrono::seconds{1};
  Duration hint_max = std::chrono::seconds{300};

  bool operator==(const OpenTimeOptions&) const = default;
};

/// How half-open is decided.
struct CloseRule {
  enum class Kind : std::uint8_t {
    successes,  ///< `close_after` successes close it, one failure opens it (default)
    m_of_n,     ///< `successes` of `calls` probes close it; opens once that is out of reach
    ratio,      ///< after `calls` results: open when the failure rate is reached, else closed
    ramp,  ///< a growing share of the calls is let through for a while; the failure rate decides
    none,  ///< there is no half-open: the end of the open period closes it
  };
  Kind kind = Kind::successes;

  /// For m_of_n. Requires: 1 <= successes <= calls.
  std::uint32_t successes = 1;

  /// For m_of_n and ratio: how many results decide. For ramp: how many there must be before it may
  /// open or close. At least 1. Default 10.
  std::uint32_t calls = 10;

  /// For ratio and ramp: the failure rate that opens it, compared as `comparison` says. 1 to 1000.
  /// Default 500.
  std::uint32_t failure_per_mille = 500;

  /// For ramp: how long until all calls are let through. Default 60 s.
  Duration ramp = std::chrono::seconds{60};

  /// For ramp: the share at its beginning. 1 to 1000. Default 100.
  std::uint32_t ramp_from_per_mille = 100;

  bool operator==(const CloseRule&) const = default;
};

struct BreakerOptions {
  enum class Mode : std::uint8_t {
    automatic,     ///< opens and closes by its rules (default)
    forced_open,   ///< refuses everything until told otherwise
    disabled,      ///< admits everything and records nothing
    metrics_only,  ///< records, and says whether it would open, but refuses nothing
  };
  Mode mode = Mode::automatic;

  /// Who shares a breaker. A pipeline's affair: the machine does not look at it.
  enum class Scope : std::uint8_t {
    route,     ///< nobody: one for each place in the tree (default)
    provider,  ///< all of this scope whose routes lead to the same provider
    key,       ///< nobody, and there is one for each Request::credential
  };
  Scope scope = Scope::route;

  /// For scope key: most credentials told apart at once; the one unused longest is forgotten first,
  /// a closed one before one that is not. 1 to 1024. Default 64.
  std::uint32_t keys = 64;
  static constexpr std::uint32_t keys_max = 1024;

  /// Failures in a row that open it; a success in between starts over. 0 = the rule is off.
  /// Default 5.
  std::uint32_t consecutive_failures = 5;

  /// The window of the rules below: the last `window_calls` results, or those of the last
  /// `window_time`. At most one of them; both 0 (default): no such rules. Calls at most 100,000;
  /// time at least 10 ns.
  std::uint32_t window_calls = 0;
  Duration window_time{0};
  static constexpr std::uint32_t window_calls_max = 100'000;

  /// Results the window must hold before a rate means anything; one failed first call is a rate of
  /// 100 %. At most as many as the window can hold count. At least 1. Default 20.
  std::uint32_t minimum_calls = 20;

  /// Rate of failures that opens it, in thousandths; 0 (default) = the rule is off.
  std::uint32_t failure_per_mille = 0;

  /// Failures in the window that open it, whatever their share; 0 (default) = the rule is off.
  std::uint32_t failures_in_window = 0;

  /// Whether the two rules above must hold both. Default no: either opens it.
  bool require_both = false;

  /// A call that has run longer than this is slow, however it ends; one still in flight counts as
  /// a slow call until it ends. `forever` (default) = none is.
  Duration slow_call = forever;

  /// Rate of slow calls that opens it, in thousandths; 0 (default) = the rule is off. While it is
  /// on, a slow probe counts as a failed one.
  std::uint32_t slow_per_mille = 0;

  /// How a rate is compared with its threshold.
  enum class Comparison : std::uint8_t { at_least, above };
  Comparison comparison = Comparison::at_least;

  /// Which results make it look at the window.
  enum class Evaluate : std::uint8_t {
    failures,  ///< failures and slow calls (default)
    results,   ///< every result: also a success that fills the minimum
  };
  Evaluate evaluate = Evaluate::failures;

  /// How long it refuses everything. Default 60 s.
  Duration open_for = std::chrono::seconds{60};
  OpenTimeOptions open_time{};

  /// Successful probes in half-open that close it. For CloseRule successes. At least 1. Default 1.
  std::uint32_t close_after = 1;
  CloseRule close_rule{};

  /// Probes in flight at once in half-open; 0 admits every call, as simple breakers do. Default 1.
  std::uint32_t probes = 1;
  static constexpr std::uint32_t probes_max = 1024;

  /// How long a probe may hold its permit before another, finding no free one, may take it.
  /// Ignored when `probes` is 0. Default 60 s.
  Duration probe_lease = std::chrono::seconds{60};

  /// Neutral answers in a row from probes that count as one successful probe: a provider that
  /// answers so often is alive, and a workload that mostly ends neutral must not keep the breaker
  /// half-open. Abandoned probes are no answers. 0 = never. Default 10.
  std::uint32_t neutral_probes = 10;

  /// What a result does whose permit is from an earlier state.
  enum class LateResults : std::uint8_t {
    ignored,      ///< nothing (default)
    extend_open,  ///< a failure restarts the open period or counts in the present state; a success
                  ///< while open does nothing: a breaker without generations that checks its state
    counted,      ///< both count in whatever state the breaker is in: one without any check
    unless_open,  ///< both count in the present state, but while open nothing does: most breakers
  };
  LateResults late_results = LateResults::ignored;

  /// Outcomes that count as failures; every other failure is neutral: it counts neither way and
  /// gives its permit back. Default: those the provider is to blame for.
  OutcomeSet failures = OutcomeSet::blamed_on_provider();

  /// Outcomes one of which opens it at once, whatever the rules; they count as failures. Default:
  /// none.
  OutcomeSet trip_on{};

  bool operator==(const BreakerOptions&) const = default;
};

enum class Verdict : std::uint8_t {
  success,
  failure,
  neutral,  ///< the provider answered, and what it said is no sign of its health
  refused,  ///< one of our own policies refused it below: as if the call had not been made
};

/// How the breaker sees an outcome. Refusals of our own and cancelled calls never count, whatever
/// the options name as failures: a breaker fed by them would keep itself open.
Verdict judge(const BreakerOptions& options, const Outcome& outcome);

/// A result as a breaker is told of it.
struct Finding {
  Verdict verdict = Verdict::success;
  bool trips = false;                   ///< opens it at once; for failures
  std::optional<Duration> retry_after;  ///< the server's hint
};
Finding finding_of(const BreakerOptions& options, const Outcome& outcome);

}  // namespace brownout
