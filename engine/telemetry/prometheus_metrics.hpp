#pragma once

// What engines do, as Prometheus metrics. docs/reference/metrics.md lists every one of them.
//
//     auto registry = std::make_shared<prometheus::Registry>();
//     PrometheusMetrics metrics(registry, pipeline->names());
//     Engine engine(runtime, transport, store, metrics, std::move(pipeline));
//     prometheus::Exposer exposer("127.0.0.1:9464");
//     exposer.RegisterCollectable(metrics.collectable());

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/telemetry/names.hpp"
#include "engine/telemetry/observer.hpp"

namespace prometheus {
class Collectable;
class Registry;
}  // namespace prometheus

namespace brownout {

struct MetricsOptions {
  /// Dollars per million tokens; neither negative.
  struct Price {
    std::string model;  ///< as its route says it: "openai/gpt-4"
    double input_per_million = 0;
    double output_per_million = 0;
  };

  /// What models cost. A model that is not listed has no cost metric; one that no route leads to is
  /// ignored. Default: none.
  std::vector<Price> prices;

  /// A retry budget and how to read its level, in thousandths. `level` is called at each scrape, on
  /// the thread that scrapes, which may be after the death of the PrometheusMetrics if a scrape is
  /// under way then. A runtime's now() belongs to its own thread; ask the clock. With
  /// Pipeline::budgets(), whose pipeline must live as long:
  ///
  ///     options.budgets.push_back({info.name, [budget = info.budget] {
  ///                                  return budget->level(AsioRuntime::clock());
  ///                                }});
  struct Budget {
    std::string name;
    std::function<std::int64_t()> level;
  };

  /// Default: none.
  std::vector<Budget> budgets;

  /// Upper bounds of both histograms' buckets, in seconds. Strictly increasing, at least one; the
  /// bucket beyond the last is implied. Default: from a cached reply to a long reasoning.
  std::vector<double> buckets{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300};

  /// Labels that every metric carries besides its own, such as the name of the policy where a
  /// process runs several. Names: letters, digits and `_`, not beginning with a digit or `__`, and
  /// none of those that metrics have already. Default: none.
  std::vector<std::pair<std::string, std::string>> labels;
};

/// Counts the events of all engines that share a pipeline.
///
/// Every series exists from the beginning, at zero, so that rate() sees the first event; an event
/// costs a few atomic additions and neither looks anything up nor allocates. Two pipelines in one
/// registry must differ in a label of the options.
///
/// *Ownership*: shares the registry; metrics stay in it when this is gone. *Threads*: any, for
/// events and scrapes alike. *Determinism*: reads no clock; durations are differences of the
/// events' instants, so that under a virtual clock they are virtual.
class PrometheusMetrics final : public Observer {
 public:
  /// Requires: `registry` holds no metric of these names with other labels or of another type.
  PrometheusMetrics(std::shared_ptr<prometheus::Registry> registry, const PipelineNames& names,
                    const MetricsOptions& options = {});
  PrometheusMetrics(const PrometheusMetrics&) = delete;
  PrometheusMetrics& operator=(const PrometheusMetrics&) = delete;
  ~PrometheusMetrics() override;

  void on_attempt(const AttemptEvent& event, const Outcome& outcome) override;
  void on_wait(const WaitEvent& event) override;
  void on_hedge(const HedgeEvent& event) override;
  void on_lookup(const LookupEvent& event) override;
  void on_breaker(const BreakerEvent& event) override;
  void on_breaker_failure(const BreakerFailureEvent& event) override;
  void on_rejection(const RejectionEvent& event) override;
  void on_call(const CallEvent& event, const Outcome& outcome) override;

  /// What to expose, *instead* of the registry: everything in the registry, after reading the
  /// levels of the budgets.
  std::shared_ptr<prometheus::Collectable> collectable() const;

  /// All of it in Prometheus's text format, sorted by name and labels.
  std::string text() const;

 private:
  struct Series;
  class Scrape;

  std::shared_ptr<Scrape> scrape_;
  std::unique_ptr<Series> series_;
};

}  // namespace brownout
