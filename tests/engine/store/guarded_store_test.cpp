#include "engine/store/guarded_store.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/kernel/context.hpp"

namespace brownout {
namespace {

using namespace std::chrono_literals;

constexpr Instant at(Duration since_start) {
  return Instant{} + since_start;
}

const StoredReply hello{{std::make_shared<const std::string>("hello"), 1, 2}, at(0s)};

// Answers when the test says so: at once, after a delay, or never.
class TestStore final : public ReplyStore {
 public:
  explicit TestStore(Runtime& runtime) : runtime_(runtime) {}
  ~TestStore() override { EXPECT_EQ(waiting(), 0U); }

  std::optional<Duration> delay = Duration{0};  // nothing: never
  const StoredReply* has = &hello;
  std::size_t asked = 0;
  std::size_t put_count = 0;

  void get(const CacheKey&, ReplyLookup& lookup) override {
    ++asked;
    if (delay == Duration{0}) return lookup.on_lookup(has);
    pending_.push_back(std::make_unique<Pending>(*this, lookup));
    if (delay) runtime_.arm(*pending_.back(), after(runtime_.now(), *delay));
  }
  void cancel(ReplyLookup& lookup) override {
    for (const auto& pending : pending_) {
      if (pending->lookup != &lookup) continue;
      pending->lookup = nullptr;
      runtime_.disarm(*pending);
      return;
    }
    ADD_FAILURE() << "cancelled what does not wait";
  }
  void put(const CacheKey&, const Reply&, Instant, Duration) override { ++put_count; }

  std::size_t waiting() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        pending_, [](const auto& pending) { return pending->lookup != nullptr; }));
  }

 private:
  static constexpr JobName job{"test answer"};
  struct Pending final : Timer {
    Pending(TestStore& owner, ReplyLookup& waits) : Timer(job), store(owner), lookup(&waits) {}
    void fire() override { std::exchange(lookup, nullptr)->on_lookup(store.has); }
    TestStore& store;
    ReplyLookup* lookup;
  };

  Runtime& runtime_;
  std::vector<std::unique_ptr<Pending>> pending_;
};

class Asker final : public ReplyLookup {
 public:
  explicit Asker(Runtime& runtime) : runtime_(runtime) {}
  void on_lookup(const StoredReply* found) override {
    ++answers;
    hit = found != nullptr;
    answered = runtime_.now();
    if (then) then();
  }
  int answers = 0;
  bool hit = false;
  Instant answered{};
  std::function<void()> then;

 private:
  Runtime& runtime_;
};

class GuardedStoreTest : public ::testing::Test {
 protected:
  // What becomes of one lookup begun `when`.
  std::string look(Duration when) {
    EXPECT_NE(context.run_until(at(when)), sim::Stop::livelock);
    Asker asker(context);
    guard.get({1, 1}, asker);
    const std::size_t asked_before = store.asked;
    while (asker.answers == 0) context.run_until(context.now() + 1ms);
    EXPECT_EQ(asker.answers, 1);
    EXPECT_EQ(store.asked, asked_before);
    return std::string(asker.hit ? "hit" : "miss") + " after " +
           format_duration(asker.answered - at(when));
  }

  sim::Context context;
  TestStore store{context};
  GuardedStore guard{context, store, {.patience = 50ms, .skip_after = 3, .skip_for = 1s}};
};

TEST_F(GuardedStoreTest, PassesOnWhatIsAnsweredAtOnceWithoutATimer) {
  EXPECT_EQ(look(0s), "hit after 0s");
  store.has = nullptr;
  EXPECT_EQ(look(1s), "miss after 0s");
  EXPECT_EQ(context.events(), 0U);
  EXPECT_EQ(guard.counts().answered, 2U);
}

// Patience ends at 50 ms: an answer at 49 is one, at 51 comes too late for anybody.
TEST_F(GuardedStoreTest, AnAnswerInTimeCountsAndALaterOneIsAMiss) {
  store.delay = 49ms;
  EXPECT_EQ(look(0s), "hit after 49ms");
  store.delay = 51ms;
  EXPECT_EQ(look(1s), "miss after 50ms");
  EXPECT_EQ(store.waiting(), 0U) << "cancelled";
  EXPECT_EQ(guard.counts().answered, 1U);
  EXPECT_EQ(guard.counts().unanswered, 1U);
}

// 0s, 1s, 2s unanswered: skips until 3.05s | probe at 3.05s unanswered at 3.1s: until 4.1s | probe
// answered: asks again
TEST_F(GuardedStoreTest, LeavesAStoreAloneThatKeepsNotAnswering) {
  store.delay.reset();
  EXPECT_EQ(look(0s), "miss after 50ms");
  EXPECT_EQ(look(1s), "miss after 50ms");
  EXPECT_FALSE(guard.skips());
  EXPECT_EQ(look(2s), "miss after 50ms");
  EXPECT_TRUE(guard.skips());
  EXPECT_EQ(look(2060ms), "miss after 0s");
  EXPECT_EQ(look(3049ms), "miss after 0s");
  EXPECT_EQ(store.asked, 3U);
  EXPECT_EQ(look(3050ms), "miss after 50ms") << "the probe";
  EXPECT_EQ(look(3101ms), "miss after 0s");
  EXPECT_EQ(store.asked, 4U);
  store.delay = 5ms;
  EXPECT_EQ(look(4099ms), "miss after 0s");
  EXPECT_EQ(look(4100ms), "hit after 5ms");
  EXPECT_FALSE(guard.skips());
  EXPECT_EQ(look(4200ms), "hit after 5ms");
  EXPECT_EQ(guard.counts().skipped, 4U);
}

TEST_F(GuardedStoreTest, AnAnswerInBetweenStartsTheCountAnew) {
  for (int round = 0; round < 3; ++round) {
    const Duration start = round * 10s + 1s;
    store.delay.reset();
    look(start);
    look(start + 1s);
    store.delay = 1ms;
    EXPECT_EQ(look(start + 2s), "hit after 1ms");
  }
  EXPECT_FALSE(guard.skips());
}

// 0s ten lookups at once | 50ms all are given up; the third of them made it skip, until 1.05s
TEST_F(GuardedStoreTest, LookupsAskedBeforeItSkippedDoNotProlongIt) {
  store.delay.reset();
  std::vector<std::unique_ptr<Asker>> askers;
  for (int i = 0; i < 10; ++i) {
    askers.push_back(std::make_unique<Asker>(context));
    guard.get({1, 1}, *askers.back());
    context.run_until(context.now() + 1ms);
  }
  context.run_until(at(200ms));
  for (const auto& asker : askers) EXPECT_EQ(asker->answers, 1);
  EXPECT_EQ(guard.counts().unanswered, 10U);
  store.delay = 1ms;
  EXPECT_EQ(look(1051ms), "miss after 0s");
  EXPECT_EQ(look(1052ms), "hit after 1ms");
}

// Several lookups arrive when the rest is over: one asks, the others are missed at once.
TEST_F(GuardedStoreTest, OnlyOneLookupProbes) {
  store.delay.reset();
  for (const Duration when : {0s, 1s, 2s}) look(when);
  context.run_until(at(5s));
  Asker probe(context);
  Asker other(context);
  guard.get({1, 1}, probe);
  guard.get({1, 1}, other);
  EXPECT_EQ(probe.answers, 0);
  EXPECT_EQ(other.answers, 1);
  guard.cancel(probe);
  EXPECT_TRUE(guard.skips()) << "a probe that was withdrawn says nothing";
  store.delay = 1ms;
  EXPECT_EQ(look(5001ms), "hit after 1ms") << "the next one is the probe";
  EXPECT_EQ(probe.answers, 0);
}

TEST_F(GuardedStoreTest, WhatIsCancelledIsForgottenOnBothSides) {
  store.delay = 20ms;
  Asker asker(context);
  guard.get({1, 1}, asker);
  guard.cancel(asker);
  guard.cancel(asker);
  EXPECT_EQ(store.waiting(), 0U);
  EXPECT_EQ(guard.waiting(), 0U);
  context.run_until_idle();
  EXPECT_EQ(asker.answers, 0);
}

TEST_F(GuardedStoreTest, PutsPassThroughEvenWhileItSkips) {
  store.delay.reset();
  for (const Duration when : {0s, 1s, 2s}) look(when);
  guard.put({1, 1}, {}, context.now(), 1h);
  EXPECT_EQ(store.put_count, 1U);
}

TEST_F(GuardedStoreTest, ADestroyedGuardLeavesNothingWaiting) {
  store.delay.reset();
  Asker asker(context);
  {
    GuardedStore other(context, store);
    other.get({1, 1}, asker);
  }
  EXPECT_EQ(store.waiting(), 0U);
  EXPECT_EQ(context.run_until_idle(), sim::Stop::idle);
  EXPECT_EQ(asker.answers, 0);
}

TEST_F(GuardedStoreTest, MayBeAskedAgainFromInsideAnAnswer) {
  for (const Duration delay : {0ms, 10ms, 100ms}) {
    store.delay = delay;
    Asker second(context);
    Asker first(context);
    first.then = [&] { guard.get({2, 2}, second); };
    guard.get({1, 1}, first);
    context.run_until_idle();
    EXPECT_EQ(first.answers, 1);
    EXPECT_EQ(second.answers, 1);
  }
}

// Whatever the store does and whoever gives up when: every lookup that was not cancelled is
// answered once, within patience, and nothing waits at the end.
RC_GTEST_PROP(GuardedStore, AnswersEveryLookupWithinPatience, ()) {
  const GuardOptions options{.patience = Duration{*rc::gen::inRange(1, 50)},
                             .skip_after = *rc::gen::inRange<std::uint32_t>(0, 4),
                             .skip_for = Duration{*rc::gen::inRange(0, 100)}};
  sim::Context context;
  TestStore store(context);
  std::vector<std::unique_ptr<Asker>> askers;
  std::vector<Instant> begun;
  std::vector<bool> cancelled;
  GuardedStore guard(context, store, options);
  const int steps = *rc::gen::inRange(1, 60);
  for (int step = 0; step < steps; ++step) {
    switch (*rc::gen::inRange(0, 4)) {
      case 0:
        store.delay = Duration{*rc::gen::inRange(0, 100)};
        break;
      case 1:
        store.delay.reset();
        break;
      case 2:
        if (!askers.empty()) {
          const auto which = *rc::gen::inRange<std::size_t>(0, askers.size());
          if (askers[which]->answers == 0) cancelled[which] = true;
          guard.cancel(*askers[which]);
        }
        break;
      case 3:
        askers.push_back(std::make_unique<Asker>(context));
        begun.push_back(context.now());
        cancelled.push_back(false);
        guard.get({1, 1}, *askers.back());
        break;
    }
    context.run_until(context.now() + Duration{*rc::gen::inRange(0, 30)});
  }
  context.run_until_idle();
  for (std::size_t i = 0; i < askers.size(); ++i) {
    RC_ASSERT(askers[i]->answers == (cancelled[i] ? 0 : 1));
    if (!cancelled[i]) RC_ASSERT(askers[i]->answered - begun[i] <= options.patience);
  }
  RC_ASSERT(guard.waiting() == 0U);
  // A store that answers again is asked again, after one rest at most.
  store.delay = Duration{0};
  context.run_until(context.now() + options.skip_for);
  Asker last(context);
  guard.get({1, 1}, last);
  RC_ASSERT(last.hit);
}

}  // namespace
}  // namespace brownout
