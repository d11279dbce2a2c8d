// What decisions cost without an engine: the pure machines, told what happened and what time it
// is. A call in "path" asks the limiter, the budget and the breaker and tells them how it ended;
// in "path_with_retry" its first attempt fails, and whether and when to retry is decided, charged
// and carried out as well.

#include <benchmark/benchmark.h>

#include "bench/allocations.hpp"
#include "engine/policy/breaker.hpp"
#include "engine/policy/budget.hpp"
#include "engine/policy/rate_limiter.hpp"
#include "engine/policy/retry.hpp"

namespace brownout::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t tokens_reserved = 1800;
constexpr std::int64_t tokens_used = 1000;

struct Machines {
  RateLimiter limiter{
      {.requests_per_minute = 1'000'000'000, .tokens_per_minute = 1'000'000'000'000}, Instant{}};
  RetryBudget budget{QuotaOptions{}};
  Breaker breaker{BreakerOptions{}};
  RetryOptions retry;
  DrawFamily jitter{1, Purpose::backoff_jitter, "bench"};
  RateLimiter::Reservation share;
  Instant now{};
  std::uint64_t call = 0;

  /// False when any of them says no, which none should.
  bool attempt(const Outcome& outcome) {
    if (limiter.reserve(share, tokens_reserved, now).kind != RateLimiter::Answer::Kind::granted) {
      return false;
    }
    const auto permit = breaker.acquire(now);
    if (!permit) return false;
    breaker.record(*permit, outcome.ok() ? Verdict::success : Verdict::failure, now);
    limiter.settle(share, tokens_used, now);
    return true;
  }
};

void count_allocations(benchmark::State& state, std::uint64_t before) {
  state.counters["allocs"] = benchmark::Counter(static_cast<double>(allocations() - before),
                                                benchmark::Counter::kAvgIterations);
}

void Path(benchmark::State& state) {
  Machines machines;
  const Outcome success;
  bool fine = true;
  const std::uint64_t before = allocations();
  for (auto _ : state) {
    machines.now += 1us;
    RetryState retry{.attempts = 1, .first_started = machines.now, .backoff = {}};
    machines.budget.on_call(machines.now);
    fine &= machines.attempt(success);
    Draws draws = machines.jitter.at(++machines.call);
    const RetryDecision decision =
        next_retry(machines.retry, retry, success, machines.now, never, draws);
    fine &= decision.stop == RetryStop::succeeded;
    machines.budget.on_success(machines.now);
  }
  count_allocations(state, before);
  if (!fine) state.SkipWithError("a machine refused");
}
BENCHMARK(Path)->Name("Decision/path");

void PathWithRetry(benchmark::State& state) {
  Machines machines;
  const Outcome success;
  const Outcome failure = Outcome::failure(OutcomeKind::server_error, 500);
  bool fine = true;
  const std::uint64_t before = allocations();
  for (auto _ : state) {
    machines.now += 1us;
    RetryState retry{.attempts = 1, .first_started = machines.now, .backoff = {}};
    machines.budget.on_call(machines.now);
    fine &= machines.attempt(failure);
    machines.budget.on_failure(machines.now, failure);
    Draws draws = machines.jitter.at(++machines.call);
    const RetryDecision decision =
        next_retry(machines.retry, retry, failure, machines.now, never, draws);
    const auto charge = machines.budget.try_withdraw(machines.now, failure);
    fine &= decision.retries() && charge.has_value();
    machines.now = decision.at;
    fine &= machines.attempt(success);
    if (charge) machines.budget.on_success(machines.now, *charge);
  }
  count_allocations(state, before);
  if (!fine) state.SkipWithError("a machine refused");
}
BENCHMARK(PathWithRetry)->Name("Decision/path_with_retry");

void Limiter(benchmark::State& state) {
  Machines machines;
  for (auto _ : state) {
    machines.now += 1us;
    machines.limiter.reserve(machines.share, tokens_reserved, machines.now);
    machines.limiter.settle(machines.share, tokens_used, machines.now);
  }
}
BENCHMARK(Limiter)->Name("Decision/part/limiter");

void Budget(benchmark::State& state) {
  Machines machines;
  const Outcome failure = Outcome::failure(OutcomeKind::server_error, 500);
  for (auto _ : state) {
    machines.now += 1us;
    const auto charge = machines.budget.try_withdraw(machines.now, failure);
    if (charge) machines.budget.on_success(machines.now, *charge);
  }
}
BENCHMARK(Budget)->Name("Decision/part/budget");

void RetryPlan(benchmark::State& state) {
  Machines machines;
  const Outcome failure = Outcome::failure(OutcomeKind::server_error, 500);
  for (auto _ : state) {
    RetryState retry{.attempts = 1, .first_started = machines.now, .backoff = {}};
    Draws draws = machines.jitter.at(++machines.call);
    benchmark::DoNotOptimize(
        next_retry(machines.retry, retry, failure, machines.now, never, draws));
  }
}
BENCHMARK(RetryPlan)->Name("Decision/part/retry_plan");

}  // namespace
}  // namespace brownout::bench
