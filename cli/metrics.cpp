#include "cli/metrics.hpp"

#include "engine/core/check.hpp"
#include "engine/pipeline/pipeline.hpp"

#ifdef BROWNOUT_PROMETHEUS
#include <prometheus/registry.h>

#include "engine/telemetry/prometheus_metrics.hpp"
#endif

namespace brownout::cli {

#ifdef BROWNOUT_PROMETHEUS

namespace {

class RunMetrics final : public Metrics {
 public:
  RunMetrics(const PipelineNames& names, const MetricsOptions& options)
      : metrics_(std::make_shared<prometheus::Registry>(), names, options) {}

  Observer& observer() override { return metrics_; }
  std::string text() const override { return metrics_.text(); }

 private:
  PrometheusMetrics metrics_;
};

}  // namespace

bool metrics_are_built_in() {
  return true;
}

std::unique_ptr<Metrics> make_metrics(const sim::Scenario& scenario, const Policy& policy,
                                      const sim::BoundPolicy& bound) {
  MetricsOptions options;
  for (const mock::ModelSpec& model : scenario.script.models) {
    if (model.price.input == 0 && model.price.output == 0) continue;
    // From picodollars per token.
    options.prices.push_back({model.full_name, static_cast<double>(model.price.input) / 1e6,
                              static_cast<double>(model.price.output) / 1e6});
  }
  // The run builds a pipeline of its own; this one only tells what its parts are called.
  const Pipeline pipeline(policy, bound.targets, bound.target_ids, 0);
  return std::make_unique<RunMetrics>(pipeline.names(), options);
}

#else

bool metrics_are_built_in() {
  return false;
}

std::unique_ptr<Metrics> make_metrics(const sim::Scenario&, const Policy&,
                                      const sim::BoundPolicy&) {
  BROWNOUT_UNREACHABLE("this program was built without metrics");
}

#endif

}  // namespace brownout::cli
