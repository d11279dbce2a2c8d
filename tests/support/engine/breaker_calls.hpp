#pragma once

// Calls through a breaker, so that a test reads like what happens.

#include <gtest/gtest.h>

#include "engine/policy/breaker.hpp"

namespace brownout::testing {

constexpr Instant since_start(Duration time) {
  return Instant{} + time;
}

/// A call that is admitted at `begin` and ends at `end`; false when it is refused.
inline bool call(Breaker& breaker, const Finding& finding, Duration begin, Duration end) {
  const auto permit = breaker.acquire(since_start(begin));
  if (permit) breaker.record(*permit, finding, since_start(end));
  return permit.has_value();
}

inline bool call(Breaker& breaker, Verdict verdict, Duration when) {
  return call(breaker, Finding{verdict, false, {}}, when, when);
}

/// Several of them at once. Requires: none is refused.
inline void calls(Breaker& breaker, Verdict verdict, Duration when, int times) {
  for (int i = 0; i < times; ++i) ASSERT_TRUE(call(breaker, verdict, when));
}

/// Opens it by a failure that trips. Requires: it is closed or half-open, and admits a call.
inline void trip(Breaker& breaker, Duration when, std::optional<Duration> retry_after = {}) {
  ASSERT_TRUE(call(breaker, Finding{Verdict::failure, true, retry_after}, when, when));
  ASSERT_EQ(breaker.state(), BreakerState::open);
}

}  // namespace brownout::testing
