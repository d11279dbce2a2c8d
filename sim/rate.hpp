#pragma once

// How often calls arrive, as a function of time.

#include <string>
#include <vector>

#include "engine/core/document.hpp"
#include "engine/core/time.hpp"

namespace brownout::sim {

/// A rate in calls per second that is constant, changes in steps, or follows straight lines between
/// points. Before the first point and after the last it keeps their value.
///
///     "20/s"                                                      also "300/min", "50/h"
///     { "steps": [ ["0s", "5/s"], ["1h", "50/s"] ] }              each until the next
///     { "ramp":  [ ["0s", "5/s"], ["30m", "50/s"], … ] }          lines between them
class RateCurve {
 public:
  /// Requires: per_second > 0.
  static RateCurve constant(double per_second);

  /// When, from `at` on, `amount` calls' worth of rate has gone by: with unit exponential amounts
  /// the result is a Poisson process of this rate, with amounts of 1 an even stream. `never` when
  /// the rest of the curve does not hold that much. Requires: amount >= 0.
  /// *Determinism*: + - * / and square root only, rounded up to a nanosecond.
  Instant advance(Instant at, double amount) const;

  /// "20/s", "steps from 5/s to 50/s".
  std::string to_string() const;

 private:
  friend bool read_rate_curve(const Node&, Duration, Problems&, RateCurve&);
  struct Point {
    double at = 0;  // seconds
    double rate = 0;
  };
  // Sorted by time; two points at one time are a step. Never empty.
  std::vector<Point> points_{{0, 1}};
};

/// Reads a curve as shown above; points must lie within `duration` and at least one rate be above
/// 0.
bool read_rate_curve(const Node& node, Duration duration, Problems& problems, RateCurve& out);

}  // namespace brownout::sim
