#pragma once

// Finds out how many calls a provider can take at once, from how long they take: while latency
// stays at its long-run level the limit grows, when latency rises above it calls are queueing over
// there and the limit shrinks.
//
//   gradient  = clamp(tolerance * long_latency / short_latency, 1/2, 1)
//   new limit = (1 - smoothing) * limit + smoothing * (gradient * limit + sqrt(limit))
//
// Source: Gradient2Limit of Netflix's concurrency-limits (with the square root as its queue size
// and its WindowedLimit around it). Averages are taken over
// time and not over counts, because a small limit makes for few samples. The reaction to lost calls
// is that library's AIMDLimit.
//
// The long-run level is an average and not a minimum, so that it follows a provider that has become
// slower for good. The price is that one kept saturated for much longer than `long_window` is taken
// to be normal, and the limit creeps up. A provider with 40 places that could be given any number
// of calls of 1 s, with the defaults: limit 57 after 1 min, 101 after 10 min, 200 after 30 min; 20
// a minute after it has lost three quarters of its places; enough again for all of them 6 min after
// its calls have begun to take 3 s.

#include <cstdint>

#include "engine/core/time.hpp"

namespace brownout {

struct AdaptiveConcurrencyOptions {
  /// 1 <= min_limit <= initial_limit <= max_limit <= 1,000,000. Defaults 20, 1 and 200.
  std::uint32_t initial_limit = 20;
  std::uint32_t min_limit = 1;
  std::uint32_t max_limit = 200;

  /// How far latency may rise above its long-run level before the limit shrinks, in thousandths of
  /// that level. 1000 to 10,000. Default 1200.
  std::uint32_t tolerance_permille = 1200;

  /// How much of each step is made, in thousandths. 1 to 1000. Default 200.
  std::uint32_t smoothing_permille = 200;

  /// Completions are averaged over this long, and at least over so many of them, before the limit
  /// moves. window > 0, window_samples >= 1. Defaults 1 s and 10.
  Duration window = std::chrono::seconds{1};
  std::uint32_t window_samples = 10;

  /// Over how long the long-run level is averaged: exponentially, a window of w with weight
  /// 2w / (long_window + w); the first ten windows count alike. Longer resists endless saturation
  /// better and finds back later when answers have become slower for good. At least `window`, at
  /// most 366 days. Default 10 min.
  Duration long_window = std::chrono::minutes{10};

  /// When more than this share of a window's calls was lost, the limit is cut to `backoff_permille`
  /// of itself, whatever the latency. 0 to 1000; 1000 never cuts. Default 50.
  std::uint32_t loss_permille = 50;

  /// 1 to 999. Default 900.
  std::uint32_t backoff_permille = 900;
};

/// *Threads*: none of its own; the owner serializes calls. *Determinism*: no draws; integers only
/// (the limit in units of 2^-20), so the same on every machine; time only as told, which must not
/// go backwards.
class AdaptiveConcurrency {
 public:
  explicit AdaptiveConcurrency(const AdaptiveConcurrencyOptions& options);

  /// A call that ended.
  struct Sample {
    /// From its start to its end, or to its first token where answers differ much in length. Of a
    /// lost call it is not looked at. Not negative; more than a day counts as a day.
    Duration latency{};
    std::uint32_t in_flight = 0;  ///< calls under way when it started, itself included
    bool lost = false;            ///< timed out, or refused because the provider is overloaded
  };

  /// Takes a sample into account; at the end of a window this moves the limit. A limit of which
  /// less than half was used stays: nothing was learned about it.
  void record(const Sample& sample, Instant now);

  /// How many calls may be under way at once.
  std::uint32_t limit() const { return static_cast<std::uint32_t>(limit_ / one); }

  /// The long-run level; zero before the first window has ended.
  Duration long_latency() const { return Duration{long_latency_}; }

 private:
  static constexpr std::int64_t one = std::int64_t{1} << 20;

  // A day in nanoseconds, times any number of samples, needs more than 64 bits.
  __extension__ using Sum = __int128;

  struct Window {
    bool open = false;
    Instant began{};
    std::uint32_t samples = 0;
    std::uint32_t lost = 0;
    std::uint32_t in_flight = 0;  // the most
    Sum latency_sum = 0;          // of those not lost, in nanoseconds
  };

  void close_window(Instant now);
  void learn_level(std::int64_t latency, Duration elapsed);
  std::int64_t stepped(std::int64_t latency) const;

  const AdaptiveConcurrencyOptions options_;
  Window window_;
  std::int64_t limit_;             // in units of 1 / one
  std::int64_t long_latency_ = 0;  // nanoseconds
  std::int64_t warm_up_sum_ = 0;
  std::uint32_t warm_up_windows_ = 0;
};

}  // namespace brownout
