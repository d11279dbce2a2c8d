// Stock Asio on the simulator's context.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sim/kernel/context.hpp"
#include "sim/kernel/wait.hpp"
#include "tests/sim/kernel/heap_counter.hpp"

namespace brownout::sim {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using namespace std::chrono_literals;
using testing::ElementsAre;

Instant at(Duration since_start) {
  return Instant{} + since_start;
}

asio::awaitable<void> sleep_for(Context& context, Duration duration) {
  co_await async_wait_until(context, context.now() + duration, asio::use_awaitable);
}

TEST(Coroutines, SleepInVirtualTime) {
  Context context;
  std::vector<Duration> woken;
  asio::co_spawn(
      context.get_executor(),
      [&]() -> asio::awaitable<void> {
        co_await async_wait_until(context, at(1h));
        woken.push_back(context.now().time_since_epoch());
        co_await sleep_for(context, 30min);
        woken.push_back(context.now().time_since_epoch());
        co_await async_wait_until(context, at(1s));  // has passed
        woken.push_back(context.now().time_since_epoch());
      },
      asio::detached);
  EXPECT_EQ(context.run_until_idle(), Stop::idle);
  EXPECT_THAT(woken, ElementsAre(1h, 90min, 90min));
}

TEST(Coroutines, WakeInTheOrderTheyBeganToWait) {
  Context context;
  std::vector<int> order;
  for (int i = 0; i < 8; ++i) {
    asio::co_spawn(
        context.get_executor(),
        [&context, &order, i]() -> asio::awaitable<void> {
          co_await async_wait_until(context, at(1s));
          order.push_back(i);
        },
        asio::detached);
  }
  context.run_until_idle();
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

// 0s          1s                    10s
// both sleep  short wins, long cut  (nothing)
TEST(Coroutines, OrCancelsTheLoserAtOnce) {
  using namespace asio::experimental::awaitable_operators;
  Context context;
  std::optional<std::size_t> winner;
  asio::co_spawn(
      context.get_executor(),
      [&]() -> asio::awaitable<void> {
        const auto result = co_await (sleep_for(context, 10s) || sleep_for(context, 1s));
        winner = result.index();
      },
      asio::detached);
  EXPECT_EQ(context.run_until_idle(), Stop::idle);
  EXPECT_EQ(winner, 1U);
  EXPECT_EQ(context.now(), at(1s));
}

// 0s          2s                3s
// both sleep  b done            a done, both returned
TEST(Coroutines, AndWaitsForBoth) {
  using namespace asio::experimental::awaitable_operators;
  Context context;
  bool done = false;
  asio::co_spawn(
      context.get_executor(),
      [&]() -> asio::awaitable<void> {
        co_await (sleep_for(context, 3s) && sleep_for(context, 2s));
        done = true;
      },
      asio::detached);
  context.run_until_idle();
  EXPECT_TRUE(done);
  EXPECT_EQ(context.now(), at(3s));
}

// 0s          1s     10s
// wait begun  emit   (nothing)
TEST(Wait, CancelledThroughItsSlotCompletesWithOperationAborted) {
  Context context;
  asio::cancellation_signal signal;
  std::vector<error_code> results;
  async_wait_until(
      context, at(10s),
      asio::bind_cancellation_slot(signal.slot(), [&](error_code ec) { results.push_back(ec); }));
  context.run_until(at(1s));
  signal.emit(asio::cancellation_type::none);
  signal.emit(asio::cancellation_type::total);
  signal.emit(asio::cancellation_type::terminal);
  EXPECT_TRUE(results.empty());  // never inside the cancelling call
  EXPECT_EQ(context.run_until_idle(), Stop::idle);
  EXPECT_THAT(results, ElementsAre(error_code(asio::error::operation_aborted)));
  EXPECT_EQ(context.now(), at(1s));
}

TEST(Wait, ASignalAfterItsEndFindsNothing) {
  Context context;
  asio::cancellation_signal signal;
  std::vector<error_code> results;
  async_wait_until(context, at(1s), asio::bind_cancellation_slot(signal.slot(), [&](error_code ec) {
                     results.push_back(ec);
                   }));
  context.run_until_idle();
  signal.emit(asio::cancellation_type::terminal);
  context.run_until_idle();
  EXPECT_THAT(results, ElementsAre(error_code()));
}

TEST(Wait, ASignalAfterTheContextIsGoneFindsNothing) {
  asio::cancellation_signal signal;
  bool ran = false;
  {
    Context context;
    async_wait_until(context, at(1s),
                     asio::bind_cancellation_slot(signal.slot(), [&](error_code) { ran = true; }));
  }
  signal.emit(asio::cancellation_type::terminal);
  EXPECT_FALSE(ran);
}

TEST(Wait, CompletesThroughTheHandlersOwnExecutor) {
  Context context;
  Context elsewhere;
  bool ran = false;
  async_wait_until(context, at(1s),
                   asio::bind_executor(elsewhere.get_executor(), [&](error_code) { ran = true; }));
  context.run_until_idle();
  EXPECT_FALSE(ran);
  elsewhere.run_until_idle();
  EXPECT_TRUE(ran);
}

TEST(Wait, IsNamedInDiagnoses) {
  static constexpr JobName think_time{"think time"};
  Context context;
  async_wait_until(context, at(1s), think_time, asio::detached);
  async_wait_until(context, at(2s), asio::detached);
  context.run_until_idle();
  EXPECT_THAT(context.describe_recent(), testing::HasSubstr("  1s  think time\n  2s  wait\n"));
}

TEST(Coroutines, CancellationOfASpawnedCoroutineEndsItsWait) {
  Context context;
  asio::cancellation_signal signal;
  std::exception_ptr result;
  asio::co_spawn(context.get_executor(), sleep_for(context, 10s),
                 asio::bind_cancellation_slot(signal.slot(),
                                              [&](std::exception_ptr error) { result = error; }));
  context.run_until(at(1s));
  signal.emit(asio::cancellation_type::terminal);
  context.run_until_idle();
  ASSERT_NE(result, nullptr);
  EXPECT_THROW(std::rethrow_exception(result), boost::system::system_error);
  EXPECT_EQ(context.now(), at(1s));
}

TEST(Channel, CarriesValuesBetweenCoroutines) {
  Context context;
  asio::experimental::channel<void(error_code, int)> channel(context.get_executor(), 1);
  std::vector<std::pair<int, Duration>> received;
  asio::co_spawn(
      context.get_executor(),
      [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 3; ++i) {
          co_await sleep_for(context, 1s);
          co_await channel.async_send(error_code(), i, asio::use_awaitable);
        }
      },
      asio::detached);
  asio::co_spawn(
      context.get_executor(),
      [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 3; ++i) {
          const int value = co_await channel.async_receive(asio::use_awaitable);
          received.emplace_back(value, context.now().time_since_epoch());
        }
      },
      asio::detached);
  context.run_until_idle();
  using Entry = std::pair<int, Duration>;
  EXPECT_THAT(received, ElementsAre(Entry{0, 1s}, Entry{1, 2s}, Entry{2, 3s}));
}

TEST(Strand, RunsHandlersInOrderAndWaitsCompleteThroughIt) {
  Context context;
  auto strand = asio::make_strand(context.get_executor());
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) {
    asio::post(strand, [&order, i] { order.push_back(i); });
  }
  async_wait_until(context, at(1s), asio::bind_executor(strand, [&](error_code) {
                     EXPECT_TRUE(strand.running_in_this_thread());
                     order.push_back(3);
                   }));
  context.run_until_idle();
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3));
}

TEST(AnyIoExecutor, WrapsTheExecutorAndComparesEqual) {
  Context context;
  Context other;
  const asio::any_io_executor executor = context.get_executor();
  EXPECT_EQ(executor, asio::any_io_executor(context.get_executor()));
  EXPECT_NE(executor, asio::any_io_executor(other.get_executor()));
  EXPECT_EQ(&executor.context(), &context);
  bool ran = false;
  asio::post(executor, [&] { ran = true; });
  EXPECT_FALSE(ran);
  context.run_until_idle();
  EXPECT_TRUE(ran);
}

TEST(Coroutines, OnTheContextsOwnExecutorTypeSleepAsWell) {
  Context context;
  asio::co_spawn(
      context.get_executor(),
      [&]() -> asio::awaitable<void, Context::Executor> {
        co_await async_wait_until(context, at(5s));
      },
      asio::detached);
  context.run_until_idle();
  EXPECT_EQ(context.now(), at(5s));
}

TEST(Coroutines, SleepingAllocatesNothingInSteadyState) {
  if (!RecyclingPool::recycles) GTEST_SKIP() << "nothing is recycled under AddressSanitizer";
  Context context;
  std::size_t warm = 0;
  std::size_t done = 0;
  asio::co_spawn(
      context.get_executor(),
      [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 1'000; ++i) {
          if (i == 10) warm = heap_allocations();
          co_await async_wait_until(context, context.now() + 1s);
        }
        done = heap_allocations();
      },
      asio::detached);
  context.run_until_idle();
  EXPECT_GT(warm, 0U);
  EXPECT_EQ(done, warm);
}

TEST(Coroutines, SuspendedOnesAreDestroyedWithTheContext) {
  const auto token = std::make_shared<int>();
  {
    Context context;
    asio::experimental::channel<void(error_code, int)> channel(context.get_executor());
    const auto hold = [&](auto wait) -> asio::awaitable<void> {
      const auto held = token;
      co_await wait();
    };
    const auto sleep = [&] { return sleep_for(context, 1h); };
    const auto receive = [&] { return channel.async_receive(asio::use_awaitable); };
    asio::co_spawn(context.get_executor(), hold(sleep), asio::detached);
    asio::co_spawn(context.get_executor(), hold(receive), asio::detached);
    asio::co_spawn(asio::make_strand(context.get_executor()), hold(sleep), asio::detached);
    context.run_until(at(1s));
    EXPECT_EQ(token.use_count(), 4);
  }
  EXPECT_EQ(token.use_count(), 1);
}

std::string threads_of_this_process() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Threads:")) return line.substr(line.find_first_not_of("\t ", 8));
  }
  return "?";
}

TEST(Coroutines, StartNoThread) {
  using namespace asio::experimental::awaitable_operators;
  Context context;
  for (int i = 0; i < 10; ++i) {
    asio::co_spawn(
        context.get_executor(),
        [&]() -> asio::awaitable<void> {
          co_await (sleep_for(context, 10s) || sleep_for(context, 1s));
        },
        asio::detached);
  }
  context.run_until_idle();
  EXPECT_EQ(threads_of_this_process(), "1");
}

}  // namespace
}  // namespace brownout::sim
