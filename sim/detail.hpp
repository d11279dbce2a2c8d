#pragma once

// What a run with RunOptions::detail keeps: the timeline and sampled calls.

#include <functional>
#include <vector>

#include "engine/pipeline/pipeline.hpp"
#include "engine/telemetry/observers.hpp"
#include "mockserver/scripted_provider.hpp"
#include "sim/call_sampler.hpp"
#include "sim/timeline_recorder.hpp"

namespace brownout::sim {

/// *Ownership*: refers to provider and pipeline, whose levels it reads, and to `next`, which hears
/// every event after it. *Threads*: one.
class Detail {
 public:
  /// Null for a provider whose levels cannot be read meanwhile; the timeline then has none of it.
  Detail(Duration scenario_duration, const mock::ScriptedProvider* provider,
         const Pipeline& pipeline, Observer* next);

  Observer& observer() { return observers_; }

  /// How often, and until when, levels are to be read.
  Duration width() const { return timeline_.width(); }
  Instant ends() const { return timeline_.ends(); }

  /// Requires: a positive multiple of width(), at most ends().
  void read_levels(Instant at);

  void report(RunResult& result) const;

 private:
  struct Level {
    std::size_t number;  // in the timeline
    std::function<std::int64_t(Instant)> read;
  };

  void add_quotas(const mock::ScriptedProvider& provider, mock::ModelId model);
  void add_queue(const mock::ScriptedProvider& provider, mock::ModelId model);

  TimelineRecorder timeline_;
  CallSampler sampler_;
  Observers observers_;
  std::vector<Level> levels_;
};

}  // namespace brownout::sim
