// What one simulated call costs, everything included: arrival, prompt and token draws, the
// pipeline, the network, the provider with its limits and faults, records, digest, histograms.
//
// Read the column "per_call". The scenario is scenarios/healthy.json at 200 calls a second; run
// from the root of the repository (./dev bench does).

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cstdlib>
#include <iostream>

#include "sim/run.hpp"

namespace brownout::sim {
namespace {

constexpr double calls_per_second = 200;

template <class T>
T take(Result<T> result) {
  if (result) return std::move(*result);
  for (const Error& error : result.error()) std::cerr << error.to_string();
  std::exit(2);
}

struct Flight {
  Scenario scenario = take(load_scenario("scenarios/healthy.json"));
  Policy policy;
  BoundPolicy bound;

  Flight(const std::string& name, std::uint64_t calls)
      : policy(take(load_policy("scenarios/policies/" + name + ".json"))),
        bound(take(bind(scenario, policy, {}))) {
    for (mock::ModelSpec& model : scenario.script.models) model.limits = {};
    scenario.workload.rate = RateCurve::constant(calls_per_second);
    const double seconds = static_cast<double>(calls) / calls_per_second;
    scenario.duration = Duration{static_cast<std::int64_t>(seconds * 1e9)};
    scenario.script.phases.back().until = scenario.duration;
  }
};

void fly(benchmark::State& state, const std::string& policy, std::uint64_t calls) {
  const Flight flight(policy, calls);
  std::uint64_t made = 0;
  for (auto _ : state) {
    const RunResult result = run(flight.scenario, flight.policy, flight.bound, {});
    made += result.total.calls;
    benchmark::DoNotOptimize(result.semantic_digest);
  }
  using Counter = benchmark::Counter;
  state.counters["per_call"] =
      Counter(static_cast<double>(made), Counter::kIsRate | Counter::kInvert);
}

void SimulatedCall(benchmark::State& state, const char* policy) {
  fly(state, policy, 100'000);
}
BENCHMARK_CAPTURE(SimulatedCall, no_resilience, "no-resilience")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(SimulatedCall, guide_layered, "guide-layered")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(SimulatedCall, recommended, "recommended")->Unit(benchmark::kMillisecond);

// Results are aggregated as they stream by: ten million calls take no more memory than ten
// thousand. The figure is the process's peak, so other benchmarks must not come before it:
// --benchmark_filter=Memory.
void Memory(benchmark::State& state) {
  fly(state, "guide-layered", static_cast<std::uint64_t>(state.range(0)));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["peak_MB"] = static_cast<double>(usage.ru_maxrss) / 1024;
}
BENCHMARK(Memory)->Arg(10'000)->Arg(10'000'000)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
}  // namespace brownout::sim
