#pragma once

// Policy arithmetic that gives the same bits on every machine: integers, and nothing of libm.

#include <algorithm>
#include <cstdint>

#include "engine/core/time.hpp"

namespace brownout {

/// `base * 2^n`, at most `cap`; exact, and finite for every n. Requires: base >= 0, cap >= 0.
constexpr Duration doubled(Duration base, std::uint32_t n, Duration cap) {
  if (base.count() <= 0) return Duration{0};
  if (n >= 63 || base.count() > (cap.count() >> n)) return cap;
  return Duration{base.count() << n};
}

/// 2^x to about 14 digits. Requires: -1000 < x < 1000. Source: Taylor's series of e^(f ln 2) for
/// the fraction f, by Horner's rule.
constexpr double power_of_two(double x) {
  constexpr double ln2 = 0.69314718055994530942;
  int whole = static_cast<int>(x);
  if (x < whole) --whole;
  const double exponent = (x - whole) * ln2;
  double sum = 1;
  for (int term = 18; term > 0; --term) sum = 1 + sum * exponent / term;
  for (; whole > 0; --whole) sum *= 2;
  for (; whole < 0; ++whole) sum /= 2;
  return sum;
}

/// The cube root to about 14 digits. Requires: 0 <= x <= 1e15. Source: Newton's method on y^3 - x,
/// from above, where it comes down to the root without crossing it.
constexpr double cube_root(double x) {
  if (x <= 0) return 0;
  double root = x > 1 ? x : 1;
  for (int step = 0; step < 120; ++step) root = (2 * root + x / (root * root)) / 3;
  return root;
}

/// The hyperbolic tangent to about 14 digits. Requires: x >= 0.
constexpr double hyperbolic_tangent(double x) {
  constexpr double log2_e = 1.44269504088896340736;
  if (x > 20) return 1;
  const double power = power_of_two(2 * x * log2_e);
  return (power - 1) / (power + 1);
}

}  // namespace brownout
