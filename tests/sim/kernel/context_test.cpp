#include "sim/kernel/context.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/check.hpp"
#include "tests/sim/kernel/heap_counter.hpp"

namespace brownout::sim {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr JobName test_job{"test job"};
constexpr JobName ping_job{"ping"};
constexpr JobName pong_job{"pong"};

class Callback final : public Timer {
 public:
  explicit Callback(std::function<void()> function, const JobName& name = test_job)
      : Timer(name), function_(std::move(function)) {}
  void fire() override { function_(); }

 private:
  std::function<void()> function_;
};

Instant at(Duration since_start) {
  return Instant{} + since_start;
}

// 0s        1s        2s              2.5s
// arm all   early     late, then past posted at 2s; run returns idle
TEST(Context, RunsTimersInOrderAndJumpsBetweenThem) {
  Context context;
  std::vector<std::pair<std::string, Duration>> log;
  const auto note = [&](const char* what) {
    return [&context, &log, what] { log.emplace_back(what, context.now().time_since_epoch()); };
  };
  Callback past(note("past"));
  Callback last(note("last"));
  Callback late([&] {
    note("late")();
    context.arm(past, at(0s));
    context.arm(last, at(2500ms));
  });
  Callback early(note("early"));
  context.arm(late, at(2s));
  context.arm(early, at(1s));
  EXPECT_EQ(context.run_until_idle(), Stop::idle);
  using Entry = std::pair<std::string, Duration>;
  EXPECT_THAT(log, ElementsAre(Entry{"early", 1s}, Entry{"late", 2s}, Entry{"past", 2s},
                               Entry{"last", 2500ms}));
  EXPECT_EQ(context.now(), at(2500ms));
  EXPECT_EQ(context.events(), 4U);
}

TEST(Context, CalendarTimeRunsFromStartsAt) {
  const SystemTime starts_at{std::chrono::seconds{1'733'955'360}};
  Context context({.starts_at = starts_at});
  EXPECT_EQ(context.system_now(), starts_at);
  context.run_until(at(90s));
  EXPECT_EQ(context.system_now(), starts_at + 90s);
}

TEST(Context, PostedJobsRunAfterEverythingAlreadyDue) {
  Context context;
  std::vector<int> order;
  Callback third([&] { order.push_back(3); });
  Callback first([&] {
    order.push_back(1);
    context.post(third);
  });
  Callback second([&] { order.push_back(2); });
  context.arm(first, at(1s));
  context.arm(second, at(1s));
  context.run_until_idle();
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST(Context, ATimerMayRearmItselfWhileFiring) {
  Context context;
  int fired = 0;
  std::unique_ptr<Callback> timer;
  timer = std::make_unique<Callback>([&] {
    if (++fired < 3) context.arm(*timer, context.now() + 1s);
  });
  context.arm(*timer, at(1s));
  context.run_until_idle();
  EXPECT_EQ(fired, 3);
  EXPECT_EQ(context.now(), at(3s));
}

TEST(Context, ATimerMayDestroyItselfWhileFiring) {
  Context context;
  std::unique_ptr<Callback> timer;
  timer = std::make_unique<Callback>([&timer] {
    const auto own = std::move(timer);  // gone when this returns
  });
  context.arm(*timer, at(1s));
  EXPECT_EQ(context.run_until_idle(), Stop::idle);
  EXPECT_EQ(timer, nullptr);
}

TEST(Context, ATimerMayDisarmAnotherThatIsDueAtTheSameInstant) {
  for (const TiePolicy ties : {TiePolicy::fifo, TiePolicy::random}) {
    Context context({.ties = ties});
    int fired = 0;
    std::unique_ptr<Callback> one;
    std::unique_ptr<Callback> other;
    one = std::make_unique<Callback>([&] { ++fired, context.disarm(*other); });
    other = std::make_unique<Callback>([&] { ++fired, context.disarm(*one); });
    context.arm(*one, at(1s));
    context.arm(*other, at(1s));
    context.run_until_idle();
    EXPECT_EQ(fired, 1);
    EXPECT_FALSE(one->armed() || other->armed());
  }
}

// 0s       1s      1s+1ns    5s                 10s
// arm both near    (until)   (until: reached)   far, idle
TEST(Context, RunUntilFiresWhatIsDueAndAdvancesToTheInstant) {
  Context context;
  int fired = 0;
  Callback near([&] { ++fired; });
  Callback far([&] { ++fired; });
  context.arm(near, at(1s));
  context.arm(far, at(10s));
  EXPECT_EQ(context.run_until(at(1s) - Duration{1}), Stop::reached);
  EXPECT_EQ(fired, 0);
  EXPECT_EQ(context.run_until(at(1s)), Stop::reached);
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(context.run_until(at(5s)), Stop::reached);
  EXPECT_EQ(context.now(), at(5s));

  context.arm(near, context.now());  // between what was popped and what is pending
  EXPECT_EQ(context.run_until(at(5s)), Stop::reached);
  EXPECT_EQ(fired, 2);

  EXPECT_EQ(context.run_until(at(10s)), Stop::idle);
  EXPECT_EQ(fired, 3);
  EXPECT_EQ(context.run_until(at(20s)), Stop::idle);
  EXPECT_EQ(context.now(), at(20s));
}

TEST(Context, ATimerAtNeverNeitherFiresNorKeepsARunAlive) {
  Context context;
  bool fired = false;
  Callback timer([&] { fired = true; });
  context.arm(timer, never);
  EXPECT_EQ(context.run_until_idle(), Stop::idle);
  EXPECT_EQ(context.run_until(at(1h)), Stop::idle);
  EXPECT_FALSE(fired);
  EXPECT_TRUE(timer.armed());
  EXPECT_EQ(context.now(), at(1h));
  context.disarm(timer);
}

TEST(Context, LivelockIsDiagnosedWithItsCycle) {
  std::unique_ptr<Callback> ping;
  std::unique_ptr<Callback> pong;
  Context context({.seed = 77, .limits = {.events_at_one_instant = 1'000}});
  ping = std::make_unique<Callback>([&] { context.post(*pong); }, ping_job);
  pong = std::make_unique<Callback>([&] { context.post(*ping); }, pong_job);
  context.arm(*ping, at(3s));
  EXPECT_EQ(context.run_until_idle(), Stop::livelock);
  EXPECT_EQ(context.events(), 1'001U);
  EXPECT_EQ(context.describe_livelock(),
            "livelock at 3s: more than 1000 events at one instant, the last being "
            "32 x \"pong\", 32 x \"ping\"");
  EXPECT_THAT(context.describe_recent(), HasSubstr("seed 77, virtual time 3s, 1001 events"));
  EXPECT_EQ(context.run_until_idle(), Stop::livelock);
  EXPECT_EQ(context.events(), 1'001U);
}

TEST(Context, ManyEventsAtManyInstantsAreNoLivelock) {
  Context context({.limits = {.events_at_one_instant = 10}});
  int left = 1'000;
  std::unique_ptr<Callback> timer;
  timer = std::make_unique<Callback>([&] {
    if (--left > 0) context.arm(*timer, context.now() + Duration{left % 10 == 0 ? 1 : 0});
  });
  context.post(*timer);
  EXPECT_EQ(context.run_until_idle(), Stop::idle);
}

TEST(Context, TheInterruptFlagStopsARunThatCanBeContinued) {
  std::atomic<bool> interrupt = false;
  Context context({.interrupt = &interrupt});
  std::uint64_t fired = 0;
  std::unique_ptr<Callback> timer;
  timer = std::make_unique<Callback>([&] {
    if (++fired == 100) interrupt = true;
    if (fired < 5'000) context.arm(*timer, context.now() + 1ms);
  });
  context.post(*timer);
  EXPECT_EQ(context.run_until_idle(), Stop::interrupted);
  EXPECT_GE(fired, 100U);
  EXPECT_LE(fired, 100U + 1024U);
  interrupt = false;
  EXPECT_EQ(context.run_until_idle(), Stop::idle);
  EXPECT_EQ(fired, 5'000U);
}

TEST(Context, TheBudgetOfEventsIsExact) {
  std::unique_ptr<Callback> timer;
  Context context({.limits = {.events = 1'500}});
  std::uint64_t fired = 0;
  timer = std::make_unique<Callback>([&] {
    ++fired;
    context.arm(*timer, context.now() + 1ms);
  });
  context.post(*timer);
  EXPECT_EQ(context.run_until(at(1s)), Stop::reached);
  EXPECT_EQ(context.run_until_idle(), Stop::interrupted);
  EXPECT_EQ(fired, 1'500U);
}

std::uint64_t digest_of_run(Duration moved, const JobName& name = test_job,
                            TiePolicy ties = TiePolicy::fifo, std::uint64_t seed = 1) {
  Context context({.seed = seed, .ties = ties});
  std::vector<std::unique_ptr<Callback>> timers;
  for (int i = 0; i < 100; ++i) {
    const JobName& job = i % 2 == 0 ? ping_job : pong_job;
    timers.push_back(std::make_unique<Callback>([] {}, i == 50 ? name : job));
    context.arm(*timers.back(), at(1s * (i / 10)) + (i == 50 ? moved : 0s));
  }
  context.run_until_idle();
  return context.schedule_digest();
}

TEST(Context, TheScheduleDigestTellsSchedulesApart) {
  EXPECT_EQ(digest_of_run(0ns), digest_of_run(0ns));
  EXPECT_NE(digest_of_run(0ns), digest_of_run(1ns));
  EXPECT_NE(digest_of_run(0ns), digest_of_run(0ns, ping_job));
  EXPECT_NE(digest_of_run(0ns), digest_of_run(0ns, test_job, TiePolicy::random));
  EXPECT_EQ(digest_of_run(0ns, test_job, TiePolicy::random),
            digest_of_run(0ns, test_job, TiePolicy::random));
  EXPECT_NE(digest_of_run(0ns, test_job, TiePolicy::random, 1),
            digest_of_run(0ns, test_job, TiePolicy::random, 2));
}

TEST(Context, ArmingAndDisarmingFarTimersAllocatesNothing) {
  for (const TiePolicy ties : {TiePolicy::fifo, TiePolicy::random}) {
    Context context({.ties = ties});
    Callback deadline([] {});
    int left = 100'000;
    std::size_t allocations_before = 0;
    std::unique_ptr<Callback> call;
    call = std::make_unique<Callback>([&] {
      if (left == 90'000) allocations_before = heap_allocations();
      context.disarm(deadline);
      if (--left == 0) return;
      context.arm(deadline, context.now() + 1h);
      context.arm(*call, context.now() + 1us);
    });
    context.post(*call);
    context.run_until_idle();
    EXPECT_EQ(left, 0);
    EXPECT_EQ(heap_allocations(), allocations_before);
  }
}

struct Chain {
  Context* context;
  int* left;
  std::size_t* allocations_before;
  void operator()() const {
    if (*left == 9'000) *allocations_before = heap_allocations();
    if (--*left > 0) context->get_executor().execute(*this);
  }
};

TEST(Context, PostingHandlersAllocatesNothingInSteadyState) {
  if (!RecyclingPool::recycles) GTEST_SKIP() << "nothing is recycled under AddressSanitizer";
  Context context;
  int left = 10'000;
  std::size_t allocations_before = 0;
  context.get_executor().execute(Chain{&context, &left, &allocations_before});
  context.run_until_idle();
  EXPECT_EQ(left, 0);
  EXPECT_EQ(heap_allocations(), allocations_before);
  EXPECT_EQ(context.pool().allocations(), 1U);
}

TEST(Context, HandlersThatHaveNotRunAreDestroyedWithIt) {
  const auto token = std::make_shared<int>();
  bool ran = false;
  {
    Context context;
    context.get_executor().execute([token, &ran] { ran = true; });
    EXPECT_EQ(token.use_count(), 2);
  }
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_FALSE(ran);
}

TEST(Context, WhatADestroyedHandlerPostsIsDestroyedAsWell) {
  struct PostsWhenDestroyed {
    Context* context;
    std::shared_ptr<int> token;
    PostsWhenDestroyed(Context* where, std::shared_ptr<int> what)
        : context(where), token(std::move(what)) {}
    PostsWhenDestroyed(PostsWhenDestroyed&&) = default;
    ~PostsWhenDestroyed() {
      if (token != nullptr) context->get_executor().execute([kept = token] {});
    }
    void operator()() const {}
  };
  const auto token = std::make_shared<int>();
  {
    Context context;
    context.get_executor().execute(PostsWhenDestroyed(&context, token));
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(ContextDeathTest, DestroyingAnArmedTimerIsCaught) {
  const auto destroy_armed = [] {
    Context context;
    Callback timer([] {});
    context.arm(timer, at(1s));
  };
  EXPECT_EXIT(destroy_armed(), testing::ExitedWithCode(70), "armed");
}

TEST(Context, DestructionLeavesForeignTimersIdle) {
  Callback timer([] {});
  {
    Context context;
    context.arm(timer, at(1s));
  }
  EXPECT_FALSE(timer.armed());
}

TEST(Context, RecentEventsAreListedOldestFirstAndRepetitionsCounted) {
  Context context({.seed = 5});
  std::vector<std::unique_ptr<Callback>> timers;
  for (const JobName* name : {&ping_job, &pong_job, &pong_job}) {
    timers.push_back(std::make_unique<Callback>([] {}, *name));
    context.arm(*timers.back(), at(name == &ping_job ? 1s : 2s));
  }
  context.run_until_idle();
  EXPECT_EQ(context.describe_recent(),
            "seed 5, virtual time 2s, 3 events, the last of them:\n"
            "  1s  ping\n"
            "  2s  pong (x 2)\n");
}

TEST(ContextDeathTest, ABrokenCheckReportsWhereTheRunStood) {
  Context context({.seed = 99});
  Callback timer([] { BROWNOUT_CHECK(1 + 1 == 3); }, ping_job);
  const auto run = [&] {
    context.arm(timer, at(1500ms));
    context.run_until_idle();
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(70), "seed 99, virtual time 1.5s(.|\n)*ping");
}

}  // namespace
}  // namespace brownout::sim
