#include "sim/run.hpp"

#include <algorithm>

#include "engine/pipeline/engine.hpp"
#include "engine/store/guarded_store.hpp"
#include "engine/store/memory_store.hpp"
#include "mockserver/scripted_provider.hpp"
#include "sim/caller.hpp"
#include "sim/detail.hpp"
#include "sim/kernel/context.hpp"
#include "sim/recorder.hpp"
#include "sim/run_result.hpp"
#include "sim/scripted_store.hpp"
#include "sim/transport.hpp"
#include "sim/workload.hpp"

namespace brownout::sim {
namespace {

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
      detail_ = std::make_unique<Detail>(scenario.duration, &provider_, *pipeline, options.events);
    }
    recorder_ = std::make_unique<Recorder>(scenario.script, *pipeline,
                                           options.detail ? &detail_->observer() : options.events);
    engine_ =
        std::make_unique<Engine>(context_, transport_, store_, *recorder_, std::move(pipeline));
    caller_ =
        std::make_unique<Caller>(context_, *engine_, workload_, Instant{} + scenario.duration);
  }

  // In steps, so that somebody can be told of progress and levels can be read in between.
  // Calls that have not ended are the caller's, and giving one up may let another go on.
  ~World() { engine_.reset(); }

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
    result.ended = context_.last_event();
    result.events = context_.events();
    result.schedule_digest = context_.schedule_digest();
    if (result.end == RunEnd::livelock) result.diagnosis = context_.describe_livelock();
    report_engine(scenario_, *engine_, result);
    recorder_->finish(result);
    report_peaks(
        bound_,
        [this](std::size_t phase, TargetId target) { return transport_.peak(phase, target); },
        result);
    report_faults(provider_, result);
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

}  // namespace

RunResult run(const Scenario& scenario, const Policy& policy, const BoundPolicy& bound,
              const RunOptions& options) {
  RunResult result = begin_result(scenario, policy);
  World world(scenario, policy, bound, options);
  result.end = world.run(options.progress);
  world.report(result);
  judge_expectations(scenario, bound, result);
  return result;
}

}  // namespace brownout::sim
