#pragma once

// How long most calls have taken of late: a quantile of the latencies of a moving window, for
// delays that adapt to the provider.
//
// A ring of histograms, one per slice of the window; the oldest is forgotten as a whole when its
// slice has passed, so the answer covers the slice that has begun and the whole ones before it.
// Buckets are of equal relative width, as in HdrHistogram, here with 5 bits of precision. Learning
// from a quantile rather than from the mean, and only after enough samples, is what keeps a cold
// start from looking like an instant provider (resilience4j's hedge averages from zero).

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/core/time.hpp"

namespace brownout {

struct QuantileOptions {
  /// What is older does not count. At least `slices` ns; `forever` forgets nothing. Default 1 min.
  Duration window = std::chrono::minutes{1};

  /// Pieces in which the window moves on: the answer covers between (slices - 1) / slices of it and
  /// all. 2 to 16. Default 2.
  std::uint8_t slices = 2;

  /// No answer from fewer samples. At least 1. Default 50.
  std::uint32_t min_samples = 50;
};

/// *Ownership*: up to 4 KB per slice, allocated as latencies of that length come in. *Threads*:
/// none of its own; the owner serializes calls. *Determinism*: no draws, integers only. An instant
/// before the latest one told counts as that.
class LatencyQuantile {
 public:
  explicit LatencyQuantile(const QuantileOptions& options);

  /// A call that ended at `now` took `latency`. Requires: latency >= 0.
  ///
  /// What is left out shifts the answer: of a call that was cut short, record the time until then,
  /// because without the slow ones the quantile falls, more calls are cut, and it falls again.
  void record(Duration latency, Instant now);

  /// The latency that per_mille / 1000 of the samples do not exceed; at most 1/32 (3.2 %) and 1 us
  /// more than the exact one, never less. 73 minutes is the longest it tells. Empty below
  /// min_samples. Requires: per_mille <= 1000.
  std::optional<Duration> quantile(std::uint32_t per_mille, Instant now) const;

  /// Samples that count at `now`.
  std::uint64_t samples(Instant now) const;

 private:
  struct Slice {
    std::int64_t number = 0;
    std::uint64_t count = 0;
    std::vector<std::uint32_t> buckets;  // grows to the largest value seen
    std::vector<std::uint64_t> blocks;   // sums of 32 buckets each, to be counted first
  };

  std::int64_t number_at(Instant now) const;
  bool counts(const Slice& slice, std::int64_t present) const;

  const QuantileOptions options_;
  const Duration width_;  // of a slice
  std::int64_t newest_;
  std::vector<Slice> slices_;
};

}  // namespace brownout
