// What an event costs those who watch. The floor is an observer that does nothing: the virtual
// call.

#include <benchmark/benchmark.h>
#include <prometheus/registry.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

#include <memory>

#include "engine/telemetry/log_observer.hpp"
#include "engine/telemetry/observers.hpp"
#include "engine/telemetry/prometheus_metrics.hpp"

namespace brownout {
namespace {

const PipelineNames names{{{"gpt-4", "openai/gpt-4"}, {"backup", "anthropic/claude"}},
                          {{"gpt-4", 0}, {"backup", 1}}};

class Nobody final : public Observer {};

std::unique_ptr<Observer> nobody() {
  return std::make_unique<Nobody>();
}

std::unique_ptr<Observer> metrics() {
  MetricsOptions options;
  options.prices = {{"openai/gpt-4", 30, 60}, {"anthropic/claude", 3, 15}};
  return std::make_unique<PrometheusMetrics>(std::make_shared<prometheus::Registry>(), names,
                                             options);
}

std::unique_ptr<Observer> log(const LogOptions& options) {
  auto sink = std::make_shared<spdlog::sinks::null_sink_mt>();
  return std::make_unique<LogObserver>(std::make_shared<spdlog::logger>("bench", std::move(sink)),
                                       names, options);
}

std::unique_ptr<Observer> quiet_log() {
  return log({});
}

std::unique_ptr<Observer> before_sleep_log() {
  return log({.before_sleep = true});
}

Instant at_ms(std::int64_t milliseconds) {
  return Instant{} + std::chrono::milliseconds{milliseconds};
}

void attempt(Observer& to, std::uint64_t call) {
  Outcome outcome;
  outcome.billed_input_tokens = 800;
  outcome.billed_output_tokens = 200;
  to.on_attempt({.call = call,
                 .route = static_cast<RouteId>(call & 1),
                 .target = 0,
                 .number = 1,
                 .call_started = at_ms(0),
                 .started = at_ms(0),
                 .ended = at_ms(static_cast<std::int64_t>(call % 4096)),
                 .hedge = false},
                outcome);
}

void end_of_call(Observer& to, std::uint64_t call) {
  Outcome outcome;
  outcome.served = Served::live;
  to.on_call({.call = call,
              .started = at_ms(0),
              .ended = at_ms(static_cast<std::int64_t>(call % 4096)),
              .attempts = 1,
              .billed_tokens = 1000,
              .rejected = false},
             outcome);
}

void wait(Observer& to, std::uint64_t call) {
  to.on_wait({.call = call,
              .route = 0,
              .from = at_ms(0),
              .until = at_ms(4000),
              .reason = WaitReason::retry,
              .cause = OutcomeKind::rate_limited});
}

void rejection(Observer& to, std::uint64_t call) {
  to.on_rejection({.call = call,
                   .breaker = 0,
                   .call_started = at_ms(0),
                   .at = at_ms(0),
                   .kind = OutcomeKind::breaker_open});
}

// Threads share one observer, as those of a multi-threaded engine do.
void Event(benchmark::State& state, std::unique_ptr<Observer> (*make)(),
           void (*happen)(Observer&, std::uint64_t)) {
  static std::unique_ptr<Observer> observer;
  if (state.thread_index() == 0) observer = make();
  std::uint64_t call = 0;
  for (auto _ : state) happen(*observer, ++call);
}

#define EVENT_BENCH(observer, event) \
  BENCHMARK_CAPTURE(Event, observer##_##event, observer, event)->Threads(1)->Threads(2)

EVENT_BENCH(nobody, attempt);
EVENT_BENCH(metrics, attempt);
EVENT_BENCH(metrics, end_of_call);
EVENT_BENCH(metrics, wait);
EVENT_BENCH(metrics, rejection);
EVENT_BENCH(quiet_log, attempt);
EVENT_BENCH(quiet_log, end_of_call);
EVENT_BENCH(before_sleep_log, wait);

void Scrape(benchmark::State& state) {
  const auto observer = metrics();
  for (auto _ : state) {
    benchmark::DoNotOptimize(static_cast<const PrometheusMetrics&>(*observer).text());
  }
}
BENCHMARK(Scrape)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace brownout
