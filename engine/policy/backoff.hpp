#pragma once

// How long to wait before the nth retry.

#include <cstdint>
#include <string>

#include "engine/core/draw.hpp"
#include "engine/core/time.hpp"

namespace brownout {

/// How a computed wait is spread, so that clients that failed together do not return together.
/// Names after "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
enum class Jitter : std::uint8_t {
  none,   ///< exactly the computed wait
  full,   ///< uniform between `min` and the computed wait
  equal,  ///< uniform between half the computed wait and all of it
};

struct BackoffOptions {
  enum class Shape : std::uint8_t {
    fixed,        ///< always `multiplier`
    exponential,  ///< `multiplier`, doubled with every retry
  };

  Shape shape = Shape::exponential;

  /// The first computed wait. Default 1 s.
  Duration multiplier = std::chrono::seconds{1};

  /// Lower and upper bound of the wait, jitter included. Default 0 and 1 min. `min` <= `max`.
  /// Both are ignored by `fixed`.
  Duration min{0};
  Duration max = std::chrono::minutes{1};

  /// Default full.
  Jitter jitter = Jitter::full;
};

/// The wait before retry `n` (0 for the first): clamp(multiplier * 2^n, min, max), then jitter.
/// Always finite and within [min, max], for every n. *Determinism*: one word of `draws` unless the
/// jitter is none.
Duration backoff_delay(const BackoffOptions& options, std::uint32_t n, Draws& draws);

/// "exponential 1s doubling, 4s to 10s, no jitter".
std::string describe(const BackoffOptions& options);

}  // namespace brownout
