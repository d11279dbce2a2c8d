#pragma once

// What a run found out: the one model that every report is a function of. Counts and nanoseconds
// are integers; ratios are kept as numerator and denominator.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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
  Histogram first_token;  ///< from a call's start to its first output: live successes that stream
  Histogram failed_latency;
  Histogram other_latency;  ///< cached and degraded

  std::uint64_t ended_as(CallEnd end) const { return ended[static_cast<std::size_t>(end)]; }
  /// Rounded down, at most 18 billion dollars.
  std::uint64_t cost_nanodollars() const;
  void add(const CallStats& other);
};

/// A non-negative rational number: nanoseconds / 1, successes / calls, 98 / 100.
struct Quantity {
  std::int64_t numerator = 0;
  std::int64_t denominator = 1;
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

/// Where a value stands in a file. 1-based; columns count characters, and `end_column` is the one
/// after the last. A line of 0: nowhere.
struct Place {
  std::string path;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint32_t end_column = 0;
};

struct ExpectationResult {
  std::string expression;  ///< as written
  std::string actual;      ///< the value found, or why there is none
  Verdict verdict = Verdict::undecided;
  std::string excerpt;  ///< where it stands in its file, with a caret
  Place place;

  // The same in parts, for whoever computes with it.
  std::string metric;    ///< "latency", "breaker.opened": its spelling without argument and part
  std::string argument;  ///< route, breaker, outcome or which calls; empty if none
  std::string part;      ///< "p99"; empty if none
  std::string phase;     ///< empty for the whole run
  std::string unit;  ///< "share", "count", "number", "duration" (nanoseconds), "dollars", "state"
  std::string comparison;         ///< "<=" and its like
  Quantity threshold;             ///< unless the unit is "state"
  std::optional<Quantity> value;  ///< what was found; absent with no data, and for states
};

/// Why a run ended.
enum class RunEnd : std::uint8_t {
  completed,    ///< every call has ended
  deadlock,     ///< calls are unfinished and nothing will ever happen again
  livelock,     ///< too many events at one instant
  interrupted,  ///< by the user
};

/// Where a run was flown.
enum class RunStage : std::uint8_t {
  sim,   ///< in the simulator's virtual time
  http,  ///< over HTTP, in real time
};

/// One number over time.
struct Series {
  std::string metric;                ///< "calls", "latency", "quota": docs/reference/result.md
  std::string of;                    ///< "p99", an outcome, a model, a budget; empty if none
  std::string unit;                  ///< "count", "ns" or "thousandths"
  std::optional<std::int64_t> full;  ///< of levels: the most they can be
  std::vector<std::int64_t> values;  ///< by bucket; -1 where there is no data
};

/// What happened when, in buckets of equal width from the beginning of the run. Calls are counted
/// where they arrived, attempts where they began; levels are those at a bucket's end. The drain is
/// kept up to a quarter of the scenario's duration.
struct Timeline {
  Duration width{};  ///< of a bucket; 0: no timeline was kept
  std::size_t buckets = 0;
  std::vector<Series> series;

  /// The series of that name, or null.
  const Series* find(std::string_view metric, std::string_view of = {}) const;
};

/// One try of a call that was kept as an example.
struct SampledAttempt {
  std::uint32_t number = 0;  ///< within the call, 1-based
  RouteId route = no_route;
  bool hedge = false;
  Instant started{};
  Instant ended{};
  Instant first_output = never;
  OutcomeKind outcome = OutcomeKind::success;
  std::uint16_t status = 0;
  std::optional<Duration> retry_after;
  std::uint32_t input_tokens = 0;   ///< billed
  std::uint32_t output_tokens = 0;  ///< billed
};

struct SampledWait {
  RouteId route = no_route;
  Instant from{};
  Instant until{};
  WaitReason reason = WaitReason::retry;
};

struct SampledRejection {
  BreakerId breaker = no_breaker;
  Instant at{};
  OutcomeKind outcome = OutcomeKind::breaker_open;
};

/// A call that was kept, with everything that happened to it, in order.
struct SampledCall {
  CallId call = 0;
  bool is_failed = false;   ///< kept as one of the failed
  bool is_slowest = false;  ///< kept as one of the slowest answered
  bool is_random = false;   ///< kept as one drawn by its number
  Instant started{};
  Instant ended{};
  CallEnd end = CallEnd::success;
  OutcomeKind outcome = OutcomeKind::success;
  Served served = Served::nothing;
  RouteId route = no_route;
  std::vector<SampledAttempt> attempts;
  std::vector<SampledWait> waits;
  std::vector<SampledRejection> rejections;
};

/// Failed attempts that look alike.
struct AttemptError {
  RouteId route = no_route;
  OutcomeKind outcome = OutcomeKind::server_error;
  std::uint16_t status = 0;  ///< 0 where no answer came
  std::uint64_t count = 0;
  Instant first_at{};
  CallId first_call = 0;
};

struct RunResult {
  std::string scenario;
  std::string scenario_path;
  std::string scenario_description;
  std::string scenario_source;
  std::uint64_t scenario_digest = 0;  ///< XXH3 of the file's text
  std::string policy;
  std::string policy_path;
  std::string policy_description;      ///< the pipeline with its effective settings
  std::uint64_t policy_digest = 0;     ///< XXH3 of the file's text
  std::string replay;                  ///< the command that runs the same again; empty: unknown
  std::int64_t starts_at_unix_ns = 0;  ///< calendar time at the scenario's start
  std::uint64_t seed = 0;
  RunStage stage = RunStage::sim;
  double speed = 1;  ///< seconds of the scenario in one of real time; over HTTP only
  /// Why a run over HTTP is not to be trusted: "this machine could not follow at that speed: …".
  /// Empty when it did, and for simulated runs.
  std::string could_not_follow;

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

  std::vector<FaultResult> faults;   ///< in file order
  std::vector<AttemptError> errors;  ///< the most frequent first

  // Only of runs with RunOptions::detail:
  Timeline timeline;
  std::vector<SampledCall> samples;  ///< by number of the call

  std::vector<ExpectationResult> expectations;
  std::uint64_t semantic_digest = 0;
  std::uint64_t schedule_digest = 0;

  /// Failed beats undecided beats passed; a run that did not complete is at best undecided.
  Verdict verdict() const;
};

std::string_view to_string(Verdict verdict);
std::string_view to_string(RunEnd end);
std::string_view to_string(RunStage stage);
/// As what a sentence says of a run: "ended in deadlock", "was interrupted".
std::string how_it_ended(RunEnd end);

/// The form digests are printed and compared in: 16 hexadecimal digits.
std::string format_digest(std::uint64_t digest);

}  // namespace brownout::sim
