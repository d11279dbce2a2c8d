// What an event of the simulator costs, next to the least one could pay: a heap of callbacks.
//
// Every benchmark has the same shape: a number of jobs are pending; each that fires does nothing
// but wait again for a pseudo-random delay of up to a second. Read the column "per_event"; an
// iteration is a batch. The kernel's figures include the schedule digest and the memory of recent
// events.

#include <benchmark/benchmark.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <deque>
#include <queue>
#include <vector>

#include "sim/kernel/context.hpp"
#include "sim/kernel/wait.hpp"

namespace brownout::sim {
namespace {

constexpr std::uint64_t batch = 10'000;
constexpr std::int64_t mean_delay = 500'000'000;

void report(benchmark::State& state, std::uint64_t events) {
  using Counter = benchmark::Counter;
  state.counters["per_event"] =
      Counter(static_cast<double>(events), Counter::kIsRate | Counter::kInvert);
}

/// Delays in nanoseconds: cheap, and the same sequence for every contender.
class Delays {
 public:
  Duration next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return Duration{static_cast<std::int64_t>((state_ >> 33) % (2 * mean_delay)) + 1};
  }

 private:
  std::uint64_t state_ = 42;
};

// --- The floor: std::priority_queue of {instant, sequence number, callback}. ---

class FloorLoop;

class FloorJob {
 public:
  virtual void fire(FloorLoop& loop) = 0;

 protected:
  ~FloorJob() = default;
};

class FloorLoop {
 public:
  std::int64_t now() const { return now_; }
  void push(std::int64_t at, FloorJob& job) { heap_.push({at, sequence_++, &job}); }
  void step() {
    const Entry first = heap_.top();
    heap_.pop();
    now_ = first.at;
    first.job->fire(*this);
  }

 private:
  struct Entry {
    std::int64_t at;
    std::uint64_t sequence;
    FloorJob* job;
    bool operator<(const Entry& other) const {
      return at != other.at ? at > other.at : sequence > other.sequence;
    }
  };
  std::priority_queue<Entry> heap_;
  std::int64_t now_ = 0;
  std::uint64_t sequence_ = 0;
};

class FloorSleeper final : public FloorJob {
 public:
  explicit FloorSleeper(Delays& delays) : delays_(delays) {}
  void fire(FloorLoop& loop) override { loop.push(loop.now() + delays_.next().count(), *this); }

 private:
  Delays& delays_;
};

void bare_heap(benchmark::State& state) {
  FloorLoop loop;
  Delays delays;
  std::vector<FloorSleeper> sleepers(static_cast<std::size_t>(state.range(0)),
                                     FloorSleeper(delays));
  for (FloorSleeper& sleeper : sleepers) sleeper.fire(loop);
  for (auto _ : state) {
    for (std::uint64_t i = 0; i < batch; ++i) loop.step();
  }
  report(state, static_cast<std::uint64_t>(state.iterations()) * batch);
}
BENCHMARK(bare_heap)->Arg(1'000)->Arg(100'000);

// --- The kernel. ---

/// Runs a prepared context for about a batch of sleeps per iteration.
void run_batches(benchmark::State& state, Context& context) {
  const Duration slice{mean_delay * static_cast<std::int64_t>(batch) / state.range(0)};
  const std::uint64_t before = context.events();
  for (auto _ : state) context.run_until(context.now() + slice);
  report(state, context.events() - before);
}

/// Lets the first, uneven events pass.
void settle(Context& context) {
  context.run_until(context.now() + Duration{2 * mean_delay});
}

constexpr JobName sleep_job{"sleep"};

class Sleeper final : public Timer {
 public:
  Sleeper(Runtime& runtime, Delays& delays)
      : Timer(sleep_job), runtime_(runtime), delays_(delays) {}
  void fire() override { runtime_.arm(*this, runtime_.now() + delays_.next()); }

 private:
  Runtime& runtime_;
  Delays& delays_;
};

void timers(benchmark::State& state, TiePolicy ties) {
  Delays delays;
  std::deque<Sleeper> sleepers;
  Context context({.ties = ties});
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    sleepers.emplace_back(context, delays);
    sleepers.back().fire();
  }
  settle(context);
  run_batches(state, context);
}
BENCHMARK_CAPTURE(timers, fifo, TiePolicy::fifo)->Arg(1'000)->Arg(100'000);
BENCHMARK_CAPTURE(timers, random, TiePolicy::random)->Arg(1'000)->Arg(100'000);

/// What a deadline that never passes costs: armed and disarmed among the others.
void arm_and_disarm(benchmark::State& state) {
  Delays delays;
  std::deque<Sleeper> sleepers;
  Context context;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    sleepers.emplace_back(context, delays);
    sleepers.back().fire();
  }
  Sleeper deadline(context, delays);
  for (auto _ : state) {
    deadline.fire();
    context.disarm(deadline);
  }
}
BENCHMARK(arm_and_disarm)->Arg(1'000);

template <class Awaitable>
Awaitable sleep_forever(Context& context, Delays& delays) {
  for (;;) co_await async_wait_until(context, context.now() + delays.next());
}

/// Awaitable: on any_io_executor, as coroutines are usually written, or on the context's own type.
template <class Awaitable>
void coroutines(benchmark::State& state) {
  Delays delays;
  Context context;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    boost::asio::co_spawn(context.get_executor(), sleep_forever<Awaitable>(context, delays),
                          boost::asio::detached);
  }
  settle(context);
  run_batches(state, context);
}
BENCHMARK_TEMPLATE(coroutines, boost::asio::awaitable<void>)->Arg(1'000);
BENCHMARK_TEMPLATE(coroutines, boost::asio::awaitable<void, Context::Executor>)->Arg(1'000);

boost::asio::awaitable<void> sleep_with_use_awaitable(Context& context, Delays& delays) {
  for (;;) {
    co_await async_wait_until(context, context.now() + delays.next(), boost::asio::use_awaitable);
  }
}

void coroutines_with_use_awaitable(benchmark::State& state) {
  Delays delays;
  Context context;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    boost::asio::co_spawn(context.get_executor(), sleep_with_use_awaitable(context, delays),
                          boost::asio::detached);
  }
  settle(context);
  run_batches(state, context);
}
BENCHMARK(coroutines_with_use_awaitable)->Arg(1'000);

void spawn_sleeper(Context& context, Delays& delays, std::uint64_t& spawned);

boost::asio::awaitable<void> sleep_and_hand_over(Context& context, Delays& delays,
                                                 std::uint64_t& spawned) {
  co_await async_wait_until(context, context.now() + delays.next());
  spawn_sleeper(context, delays, spawned);
}

void spawn_sleeper(Context& context, Delays& delays, std::uint64_t& spawned) {
  ++spawned;
  boost::asio::co_spawn(context.get_executor(), sleep_and_hand_over(context, delays, spawned),
                        boost::asio::detached);
}

/// A coroutine per sleep: spawned, started, woken and destroyed. "per_spawn" is all of it.
void co_spawn_each(benchmark::State& state) {
  Delays delays;
  std::uint64_t spawned = 0;
  Context context;
  for (std::int64_t i = 0; i < state.range(0); ++i) spawn_sleeper(context, delays, spawned);
  settle(context);
  spawned = 0;
  run_batches(state, context);
  using Counter = benchmark::Counter;
  state.counters["per_spawn"] =
      Counter(static_cast<double>(spawned), Counter::kIsRate | Counter::kInvert);
}
BENCHMARK(co_spawn_each)->Arg(1'000);

/// A function through the executor, to run at the same instant.
void execute(benchmark::State& state) {
  Context context;
  struct Repeat {
    Context& context;
    std::int64_t left;
    void operator()() const {
      if (left > 0) context.get_executor().execute(Repeat{context, left - 1});
    }
  };
  for (auto _ : state) {
    context.get_executor().execute(Repeat{context, static_cast<std::int64_t>(batch)});
    context.run_until(context.now() + Duration{1});
  }
  report(state, context.events());
}
BENCHMARK(execute);

}  // namespace
}  // namespace brownout::sim
