#pragma once

// How long to wait before the nth retry: a shape, bounds, and a jitter.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/draw.hpp"
#include "engine/core/time.hpp"

namespace brownout {

/// How a computed wait is spread, so that clients that failed together do not return together.
enum class Jitter : std::uint8_t {
  none,          ///< exactly the computed wait
  full,          ///< uniform between `min` and the computed wait
  equal,         ///< uniform between half the computed wait and all of it
  proportional,  ///< the computed wait times a uniform factor in [spread_low, spread_high]
  additive,      ///< the computed wait plus a uniform part of `addition`

  /// Uniform between `multiplier` and three times the wait before, which replaces the shape.
  /// Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
  decorrelated,

  /// Polly's: with t = n + u, the wait grows by f(t) - f(t before) for
  /// f(t) = 2^t * tanh(sqrt(4 t)) * multiplier / 1.4, which replaces the shape. The first wait can
  /// be nearly 0. Source: Polly.Contrib.WaitAndRetry, DecorrelatedJitterBackoffV2.
  decorrelated_v2,
};

struct BackoffOptions {
  enum class Shape : std::uint8_t {
    fixed,        ///< always `multiplier`
    linear,       ///< `multiplier` times 1, 2, 3, …
    exponential,  ///< `multiplier`, times `factor` with every retry
    fibonacci,    ///< `multiplier` times 1, 1, 2, 3, 5, …
    random,       ///< uniform between `min` and `max`; `multiplier` and jitter are ignored
    listed,       ///< the waits of `list` in order; the last repeats; `multiplier` is ignored
  };

  Shape shape = Shape::exponential;

  /// The first computed wait. Default 1 s.
  Duration multiplier = std::chrono::seconds{1};

  /// Growth of an exponential, in thousandths: 2000 doubles. At least 1000. Default 2000. Each step
  /// is rounded down to a nanosecond.
  std::uint32_t factor_per_mille = 2000;

  /// For listed; at least one.
  std::vector<Duration> list{};

  /// Lower and upper bound. Default 0 and 1 min. `min` <= `max`. `fixed` and `listed` have no
  /// bounds.
  Duration min{0};
  Duration max = std::chrono::minutes{1};

  /// Default full.
  Jitter jitter = Jitter::full;

  /// For proportional, in thousandths; low <= high. Default 750 to 1250.
  std::uint32_t spread_low_per_mille = 750;
  std::uint32_t spread_high_per_mille = 1250;

  /// For additive.
  Duration addition{0};

  /// Whether the bounds hold for the wait as slept (true, default) or for the computed wait before
  /// jitter only, as openai's SDKs, gRPC and failsafe do, so that the jittered wait may exceed
  /// `max`. Capping after jitter makes every client at the cap wait exactly `max`; before is kinder
  /// then. Ignored by full and equal, which stay within the bounds either way.
  bool bound_after_jitter = true;

  /// Whether the first wait is jittered too. Default true; Finagle's is not.
  bool jitter_first = true;
};

/// What a backoff remembers between the waits of one call.
struct BackoffState {
  std::uint32_t n = 0;  ///< waits so far
  Duration previous{};  ///< the last wait, for decorrelated
  double reached = 0;   ///< f(t) of the last wait, for decorrelated_v2
};

/// The next wait; finite and not negative for every n. *Determinism*: one word of `draws` unless
/// nothing is random about it.
Duration next_backoff(const BackoffOptions& options, BackoffState& state, Draws& draws);

/// f(t) of decorrelated_v2, in multiples of `multiplier`. Requires: 0 <= t < 1000.
double decorrelated_v2(double t);

/// "exponential 1s doubling, 4s to 10s, no jitter".
std::string describe(const BackoffOptions& options);

}  // namespace brownout
