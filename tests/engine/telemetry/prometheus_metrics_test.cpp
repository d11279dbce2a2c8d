#include "engine/telemetry/prometheus_metrics.hpp"

#include <gmock/gmock.h>
#include <prometheus/collectable.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <regex>
#include <thread>

#include "engine/pipeline/shared_budget.hpp"
#include "sim/run.hpp"
#include "tests/support/engine/event_script.hpp"
#include "tests/support/engine/metrics_text.hpp"
#include "tests/support/engine/stage.hpp"
#include "tests/support/golden.hpp"

namespace brownout {
namespace {

using namespace std::chrono_literals;
using testing::MetricsText;
using testing::parse_metrics;
using testing::two_models;

// A registry with metrics of its own.
struct Meter {
  explicit Meter(const PipelineNames& names = two_models(), const MetricsOptions& options = {})
      : metrics(registry, names, options) {}

  MetricsText read() const { return parse_metrics(metrics.text()); }

  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  PrometheusMetrics metrics;
};

MetricsOptions full_options() {
  MetricsOptions options;
  options.prices = {{"openai/gpt-4", 30, 60}, {"nobody/nothing", 1, 1}};
  options.budgets = {{"all", [] { return std::int64_t{2500}; }}};
  options.buckets = {0.1, 1, 10};
  return options;
}

// The lines of a text that do not say zero.
std::string without_zeros(const std::string& text) {
  std::string rest;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.ends_with(" 0")) rest += line + "\n";
  }
  return rest;
}

TEST(PrometheusMetrics, CountTheScript) {
  Meter meter(two_models(), full_options());
  testing::play_every_event(meter.metrics);
  testing::expect_golden("metrics.txt", without_zeros(meter.metrics.text()));
}

TEST(PrometheusMetrics, EverySeriesIsThereBeforeTheFirstEvent) {
  const auto series = [](const MetricsText& text) {
    std::set<std::pair<std::string, MetricsText::Labels>> names;
    for (const auto& sample : text.samples) names.emplace(sample.name, sample.labels);
    return names;
  };
  Meter meter(two_models(), full_options());
  const MetricsText before = meter.read();
  testing::play_every_event(meter.metrics);
  EXPECT_EQ(series(before), series(meter.read()));
  for (const auto& sample : before.samples) {
    if (sample.name == "llm_retry_budget_level") continue;
    EXPECT_EQ(sample.value, 0) << sample.name;
  }
}

TEST(PrometheusMetrics, NamesFollowTheConventions) {
  static const std::regex name_format("llm_[a-z]+(_[a-z]+)*");
  Meter meter(two_models(), full_options());
  const MetricsText text = meter.read();
  EXPECT_GT(text.families.size(), 15U);
  for (const auto& [name, family] : text.families) {
    EXPECT_TRUE(std::regex_match(name, name_format)) << name;
    EXPECT_EQ(family.type == "counter", name.ends_with("_total")) << name;
    EXPECT_EQ(family.type == "histogram", name.ends_with("_seconds")) << name;
    EXPECT_TRUE(family.help.ends_with(".")) << name;
  }
}

TEST(PrometheusMetrics, TheGuidesTwoHaveOnlyTheModel) {
  Meter meter;
  for (const auto& sample : meter.read().samples) {
    if (sample.name != "llm_circuit_breaker_state" &&
        sample.name != "llm_circuit_breaker_failures_total") {
      continue;
    }
    EXPECT_EQ(sample.labels.size(), 1U) << sample.name;
    EXPECT_TRUE(sample.labels.contains("model")) << sample.name;
  }
}

// closed, open, half-open: 0, 1, 2.
TEST(PrometheusMetrics, AStateIsTheGuidesNumber) {
  Meter meter;
  using enum BreakerState;
  const auto state = [&] {
    return meter.read().sum("llm_circuit_breaker_state", {{"model", "openai/gpt-4"}});
  };
  EXPECT_EQ(state(), 0);
  meter.metrics.on_breaker({1, closed, open, {}});
  EXPECT_EQ(state(), 1);
  meter.metrics.on_breaker({1, open, half_open, {}});
  EXPECT_EQ(state(), 2);
  meter.metrics.on_breaker({1, half_open, closed, {}});
  EXPECT_EQ(state(), 0);
}

TEST(PrometheusMetrics, ABreakerIsCalledByItsModelUnlessThatIsAmbiguous) {
  const PipelineNames names{
      {{"fast", "openai/gpt-4"}, {"slow", "openai/gpt-4"}, {"backup", "anthropic/claude"}},
      {{"pipeline", no_route}, {"fast", 0}, {"slow", 1}, {"backup", 2}}};
  Meter meter(names);
  std::set<std::string> models;
  for (const auto& sample : meter.read().samples) {
    if (sample.name == "llm_circuit_breaker_state") models.insert(sample.labels.at("model"));
  }
  EXPECT_EQ(models, (std::set<std::string>{"anthropic/claude", "fast", "pipeline", "slow"}));
}

TEST(PrometheusMetrics, ModelsWithoutAPriceHaveNoCost) {
  Meter meter(two_models(), full_options());
  AttemptEvent event{.call = 1, .route = 0};
  const Outcome outcome = testing::billed(testing::served(Served::live, 0), 1000, 500);
  meter.metrics.on_attempt(event, outcome);
  event.route = 1;
  meter.metrics.on_attempt(event, outcome);
  const MetricsText text = meter.read();
  EXPECT_DOUBLE_EQ(text.sum("llm_cost_dollars_total"), 0.06);  // 1000 at $30/M + 500 at $60/M
  EXPECT_EQ(text.sum("llm_tokens_total"), 3000);
}

TEST(PrometheusMetrics, LabelsOfTheOptionsAreOnEverySample) {
  MetricsOptions options = full_options();
  options.labels = {{"policy", "two-models"}};
  Meter meter(two_models(), options);
  for (const auto& sample : meter.read().samples) {
    const auto found = sample.labels.find("policy");
    ASSERT_NE(found, sample.labels.end()) << sample.name;
    EXPECT_EQ(found->second, "two-models");
  }
}

TEST(PrometheusMetrics, PoliciesThatDifferInALabelShareARegistry) {
  auto registry = std::make_shared<prometheus::Registry>();
  MetricsOptions options;
  options.labels = {{"policy", "a"}};
  PrometheusMetrics a(registry, two_models(), options);
  options.labels = {{"policy", "b"}};
  PrometheusMetrics b(registry, two_models(), options);
  a.on_hedge({.call = 1});
  EXPECT_EQ(a.text(), b.text());
  std::set<std::string> samples;
  std::istringstream lines(a.text());
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("llm_hedges_total") && line.ends_with(" 1")) samples.insert(line);
  }
  EXPECT_EQ(samples, std::set<std::string>{R"(llm_hedges_total{policy="a",route="pipeline"} 1)"});
}

TEST(PrometheusMetricsDeathTest, LabelsMustBeLegalAndNotTaken) {
  for (const char* name : {"", "1st", "a-b", "__own", "outcome", "le"}) {
    MetricsOptions options;
    options.labels = {{name, "x"}};
    EXPECT_EXIT(Meter(two_models(), options), ::testing::ExitedWithCode(70), "is_free_label")
        << name;
  }
}

TEST(PrometheusMetrics, ABudgetsLevelIsReadWhenScraped) {
  SharedBudget budget(QuotaOptions{.capacity = 100, .retry_cost = 5});
  MetricsOptions options;
  options.budgets = {{"all", [&] { return budget.level(testing::at(0s)); }}};
  Meter meter(two_models(), options);
  const auto level = [&] { return meter.read().sum("llm_retry_budget_level"); };
  EXPECT_EQ(level(), 100);
  ASSERT_TRUE(budget.try_withdraw(testing::at(0s)));
  EXPECT_EQ(level(), 95);
}

TEST(PrometheusMetrics, AScrapeMayOutliveThem) {
  auto meter = std::make_unique<Meter>(two_models(), full_options());
  testing::play_every_event(meter->metrics);
  const auto collectable = meter->metrics.collectable();
  meter.reset();
  const MetricsText text =
      parse_metrics(prometheus::TextSerializer().Serialize(collectable->Collect()));
  EXPECT_EQ(text.sum("llm_calls_total"), 9);
  EXPECT_EQ(text.sum("llm_retry_budget_level"), 2.5);
}

// Whatever happened, each call and each attempt is counted once in every metric that has it.
void expect_sums_to_agree(const MetricsText& text) {
  const double calls = text.sum("llm_calls_total");
  EXPECT_EQ(calls, text.sum("llm_call_duration_seconds_count"));
  EXPECT_EQ(calls, text.sum("llm_call_duration_seconds_bucket", {{"le", "+Inf"}}));
  for (const char* end : {"success", "cached", "degraded", "failed"}) {
    EXPECT_EQ(text.sum("llm_calls_total", {{"end", end}}),
              text.sum("llm_call_duration_seconds_count", {{"end", end}}))
        << end;
  }
  EXPECT_EQ(text.sum("llm_attempts_total"), text.sum("llm_attempt_duration_seconds_count"));
  EXPECT_EQ(text.sum("llm_retries_total"), text.sum("llm_waits_total", {{"reason", "retry"}}));
  EXPECT_LE(text.sum("llm_wasted_tokens_total"), text.sum("llm_tokens_total"));
}

// 0s call 1 asks gpt-4, 1s fails, 2s asks, 3s fails; the breaker opens; asks claude, 4s succeeds.
// 5s call 2 is refused by the breaker; asks claude, which fails at 6s; has a default reply.
TEST(PrometheusMetrics, CountWhatASmallEngineDoes) {
  testing::Stage stage(testing::policy_of(R"([ { "fallback": {
      "routes": [
        { "name": "first", "to": "openai/gpt-4", "pipeline": [
          { "breaker": { "consecutive_failures": 1 } },
          { "retry": { "max_attempts": 2, "wait": { "fixed": "1s" }, "on": ["any"] } } ] },
        { "name": "second", "to": "anthropic/claude", "pipeline": [] } ],
      "then": [ { "default": { "reply": "later" } } ] } } ])",
                                          ""));
  stage.script("gpt-4", {testing::fails(OutcomeKind::server_error, 1s),
                         testing::fails(OutcomeKind::overloaded, 1s)});
  stage.script("claude", {testing::succeeds(1s), testing::fails(OutcomeKind::server_error, 1s)});
  Meter meter(stage.engine().pipeline().names());
  stage.watcher = &meter.metrics;
  stage.call({.id = 1});
  stage.call_at(5s, {.id = 2});
  stage.run();

  const MetricsText text = meter.read();
  expect_sums_to_agree(text);
  EXPECT_EQ(text.sum("llm_calls_total", {{"end", "success"}}), 1);
  EXPECT_EQ(text.sum("llm_calls_total", {{"end", "degraded"}}), 1);
  EXPECT_EQ(text.sum("llm_calls_total"), 2);
  EXPECT_EQ(text.sum("llm_attempts_total", {{"route", "first"}}), 2);
  EXPECT_EQ(
      text.sum("llm_attempts_total", {{"model", "anthropic/claude"}, {"outcome", "server_error"}}),
      1);
  EXPECT_EQ(text.sum("llm_attempts_total"), static_cast<double>(stage.transport().started()));
  EXPECT_EQ(text.sum("llm_retries_total", {{"route", "first"}}), 1);
  EXPECT_EQ(text.sum("llm_wait_seconds_total"), 1);
  EXPECT_EQ(text.sum("llm_call_duration_seconds_sum"), 4 + 1);
  EXPECT_EQ(text.sum("llm_circuit_breaker_state", {{"model", "openai/gpt-4"}}), 1);
  EXPECT_EQ(text.sum("llm_rejections_total", {{"outcome", "breaker_open"}}), 1);
}

// The simulator counts for itself: both must come to the same.
TEST(PrometheusMetrics, AgreeWithTheRecorderOnAWholeRun) {
  const auto scenario = sim::load_scenario("scenarios/incidents/dns-30s-stall.json");
  ASSERT_TRUE(scenario);
  const auto policy = load_policy(scenario->policy_path);
  ASSERT_TRUE(policy);
  const auto bound = sim::bind(*scenario, *policy, {});
  ASSERT_TRUE(bound);
  MetricsOptions options;
  for (const auto& model : scenario->script.models) {
    options.prices.push_back({model.full_name, static_cast<double>(model.price.input) / 1e6,
                              static_cast<double>(model.price.output) / 1e6});
  }
  const Pipeline pipeline(*policy, bound->targets, bound->target_ids, 1);
  Meter meter(pipeline.names(), options);
  sim::RunOptions run_options;
  run_options.events = &meter.metrics;
  const sim::RunResult result = sim::run(*scenario, *policy, *bound, run_options);
  ASSERT_EQ(result.end, sim::RunEnd::completed);

  const MetricsText text = meter.read();
  expect_sums_to_agree(text);
  const sim::CallStats& total = result.total;
  EXPECT_EQ(text.sum("llm_calls_total"), static_cast<double>(total.calls));
  for (std::size_t i = 0; i < call_end_count; ++i) {
    const std::string end(to_string(static_cast<CallEnd>(i)));
    EXPECT_EQ(text.sum("llm_calls_total", {{"end", end}}), static_cast<double>(total.ended[i]))
        << end;
  }
  for (std::size_t i = 0; i < outcome_kind_count; ++i) {
    const std::string outcome(to_string(static_cast<OutcomeKind>(i)));
    EXPECT_EQ(text.sum("llm_attempts_total", {{"outcome", outcome}}),
              static_cast<double>(total.attempts_as[i]))
        << outcome;
  }
  EXPECT_EQ(text.sum("llm_tokens_total"), static_cast<double>(total.billed_tokens));
  EXPECT_EQ(text.sum("llm_wasted_tokens_total"), static_cast<double>(total.wasted_tokens));
  EXPECT_GT(total.wasted_tokens, 0U);
  const double dollars = static_cast<double>(total.cost_picodollars) / 1e12;
  EXPECT_NEAR(text.sum("llm_cost_dollars_total"), dollars, dollars * 1e-9);
  EXPECT_GT(dollars, 0);
}

TEST(PrometheusMetrics, TwoThreadsLoseNothing) {
  constexpr int rounds = 2000;
  Meter once(two_models(), full_options());
  testing::play_every_event(once.metrics);
  Meter meter(two_models(), full_options());
  const auto play = [&] {
    for (int i = 0; i < rounds; ++i) testing::play_every_event(meter.metrics);
  };
  std::thread one(play);
  std::thread two(play);
  for (int i = 0; i < 20; ++i) parse_metrics(meter.metrics.text());
  one.join();
  two.join();
  const MetricsText expected = once.read();
  const MetricsText text = meter.read();
  expect_sums_to_agree(text);
  for (const auto& sample : expected.samples) {
    if (expected.families.at(family_of(expected, sample.name)).type == "gauge") continue;
    const double value = sample.value * 2 * rounds;
    EXPECT_NEAR(text.sum(sample.name, sample.labels), value, value * 1e-9) << sample.name;
  }
}

}  // namespace
}  // namespace brownout
