#pragma once

// How sure a difference is that was seen on a few seeds.

#include <cstddef>
#include <optional>
#include <span>

namespace brownout::reports {

/// A range of mean differences.
struct Interval {
  double low = 0;
  double high = 0;
};

struct PairedDifference {
  std::size_t pairs = 0;
  double mean = 0;
  double smallest = 0;
  double largest = 0;
  /// Where the mean over all seeds there are lies, with 95 % confidence; absent with fewer than
  /// `interval_pairs_min` pairs.
  std::optional<Interval> interval;
};

/// With fewer pairs the interval would rest on the assumption that differences are normal.
inline constexpr std::size_t interval_pairs_min = 6;

/// The mean of `differences`, new minus old of one seed each, with its paired-t interval. Both
/// sides drew the same numbers, so a seed's own luck cancels out in each difference, and what both
/// do alike is exactly 0. The same differences give the same bits on every machine.
///
/// Source: Law, Simulation Modeling and Analysis, "A paired-t confidence interval": for the
/// comparison of two systems under common random numbers. Coverage is close to what is claimed
/// as long as no few seeds make up all of the difference; one seed of many that differs widens
/// the interval so that it holds 0. Requires: not empty, all finite.
PairedDifference paired_difference(std::span<const double> differences);

/// The 97.5 % quantile of Student's t, to 0.0003. Source: Abramowitz and Stegun 26.7.5 (an
/// expansion around the normal quantile). Requires: degrees >= 5.
double student_t_975(std::size_t degrees);

}  // namespace brownout::reports
