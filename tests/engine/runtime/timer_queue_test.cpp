#include "engine/runtime/timer_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <vector>

namespace brownout {
namespace {

using testing::ElementsAre;

constexpr JobName numbered_job{"numbered"};

class Numbered final : public Timer {
 public:
  explicit Numbered(int number) : Timer(numbered_job), number_(number) {}
  int number() const { return number_; }
  int drops() const { return drops_; }
  void fire() override {}
  void drop() noexcept override { ++drops_; }

 private:
  int number_;
  int drops_ = 0;
};

Instant at_ns(std::int64_t nanoseconds) {
  return Instant{Duration{nanoseconds}};
}

int number_of(const Timer* timer) {
  return static_cast<const Numbered*>(timer)->number();
}

std::vector<int> pop_all(TimerQueue& queue) {
  std::vector<int> order;
  while (const Timer* timer = queue.pop()) order.push_back(number_of(timer));
  return order;
}

std::deque<Numbered> numbered(int count) {
  std::deque<Numbered> timers;
  for (int i = 0; i < count; ++i) timers.emplace_back(i);
  return timers;
}

TEST(TimerQueue, PopsInOrderOfTime) {
  TimerQueue queue;
  std::deque<Numbered> timers = numbered(5);
  queue.arm(timers[0], never);
  queue.arm(timers[1], at_ns(3'600'000'000'000));
  queue.arm(timers[2], at_ns(0));
  queue.arm(timers[3], at_ns(63));
  queue.arm(timers[4], at_ns(64));
  EXPECT_THAT(pop_all(queue), ElementsAre(2, 3, 4, 1, 0));
}

TEST(TimerQueue, ATimerIsArmedUntilItIsPoppedOrDisarmed) {
  TimerQueue queue;
  Numbered popped(0);
  Numbered disarmed(1);
  EXPECT_FALSE(popped.armed());
  queue.arm(popped, at_ns(5));
  queue.arm(disarmed, at_ns(5));
  EXPECT_TRUE(popped.armed());
  EXPECT_EQ(popped.due(), at_ns(5));
  queue.disarm(disarmed);
  EXPECT_FALSE(disarmed.armed());
  EXPECT_EQ(queue.pop(), &popped);
  EXPECT_FALSE(popped.armed());
  EXPECT_TRUE(queue.empty());
  queue.disarm(popped);  // idle: left alone
  EXPECT_EQ(queue.size(), 0U);
}

TEST(TimerQueue, TiesComeOutInArmingOrderAlthoughUnrelatedTimersComeAndGo) {
  TimerQueue queue;
  std::deque<Numbered> ties = numbered(20);
  std::deque<Numbered> others = numbered(40);
  // All ties far away, so that they are moved from bucket to bucket; others before, at and after.
  for (std::size_t i = 0; i < ties.size(); ++i) {
    queue.arm(others[2 * i], at_ns(1'000'000'000 - static_cast<std::int64_t>(i * i * 977)));
    queue.arm(ties[i], at_ns(1'000'000'000));
    queue.arm(others[2 * i + 1], at_ns(1'000'000'000 + static_cast<std::int64_t>(i)));
    if (i % 3 == 0) queue.disarm(others[2 * i]);
    queue.disarm(others[2 * i + 1]);
  }
  std::vector<int> order;
  while (Timer* timer = queue.pop()) {
    const auto* tie = static_cast<Numbered*>(timer);
    const bool is_tie =
        std::any_of(ties.begin(), ties.end(), [tie](const Numbered& one) { return &one == tie; });
    if (is_tie) order.push_back(tie->number());
  }
  std::vector<int> expected(20);
  for (int i = 0; i < 20; ++i) expected[static_cast<std::size_t>(i)] = i;
  EXPECT_EQ(order, expected);
}

TEST(TimerQueue, TiesAreKeptInOrderWhereverTheyStandAmongTimersOfAboutTheSameTime) {
  for (std::size_t tied = 0; tied + 3 <= 8; ++tied) {
    TimerQueue queue;
    std::deque<Numbered> timers = numbered(8);
    std::vector<int> expected;
    for (std::size_t i = 0; i < timers.size(); ++i) {
      const bool tie = i >= tied && i < tied + 3;
      queue.arm(timers[i], at_ns(tie ? 1'000'000 : 1'000'030));
      expected.insert(
          tie ? expected.begin() + static_cast<std::ptrdiff_t>(i - tied) : expected.end(),
          static_cast<int>(i));
    }
    EXPECT_EQ(pop_all(queue), expected);
  }
}

TEST(TimerQueue, PopsNothingBeyondTheLimitAndStaysOpenForEarlierTimers) {
  TimerQueue queue;
  std::deque<Numbered> timers = numbered(2);
  queue.arm(timers[0], at_ns(1'000'000));
  EXPECT_EQ(queue.pop(at_ns(999'999)), nullptr);
  EXPECT_EQ(queue.next_due(), at_ns(1'000'000));
  queue.arm(timers[1], at_ns(1));  // before the one that was looked at
  EXPECT_EQ(queue.next_due(), at_ns(1));
  EXPECT_THAT(pop_all(queue), ElementsAre(1, 0));
  EXPECT_EQ(queue.next_due(), never);
}

TEST(TimerQueue, DropAllTellsEveryTimer) {
  for (const TiePolicy ties : {TiePolicy::fifo, TiePolicy::random}) {
    TimerQueue queue(ties, 1);
    std::deque<Numbered> timers = numbered(4);
    queue.arm(timers[0], at_ns(0));
    queue.arm(timers[1], at_ns(0));
    queue.arm(timers[2], at_ns(7'000'000));
    queue.drop_all();
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(timers[0].drops() + timers[1].drops() + timers[2].drops(), 3);
    EXPECT_EQ(timers[3].drops(), 0);
    EXPECT_FALSE(timers[2].armed());
  }
}

TEST(TimerQueue, DestructionLeavesTimersIdle) {
  Numbered timer(0);
  {
    TimerQueue queue;
    queue.arm(timer, at_ns(1));
  }
  EXPECT_FALSE(timer.armed());
  EXPECT_EQ(timer.drops(), 0);
}

std::vector<int> random_order(std::uint64_t seed, bool with_ties_elsewhere = false) {
  TimerQueue queue(TiePolicy::random, seed);
  std::deque<Numbered> timers = numbered(50);
  std::deque<Numbered> elsewhere = numbered(10);
  if (with_ties_elsewhere) {
    for (Numbered& timer : elsewhere) queue.arm(timer, at_ns(1'000));
  }
  for (Numbered& timer : timers) queue.arm(timer, at_ns(5'000'000));
  while (queue.next_due() == at_ns(1'000)) queue.pop();
  return pop_all(queue);
}

TEST(TimerQueue, RandomTiesAreAPermutationGivenByTheSeed) {
  std::vector<int> in_order(50);
  for (int i = 0; i < 50; ++i) in_order[static_cast<std::size_t>(i)] = i;
  const std::vector<int> order = random_order(1);
  EXPECT_THAT(order, testing::UnorderedElementsAreArray(in_order));
  EXPECT_NE(order, in_order);
  EXPECT_EQ(order, random_order(1));
  EXPECT_NE(order, random_order(2));
}

TEST(TimerQueue, RandomTiesAtOneInstantDecideNothingAboutAnother) {
  EXPECT_EQ(random_order(1, true), random_order(1, false));
}

TEST(TimerQueue, RandomTiesTakeInTimersArmedForTheInstantThatIsBeingPopped) {
  TimerQueue queue(TiePolicy::random, 3);
  std::deque<Numbered> timers = numbered(40);
  for (int i = 0; i < 20; ++i) queue.arm(timers[static_cast<std::size_t>(i)], at_ns(9));
  std::vector<int> order{number_of(queue.pop())};
  for (int i = 20; i < 40; ++i) queue.arm(timers[static_cast<std::size_t>(i)], at_ns(9));
  const std::vector<int> rest = pop_all(queue);
  EXPECT_EQ(rest.size(), 39U);
  // Some late one overtook some early one.
  const auto late = std::find_if(rest.begin(), rest.end(), [](int number) { return number >= 20; });
  EXPECT_TRUE(std::any_of(late, rest.end(), [](int number) { return number < 20; }));
}

// The model: a multimap keeps equal keys in insertion order.
struct Command {
  int kind;  // 0-4 arm, 5-6 disarm, 7-9 pop
  int timer;
  unsigned magnitude;  // delays of every size: below 2^magnitude
  std::uint64_t delay;
  bool tie;  // arm for an instant that is in use
};

std::ostream& operator<<(std::ostream& out, const Command& command) {
  return out << "{" << command.kind << ", timer " << command.timer << ", 2^" << command.magnitude
             << ", " << command.delay << (command.tie ? ", tie}" : "}");
}

rc::Gen<Command> any_command() {
  return rc::gen::build<Command>(rc::gen::set(&Command::kind, rc::gen::inRange(0, 10)),
                                 rc::gen::set(&Command::timer, rc::gen::inRange(0, 24)),
                                 rc::gen::set(&Command::magnitude, rc::gen::inRange(0U, 40U)),
                                 rc::gen::set(&Command::delay, rc::gen::arbitrary<std::uint64_t>()),
                                 rc::gen::set(&Command::tie, rc::gen::arbitrary<bool>()));
}

using Model = std::multimap<Instant, int>;

void disarm_in(Model& model, int number) {
  const auto entry = std::find_if(model.begin(), model.end(),
                                  [number](const auto& one) { return one.second == number; });
  if (entry != model.end()) model.erase(entry);
}

// True when `number` was due first: under random ties any timer of the first instant is right.
bool pop_from(Model& model, int number, TiePolicy ties) {
  const auto [begin, end] = model.equal_range(model.begin()->first);
  const auto entry = std::find_if(begin, ties == TiePolicy::fifo ? std::next(begin) : end,
                                  [number](const auto& one) { return one.second == number; });
  if (entry == end) return false;
  if (entry->second != number) return false;
  model.erase(entry);
  return true;
}

void behaves_like_a_multimap(TiePolicy ties) {
  const auto commands = *rc::gen::container<std::vector<Command>>(any_command());
  std::deque<Numbered> timers = numbered(24);
  TimerQueue queue(ties, 11);
  Model model;
  Instant now{};
  for (const Command& command : commands) {
    Numbered& timer = timers[static_cast<std::size_t>(command.timer)];
    if (command.kind < 5 && !timer.armed()) {
      const auto delay =
          static_cast<std::int64_t>(command.delay & ((std::uint64_t{1} << command.magnitude) - 1));
      const bool tie = command.tie && !model.empty();
      const auto other = static_cast<std::ptrdiff_t>(tie ? command.delay % model.size() : 0);
      const Instant at = tie ? std::next(model.begin(), other)->first : now + Duration{delay};
      queue.arm(timer, at);
      model.emplace(at, command.timer);
    } else if (command.kind < 7) {
      queue.disarm(timer);
      disarm_in(model, command.timer);
    } else {
      const Timer* popped = queue.pop();
      RC_ASSERT((popped == nullptr) == model.empty());
      if (popped != nullptr) {
        now = popped->due();
        RC_ASSERT(now == model.begin()->first);
        RC_ASSERT(pop_from(model, number_of(popped), ties));
      }
    }
    RC_ASSERT(queue.size() == model.size());
    RC_ASSERT(queue.next_due() == (model.empty() ? never : model.begin()->first));
    RC_ASSERT(timer.armed() == std::any_of(model.begin(), model.end(), [&](const auto& one) {
                return one.second == command.timer;
              }));
  }
}

RC_GTEST_PROP(TimerQueueProperty, FifoBehavesLikeAMultimap, ()) {
  behaves_like_a_multimap(TiePolicy::fifo);
}

RC_GTEST_PROP(TimerQueueProperty, RandomBehavesLikeAMultimapUpToTies, ()) {
  behaves_like_a_multimap(TiePolicy::random);
}

}  // namespace
}  // namespace brownout
