#include "engine/telemetry/prometheus_metrics.hpp"

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;

static_assert(static_cast<int>(BreakerState::closed) == 0 &&
              static_cast<int>(BreakerState::open) == 1 &&
              static_cast<int>(BreakerState::half_open) == 2);

// What stands for a route where a layer stands outside all of them.
constexpr const char* outside_routes = "pipeline";

constexpr std::array own_labels{"budget",  "direction", "end",    "le",    "model",
                                "outcome", "reason",    "result", "route", "to"};

template <class Enum>
std::size_t index(Enum value) {
  return static_cast<std::size_t>(value);
}

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

bool is_free_label(const std::string& name) {
  const auto fits = [](char letter) {
    return letter == '_' || (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
           (letter >= 'A' && letter <= 'Z');
  };
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && !name.starts_with("__") &&
         std::ranges::all_of(name, fits) && std::ranges::find(own_labels, name) == own_labels.end();
}

Labels common_labels(const MetricsOptions& options) {
  Labels labels;
  for (const auto& [name, value] : options.labels) {
    BROWNOUT_CHECK(is_free_label(name));
    const bool is_new = labels.emplace(name, value).second;
    BROWNOUT_CHECK(is_new);
  }
  return labels;
}

// The guide's metrics know breakers by their model. Where that does not tell them apart, or where
// there is no one model, the breaker's name stands in; it contains no slash, so no model has it.
std::string breaker_label(const PipelineNames& names, std::size_t breaker) {
  const auto model_of = [&](const PipelineNames::Breaker& of) {
    return of.route == no_route ? std::string() : names.routes[of.route].model;
  };
  const std::string model = model_of(names.breakers[breaker]);
  const auto same = std::ranges::count(names.breakers, model, model_of);
  return model.empty() || same > 1 ? names.breakers[breaker].name : model;
}

}  // namespace

/// The registry as it is scraped. Owns what a scrape needs: one may be under way when the metrics
/// are destroyed.
class PrometheusMetrics::Scrape final : public prometheus::Collectable {
 public:
  explicit Scrape(std::shared_ptr<prometheus::Registry> registry)
      : registry_(std::move(registry)) {}

  void add(Gauge& gauge, std::function<std::int64_t()> level) {
    levels_.emplace_back(&gauge, std::move(level));
  }

  std::vector<prometheus::MetricFamily> Collect() const override {
    for (const auto& [gauge, level] : levels_) gauge->Set(static_cast<double>(level()) / 1000);
    return registry_->Collect();
  }

 private:
  std::shared_ptr<prometheus::Registry> registry_;
  std::vector<std::pair<Gauge*, std::function<std::int64_t()>>> levels_;
};

/// The metrics that events count in, found by indices alone.
struct PrometheusMetrics::Series {
  struct Tokens {
    Counter* input = nullptr;
    Counter* output = nullptr;

    void add(const Outcome& outcome) const {
      if (outcome.billed_input_tokens != 0) input->Increment(outcome.billed_input_tokens);
      if (outcome.billed_output_tokens != 0) output->Increment(outcome.billed_output_tokens);
    }
  };
  // Attempts are null for a route that leads to no model.
  struct Route {
    std::array<Counter*, outcome_kind_count> attempts{};
    Histogram* attempt_duration = nullptr;
    Tokens billed;
    Tokens wasted;
    Counter* cost = nullptr;  // null without a price
    double dollars_per_input = 0;
    double dollars_per_output = 0;
  };
  struct Breaker {
    Gauge* state = nullptr;
    Counter* failures = nullptr;
    std::array<Counter*, breaker_state_count> transitions{};
  };
  struct Wait {
    Counter* count = nullptr;
    Counter* duration = nullptr;
  };

  Series(prometheus::Registry& to, const PipelineNames& names, const MetricsOptions& options)
      : registry(to), common(common_labels(options)) {
    make_calls(options);
    make_routes(names, options);
    make_breakers(names);
    make_others(names);
  }

  // A registry refuses a second family of one name whose constant labels differ: so the common
  // labels are ordinary ones.
  template <class Metric, class... Arguments>
  Metric* add(prometheus::Family<Metric>& family, Labels labels, Arguments&&... arguments) const {
    labels.insert(common.begin(), common.end());
    return &family.Add(labels, arguments...);
  }
  prometheus::Family<Counter>& counter(const char* name, const char* help) const {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  prometheus::Family<Histogram>& histogram(const char* name, const char* help) const {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }
  prometheus::Family<Gauge>& gauge(const char* name, const char* help) const {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }

  void make_calls(const MetricsOptions& options);
  void make_routes(const PipelineNames& names, const MetricsOptions& options);
  void make_breakers(const PipelineNames& names);
  void make_others(const PipelineNames& names);

  const Breaker& breaker(BreakerId id) const {
    BROWNOUT_CHECK(id < breakers.size());
    return breakers[id];
  }
  // Of layers outside all routes, the last.
  static std::size_t of_route(RouteId route, const std::vector<Counter*>& counters) {
    const std::size_t outside = counters.size() - 1;
    BROWNOUT_CHECK(route == no_route || route < outside);
    return route == no_route ? outside : route;
  }

  prometheus::Registry& registry;
  const Labels common;
  std::array<Counter*, call_end_count> answered{};    // by end; null for failed
  std::array<Counter*, outcome_kind_count> failed{};  // by outcome; null for success
  std::array<Histogram*, call_end_count> call_duration{};
  std::vector<Route> routes;
  std::vector<Breaker> breakers;
  std::array<Wait, wait_reason_count> waits{};
  std::vector<Counter*> retries;  // by route
  std::vector<Counter*> hedges;   // by route
  std::array<Counter*, LookupEvent::result_count> lookups{};
  std::array<Counter*, outcome_kind_count> rejections{};  // null for success
};

void PrometheusMetrics::Series::make_calls(const MetricsOptions& options) {
  auto& calls = counter("llm_calls_total", "Calls that have ended.");
  auto& duration = histogram("llm_call_duration_seconds",
                             "Time from the beginning of a call to its end, waits included.");
  for (std::size_t i = 0; i < call_end_count; ++i) {
    const auto end = static_cast<CallEnd>(i);
    const std::string name(to_string(end));
    call_duration[i] = add(duration, {{"end", name}}, options.buckets);
    if (end != CallEnd::failed) {
      answered[i] = add(calls, {{"end", name}, {"outcome", "success"}});
      continue;
    }
    for (std::size_t kind = 1; kind < outcome_kind_count; ++kind) {
      const std::string outcome(to_string(static_cast<OutcomeKind>(kind)));
      failed[kind] = add(calls, {{"end", name}, {"outcome", outcome}});
    }
  }
}

void PrometheusMetrics::Series::make_routes(const PipelineNames& names,
                                            const MetricsOptions& options) {
  auto& attempts = counter("llm_attempts_total", "Attempts that have ended.");
  auto& duration = histogram("llm_attempt_duration_seconds",
                             "Time from the beginning of an attempt to its end.");
  auto& billed = counter("llm_tokens_total", "Tokens billed by providers.");
  auto& wasted = counter("llm_wasted_tokens_total",
                         "Tokens billed for attempts whose output was not the answer to a call.");
  auto& cost = counter("llm_cost_dollars_total", "Price of the tokens billed.");
  const auto tokens = [this](auto& family, const std::string& model) {
    return Tokens{add(family, {{"model", model}, {"direction", "input"}}),
                  add(family, {{"model", model}, {"direction", "output"}})};
  };
  for (const PipelineNames::Route& name : names.routes) {
    Route& route = routes.emplace_back();
    if (name.model.empty()) continue;
    for (std::size_t kind = 0; kind < outcome_kind_count; ++kind) {
      const std::string outcome(to_string(static_cast<OutcomeKind>(kind)));
      route.attempts[kind] =
          add(attempts, {{"route", name.name}, {"model", name.model}, {"outcome", outcome}});
    }
    route.attempt_duration =
        add(duration, {{"route", name.name}, {"model", name.model}}, options.buckets);
    route.billed = tokens(billed, name.model);
    route.wasted = tokens(wasted, name.model);
    const auto price = std::ranges::find(options.prices, name.model, &MetricsOptions::Price::model);
    if (price == options.prices.end()) continue;
    BROWNOUT_CHECK(price->input_per_million >= 0 && price->output_per_million >= 0);
    route.cost = add(cost, {{"model", name.model}});
    route.dollars_per_input = price->input_per_million / 1e6;
    route.dollars_per_output = price->output_per_million / 1e6;
  }
}

void PrometheusMetrics::Series::make_breakers(const PipelineNames& names) {
  auto& state = gauge("llm_circuit_breaker_state",
                      "State of a circuit breaker: 0 closed, 1 open, 2 half-open.");
  auto& failures =
      counter("llm_circuit_breaker_failures_total", "Failures that a circuit breaker counted.");
  auto& transitions = counter("llm_circuit_breaker_transitions_total",
                              "Changes of a circuit breaker's state, by the new state.");
  for (std::size_t i = 0; i < names.breakers.size(); ++i) {
    const std::string model = breaker_label(names, i);
    Breaker& breaker = breakers.emplace_back();
    breaker.state = add(state, {{"model", model}});
    breaker.failures = add(failures, {{"model", model}});
    for (std::size_t to = 0; to < breaker_state_count; ++to) {
      const std::string name(to_string(static_cast<BreakerState>(to)));
      breaker.transitions[to] = add(transitions, {{"model", model}, {"to", name}});
    }
  }
}

void PrometheusMetrics::Series::make_others(const PipelineNames& names) {
  auto& wait_count = counter("llm_waits_total", "Waits that calls began.");
  auto& wait_duration =
      counter("llm_wait_seconds_total", "Length of the waits that calls began, as planned.");
  for (std::size_t i = 0; i < wait_reason_count; ++i) {
    const std::string reason(to_string(static_cast<WaitReason>(i)));
    waits[i] = {add(wait_count, {{"reason", reason}}), add(wait_duration, {{"reason", reason}})};
  }

  auto& retry_count = counter("llm_retries_total", "Retries that were scheduled.");
  auto& hedge_count = counter("llm_hedges_total", "Hedges: copies of attempts that take long.");
  std::vector<std::string> places;
  for (const PipelineNames::Route& route : names.routes) places.push_back(route.name);
  places.emplace_back(outside_routes);
  for (const std::string& place : places) {
    retries.push_back(add(retry_count, {{"route", place}}));
    hedges.push_back(add(hedge_count, {{"route", place}}));
  }

  auto& lookup_count = counter("llm_cache_lookups_total", "Stored replies that were looked for.");
  for (std::size_t i = 0; i < LookupEvent::result_count; ++i) {
    const std::string result(to_string(static_cast<LookupEvent::Result>(i)));
    lookups[i] = add(lookup_count, {{"result", result}});
  }

  auto& rejection_count =
      counter("llm_rejections_total", "Times a policy refused a call before anybody was asked.");
  for (std::size_t kind = 1; kind < outcome_kind_count; ++kind) {
    const std::string outcome(to_string(static_cast<OutcomeKind>(kind)));
    rejections[kind] = add(rejection_count, {{"outcome", outcome}});
  }
}

PrometheusMetrics::PrometheusMetrics(std::shared_ptr<prometheus::Registry> registry,
                                     const PipelineNames& names, const MetricsOptions& options)
    : scrape_(std::make_shared<Scrape>(registry)),
      series_(std::make_unique<Series>(*registry, names, options)) {
  auto& level = series_->gauge("llm_retry_budget_level",
                               "What is left of a retry budget, in its own tokens.");
  for (const MetricsOptions::Budget& budget : options.budgets) {
    scrape_->add(*series_->add(level, {{"budget", budget.name}}), budget.level);
  }
}

PrometheusMetrics::~PrometheusMetrics() = default;

// The output of an attempt that fails reaches nobody as part of a success; that of one that
// succeeds is its call's answer.
void PrometheusMetrics::on_attempt(const AttemptEvent& event, const Outcome& outcome) {
  BROWNOUT_CHECK(event.route < series_->routes.size());
  const Series::Route& route = series_->routes[event.route];
  BROWNOUT_CHECK(route.attempt_duration != nullptr);
  route.attempts[index(outcome.kind)]->Increment();
  route.attempt_duration->Observe(seconds(event.ended - event.started));
  route.billed.add(outcome);
  if (!outcome.ok()) route.wasted.add(outcome);
  if (route.cost != nullptr) {
    route.cost->Increment(outcome.billed_input_tokens * route.dollars_per_input +
                          outcome.billed_output_tokens * route.dollars_per_output);
  }
}

void PrometheusMetrics::on_wait(const WaitEvent& event) {
  const Series::Wait& wait = series_->waits[index(event.reason)];
  wait.count->Increment();
  wait.duration->Increment(seconds(event.until - event.from));
  if (event.reason != WaitReason::retry) return;
  series_->retries[Series::of_route(event.route, series_->retries)]->Increment();
}

void PrometheusMetrics::on_hedge(const HedgeEvent& event) {
  series_->hedges[Series::of_route(event.route, series_->hedges)]->Increment();
}

void PrometheusMetrics::on_lookup(const LookupEvent& event) {
  series_->lookups[index(event.result)]->Increment();
}

void PrometheusMetrics::on_breaker(const BreakerEvent& event) {
  const Series::Breaker& breaker = series_->breaker(event.breaker);
  breaker.state->Set(static_cast<double>(event.to));
  breaker.transitions[index(event.to)]->Increment();
}

void PrometheusMetrics::on_breaker_failure(const BreakerFailureEvent& event) {
  series_->breaker(event.breaker).failures->Increment();
}

void PrometheusMetrics::on_rejection(const RejectionEvent& event) {
  BROWNOUT_CHECK(event.kind != OutcomeKind::success);
  series_->rejections[index(event.kind)]->Increment();
}

void PrometheusMetrics::on_call(const CallEvent& event, const Outcome& outcome) {
  const CallEnd end = end_of(outcome);
  series_->call_duration[index(end)]->Observe(seconds(event.ended - event.started));
  if (end != CallEnd::failed) return series_->answered[index(end)]->Increment();
  BROWNOUT_CHECK(!outcome.ok());
  series_->failed[index(outcome.kind)]->Increment();
}

std::shared_ptr<prometheus::Collectable> PrometheusMetrics::collectable() const {
  return scrape_;
}

std::string PrometheusMetrics::text() const {
  auto families = scrape_->Collect();
  std::ranges::sort(families, {}, &prometheus::MetricFamily::name);
  for (prometheus::MetricFamily& family : families) {
    for (prometheus::ClientMetric& metric : family.metric)
      std::sort(metric.label.begin(), metric.label.end());
    std::sort(family.metric.begin(), family.metric.end(),
              [](const auto& a, const auto& b) { return a.label < b.label; });
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace brownout
