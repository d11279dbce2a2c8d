// What a breaker costs: one iteration is acquire() and record(), or acquire() alone where it
// refuses, through the lock that layers use. Floors: a mutex pair, twice, as a breaker without the
// quiet path would need; and the machine alone without any lock.
//
// Threads share one breaker. The figure is wall time for each thread's iteration; where it grows
// with the number of threads they stand in each other's way.

#include <benchmark/benchmark.h>

#include <mutex>

#include "engine/pipeline/shared_breaker.hpp"

namespace brownout {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{};

BreakerOptions consecutive() {
  return {};
}

BreakerOptions count_window() {
  BreakerOptions options{.consecutive_failures = 0, .window_calls = 100};
  options.failure_per_mille = 500;
  return options;
}

BreakerOptions time_window() {
  BreakerOptions options{.consecutive_failures = 0, .window_time = 30s};
  options.failure_per_mille = 500;
  return options;
}

BreakerOptions slow_calls() {
  BreakerOptions options = time_window();
  options.slow_call = 30s;
  options.slow_per_mille = 800;
  return options;
}

BreakerOptions forced_open() {
  return {.mode = Breaker::Mode::forced_open};
}

void pass_through(benchmark::State& state, SharedBreaker& breaker, const Outcome& outcome) {
  Observer nobody;
  SharedBreaker::Refusal refusal;
  Instant now = start;
  for (auto _ : state) {
    now += 1us;
    const auto pass = breaker.acquire(0, now, nobody, refusal);
    if (pass) breaker.record(*pass, outcome, 1, now, nobody);
    benchmark::DoNotOptimize(refusal);
  }
}

template <BreakerOptions (*options)()>
void Successes(benchmark::State& state) {
  static SharedBreaker breaker(options(), 0, 1, "bench");
  pass_through(state, breaker, Outcome{});
}
BENCHMARK(Successes<consecutive>)->Name("Breaker/closed/consecutive")->ThreadRange(1, 2);
BENCHMARK(Successes<count_window>)->Name("Breaker/closed/count_window")->ThreadRange(1, 2);
BENCHMARK(Successes<time_window>)->Name("Breaker/closed/time_window")->ThreadRange(1, 2);
BENCHMARK(Successes<slow_calls>)->Name("Breaker/closed/slow_calls")->ThreadRange(1, 2);

BENCHMARK(Successes<forced_open>)->Name("Breaker/open/refused")->ThreadRange(1, 2);

// Neutral results take the lock every time and change nothing: the slow path of a closed breaker.
void NeutralResults(benchmark::State& state) {
  static SharedBreaker breaker(consecutive(), 0, 1, "bench");
  pass_through(state, breaker, Outcome::failure(OutcomeKind::context_length));
}
BENCHMARK(NeutralResults)->Name("Breaker/closed/neutral")->ThreadRange(1, 2);

// One failure is pending, so that successes must be told: the consecutive rule with both locks.
void FailuresAndSuccesses(benchmark::State& state) {
  static SharedBreaker breaker(consecutive(), 0, 1, "bench");
  Observer nobody;
  SharedBreaker::Refusal refusal;
  const Outcome outcomes[] = {Outcome::failure(OutcomeKind::server_error), Outcome{}};
  Instant now = start;
  std::size_t i = 0;
  for (auto _ : state) {
    now += 1us;
    const auto pass = breaker.acquire(0, now, nobody, refusal);
    if (pass) breaker.record(*pass, outcomes[i++ & 1], 1, now, nobody);
  }
}
BENCHMARK(FailuresAndSuccesses)->Name("Breaker/closed/every_second_fails")->ThreadRange(1, 2);

void MachineAlone(benchmark::State& state) {
  Breaker breaker({});
  Instant now = start;
  for (auto _ : state) {
    now += 1us;
    const auto permit = breaker.acquire(now);
    if (permit) benchmark::DoNotOptimize(breaker.record(*permit, Verdict::success, now));
  }
}
BENCHMARK(MachineAlone)->Name("Breaker/floor/machine_without_lock");

void TwoMutexPairs(benchmark::State& state) {
  static std::mutex mutex;
  for (auto _ : state) {
    for (int i = 0; i < 2; ++i) {
      const std::lock_guard lock(mutex);
      benchmark::ClobberMemory();
    }
  }
}
BENCHMARK(TwoMutexPairs)->Name("Breaker/floor/two_mutex_pairs")->ThreadRange(1, 2);

}  // namespace
}  // namespace brownout
