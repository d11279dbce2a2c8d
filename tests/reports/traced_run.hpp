#pragma once

// Runs whose events become traces.

#include <string>

#include "reports/trace/call_record.hpp"
#include "tests/sim/lab.hpp"

namespace brownout::reports::testing {

using namespace std::chrono_literals;
using sim::testing::at;

/// What a policy and a scenario call things, as whoever writes a trace has to know them.
inline TraceNames names_of(const sim::Scenario& scenario, const sim::BoundPolicy& bound) {
  TraceNames names;
  names.scenario = scenario.name;
  names.policy = "test";
  names.seed = scenario.seed;
  names.starts_at = scenario.starts_at;
  for (std::size_t i = 0; i < bound.routes.size(); ++i) {
    names.routes.push_back({bound.routes[i], bound.targets[i]});
  }
  names.breakers = bound.breakers;
  for (const mock::PhaseSpec& phase : scenario.script.phases) {
    auto& named = names.phases.emplace_back();
    named.name = phase.name;
    named.begins = at(phase.begin);
    named.ends = at(phase.until);
    for (const mock::FaultSpec& fault : phase.faults) named.faults.push_back(fault.to_string());
  }
  return names;
}

/// A few seconds in which everything happens once:
///
///     1s  call 0 is told to come back in 300 ms, and then succeeds
///     2s  call 1 takes long: its hedge wins
///     3s  call 2 fails, which opens main's breaker, and goes to the backup
///     4s  call 3 is refused by the breaker and goes to the backup
///     5s  call 4 likewise; its caller leaves at 5.15s
inline sim::Scenario eventful_scenario() {
  return sim::testing::scenario({.duration = "5.5s", .timeline = R"([
           {"phase": "calm", "until": "1s"},
           {"phase": "limits", "until": "1.9s", "faults": [
               {"on": "lab/model", "error": "rate_limited", "retry_after": "300ms", "first": 1}]},
           {"phase": "slow", "until": "2.5s", "faults": [
               {"on": "lab/model", "latency": {"add": "2s"}, "first": 1}]},
           {"phase": "failing", "until": "5.5s", "faults": [
               {"on": "lab/model", "error": "server_error"}]}])"});
}

inline Policy eventful_policy() {
  return sim::testing::branching_policy(R"([{"cache": {"ttl": "1ms"}}, {"fallback": {"routes": [
      {"name": "main", "to": "lab/model", "pipeline": [
          {"retry": {"max_attempts": 2, "wait": {"fixed": "100ms"}}},
          {"breaker": {"consecutive_failures": 2, "open_for": "1m"}},
          {"hedge": {"delay": "400ms", "on_failure": "wait_for_others"}}]},
      {"name": "backup", "to": "lab/other", "pipeline": []}]}}])");
}

/// Names that would break a document which did not escape them.
inline TraceNames hostile(TraceNames names) {
  names.scenario = "</script>\"\\\n\xFF";
  names.routes[0].name = "main\"</script>";
  names.breakers[0] = "main\\";
  names.phases[0].name = "calm\n";
  return names;
}

/// Hears a run of a scenario and a policy.
inline sim::RunResult fly(const sim::Scenario& scenario, const Policy& policy,
                          const sim::BoundPolicy& bound, Observer& observer,
                          const std::atomic<bool>* interrupt = nullptr) {
  sim::RunOptions options;
  options.events = &observer;
  options.interrupt = interrupt;
  return sim::run(scenario, policy, bound, options);
}

/// 2,000 calls of which many fail, wait, are hedged, refused or given up, over two models.
struct Storm {
  sim::Scenario scenario = sim::testing::scenario(
      {.duration = "100s",
       .model = R"("ttft": {"exponential": {"mean": "1s"}}, "inter_token": "10ms")",
       .timeline = R"([
           {"phase": "before", "until": "30s", "faults": [
               {"on": "*", "latency": {"add": "3s"}, "share": 0.05}]},
           {"phase": "storm", "until": "60s", "faults": [
               {"on": "lab/model", "error": "server_error", "share": 0.6},
               {"on": "lab/other", "error": "rate_limited", "share": 0.2}]},
           {"phase": "after", "until": "100s"}])",
       .arrivals = R"({"poisson": "20/s"})",
       .workload = R"(, "cancel": {"share": 0.05, "after": {"exponential": {"mean": "1s"}}})"});
  Policy policy = sim::testing::branching_policy(R"([{"fallback": {"routes": [
      {"name": "main", "to": "lab/model", "pipeline": [
          {"retry": {"max_attempts": 3, "wait": {"fixed": "700ms"}}},
          {"hedge": {"delay": "1500ms", "max_hedges": 2, "budget": {"percent": 50}}},
          {"breaker": {"consecutive_failures": 12, "open_for": "5s"}},
          {"rate_limit": {"requests_per_minute": 1500}},
          {"timeout": {"attempt": "8s"}}]},
      {"name": "backup", "to": "lab/other", "pipeline": [{"retry": {"max_attempts": 2}}]}],
      "then": [{"default": {}}]}}])");
  sim::BoundPolicy bound = sim::testing::loaded(sim::bind(scenario, policy, {}));
  TraceNames names = names_of(scenario, bound);
};

}  // namespace brownout::reports::testing
