#include "engine/policy/bulkhead.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <deque>
#include <set>
#include <vector>

namespace brownout {
namespace {

using Admission = Bulkhead::Admission;
using Waiter = Bulkhead::Waiter;
using State = Waiter::State;

// Waiters that leave by themselves when a test ends.
class Crowd {
 public:
  explicit Crowd(const BulkheadOptions& options) : bulkhead(options) {}
  ~Crowd() {
    for (Waiter& waiter : waiters_) static_cast<void>(bulkhead.leave(waiter));
  }

  Waiter& operator[](std::size_t i) { return waiters_[i]; }
  std::size_t number_of(const Waiter* waiter) const {
    for (std::size_t i = 0; i < waiters_.size(); ++i) {
      if (&waiters_[i] == waiter) return i;
    }
    return nobody;
  }
  std::size_t leave(std::size_t i) { return number_of(bulkhead.leave(waiters_[i])); }
  std::size_t admit() { return number_of(bulkhead.admit()); }
  Admission acquire(std::size_t i, std::uint8_t priority = 0) {
    return bulkhead.acquire(waiters_[i], priority);
  }

  static constexpr std::size_t size = 12;
  static constexpr std::size_t nobody = size;
  Bulkhead bulkhead;

 private:
  std::array<Waiter, size> waiters_;
};

TEST(Bulkhead, GrantsThenQueuesThenRefuses) {
  Crowd crowd({.max_concurrent = 2, .max_queued = 1});
  EXPECT_EQ(crowd.acquire(0), Admission::granted);
  EXPECT_EQ(crowd.acquire(1), Admission::granted);
  EXPECT_EQ(crowd.acquire(2), Admission::queued);
  EXPECT_EQ(crowd.acquire(3), Admission::refused);
  EXPECT_EQ(crowd.bulkhead.holders(), 2U);
  EXPECT_EQ(crowd.bulkhead.queued(), 1U);
  EXPECT_EQ(crowd[3].state(), State::outside);
}

TEST(Bulkhead, WithoutALineTheNextIsRefusedAtOnce) {
  Crowd crowd({.max_concurrent = 1});
  EXPECT_EQ(crowd.acquire(0), Admission::granted);
  EXPECT_EQ(crowd.acquire(1), Admission::refused);
  EXPECT_EQ(crowd.leave(0), Crowd::nobody);
  EXPECT_EQ(crowd.acquire(1), Admission::granted);
}

TEST(Bulkhead, WhoLeavesHandsItsPlaceToWhoeverCameFirst) {
  Crowd crowd({.max_concurrent = 1, .max_queued = 3});
  for (std::size_t i = 0; i < 4; ++i) crowd.acquire(i);
  EXPECT_EQ(crowd.leave(0), 1U);
  EXPECT_EQ(crowd[1].state(), State::holding);
  EXPECT_EQ(crowd.leave(1), 2U);
  EXPECT_EQ(crowd.leave(2), 3U);
  EXPECT_EQ(crowd.leave(3), Crowd::nobody);
  EXPECT_EQ(crowd.bulkhead.holders(), 0U);
}

TEST(Bulkhead, TheMoreUrgentGoFirstAndInOrderAmongThemselves) {
  Crowd crowd({.max_concurrent = 1, .max_queued = 10});
  crowd.acquire(0);
  const std::array<std::uint8_t, 7> priorities{3, 1, 2, 1, 0, 3, 0};
  for (std::size_t i = 0; i < priorities.size(); ++i) crowd.acquire(i + 1, priorities[i]);
  std::vector<std::size_t> order;
  for (std::size_t i = crowd.leave(0); i != Crowd::nobody; i = crowd.leave(i)) order.push_back(i);
  EXPECT_EQ(order, (std::vector<std::size_t>{5, 7, 2, 4, 3, 1, 6}));
}

TEST(Bulkhead, AFullLineRefusesTheUrgentAsWell) {
  Crowd crowd({.max_concurrent = 1, .max_queued = 1});
  crowd.acquire(0);
  crowd.acquire(1, 3);
  EXPECT_EQ(crowd.acquire(2, 0), Admission::refused);
}

TEST(Bulkhead, WhoGivesUpWaitingLeavesTheOrderOfTheRest) {
  for (std::size_t quitter = 1; quitter <= 3; ++quitter) {
    Crowd crowd({.max_concurrent = 1, .max_queued = 3});
    for (std::size_t i = 0; i < 4; ++i) crowd.acquire(i);
    EXPECT_EQ(crowd.leave(quitter), Crowd::nobody) << "no place became free";
    EXPECT_EQ(crowd.bulkhead.queued(), 2U);
    EXPECT_EQ(crowd.bulkhead.holders(), 1U);
    std::vector<std::size_t> order;
    for (std::size_t i = crowd.leave(0); i != Crowd::nobody; i = crowd.leave(i)) order.push_back(i);
    std::vector<std::size_t> expected{1, 2, 3};
    std::erase(expected, quitter);
    EXPECT_EQ(order, expected);
  }
}

TEST(Bulkhead, AGrantThatIsAbandonedBeforeWakingUpIsPassedOn) {
  Crowd crowd({.max_concurrent = 1, .max_queued = 2});
  for (std::size_t i = 0; i < 3; ++i) crowd.acquire(i);
  ASSERT_EQ(crowd.leave(0), 1U);
  EXPECT_EQ(crowd.leave(1), 2U) << "1 has not run, its place is not lost";
  EXPECT_EQ(crowd.bulkhead.holders(), 1U);
}

TEST(Bulkhead, LeavingTwiceGivesNothingBackTwice) {
  Crowd crowd({.max_concurrent = 2, .max_queued = 2});
  for (std::size_t i = 0; i < 4; ++i) crowd.acquire(i);
  EXPECT_EQ(crowd.leave(0), 2U);
  EXPECT_EQ(crowd.leave(0), Crowd::nobody);
  EXPECT_EQ(crowd.bulkhead.holders(), 2U);
  EXPECT_EQ(crowd.bulkhead.queued(), 1U);
}

TEST(Bulkhead, ASmallerOneHandsNoPlacesOnUntilEnoughHaveLeft) {
  Crowd crowd({.max_concurrent = 3, .max_queued = 2});
  for (std::size_t i = 0; i < 5; ++i) crowd.acquire(i);
  crowd.bulkhead.set_max_concurrent(1);
  EXPECT_EQ(crowd.bulkhead.holders(), 3U);
  EXPECT_EQ(crowd.leave(0), Crowd::nobody);
  EXPECT_EQ(crowd.leave(1), Crowd::nobody);
  EXPECT_EQ(crowd.leave(2), 3U);
}

TEST(Bulkhead, ALargerOneAdmitsAsManyAsItHasGained) {
  Crowd crowd({.max_concurrent = 1, .max_queued = 4});
  for (std::size_t i = 0; i < 5; ++i) crowd.acquire(i);
  crowd.bulkhead.set_max_concurrent(3);
  EXPECT_EQ(crowd.admit(), 1U);
  EXPECT_EQ(crowd.admit(), 2U);
  EXPECT_EQ(crowd.admit(), Crowd::nobody);
}

TEST(Bulkhead, NobodyOvertakesTheLineThroughAPlaceNotYetHandedOn) {
  Crowd crowd({.max_concurrent = 1, .max_queued = 2});
  crowd.acquire(0);
  crowd.acquire(1, 3);
  crowd.bulkhead.set_max_concurrent(2);
  EXPECT_EQ(crowd.acquire(2, 0), Admission::queued);
  EXPECT_EQ(crowd.admit(), 2U) << "but the more urgent is first in line";
}

// The plainest bulkhead there is: a set and four deques.
struct Model {
  std::uint32_t max_concurrent = 0;
  std::uint32_t max_queued = 0;
  std::set<std::size_t> holding{};
  std::array<std::deque<std::size_t>, Bulkhead::priorities> lines{};

  std::size_t queued() const {
    std::size_t count = 0;
    for (const auto& line : lines) count += line.size();
    return count;
  }
  Admission acquire(std::size_t i, std::uint8_t priority) {
    if (queued() == 0 && holding.size() < max_concurrent) {
      holding.insert(i);
      return Admission::granted;
    }
    if (queued() >= max_queued) return Admission::refused;
    lines[priority].push_back(i);
    return Admission::queued;
  }
  std::size_t admit() {
    if (holding.size() >= max_concurrent) return Crowd::nobody;
    for (auto& line : lines) {
      if (line.empty()) continue;
      const std::size_t i = line.front();
      line.pop_front();
      holding.insert(i);
      return i;
    }
    return Crowd::nobody;
  }
  std::size_t leave(std::size_t i) {
    for (auto& line : lines) std::erase(line, i);
    return holding.erase(i) == 1 ? admit() : Crowd::nobody;
  }
};

RC_GTEST_PROP(Bulkhead, DoesWhatASetAndFourQueuesWouldDo, ()) {
  Model model{.max_concurrent = *rc::gen::inRange<std::uint32_t>(1, 5),
              .max_queued = *rc::gen::inRange<std::uint32_t>(0, 8)};
  Crowd crowd({model.max_concurrent, model.max_queued});
  const auto steps = *rc::gen::container<std::vector<std::pair<std::size_t, std::uint8_t>>>(
      rc::gen::pair(rc::gen::inRange<std::size_t>(0, Crowd::size + 1),
                    rc::gen::inRange<std::uint8_t>(0, Bulkhead::priorities)));
  for (const auto& [i, priority] : steps) {
    if (i == Crowd::size) {
      model.max_concurrent = 1U + priority;
      crowd.bulkhead.set_max_concurrent(model.max_concurrent);
      for (std::size_t next = model.admit(); next != Crowd::nobody; next = model.admit()) {
        RC_ASSERT(crowd.admit() == next);
      }
      RC_ASSERT(crowd.admit() == Crowd::nobody);
    } else if (crowd[i].state() == State::outside) {
      RC_ASSERT(crowd.acquire(i, priority) == model.acquire(i, priority));
    } else {
      RC_ASSERT(crowd.leave(i) == model.leave(i));
    }
    std::size_t holding = 0;
    for (std::size_t k = 0; k < Crowd::size; ++k) holding += crowd[k].state() == State::holding;
    RC_ASSERT(holding == crowd.bulkhead.holders());
    RC_ASSERT(holding == model.holding.size());
    RC_ASSERT(crowd.bulkhead.queued() == model.queued());
  }
}

}  // namespace
}  // namespace brownout
