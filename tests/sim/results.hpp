#pragma once

// Results made by hand: what a run might have found out.

#include "sim/result.hpp"

namespace brownout::sim::testing {

using namespace std::chrono_literals;

/// A run of two hours in the phases "early" and "late", with the routes "main" and "backup" and a
/// breaker on each; no calls yet.
inline RunResult empty_result() {
  RunResult result;
  result.scenario = "by-hand";
  result.scenario_path = "scenarios/by-hand.json";
  result.policy = "two-routes";
  result.policy_path = "scenarios/policies/two-routes.json";
  result.policy_description = "fallback\n  main -> openai/gpt-4\n  backup -> anthropic/claude\n";
  result.seed = 42;
  result.scenario_ends = Instant{2h};
  result.ended = Instant{2h + 3s};
  result.events = 1'234'567;
  result.routes = {"main", "backup"};
  result.route_targets = {"openai/gpt-4", "anthropic/claude"};
  result.phases.resize(2);
  result.phases[0] = {"early", Instant{}, Instant{1h}, {}};
  result.phases[1] = {"late", Instant{1h}, Instant{2h}, {}};
  for (CallStats* stats : {&result.phases[0].stats, &result.phases[1].stats, &result.total}) {
    stats->served_by_route.resize(2);
    stats->attempts_by_route.resize(2);
    stats->rejected_by_breaker.resize(2);
  }
  result.breakers.resize(2);
  result.breakers[0].name = "main";
  result.breakers[1].name = "backup";
  return result;
}

/// Adds `count` calls to a phase: how they ended and after how long. Each made one attempt, unless
/// a cached reply answered it.
struct Calls {
  std::size_t phase = 0;
  std::uint64_t count = 1;
  CallEnd end = CallEnd::success;
  RouteId route = 0;
  OutcomeKind failed_as = OutcomeKind::timed_out;
  Duration latency = 1s;
};

inline void add_calls(RunResult& result, const Calls& calls) {
  CallStats stats;
  stats.calls = calls.count;
  const std::uint64_t attempts = calls.end == CallEnd::cached ? 0 : calls.count;
  stats.attempts = attempts;
  stats.ended[static_cast<std::size_t>(calls.end)] = calls.count;
  stats.served_by_route.resize(2);
  stats.attempts_by_route.resize(2);
  stats.rejected_by_breaker.resize(2);
  stats.attempts_by_route[calls.route] = attempts;
  Histogram* latency = &stats.other_latency;
  if (calls.end == CallEnd::success) {
    stats.served_by_route[calls.route] = calls.count;
    stats.attempts_as[0] = calls.count;
    latency = &stats.success_latency;
  } else {
    stats.attempts_as[static_cast<std::size_t>(calls.failed_as)] = attempts;
  }
  if (calls.end == CallEnd::failed) {
    stats.failed_as[static_cast<std::size_t>(calls.failed_as)] = calls.count;
    latency = &stats.failed_latency;
  }
  for (std::uint64_t i = 0; i < calls.count; ++i) latency->record(calls.latency);
  result.phases[calls.phase].stats.add(stats);
  result.total.add(stats);
}

inline void add_transition(RunResult& result, std::size_t breaker, Duration at, BreakerState to) {
  BreakerResult& changed = result.breakers[breaker];
  changed.transitions.push_back({Instant{at}, to});
  ++changed.transition_count;
  changed.final_state = to;
  if (to == BreakerState::open) ++changed.openings;
}

}  // namespace brownout::sim::testing
