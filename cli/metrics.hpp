#pragma once

#include <memory>
#include <string>

#include "engine/telemetry/observer.hpp"
#include "sim/scenario.hpp"

namespace brownout::cli {

/// The metrics of an engine that a run simulates.
class Metrics {
 public:
  virtual ~Metrics() = default;
  virtual Observer& observer() = 0;

  /// In Prometheus's text format, as of now.
  virtual std::string text() const = 0;
};

/// False when this program was built without the library for metrics (BROWNOUT_PROMETHEUS).
bool metrics_are_built_in();

/// Metrics for a run of this policy, with the scenario's prices. Requires: metrics_are_built_in().
std::unique_ptr<Metrics> make_metrics(const sim::Scenario& scenario, const Policy& policy,
                                      const sim::BoundPolicy& bound);

}  // namespace brownout::cli
