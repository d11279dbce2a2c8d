// What awaiting a call costs on top of a callback: the same calls on the simulator's context, which
// stock Asio coroutines run on, one after the other. An iteration is a thousand calls: read
// "per_call". The context's own events, with their schedule digest, are in every figure; the floor
// is an engine whose pipeline has no layer.

#include <benchmark/benchmark.h>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <type_traits>

#include "bench/allocations.hpp"
#include "bench/world.hpp"
#include "sim/kernel/context.hpp"

namespace brownout::bench {
namespace {

constexpr int batch = 1000;

struct AwaitWorld {
  AwaitWorld(const char* policy, Course course)
      : shared(policy_named(policy)),
        shuttle(context, course),
        engine(context, shuttle, shared.store, shared.observer, shared.pipeline) {
    request.input_tokens = 800;
    request.max_tokens = 1000;
  }

  void start(CallListener& listener) {
    request.key.low = ++next * 0x9E3779B97F4A7C15U;
    engine.start(next, request, never, listener);
  }

  sim::Context context;
  Shared shared;
  Shuttle shuttle;
  Engine engine;
  Request request;
  CallId next = 0;
  std::uint64_t failed = 0;
};

class CallChain final : public CallListener {
 public:
  explicit CallChain(AwaitWorld& world) : world_(world) {}

  void run(int calls) {
    left_ = calls;
    world_.start(*this);
    world_.context.run_until_idle();
  }

 private:
  void on_call_end(CallId, Outcome&& outcome) override {
    if (!outcome.ok()) ++world_.failed;
    if (--left_ > 0) world_.start(*this);
  }

  AwaitWorld& world_;
  int left_ = 0;
};

/// A call whose end completes a handler. Owns itself, in the context's recycled memory.
template <class Handler>
class AwaitedCall final : public CallListener {
 public:
  static void start(AwaitWorld& world, Handler&& handler) {
    void* const memory = world.context.pool().allocate<AwaitedCall>();
    world.start(*::new (memory) AwaitedCall(world, std::move(handler)));
  }

 private:
  AwaitedCall(AwaitWorld& world, Handler&& handler) : world_(world), handler_(std::move(handler)) {}

  void on_call_end(CallId, Outcome&& outcome) override {
    Handler handler(std::move(handler_));
    AwaitWorld& world = world_;
    this->~AwaitedCall();
    world.context.pool().deallocate<AwaitedCall>(this);
    std::move(handler)(std::move(outcome));
  }

  AwaitWorld& world_;
  Handler handler_;
};

auto async_call(AwaitWorld& world) {
  return boost::asio::async_initiate<const boost::asio::deferred_t, void(Outcome)>(
      [](auto handler, AwaitWorld* in) {
        AwaitedCall<std::decay_t<decltype(handler)>>::start(*in, std::move(handler));
      },
      boost::asio::deferred, &world);
}

using Task = boost::asio::awaitable<void, sim::Context::Executor>;

Task call_and_call_again(AwaitWorld& world, int calls) {
  for (int i = 0; i < calls; ++i) {
    const Outcome outcome = co_await async_call(world);
    if (!outcome.ok()) ++world.failed;
  }
}

enum class Form : std::uint8_t { callback, coroutine };

void Await(benchmark::State& state, const char* policy, Course course, Form form) {
  AwaitWorld world(policy, course);
  CallChain chain(world);
  const auto round = [&] {
    if (form == Form::callback) return chain.run(batch);
    boost::asio::co_spawn(world.context.get_executor(), call_and_call_again(world, batch),
                          boost::asio::detached);
    world.context.run_until_idle();
  };
  for (int i = 0; i < 3; ++i) round();
  const std::uint64_t before = allocations();
  for (auto _ : state) round();
  const double calls = static_cast<double>(state.iterations()) * batch;
  using Counter = benchmark::Counter;
  state.counters["per_call"] = Counter(calls, Counter::kIsRate | Counter::kInvert);
  state.counters["allocs"] = Counter(static_cast<double>(allocations() - before) / calls);
  if (world.failed > 0) state.SkipWithError("a call failed");
}

#define AWAIT_BENCH(name, policy, course)                              \
  BENCHMARK_CAPTURE(Await, callback, policy, course, Form::callback)   \
      ->Name("Await/" name "/callback")                                \
      ->Unit(benchmark::kMicrosecond);                                 \
  BENCHMARK_CAPTURE(Await, coroutine, policy, course, Form::coroutine) \
      ->Name("Await/" name "/coroutine")                               \
      ->Unit(benchmark::kMicrosecond)

AWAIT_BENCH("floor/empty", "empty", Course::succeeds);
AWAIT_BENCH("success/guide", "guide-layered", Course::succeeds);
AWAIT_BENCH("success/full", "full", Course::succeeds);
AWAIT_BENCH("failure/full", "full", Course::fails_once);

}  // namespace
}  // namespace brownout::bench
