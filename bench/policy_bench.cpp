// What a call pays for each policy: one call at a time through an engine whose transport ends each
// attempt by one trip through a queue. The price of a policy is its figure less that of
// Policy/floor/empty, an engine whose pipeline has no layer, on the same path.
//
//   success   the first attempt succeeds
//   failure   the first attempt is rate limited; what happens then is the policy's business
//   rejected  the policy refuses the call before anybody is asked
//
// "allocs" are allocations per call once pools and stores are full.

#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "bench/allocations.hpp"
#include "bench/world.hpp"

namespace brownout::bench {
namespace {

constexpr int calls_until_steady = 3000;

struct Case {
  const char* policy;
  Course course = Course::succeeds;
  OutcomeKind ends = OutcomeKind::success;
  Served served = Served::live;
  bool same_prompt = false;
};

constexpr Case works(const char* policy) {
  return {.policy = policy};
}
constexpr Case recovers(const char* policy) {
  return {.policy = policy, .course = Course::fails_once};
}
constexpr Case gives_up(const char* policy) {
  return {.policy = policy,
          .course = Course::fails_once,
          .ends = OutcomeKind::rate_limited,
          .served = Served::nothing};
}
constexpr Case refuses(const char* policy, OutcomeKind kind = OutcomeKind::breaker_open) {
  return {.policy = policy, .ends = kind, .served = Served::nothing};
}

void warm_up(Caller& caller) {
  for (int i = 0; i < calls_until_steady; ++i) caller.call();
}

// A figure of the wrong path would be worse than none.
void judge(benchmark::State& state, Caller& caller, const Case& measured) {
  if (measured.course == Course::every_second_fails && caller.ended() % 2 != 0) caller.call();
  if (caller.last_kind() != measured.ends || caller.last_served() != measured.served) {
    state.SkipWithError("the calls did not end as they should");
  }
}

void measure(benchmark::State& state, Shared& shared, const Case& measured) {
  Caller caller(shared, measured.course, static_cast<unsigned>(state.thread_index()) + 1);
  caller.same_prompt = measured.same_prompt;
  warm_up(caller);
  const std::uint64_t before = allocations();
  for (auto _ : state) caller.call();
  state.counters["allocs"] = benchmark::Counter(static_cast<double>(allocations() - before),
                                                benchmark::Counter::kAvgIterations);
  judge(state, caller, measured);
}

void Policy(benchmark::State& state, const Case& measured) {
  Shared shared(policy_named(measured.policy));
  measure(state, shared, measured);
}

#define POLICY_BENCH(name, ...) BENCHMARK_CAPTURE(Policy, case, __VA_ARGS__)->Name("Policy/" name)

void BareTrip(benchmark::State& state) {
  struct Listener final : AttemptListener {
    void on_end(Outcome&& outcome) override { kind = outcome.kind; }
    OutcomeKind kind = OutcomeKind::cancelled;
  } listener;
  Loop loop;
  Shuttle shuttle(loop, Course::succeeds);
  Request request;
  Attempt attempt;
  attempt.request = &request;
  for (auto _ : state) {
    shuttle.start(attempt, listener);
    loop.run();
    benchmark::DoNotOptimize(listener.kind);
  }
}
BENCHMARK(BareTrip)->Name("Policy/floor/bare_trip");

POLICY_BENCH("floor/empty", works("empty"));
POLICY_BENCH("floor/empty_failure", gives_up("empty"));

POLICY_BENCH("success/timeout", works("timeout"));
POLICY_BENCH("success/retry", works("retry"));
POLICY_BENCH("success/retry_budget", works("retry_budget"));
POLICY_BENCH("success/breaker", works("breaker"));
POLICY_BENCH("success/breaker_retry", works("breaker_retry"));
POLICY_BENCH("success/breaker_window", works("breaker_window"));
POLICY_BENCH("success/rate_limit", works("rate_limit"));
POLICY_BENCH("success/bulkhead", works("bulkhead"));
POLICY_BENCH("success/adaptive_concurrency", works("adaptive_concurrency"));
POLICY_BENCH("success/throttle", works("throttle"));
POLICY_BENCH("success/token_limit", works("token_limit"));
POLICY_BENCH("success/hedge", works("hedge"));
POLICY_BENCH("success/hedge_learned", works("hedge_learned"));
POLICY_BENCH("success/cache_miss", works("cache"));
POLICY_BENCH("success/cache_single_flight_miss", works("cache_single_flight"));
POLICY_BENCH("success/cache_hit",
             {.policy = "cache", .served = Served::cached, .same_prompt = true});
POLICY_BENCH("success/fallback", works("fallback"));
POLICY_BENCH("success/guide", works("guide-layered"));
POLICY_BENCH("success/full", works("full"));

POLICY_BENCH("failure/timeout", gives_up("timeout"));
POLICY_BENCH("failure/retry", recovers("retry"));
POLICY_BENCH("failure/retry_budget", recovers("retry_budget"));
// Every second call only, so that it stays closed.
POLICY_BENCH("failure/breaker", {.policy = "breaker", .course = Course::every_second_fails});
POLICY_BENCH("failure/rate_limit", gives_up("rate_limit"));
POLICY_BENCH("failure/bulkhead", gives_up("bulkhead"));
POLICY_BENCH("failure/hedge", recovers("hedge_at_once"));
POLICY_BENCH("failure/cache", gives_up("cache"));
POLICY_BENCH("failure/fallback", recovers("fallback"));
POLICY_BENCH("failure/guide", recovers("guide-layered"));
// A tenth of them hedged, as the budget of hedges allows, the others retried.
POLICY_BENCH("failure/full", recovers("full"));

POLICY_BENCH("rejected/breaker", refuses("breaker_open"));
POLICY_BENCH("rejected/rate_limit", refuses("rate_limit_spent", OutcomeKind::client_rate_limited));
POLICY_BENCH("rejected/guide", refuses("guide_open"));
POLICY_BENCH("rejected/full", refuses("full_open"));

// A thousand calls under way at once, so that nothing of a call is in the nearest caches when it
// ends. Read "per_call".
void Crowd(benchmark::State& state, const Case& measured) {
  Shared shared(policy_named(measured.policy));
  Caller caller(shared, measured.course, 1);
  std::vector<Request> requests(1000, caller.request);
  const auto round = [&] {
    for (Request& request : requests) caller.start(request);
    caller.loop().run();
  };
  for (int i = 0; i < 4; ++i) round();
  const std::uint64_t before = allocations();
  const std::uint64_t ended = caller.ended();
  for (auto _ : state) round();
  const auto calls = static_cast<double>(caller.ended() - ended);
  using Counter = benchmark::Counter;
  state.counters["per_call"] = Counter(calls, Counter::kIsRate | Counter::kInvert);
  state.counters["allocs"] = Counter(static_cast<double>(allocations() - before) / calls);
  judge(state, caller, measured);
}

#define CROWD_BENCH(name, ...) \
  BENCHMARK_CAPTURE(Crowd, case, __VA_ARGS__)->Name("Crowd/" name)->Unit(benchmark::kMicrosecond)

CROWD_BENCH("floor/empty", works("empty"));
CROWD_BENCH("success/guide", works("guide-layered"));
CROWD_BENCH("success/full", works("full"));
CROWD_BENCH("failure/full", recovers("full"));

// One or two engines, each on its own thread with its own runtime. Read "calls/s": how many all
// threads together make; on a busy machine, the best of many short rounds:
// --benchmark_min_time=0.003 --benchmark_repetitions=100.
//
//   shared  the engines share one pipeline, its store and its observer
//   own     they share nothing, which is the most that any sharing could reach
Shared& shared_by_all(const std::string& policy) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Shared>> worlds;
  const std::lock_guard lock(mutex);
  auto& world = worlds[policy];
  if (!world) world = std::make_unique<Shared>(policy_named(policy));
  return *world;
}

// From when the first thread began until the last one has ended: on a busy machine threads start
// apart, and a rate for each of them would count time together that was none.
class WholeSpan {
 public:
  void reset() { began_ = std::numeric_limits<std::int64_t>::max(); }
  void begin() {
    const std::int64_t now = read();
    std::int64_t earliest = began_;
    while (now < earliest && !began_.compare_exchange_weak(earliest, now)) {
    }
  }
  double seconds() const { return static_cast<double>(read() - began_) * 1e-9; }

 private:
  static std::int64_t read() {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds{1};
  }
  std::atomic<std::int64_t> began_{0};
};

void Threads(benchmark::State& state, const Case& measured, bool share) {
  static WholeSpan span;
  std::optional<Shared> own;
  if (!share) own.emplace(policy_named(measured.policy));
  Caller caller(share ? shared_by_all(measured.policy) : *own, measured.course,
                static_cast<unsigned>(state.thread_index()) + 1);
  warm_up(caller);
  if (state.thread_index() == 0) span.reset();
  bool first = true;
  for (auto _ : state) {
    if (std::exchange(first, false)) span.begin();
    caller.call();
  }
  if (state.thread_index() == 0) {
    const double calls = static_cast<double>(state.iterations()) * state.threads();
    state.counters["calls/s"] = benchmark::Counter(calls / span.seconds());
  }
  judge(state, caller, measured);
}

#define THREADS_BENCH(name, policy, share)        \
  BENCHMARK_CAPTURE(Threads, case, policy, share) \
      ->Name("Threads/" name)                     \
      ->ThreadRange(1, 2)                         \
      ->UseRealTime()

THREADS_BENCH("shared/empty", works("empty"), true);
THREADS_BENCH("shared/breaker", works("breaker"), true);
THREADS_BENCH("shared/guide", works("guide-layered"), true);
THREADS_BENCH("shared/full", works("full"), true);
THREADS_BENCH("shared/full_rejected", refuses("full_open"), true);
THREADS_BENCH("own/guide", works("guide-layered"), false);
THREADS_BENCH("own/full", works("full"), false);

}  // namespace
}  // namespace brownout::bench
