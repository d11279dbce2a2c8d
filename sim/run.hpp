#pragma once

// Flies a policy through a scenario: the wind tunnel itself.

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>

#include "engine/runtime/timer_queue.hpp"
#include "engine/telemetry/observer.hpp"
#include "sim/result.hpp"
#include "sim/scenario.hpp"

namespace brownout::sim {

struct RunOptions {
  /// Default: the scenario's.
  std::optional<std::uint64_t> seed;

  /// Order of events at one instant; random finds out what depends on it without meaning to.
  TiePolicy ties = TiePolicy::fifo;

  /// Also keeps the timeline and sampled calls, at about a tenth more time.
  bool detail = false;

  /// Hears every event after the recorder; null for nobody. Must outlive the run.
  Observer* events = nullptr;

  /// When true, the run stops soon and its result says interrupted. Null: never.
  const std::atomic<bool>* interrupt = nullptr;

  /// Called now and then with the virtual time reached; null for nobody.
  std::function<void(Instant)> progress;
};

/// A run is a pure function of (scenario, policy, binding, seed, ties): no clock, no environment.
/// `bound` comes from bind(scenario, policy, …).
RunResult run(const Scenario& scenario, const Policy& policy, const BoundPolicy& bound,
              const RunOptions& options);

}  // namespace brownout::sim
