#pragma once

// Expectations: one-line claims about a run, checked before it (do the metrics, phases and routes
// exist?) and judged after it.
//
//     metric[(argument)][.part] [during PHASE] [at TIME] OPERATOR value
//
//     availability during collapse >= 98%        latency.p99 <= 5s
//     breaker(gpt-4).state at 2h == open         share(backup) >= 90%
//
// docs/reference/expectations.md lists every metric with its meaning.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/document.hpp"
#include "engine/core/outcome.hpp"
#include "engine/telemetry/observer.hpp"
#include "sim/result.hpp"

namespace brownout::sim {

enum class Metric : std::uint8_t {
  availability,
  answered,
  calls,
  failed,
  share,
  latency,
  attempts,
  attempts_per_call,
  breaker_opened,
  breaker_state,
  time_to_open,
  time_to_recover,
  rejected,
  hedges,
  wasted_tokens,
  cost,
  waits,
  wait,
  hinted,
  retry_after,
  max_in_flight,
};

enum class Comparison : std::uint8_t { less, less_equal, equal, not_equal, greater_equal, greater };

/// One claim, understood.
struct Expectation {
  std::string text;
  std::string excerpt;  ///< where it stands, for reports
  Place place;          ///< the same, for programs
  Span span;            ///< of the string in the scenario, for messages about routes
  Metric metric = Metric::availability;
  std::string argument;  ///< route, breaker, outcome or which calls; empty if none
  Span argument_span;
  std::string part;   ///< "p99", "mean", …; empty if none
  std::string phase;  ///< empty for the whole run
  Instant at{};       ///< for breaker_state
  Comparison comparison = Comparison::less_equal;
  Quantity threshold;
  BreakerState state = BreakerState::closed;  ///< threshold of breaker_state
};

/// "latency", "breaker.opened": the spelling without argument and part.
std::string_view to_string(Metric metric);
/// "<=" and its like.
std::string_view to_string(Comparison comparison);
/// What a metric is measured in: "share", "count", "number", "duration", "dollars" or "state".
std::string_view unit_of(Metric metric);

/// Every metric's spelling, in the order of the documentation.
std::vector<std::string_view> metric_spellings();

/// Reads one expectation. Whether its routes exist is known only with a policy: applies().
bool read_expectation(const Node& node, const std::vector<std::string>& phases, Duration duration,
                      Problems& problems, Expectation& out);

/// False when it is about a route or breaker that is not among these.
bool applies(const Expectation& expectation, const std::vector<std::string>& routes,
             const std::vector<std::string>& breakers);

/// Adds the problem that an expectation does not apply. `scenario` is the file it stands in.
void refuse_route(const Expectation& expectation, const Document& scenario,
                  const std::vector<std::string>& routes, const std::vector<std::string>& breakers,
                  Problems& problems);

/// When faults that can hit a route's target begin and end; both `never` when there are none.
struct FaultWindow {
  Instant begins = never;
  Instant ends = never;
};

/// Judges `expectation` on a finished run. `windows` is by RouteId.
ExpectationResult judge(const Expectation& expectation, const RunResult& result,
                        const std::vector<FaultWindow>& windows);

}  // namespace brownout::sim
