#pragma once

// Small worlds for tests: one provider "lab" with the models "model" and "other", whose durations
// are constant unless a test says otherwise, and a policy given as its pipeline.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/policy_file/policy.hpp"
#include "engine/telemetry/observer.hpp"
#include "sim/run.hpp"
#include "sim/scenario.hpp"

namespace brownout::sim::testing {

using namespace std::chrono_literals;

inline Instant at(Duration time) {
  return Instant{} + time;
}

/// A call takes 220 ms: 10 ms there, 100 ms to the first of 11 tokens, 10 ms for each further one,
/// 10 ms back. Errors take 70 ms.
struct Lab {
  std::string duration = "1h";
  std::string model = R"("ttft": "100ms", "inter_token": "10ms")";
  std::string other = R"("ttft": "100ms", "inter_token": "10ms")";
  std::string faults = "[]";  // of the only phase, "all"
  std::string timeline = "";  // instead of that phase
  std::string network = R"("10ms")";
  std::string arrivals = R"({"constant": "1/s"})";
  std::string output_tokens = "11";
  std::string workload = "";  // further members, each after a comma
  std::string store = "";     // the section, if there is to be one
  std::string expect = "[]";
};

inline std::string scenario_json(const Lab& lab) {
  const std::string timeline =
      !lab.timeline.empty() ? lab.timeline
                            : fmt::format(R"([{{"phase": "all", "until": "{}", "faults": {}}}])",
                                          lab.duration, lab.faults);
  return fmt::format(R"({{"kind": "scenario", "version": 1, "name": "lab", "duration": "{}",
      "roles": {{"primary": "lab/model", "secondary": "lab/other"}},
      "providers": {{"lab": {{"dialect": "openai", "models": {{
          "model": {{ {} }}, "other": {{ {} }} }} }} }},
      "timeline": {}, "network": {{"one_way": {}}}{},
      "workload": {{"arrivals": {}, "input_tokens": 100, "output_tokens": {}{}}},
      "expect": {} }})",
                     lab.duration, lab.model, lab.other, timeline, lab.network,
                     lab.store.empty() ? "" : ",\n\"store\": " + lab.store, lab.arrivals,
                     lab.output_tokens, lab.workload, lab.expect);
}

template <class T>
T loaded(Result<T> result) {
  if (result) return std::move(*result);
  for (const Error& error : result.error()) ADD_FAILURE() << error.to_string();
  return T{};
}

inline Scenario scenario(const Lab& lab) {
  return loaded(parse_scenario("lab.json", scenario_json(lab)));
}

/// A policy with one route, "main", to lab/model.
inline Policy policy(const std::string& pipeline) {
  return loaded(parse_policy("policy.json", fmt::format(R"({{"kind": "policy", "version": 1,
      "name": "test", "to": "lab/model", "pipeline": {}}})",
                                                        pipeline)));
}

/// A policy whose pipeline says itself where it leads.
inline Policy branching_policy(const std::string& pipeline) {
  return loaded(parse_policy("policy.json", fmt::format(R"({{"kind": "policy", "version": 1,
      "name": "test", "pipeline": {}}})",
                                                        pipeline)));
}

inline RunResult fly(const Scenario& world, const Policy& policy, const RunOptions& options = {}) {
  return run(world, policy, loaded(sim::bind(world, policy, {})), options);
}

inline RunResult fly(const Lab& lab, const std::string& pipeline, const RunOptions& options = {}) {
  return fly(scenario(lab), policy(pipeline), options);
}

inline RunOptions seeded(std::uint64_t seed) {
  RunOptions options;
  options.seed = seed;
  return options;
}

inline RunOptions heard_by(Observer& observer) {
  RunOptions options;
  options.events = &observer;
  return options;
}

/// Keeps every event.
class EventList final : public Observer {
 public:
  struct Attempt {
    AttemptEvent event;
    Outcome outcome;
  };
  struct Call {
    CallEvent event;
    Outcome outcome;
  };
  std::vector<Attempt> attempts;
  std::vector<Call> calls;
  std::vector<BreakerEvent> transitions;
  std::vector<HedgeEvent> hedges;
  std::vector<LookupEvent> lookups;
  std::vector<BreakerFailureEvent> breaker_failures;

  void on_attempt(const AttemptEvent& event, const Outcome& outcome) override {
    attempts.push_back({event, outcome});
  }
  void on_call(const CallEvent& event, const Outcome& outcome) override {
    calls.push_back({event, outcome});
  }
  void on_breaker(const BreakerEvent& event) override { transitions.push_back(event); }
  void on_hedge(const HedgeEvent& event) override { hedges.push_back(event); }
  void on_lookup(const LookupEvent& event) override { lookups.push_back(event); }
  void on_breaker_failure(const BreakerFailureEvent& event) override {
    breaker_failures.push_back(event);
  }
};

}  // namespace brownout::sim::testing
