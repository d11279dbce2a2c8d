#pragma once

// A sending rate that follows what the provider throttles, as CUBIC follows losses: cut to 0.7 of
// it at a refusal, back along a cubic curve that is flat where the refusal was, beyond it later.
//
// Source: the "adaptive" retry mode of the AWS SDKs (botocore retries/throttling.py and bucket.py,
// @smithy/core DefaultRateLimiter), and for the curve RFC 9438. Different from there: whoever has
// to wait is told an exact time and has its turn reserved, so nobody is overtaken; and a turn that
// was not used is given back.

#include <cstdint>

#include "engine/core/time.hpp"

namespace brownout {

struct AdaptiveRateOptions {
  /// Longest wait for a turn; a longer one is refused at once. Default 30 s.
  Duration max_wait = std::chrono::seconds{30};
};

/// Limits nothing before the first refusal.
///
/// *Threads*: none of its own; the owner serializes calls. *Determinism*: no draws; floating-point
/// numbers, but only + - * / of them, so the same bits everywhere. Time only as told, which must
/// not go backwards.
class AdaptiveRate {
 public:
  struct Answer {
    enum class Kind : std::uint8_t {
      granted,
      wait,      ///< its turn is at `at`
      too_late,  ///< would be at `at`, later than max_wait or the deadline allow: it has none
    };
    Kind kind = Kind::granted;
    Instant at{};
  };

  explicit AdaptiveRate(const AdaptiveRateOptions& options) : options_(options) {}

  /// Asks for a turn. A turn, now or later, is over with on_answer() or give_back().
  Answer acquire(Instant now, Instant deadline = never);

  /// Nothing was sent.
  void give_back(Instant now);

  /// An answer came, whatever it was, or the attempt ended without one.
  void on_answer(bool throttled, Instant now);

  bool limits() const { return limits_; }

  /// Turns per second, in thousandths; meaningful while it limits. At least 500.
  std::int64_t rate() const;

 private:
  void measure(Instant now);
  void refill(Instant now);
  void set_rate(double rate, Instant now);

  AdaptiveRateOptions options_;
  bool limits_ = false;

  // Answers per second, smoothed over slices of half a second.
  double measured_ = 0;
  std::int64_t slice_ = 0;
  std::int64_t answers_ = 0;  // in this slice
  bool measuring_ = false;

  // The curve: through `at_refusal_` per second, `flat_after_` seconds after the last refusal.
  double at_refusal_ = 0;
  double flat_after_ = 0;
  Instant refused_at_{};

  // Turns that can be had at once; negative while some are promised ahead.
  double turns_ = 0;
  double rate_ = 0;
  double turns_max_ = 0;
  Instant filled_at_{};
};

}  // namespace brownout
