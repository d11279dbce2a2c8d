#pragma once

// One hand-made result for each way a run can end.

#include <cstring>

#include "tests/sim/results.hpp"

namespace brownout::reports::testing {

using namespace std::chrono_literals;
using sim::RunResult;
using sim::Verdict;
using sim::testing::add_calls;
using sim::testing::add_transition;

inline sim::ExpectationResult& expect(RunResult& result, Verdict verdict, const char* expression,
                                      const char* actual) {
  sim::ExpectationResult& expectation = result.expectations.emplace_back();
  expectation.expression = expression;
  expectation.actual = actual;
  expectation.verdict = verdict;
  expectation.excerpt = std::string("  --> scenarios/by-hand.json:9:5\n   |\n 9 |   \"") +
                        expression + "\"\n   |   ^\n";
  expectation.place = {"scenarios/by-hand.json", 9, 5, 7 + std::uint32_t(std::strlen(expression))};
  return expectation;
}

/// The parts of an availability that was claimed to be at least 99 %.
inline void of_availability(sim::ExpectationResult& expectation, sim::Quantity found) {
  expectation.metric = "availability";
  expectation.unit = "share";
  expectation.comparison = ">=";
  expectation.threshold = {99, 100};
  expectation.value = found;
}

/// The same, but flown over HTTP.
inline RunResult over_http(RunResult result, double speed = 5) {
  result.stage = sim::RunStage::http;
  result.speed = speed;
  result.semantic_digest = result.schedule_digest = 0;
  return result;
}

/// Two buckets of an hour, and one call that failed after a retry and a refusal.
inline void add_detail(RunResult& result) {
  result.timeline = {1h,
                     2,
                     {{"calls", "", "count", {}, {900, 200}},
                      {"latency", "p99", "ns", {}, {1'000'000'000, -1}},
                      {"quota", "openai/gpt-4 rpm", "count", 500, {480, 0}}}};
  sim::SampledCall call;
  call.call = 17;
  call.is_failed = call.is_random = true;
  call.started = Instant{61min};
  call.ended = Instant{61min + 45s};
  call.end = CallEnd::failed;
  call.outcome = OutcomeKind::timed_out;
  sim::SampledAttempt attempt;
  attempt.number = 1;
  attempt.route = 0;
  attempt.started = call.started;
  attempt.ended = call.started + 2s;
  attempt.outcome = OutcomeKind::rate_limited;
  attempt.status = 429;
  attempt.retry_after = 20s;
  call.attempts.push_back(attempt);
  attempt.number = 2;
  attempt.route = 1;
  attempt.hedge = true;
  attempt.started = call.started + 22s;
  attempt.ended = call.ended;
  attempt.first_output = call.started + 23s;
  attempt.outcome = OutcomeKind::timed_out;
  attempt.status = 200;
  attempt.retry_after.reset();
  attempt.input_tokens = 800;
  attempt.output_tokens = 12;
  call.attempts.push_back(attempt);
  call.waits.push_back({0, call.started + 2s, call.started + 22s, WaitReason::retry});
  call.rejections.push_back({0, call.started + 22s, OutcomeKind::breaker_open});
  call.rejections.push_back({no_breaker, call.started + 22s, OutcomeKind::bulkhead_full});
  result.samples.push_back(call);
  result.errors.push_back({0, OutcomeKind::rate_limited, 429, 150, Instant{61min + 2s}, 17});
  result.errors.push_back({1, OutcomeKind::timed_out, 0, 50, Instant{61min + 45s}, 17});
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
  of_availability(expect(result, Verdict::passed, "availability >= 99%", "100.000%"),
                  {155'000, 155'000});
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
  of_availability(expect(result, Verdict::failed, "availability >= 99%", "81.818%"), {900, 1100});
  expect(result, Verdict::passed, "rejected <= 100", "20");
  expect(result, Verdict::undecided, "latency.p99 during late <= 5s", "no such calls");
  add_detail(result);
  result.scenario_description = "made by hand";
  result.replay = "brownout run scenarios/by-hand.json --seed 42";
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
