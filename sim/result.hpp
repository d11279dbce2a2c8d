#pragma once

// What a run found out: the one model that every report is a function of. Counts and nanoseconds
// are integers; ratios are kept as numerator and denominator.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"
#include "engine/telemetry/observer.hpp"
#include "sim/histogram.hpp"

namespace brownout::sim {

/// Counters over a set of calls: those that arrived in one phase, or all of them.
struct CallStats {
  std::uint64_t calls = 0;
  std::array<std::uint64_t, call_end_count> ended{};          ///< by CallEnd
  std::array<std::uint64_t, outcome_kind_count> failed_as{};  ///< failed calls by OutcomeKind
  std::uint64_t rejected = 0;       ///< calls that some policy turned away at least once
  std::uint64_t attempts = 0;       ///< that calls made
  std::uint64_t hedges = 0;         ///< copies that raced a call's first attempt
  std::uint64_t shared = 0;         ///< answered by another call's reply (single-flight)
  std::uint64_t billed_tokens = 0;  ///< over all attempts
  std::uint64_t wasted_tokens = 0;  ///< billed for attempts whose output reached nobody
  __extension__ unsigned __int128 cost_picodollars = 0;
  std::array<std::uint64_t, outcome_kind_count> attempts_as{};  ///< attempts by OutcomeKind
  std::vector<std::uint64_t> served_by_route;                   ///< by RouteId
  std::vector<std::uint64_t> attempts_by_route;                 ///< by RouteId
  std::vector<std::uint64_t> rejected_by_breaker;               ///< by BreakerId
  std::vector<std::uint32_t> in_flight_max_by_route;            ///< attempts at once, by RouteId
  std::uint64_t waits = 0;   ///< between attempts, for quota or for a route, that began
  std::uint64_t hinted = 0;  ///< failed calls that were told when to come back
  Histogram wait;
  Histogram hint;  ///< what those were told
  Histogram success_latency;
  Histogram failed_latency;
  Histogram other_latency;  ///< cached and degraded

  std::uint64_t ended_as(CallEnd end) const { return ended[static_cast<std::size_t>(end)]; }
  /// Rounded down, at most 18 billion dollars.
  std::uint64_t cost_nanodollars() const;
  void add(const CallStats& other);
};

struct PhaseResult {
  std::string name;
  Instant begins{};
  Instant ends{};
  CallStats stats;
};

struct BreakerTransition {
  Instant at{};
  BreakerState to = BreakerState::closed;
};

struct BreakerResult {
  std::string name;
  std::uint64_t openings = 0;
  BreakerState final_state = BreakerState::closed;
  std::uint64_t transition_count = 0;
  /// In order; the first `transitions_kept_max` of them and always the last.
  std::vector<BreakerTransition> transitions;
  static constexpr std::size_t transitions_kept_max = 10'000;
};

/// How an expectation, or a whole run, was decided.
enum class Verdict : std::uint8_t {
  passed,
  failed,
  undecided,  ///< no data, deadlock, livelock or interruption: never a pass
};

/// What a fault of the scenario was asked to do, and did.
struct FaultResult {
  std::string phase;
  std::string fault;                  ///< "server_error on openai/*, share 0.97"
  std::uint64_t matched = 0;          ///< requests it could have hit
  std::uint64_t injected = 0;         ///< requests it decided
  std::int64_t asked_billionths = 0;  ///< sum of its share over the matched ones
};

struct ExpectationResult {
  std::string expression;  ///< as written
  std::string actual;      ///< the value found, or why there is none
  Verdict verdict = Verdict::undecided;
  std::string excerpt;  ///< where it stands in its file, with a caret
};

/// Why a run ended.
enum class RunEnd : std::uint8_t {
  completed,    ///< every call has ended
  deadlock,     ///< calls are unfinished and nothing will ever happen again
  livelock,     ///< too many events at one instant
  interrupted,  ///< by the user
};

struct RunResult {
  std::string scenario;
  std::string scenario_path;
  std::string policy;
  std::string policy_path;
  std::string policy_description;  ///< the pipeline with its effective settings
  std::uint64_t seed = 0;

  RunEnd end = RunEnd::completed;
  std::string diagnosis;  ///< for ends other than completed: what waits where, or the cycle
  std::uint64_t unfinished_calls = 0;

  Instant scenario_ends{};   ///< when arrivals stopped
  Instant ended{};           ///< when the last call had drained
  std::uint64_t events = 0;  ///< kernel events

  bool has_prices = true;                  ///< some model has a price: costs mean something
  std::vector<std::string> routes;         ///< by RouteId
  std::vector<std::string> route_targets;  ///< by RouteId
  std::vector<PhaseResult> phases;
  CallStats total;
  std::vector<BreakerResult> breakers;  ///< by BreakerId

  std::vector<FaultResult> faults;  ///< in file order

  std::vector<ExpectationResult> expectations;
  std::uint64_t semantic_digest = 0;
  std::uint64_t schedule_digest = 0;

  /// Failed beats undecided beats passed; a run that did not complete is at best undecided.
  Verdict verdict() const;
};

std::string_view to_string(Verdict verdict);
std::string_view to_string(RunEnd end);

/// The form digests are printed and compared in: 16 hexadecimal digits.
std::string format_digest(std::uint64_t digest);

}  // namespace brownout::sim
