#include "sim/run.hpp"

#include <xxhash.h>

#include <algorithm>

#include "engine/pipeline/engine.hpp"
#include "engine/store/guarded_store.hpp"
#include "engine/store/memory_store.hpp"
#include "mockserver/scripted_provider.hpp"
#include "sim/caller.hpp"
#include "sim/detail.hpp"
#include "sim/kernel/context.hpp"
#include "sim/recorder.hpp"
#include "sim/scripted_store.hpp"
#include "sim/transport.hpp"
#include "sim/workload.hpp"

namespace brownout::sim {
namespace {

constexpr std::size_t calls_in_diagnosis = 10;
constexpr int progress_steps = 200;

Context::Options context_options(const Scenario& scenario, const RunOptions& options) {
  Context::Options context;
  context.seed = options.seed.value_or(scenario.seed);
  context.starts_at = scenario.starts_at;
  context.ties = options.ties;
  context.interrupt = options.interrupt;
  // Clients that all act at one instant are a crowd, not a livelock.
  context.limits.events_at_one_instant += 100 * std::uint64_t{scenario.workload.clients};
  return context;
}

// Everything that lives during one run, in order of construction.
class World {
 public:
  World(const Scenario& scenario, const Policy& policy, const BoundPolicy& bound,
        const RunOptions& options)
      : scenario_(scenario),
        bound_(bound),
        context_(context_options(scenario, options)),
        provider_(scenario.script, context_.seed()),
        transport_(context_, provider_, scenario.network_latency),
        scripted_store_(context_, replies_, scenario.store),
        store_(context_, store_of(scenario)),
        workload_(scenario.workload, context_.seed()) {
    auto pipeline =
        std::make_shared<Pipeline>(policy, bound.targets, bound.target_ids, context_.seed());
    if (options.detail) {
      detail_ = std::make_unique<Detail>(scenario.duration, provider_, *pipeline, options.events);
    }
    recorder_ = std::make_unique<Recorder>(scenario.script, *pipeline,
                                           options.detail ? &detail_->observer() : options.events);
    engine_ =
        std::make_unique<Engine>(context_, transport_, store_, *recorder_, std::move(pipeline));
    caller_ =
        std::make_unique<Caller>(context_, *engine_, workload_, Instant{} + scenario.duration);
  }

  // In steps, so that somebody can be told of progress and levels can be read in between.
  RunEnd run(const std::function<void(Instant)>& progress) {
    caller_->begin();
    if (progress || detail_) {
      const Duration width = detail_ ? detail_->width() : scenario_.duration / progress_steps;
      const Duration step = std::max(Duration{1}, width);
      const Instant last = detail_ ? detail_->ends() : Instant{} + scenario_.duration;
      for (Instant at = Instant{} + step; at < last; at += step) {
        const Stop stop = context_.run_until(at);
        if (stop != Stop::reached && stop != Stop::idle) return end_of(stop);
        if (detail_) detail_->read_levels(at);
        if (progress) progress(at);
        if (stop == Stop::idle) break;
      }
    }
    return end_of(context_.run_until_idle());
  }

  void report(RunResult& result) {
    result.seed = context_.seed();
    result.scenario_ends = Instant{} + scenario_.duration;
    result.ended = context_.last_event();
    result.events = context_.events();
    result.schedule_digest = context_.schedule_digest();
    result.unfinished_calls = engine_->unfinished();
    if (result.end == RunEnd::livelock) result.diagnosis = context_.describe_livelock();
    if (result.end == RunEnd::deadlock) {
      result.diagnosis = "nothing is left to happen, but these calls have not ended:\n" +
                         engine_->describe_unfinished(calls_in_diagnosis);
    }
    for (const auto& route : engine_->pipeline().routes()) {
      result.routes.push_back(route.name);
      result.route_targets.push_back(route.target);
    }
    result.has_prices = std::ranges::any_of(scenario_.script.models, [](const auto& model) {
      return model.price.input > 0 || model.price.output > 0;
    });
    recorder_->finish(result);
    report_peaks(result);
    report_faults(result);
    if (detail_) detail_->report(result);
  }

 private:
  ReplyStore& store_of(const Scenario& scenario) {
    return scenario.store.is_scripted() ? static_cast<ReplyStore&>(scripted_store_) : replies_;
  }

  RunEnd end_of(Stop stop) const {
    switch (stop) {
      case Stop::livelock:
        return RunEnd::livelock;
      case Stop::interrupted:
        return RunEnd::interrupted;
      case Stop::idle:
      case Stop::reached:
        break;
    }
    return engine_->unfinished() == 0 ? RunEnd::completed : RunEnd::deadlock;
  }

  // By model: routes to the same one see the same number.
  void report_peaks(RunResult& result) const {
    const auto& routes = engine_->pipeline().routes();
    result.total.in_flight_max_by_route.resize(routes.size());
    for (std::size_t phase = 0; phase < result.phases.size(); ++phase) {
      auto& peaks = result.phases[phase].stats.in_flight_max_by_route;
      peaks.resize(routes.size());
      for (std::size_t route = 0; route < routes.size(); ++route) {
        if (bound_.target_ids[route] != no_target) {
          peaks[route] = transport_.peak(phase, bound_.target_ids[route]);
        }
        auto& whole = result.total.in_flight_max_by_route[route];
        whole = std::max(whole, peaks[route]);
      }
    }
  }

  void report_faults(RunResult& result) const {
    for (const mock::PhaseSpec& phase : scenario_.script.phases) {
      for (std::size_t i = 0; i < phase.faults.size(); ++i) {
        const auto& count = provider_.count(static_cast<mock::FaultId>(phase.first_fault + i));
        result.faults.push_back({phase.name, phase.faults[i].to_string(), count.matched,
                                 count.injected, count.asked_billionths});
      }
    }
  }

  const Scenario& scenario_;
  const BoundPolicy& bound_;
  Context context_;
  mock::ScriptedProvider provider_;
  SimTransport transport_;
  MemoryStore replies_;
  ScriptedStore scripted_store_;
  GuardedStore store_;
  Workload workload_;
  std::unique_ptr<Detail> detail_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Caller> caller_;
};

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

RunResult run(const Scenario& scenario, const Policy& policy, const BoundPolicy& bound,
              const RunOptions& options) {
  RunResult result;
  result.scenario = scenario.name;
  result.scenario_path = scenario.path;
  result.scenario_description = scenario.description;
  result.scenario_source = scenario.source;
  result.scenario_digest = digest_of(scenario.document->text());
  result.starts_at_unix_ns = scenario.starts_at.time_since_epoch().count();
  result.policy = policy.name;
  result.policy_path = policy.document->name();
  result.policy_digest = digest_of(policy.document->text());
  result.policy_description = describe(policy);
  World world(scenario, policy, bound, options);
  result.end = world.run(options.progress);
  world.report(result);

  const auto windows = fault_windows(scenario.script, bound);
  for (std::size_t i = 0; i < scenario.expectations.size(); ++i) {
    if (std::ranges::binary_search(bound.inapplicable, i)) continue;
    ExpectationResult judged = judge(scenario.expectations[i], result, windows);
    if (result.end != RunEnd::completed) {
      judged.verdict = Verdict::undecided;
      judged.actual =
          judged.actual + " when the run ended in " + std::string(to_string(result.end));
    }
    result.expectations.push_back(std::move(judged));
  }
  return result;
}

}  // namespace brownout::sim
