#include "engine/runtime/job_inbox.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace brownout {
namespace {

using namespace std::chrono_literals;

constexpr JobName test_job{"test"};

class Job final : public Timer {
 public:
  Job() : Timer(test_job) {}
  void fire() override {}
  void drop() noexcept override { ++drops; }
  int drops = 0;
};

TEST(JobInbox, HandsOverInTheOrderOfArrivalAndSaysWhenItMustBeEmptied) {
  JobInbox inbox;
  TimerQueue queue;
  Job first, second, third;
  EXPECT_TRUE(inbox.add(first));
  EXPECT_FALSE(inbox.add(second));
  EXPECT_TRUE(first.armed());

  EXPECT_EQ(inbox.move_to(queue, Instant{} + 5s), 2U);
  EXPECT_EQ(first.due(), Instant{} + 5s);
  EXPECT_EQ(queue.pop(), &first);
  EXPECT_EQ(queue.pop(), &second);

  EXPECT_TRUE(inbox.add(third)) << "it was empty again";
  EXPECT_TRUE(inbox.remove(third));
}

TEST(JobInbox, RemovesOnlyWhatIsInside) {
  JobInbox inbox;
  TimerQueue queue;
  Job inside, taken, idle;
  EXPECT_TRUE(inbox.add(taken));
  inbox.move_to(queue, Instant{} + 1s);
  EXPECT_TRUE(inbox.add(inside));

  EXPECT_TRUE(inbox.remove(inside));
  EXPECT_FALSE(inside.armed());
  EXPECT_FALSE(inbox.remove(inside));
  EXPECT_FALSE(inbox.remove(idle));
  EXPECT_FALSE(inbox.remove(taken)) << "the queue has it";
  EXPECT_TRUE(taken.armed());
  EXPECT_EQ(queue.pop(), &taken);
  EXPECT_EQ(inbox.move_to(queue, Instant{} + 2s), 0U);
}

TEST(JobInbox, TellsWhatItDropsAndForgetsTheRest) {
  Job told, forgotten;
  {
    JobInbox inbox;
    EXPECT_TRUE(inbox.add(told));
    inbox.drop_all();
    EXPECT_TRUE(inbox.add(forgotten));
  }
  EXPECT_EQ(told.drops, 1);
  EXPECT_EQ(forgotten.drops, 0);
  EXPECT_FALSE(forgotten.armed());
}

}  // namespace
}  // namespace brownout
