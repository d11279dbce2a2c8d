#pragma once

// One hand-made result for each way a run can end.

#include "tests/sim/results.hpp"

namespace brownout::reports::testing {

using namespace std::chrono_literals;
using sim::RunResult;
using sim::Verdict;
using sim::testing::add_calls;
using sim::testing::add_transition;

inline void expect(RunResult& result, Verdict verdict, const char* expression, const char* actual) {
  result.expectations.push_back({expression, actual, verdict,
                                 std::string("  --> scenarios/by-hand.json:9:5\n   |\n 9 |   \"") +
                                     expression + "\"\n   |   ^\n"});
}

/// Live, shared and cached replies from two routes, a breaker with more transitions than are shown.
inline RunResult passing() {
  RunResult result = sim::testing::empty_result();
  add_calls(result, {.phase = 0, .count = 120'000, .latency = 800ms});
  add_calls(result, {.phase = 1, .count = 30'000, .route = 1, .latency = 2345678901ns});
  add_calls(result, {.phase = 1, .count = 5'000, .end = CallEnd::cached, .latency = 0ns});
  result.total.shared = 1234;
  result.total.billed_tokens = 150'000'000;
  result.total.wasted_tokens = 1'000;
  result.total.cost_picodollars = 4'567'890'000'000'000;
  result.total.attempts += 7'500;
  for (int i = 0; i < 8; ++i) {
    add_transition(result, 0, 1h + i * 7min, BreakerState::open);
    add_transition(result, 0, 1h + i * 7min + 1min + 1500us, BreakerState::half_open);
    add_transition(result, 0, 1h + i * 7min + 2min, BreakerState::closed);
  }
  add_transition(result, 1, 100min, BreakerState::open);
  expect(result, Verdict::passed, "availability >= 99%", "100.000%");
  expect(result, Verdict::passed, "breaker(main).opened >= 1", "8");
  result.faults.push_back(
      {"late", "server_error on openai/*, share 0.97", 1000, 971, 970'000'000'000});
  result.semantic_digest = 0x0123456789ABCDEF;
  result.schedule_digest = 0xFEDCBA9876543210;
  return result;
}

/// Failures of several kinds, degraded replies and rejected calls.
inline RunResult failing() {
  RunResult result = sim::testing::empty_result();
  add_calls(result, {.phase = 0, .count = 900, .latency = 1s});
  add_calls(result, {.phase = 1, .count = 50, .end = CallEnd::failed, .latency = 45s});
  add_calls(result, {.phase = 1,
                     .count = 149,
                     .end = CallEnd::failed,
                     .failed_as = OutcomeKind::server_error,
                     .latency = 70ms});
  add_calls(result, {.phase = 1, .count = 1, .end = CallEnd::degraded, .latency = 1ms});
  result.total.rejected = 20;
  result.total.rejected_by_breaker = {20, 0};
  add_transition(result, 0, 61min, BreakerState::open);
  expect(result, Verdict::failed, "availability >= 99%", "81.818%");
  expect(result, Verdict::passed, "rejected <= 100", "20");
  expect(result, Verdict::undecided, "latency.p99 during late <= 5s", "no such calls");
  return result;
}

/// Nothing ever called.
inline RunResult undecided() {
  RunResult result = sim::testing::empty_result();
  result.ended = Instant{};
  expect(result, Verdict::undecided, "availability >= 99%", "no calls");
  return result;
}

inline RunResult deadlocked() {
  RunResult result = sim::testing::empty_result();
  add_calls(result, {.phase = 0, .count = 2});
  result.end = sim::RunEnd::deadlock;
  result.ended = Instant{90min};
  result.unfinished_calls = 1;
  result.diagnosis =
      "nothing is left to happen, but these calls have not ended:\n"
      "call 2 has had no answer since 1h30m from openai/gpt-4 in route main (attempts so far: 1)\n";
  expect(result, Verdict::undecided, "availability >= 99%",
         "100.000% when the run ended in deadlock");
  return result;
}

}  // namespace brownout::reports::testing
