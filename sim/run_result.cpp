#include "sim/run_result.hpp"

#include <xxhash.h>

#include <algorithm>

namespace brownout::sim {
namespace {

constexpr std::size_t calls_in_diagnosis = 10;

std::uint64_t digest_of(const std::string& text) {
  return XXH3_64bits(text.data(), text.size());
}

std::vector<FaultWindow> fault_windows(const mock::Script& script, const BoundPolicy& bound) {
  std::vector<FaultWindow> windows(bound.target_ids.size());
  for (std::size_t route = 0; route < windows.size(); ++route) {
    for (const mock::PhaseSpec& phase : script.phases) {
      const auto hits = [&](const mock::FaultSpec& fault) {
        return fault.affects(bound.target_ids[route]);
      };
      if (std::ranges::none_of(phase.faults, hits)) continue;
      FaultWindow& window = windows[route];
      if (window.begins == never) window.begins = Instant{} + phase.begin;
      window.ends = Instant{} + phase.until;
    }
  }
  return windows;
}

}  // namespace

RunResult begin_result(const Scenario& scenario) {
  RunResult result;
  result.scenario = scenario.name;
  result.scenario_path = scenario.path;
  result.scenario_description = scenario.description;
  result.scenario_source = scenario.source;
  result.scenario_digest = digest_of(scenario.document->text());
  result.starts_at_unix_ns = scenario.starts_at.time_since_epoch().count();
  result.scenario_ends = Instant{} + scenario.duration;
  return result;
}

RunResult begin_result(const Scenario& scenario, const Policy& policy) {
  RunResult result = begin_result(scenario);
  result.policy = policy.name;
  result.policy_path = policy.document->name();
  result.policy_digest = digest_of(policy.document->text());
  result.policy_description = describe(policy);
  return result;
}

void report_engine(const Scenario& scenario, const Engine& engine, RunResult& result) {
  result.unfinished_calls = engine.unfinished();
  if (result.end == RunEnd::deadlock) {
    result.diagnosis = std::string(result.stage == RunStage::sim
                                       ? "nothing is left to happen, but these calls have not ended"
                                       : "long after the last arrival these calls had not ended") +
                       ":\n" + engine.describe_unfinished(calls_in_diagnosis);
  }
  for (const auto& route : engine.pipeline().routes()) {
    result.routes.push_back(route.name);
    result.route_targets.push_back(route.target);
  }
  result.has_prices = std::ranges::any_of(scenario.script.models, [](const auto& model) {
    return model.price.input > 0 || model.price.output > 0;
  });
}

void report_faults(const mock::Script& script, const std::vector<mock::FaultCount>& counts,
                   RunResult& result) {
  for (const mock::PhaseSpec& phase : script.phases) {
    for (std::size_t i = 0; i < phase.faults.size(); ++i) {
      const mock::FaultCount& count = counts[phase.first_fault + i];
      result.faults.push_back({phase.name, phase.faults[i].to_string(), count.matched,
                               count.injected, count.asked_billionths});
    }
  }
}

void report_faults(const mock::ScriptedProvider& provider, RunResult& result) {
  std::vector<mock::FaultCount> counts;
  for (std::size_t i = 0; i < provider.script().fault_count(); ++i) {
    counts.push_back(provider.count(static_cast<mock::FaultId>(i)));
  }
  report_faults(provider.script(), counts, result);
}

void report_peaks(const BoundPolicy& bound, const Peaks& peaks_of, RunResult& result) {
  const std::size_t routes = result.routes.size();
  result.total.in_flight_max_by_route.resize(routes);
  for (std::size_t phase = 0; phase < result.phases.size(); ++phase) {
    auto& peaks = result.phases[phase].stats.in_flight_max_by_route;
    peaks.resize(routes);
    for (std::size_t route = 0; route < routes; ++route) {
      const TargetId target = bound.target_ids[route];
      if (target != no_target) peaks[route] = peaks_of(phase, target);
      auto& whole = result.total.in_flight_max_by_route[route];
      whole = std::max(whole, peaks[route]);
    }
  }
}

void judge_expectations(const Scenario& scenario, const BoundPolicy& bound, RunResult& result) {
  const auto windows = fault_windows(scenario.script, bound);
  for (std::size_t i = 0; i < scenario.expectations.size(); ++i) {
    if (std::ranges::binary_search(bound.inapplicable, i)) continue;
    ExpectationResult judged = judge(scenario.expectations[i], result, windows);
    if (result.end != RunEnd::completed) {
      judged.verdict = Verdict::undecided;
      judged.actual = judged.actual + " when the run " + how_it_ended(result.end);
    }
    result.expectations.push_back(std::move(judged));
  }
}

}  // namespace brownout::sim
