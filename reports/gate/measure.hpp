#pragma once

// What two sets of runs are compared by: named numbers of one run, which way each of them is
// better, and how much of a difference nobody would notice.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/result.hpp"

namespace brownout::reports {

/// Which way a metric gets better.
enum class Better : std::uint8_t {
  higher,
  lower,
  neither,  ///< says what happened, not how well
};

/// One number that each run of a scenario has.
struct Measure {
  std::string name;    ///< "availability", "latency.p99 during collapse"; unique within a scenario
  std::string metric;  ///< its metric's spelling: "latency"
  std::string unit;    ///< as ExpectationResult::unit

  bool operator==(const Measure&) const = default;
};

/// What one run found for a measure.
struct Reading {
  enum class State : std::uint8_t {
    none,    ///< no data
    number,  ///< `value`
    never,   ///< a time that had no end
  };
  State state = State::none;
  sim::Quantity value;  ///< in nanoseconds for durations

  bool is_number() const { return state == State::number; }
  /// Exact: 1/2 equals 2/4.
  bool operator==(const Reading& other) const;
};

Better better(const Measure& measure);

/// "availability during collapse": an expectation without its operator and value, the same for as
/// long as the metric is looked at, whatever is asked of it.
std::string claim_of(const sim::ExpectationResult& expectation);

/// The names of what is measured of every run.
std::vector<std::string> names_always_measured();

/// What is measured of each run: calls, availability, answered, failed, attempts_per_call,
/// latency.p50, latency.p99, wasted_tokens, cost where there are prices; then what each expectation
/// with a value looks at and is not among these.
std::vector<Measure> measures_of(const sim::RunResult& run);

/// The readings of these measures, in their order; a measure the run does not have finds nothing.
std::vector<Reading> readings_of(const sim::RunResult& run, const std::vector<Measure>& measures);

/// In the unit's natural scale: 0.992 for a share, seconds for a duration. Requires: a number.
double to_double(const Reading& reading, const Measure& measure);

/// "99.23%", "4.12s", "1,234", "1.03", "$12.50", "never", "-".
std::string format(const Reading& reading, const Measure& measure);

/// A value of that scale for people.
std::string format_value(double value, const Measure& measure);

/// "+0.5 points", "-120ms", "+1,234", "-0.02", "+$0.15": always with its sign.
std::string format_difference(double difference, const Measure& measure);

/// The same without the word "points", for intervals.
std::string format_bound(double difference, const Measure& measure);

/// The least difference that matters, in the measure's scale: `relative` of `before`, but not less
/// than what is lost in a metric's noise (10 ms of a latency, 5 of 1,000 attempts, a failed call in
/// 1,000). Shares are not taken relatively: `relative` of 1 % is a tenth of a point. `calls` is how
/// many a run has.
double tolerance(const Measure& measure, double relative, double before, double calls);

}  // namespace brownout::reports
