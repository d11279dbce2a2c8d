// Real time, in milliseconds: a timer may be late, but never early, and never out of order.

#include "engine/runtime/asio_runtime.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <latch>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace brownout {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

constexpr JobName test_job{"test"};

class Job final : public Timer {
 public:
  explicit Job(std::function<void()> action) : Timer(test_job), action_(std::move(action)) {}
  void fire() override { action_(); }
  void drop() noexcept override { ++drops; }
  int drops = 0;

 private:
  std::function<void()> action_;
};

class AsioRuntimeOnOneThread : public testing::Test {
 protected:
  Job& job(int number) {
    return jobs_.emplace_back([this, number] { fired.push_back(number); });
  }

  boost::asio::io_context context;
  AsioRuntime runtime{context.get_executor()};
  std::vector<int> fired;

 private:
  std::deque<Job> jobs_;
};

TEST_F(AsioRuntimeOnOneThread, TimersFireByInstantAndThenInTheOrderTheyWereArmed) {
  const Instant soon = runtime.now() + 5ms;
  runtime.arm(job(3), soon + 5ms);
  runtime.arm(job(1), soon);
  runtime.arm(job(2), soon);
  runtime.arm(job(0), soon - 1s);
  Job last([&] { EXPECT_GE(runtime.now(), soon + 10ms) << "a timer is never early"; });
  runtime.arm(last, soon + 10ms);
  context.run();
  EXPECT_THAT(fired, ElementsAre(0, 1, 2, 3));
}

// Ten seconds of the runtime pass in ten milliseconds of the machine.
TEST(AsioRuntimePace, TimersFireInTheRuntimesTimeAndNeverEarly) {
  boost::asio::io_context context;
  const SystemTime calendar{std::chrono::hours{24}};
  AsioRuntime runtime(context.get_executor(), 1, {1000, AsioRuntime::clock(), calendar});
  EXPECT_LT(runtime.now(), Instant{} + 10s) << "it begins at its origin";
  const Instant armed = AsioRuntime::clock();
  const Instant due = runtime.now() + 10s;
  Job job([&] {
    EXPECT_GE(runtime.now(), due);
    EXPECT_EQ(runtime.system_now(), calendar + (runtime.now() - Instant{}));
    EXPECT_GE(AsioRuntime::clock() - armed, 9ms);
  });
  runtime.arm(job, due);
  context.run();
  EXPECT_FALSE(job.armed()) << "it fired: nothing else keeps the context";
}

TEST(AsioRuntimePace, NoInstantIsLostToRounding) {
  for (const double speed : {0.3, 1.0, 3.0, 7.7, 12345.6}) {
    boost::asio::io_context context;
    AsioRuntime runtime(context.get_executor(), 1, {speed, AsioRuntime::clock(), {}});
    int fired = 0;
    std::deque<Job> jobs;
    for (int i = 1; i <= 50; ++i) {
      Job& job = jobs.emplace_back([&] { ++fired; });
      runtime.arm(job, runtime.now() + Duration{static_cast<std::int64_t>(i * 100'003 * speed)});
    }
    context.run();
    EXPECT_EQ(fired, 50) << speed;
  }
}

TEST_F(AsioRuntimeOnOneThread, WhatIsPostedRunsAfterTheTurnItWasPostedIn) {
  boost::asio::post(context, [&] {
    const AsioRuntime::Turn turn(runtime);
    runtime.post(job(2));
    runtime.post_from_anywhere(job(3));
    fired.push_back(1);
  });
  context.run();
  EXPECT_EQ(fired.front(), 1);
  EXPECT_THAT(fired, testing::UnorderedElementsAre(1, 2, 3));
}

TEST_F(AsioRuntimeOnOneThread, AJobPostsMoreJobsThanOneGoTakes) {
  int left = 1000;
  Job again([&] {
    if (--left > 0) runtime.post(again);
  });
  bool others_ran = false;
  runtime.post(again);
  boost::asio::post(context, [&] { others_ran = left > 0; });
  context.run();
  EXPECT_EQ(left, 0);
  EXPECT_TRUE(others_ran) << "the executor's other work had to wait for all of them";
}

TEST_F(AsioRuntimeOnOneThread, TheContextReturnsOnceNothingIsArmed) {
  const Instant begin = runtime.now();
  Job& disarmed = job(1);
  runtime.arm(disarmed, begin + 1h);
  Job ends([&] { runtime.disarm(disarmed); });
  runtime.arm(ends, begin + 2ms);
  context.run();
  EXPECT_LT(runtime.now() - begin, 10s);
  EXPECT_TRUE(fired.empty());
}

TEST_F(AsioRuntimeOnOneThread, AnEarlierTimerIsNotHeldUpByALaterOneNorByOneThatWasDisarmed) {
  const Instant begin = runtime.now();
  Job& late = job(3);
  Job& gone = job(9);
  runtime.arm(late, begin + 1h);
  runtime.arm(gone, begin + 1ms);
  runtime.disarm(gone);
  runtime.arm(job(1), begin + 3ms);
  Job ends([&] { runtime.disarm(late); });
  runtime.arm(ends, begin + 6ms);
  context.run();
  EXPECT_THAT(fired, ElementsAre(1));
  EXPECT_LT(runtime.now() - begin, 10s);
}

TEST_F(AsioRuntimeOnOneThread, AWithdrawnJobDoesNotFireWhereverItWas) {
  Job& in_inbox = job(1);
  Job& in_queue = job(2);
  runtime.post_from_anywhere(in_inbox);
  runtime.withdraw(in_inbox);
  runtime.post(in_queue);
  runtime.withdraw(in_queue);
  runtime.withdraw(job(3));
  context.run();
  EXPECT_TRUE(fired.empty());
  EXPECT_FALSE(in_inbox.armed() || in_queue.armed());
}

TEST_F(AsioRuntimeOnOneThread, TimeStandsStillDuringATurnAndMovesOnBetweenTimers) {
  Instant first{};
  Job one([&] {
    first = runtime.now();
    std::this_thread::sleep_for(2ms);
    EXPECT_EQ(runtime.now(), first);
  });
  Job two([&] { EXPECT_GE(runtime.now() - first, 2ms); });
  runtime.post(one);
  runtime.post(two);
  context.run();
  EXPECT_NE(first, Instant{});
}

TEST_F(AsioRuntimeOnOneThread, AJobThatThrowsHoldsUpNobodyElse) {
  Job throws([] { throw std::runtime_error("a handler's"); });
  runtime.post(throws);
  runtime.post(job(1));
  EXPECT_THROW(context.run(), std::runtime_error);
  context.run();
  EXPECT_THAT(fired, ElementsAre(1));
}

TEST(AsioRuntime, KnowsWhetherItRunsHere) {
  boost::asio::io_context context;
  AsioRuntime bare(context.get_executor());
  AsioRuntime strand(
      boost::asio::make_strand(boost::asio::any_io_executor(context.get_executor())));
  EXPECT_FALSE(bare.runs_here() || strand.runs_here());
  bool seen = false;
  boost::asio::post(strand.executor(), [&] { seen = bare.runs_here() && strand.runs_here(); });
  boost::asio::post(context, [&] { EXPECT_TRUE(bare.runs_here() && !strand.runs_here()); });
  context.run();
  EXPECT_TRUE(seen);
}

TEST(AsioRuntime, DropsWhatIsArmedWhenItGoesAndItsHandlersFindNobody) {
  boost::asio::io_context context;
  Job armed([] { FAIL(); });
  Job posted([] { FAIL(); });
  Job from_elsewhere([] { FAIL(); });
  {
    AsioRuntime runtime(context.get_executor());
    runtime.arm(armed, runtime.now() + 1ms);
    runtime.post(posted);
    runtime.post_from_anywhere(from_elsewhere);
  }
  context.run();
  EXPECT_EQ(armed.drops + posted.drops + from_elsewhere.drops, 3);
}

TEST(AsioRuntime, SeedsDiffer) {
  EXPECT_NE(AsioRuntime::fresh_seed(), AsioRuntime::fresh_seed());
}

// Two threads post to a strand of two others, each waiting for its last job before the next.
TEST(AsioRuntime, ReceivesJobsFromEveryThread) {
  boost::asio::thread_pool pool(2);
  auto runtime = std::make_unique<AsioRuntime>(
      boost::asio::make_strand(boost::asio::any_io_executor(pool.get_executor())));
  int fired = 0;  // on the strand only
  const auto post_many = [&] {
    for (int i = 0; i < 2000; ++i) {
      std::latch done(1);
      Job job([&] {
        ++fired;
        done.count_down();
      });
      runtime->post_from_anywhere(job);
      done.wait();
    }
  };
  {
    const std::jthread first(post_many);
    const std::jthread second(post_many);
  }
  pool.join();
  EXPECT_EQ(fired, 4000);
}

}  // namespace
}  // namespace brownout
