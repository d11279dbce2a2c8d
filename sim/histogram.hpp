#pragma once

// Latencies, counted in buckets of equal relative width.
//
// A value lands in a bucket at most 1/128 (0.8 %) wide relative to it; values below 256 are exact.
// Histograms of runs, phases and machines add up exactly, and memory does not grow with the number
// of values. The layout is that of HdrHistogram with 7 bits of precision.

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/core/time.hpp"

namespace brownout::sim {

class Histogram {
 public:
  /// Requires: value >= 0.
  void record(Duration value);
  void add(const Histogram& other);

  std::uint64_t count() const { return count_; }
  Duration min() const { return min_; }
  Duration max() const { return max_; }
  /// Exact, from the sum. Requires: count() > 0.
  Duration mean() const;

  /// The smallest bucket's upper end (at most max()) below which at least per_mille / 1000 of the
  /// values lie. Requires: count() > 0, per_mille <= 1000.
  Duration quantile(std::uint32_t per_mille) const;

  /// Of all values, in nanoseconds; at most 2^64 - 1.
  std::uint64_t sum() const;

  /// A bucket: its upper end in nanoseconds, and how many values it holds.
  using Bucket = std::pair<std::uint64_t, std::uint64_t>;

  /// The buckets that hold something, ascending.
  std::vector<Bucket> buckets() const;

  /// The histogram that has these buckets, extremes and sum: the inverse of the accessors, so that
  /// one written down can be added to another. An empty one where there are no buckets.
  static Histogram restore(const std::vector<Bucket>& buckets, Duration min, Duration max,
                           std::uint64_t sum);

 private:
  std::uint64_t& at(std::size_t bucket);

  std::vector<std::uint64_t> counts_;  // from the smallest bucket seen to the largest
  std::size_t first_ = 0;              // the bucket of counts_[0]
  std::uint64_t count_ = 0;
  __extension__ unsigned __int128 sum_ = 0;
  Duration min_ = forever;
  Duration max_{0};
};

}  // namespace brownout::sim
