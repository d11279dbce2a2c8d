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

}  // namespace brownout
