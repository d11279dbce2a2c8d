// A store that is slow or dead, and what calls notice of it: nothing but misses.

#include "sim/scripted_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "engine/store/memory_store.hpp"
#include "sim/kernel/context.hpp"
#include "tests/sim/complaints.hpp"
#include "tests/sim/lab.hpp"

namespace brownout::sim {
namespace {

using namespace std::chrono_literals;
using testing::at;
using testing::Complaint;
using ::testing::ElementsAre;
using testing::EventList;
using testing::fly;
using testing::Lab;

class Asker final : public ReplyLookup {
 public:
  explicit Asker(Runtime& runtime) : runtime_(runtime) {}
  void on_lookup(const StoredReply* found) override {
    hit = found != nullptr;
    answered = runtime_.now();
  }
  std::optional<bool> hit;
  Instant answered{};

 private:
  Runtime& runtime_;
};

class ScriptedStoreTest : public ::testing::Test {
 protected:
  // 1ms as a rule | 10s-20s dead | 20s-30s 2s each
  StoreSpec spec{.latency = mock::Distribution::constant(1ms),
                 .faults = {{10s, 20s, StoreFault::Mode::dead, {}},
                            {20s, 30s, StoreFault::Mode::slow, mock::Distribution::constant(2s)}}};
  Context context;
  MemoryStore replies;
  ScriptedStore store{context, replies, spec};

  // What becomes of a lookup begun at `when`.
  std::string look(Duration when) {
    context.run_until(at(when));
    Asker asker(context);
    store.get({1, 1}, asker);
    context.run_until_idle();
    if (!asker.hit) return "no answer";
    return (*asker.hit ? "hit after " : "miss after ") + format_duration(asker.answered - at(when));
  }
};

TEST_F(ScriptedStoreTest, FollowsItsScript) {
  store.put({1, 1}, {}, at(0s), 1h);
  EXPECT_EQ(look(0s), "hit after 1ms");
  EXPECT_EQ(look(10s - 1ns), "hit after 1ms") << "judged by when it begins";
  EXPECT_EQ(look(11s), "no answer");
  EXPECT_EQ(look(20s - 1ns), "no answer");
  EXPECT_EQ(look(20s), "hit after 2s");
  EXPECT_EQ(look(30s - 1ns), "hit after 2s");
  EXPECT_EQ(look(33s), "hit after 1ms");
  EXPECT_EQ(store.waiting(), 0U);
}

TEST_F(ScriptedStoreTest, WhatIsPutWhileItIsDeadIsLost) {
  context.run_until(at(15s));
  store.put({1, 1}, {}, context.now(), 1h);
  EXPECT_EQ(look(25s), "miss after 2s");
  store.put({1, 1}, {}, context.now(), 1h);
  EXPECT_EQ(look(35s), "hit after 1ms");
}

TEST_F(ScriptedStoreTest, WhatIsCancelledIsForgotten) {
  Asker asker(context);
  store.get({1, 1}, asker);
  store.cancel(asker);
  store.cancel(asker);
  context.run_until(at(15s));
  store.get({1, 1}, asker);
  store.cancel(asker);
  context.run_until_idle();
  EXPECT_FALSE(asker.hit);
}

TEST_F(ScriptedStoreTest, ADestroyedStoreLeavesNothingArmed) {
  Asker asker(context);
  {
    ScriptedStore other(context, replies, spec);
    other.get({1, 1}, asker);
  }
  context.run_until_idle();
  EXPECT_FALSE(asker.hit);
}

// --- whole runs --------------------------------------------------------------------------------

constexpr const char* cached = R"([{"cache": {"ttl": "1h"}}])";

// 100 calls a second for a minute over 20 prompts; a call that is not cached takes 220 ms.
Lab world(const std::string& store) {
  Lab lab;
  lab.duration = "1m";
  lab.arrivals = R"({"constant": "100/s"})";
  lab.workload = R"(, "prompts": {"distinct": 20})";
  lab.store = store;
  return lab;
}

std::vector<EventList::Call> calls_of(const Lab& lab, const std::string& pipeline) {
  EventList events;
  const RunResult result = fly(lab, pipeline, testing::heard_by(events));
  EXPECT_EQ(result.end, RunEnd::completed) << result.diagnosis;
  std::ranges::sort(events.calls, {}, [](const auto& call) { return call.event.call; });
  return std::move(events.calls);
}

Duration latency(const EventList::Call& call) {
  return call.event.ended - call.event.started;
}

TEST(StoreFaults, AnEmptySectionChangesNothing) {
  EXPECT_EQ(fly(world("{}"), cached).schedule_digest, fly(world(""), cached).schedule_digest);
}

// Dead throughout. Five calls learn it, then one every 1.05 s asks again: those take 50 ms more,
// all others are exactly as without a cache.
TEST(StoreFaults, ADeadStoreLeavesCallsAsTheyAreWithoutACache) {
  const Lab dead = world(R"({"faults": [{"from": "0s", "until": "1m", "mode": "dead"}]})");
  const auto with = calls_of(dead, cached);
  const auto without = calls_of(dead, "[]");
  ASSERT_EQ(with.size(), without.size());
  std::size_t delayed = 0;
  for (std::size_t i = 0; i < with.size(); ++i) {
    EXPECT_EQ(with[i].outcome.served, Served::live);
    const Duration extra = latency(with[i]) - latency(without[i]);
    EXPECT_TRUE(extra == 0s || extra == 50ms) << format_duration(extra);
    delayed += extra != 0s;
  }
  // The first five asked at 10 to 50 ms gave up at 60 to 100 ms; until then others asked too.
  EXPECT_GE(delayed, 5U + 60 / 1.07);
  EXPECT_LE(delayed, 10U + 60 / 1.05);
}

// However slow it is, no lookup takes longer than 50 ms.
TEST(StoreFaults, ASlowStoreCostsPatienceAtMost) {
  for (const char* slowness : {R"("10m")", R"("51ms")", R"({"exponential": {"mean": "40ms"}})"}) {
    const Lab slow = world(fmt::format(
        R"({{"faults": [{{"from": "0s", "until": "1m", "mode": "slow", "latency": {}}}]}})",
        slowness));
    for (const auto& call : calls_of(slow, cached)) {
      ASSERT_TRUE(call.outcome.ok());
      const Duration own = call.outcome.served == Served::cached ? 0ms : 220ms;
      EXPECT_LE(latency(call), own + 50ms) << slowness;
    }
  }
}

// A fallback that looks twice, in its cache and for the last resort, waits twice at most.
TEST(StoreFaults, EachLookupHasPatienceOfItsOwn) {
  Lab lab =
      world(R"({"faults": [{"from": "0s", "until": "1m", "mode": "slow", "latency": "1s"}]})");
  lab.faults = R"([{"on": "*", "error": "server_error"}])";
  const Scenario scenario = testing::scenario(lab);
  const Policy policy = testing::branching_policy(R"([{"cache": {"ttl": "1h"}}, {"fallback": {
      "routes": [{"name": "a", "to": "lab/model", "pipeline": []}],
      "then": [{"cached": {}}, {"default": {"error": "sorry"}}]}}])");
  EventList events;
  fly(scenario, policy, testing::heard_by(events));
  ASSERT_FALSE(events.calls.empty());
  for (const auto& call : events.calls) {
    EXPECT_EQ(call.outcome.served, Served::fallback);
    EXPECT_LE(latency(call), 70ms + 2 * 50ms);
  }
}

// 20s-40s dead; afterwards the first lookup that asks, at most 1.05 s later, finds it well.
TEST(StoreFaults, AStoreThatComesBackIsUsedAgain) {
  const auto calls = calls_of(
      world(R"({"latency": "2ms", "faults": [{"from": "20s", "until": "40s", "mode": "dead"}]})"),
      cached);
  for (const auto& call : calls) {
    const Instant begun = call.event.started;
    const bool must_hit = (begun > at(5s) && begun < at(20s)) || begun > at(41'050ms);
    if (begun >= at(20s) && begun < at(40s)) {
      EXPECT_EQ(call.outcome.served, Served::live);
    }
    if (!must_hit) continue;
    EXPECT_EQ(call.outcome.served, Served::cached) << format_duration(begun - at(0s));
    EXPECT_EQ(latency(call), 2ms);
  }
}

TEST(StoreFaults, TheSameSeedGivesTheSameRun) {
  const Lab lab = world(R"({"latency": {"exponential": {"mean": "30ms"}}})");
  const auto digest = [&](std::uint64_t seed) {
    return fly(lab, cached, testing::seeded(seed)).schedule_digest;
  };
  EXPECT_EQ(digest(1), digest(1));
  EXPECT_NE(digest(1), digest(2));
}

// --- files -------------------------------------------------------------------------------------

std::vector<Complaint> refused(const std::string& store) {
  const auto scenario = parse_scenario("lab.json", testing::scenario_json(world(store)));
  EXPECT_FALSE(scenario) << store;
  return scenario ? std::vector<Complaint>{} : testing::complaints_of(scenario.error());
}

TEST(StoreSection, KeepsWhatTheFileSays) {
  const Scenario scenario = testing::scenario(world(
      R"({"latency": "1ms", "faults": [{"from": "10s", "until": "20s", "mode": "dead"},
          {"from": "20s", "until": "1m", "mode": "slow", "latency": "3s"}]})"));
  EXPECT_EQ(scenario.store.latency.to_string(), "1ms");
  ASSERT_EQ(scenario.store.faults.size(), 2U);
  EXPECT_EQ(scenario.store.faults[0].mode, StoreFault::Mode::dead);
  EXPECT_EQ(scenario.store.faults[0].from, 10s);
  EXPECT_EQ(scenario.store.faults[1].until, 1min);
  EXPECT_EQ(scenario.store.faults[1].latency.to_string(), "3s");
  EXPECT_TRUE(scenario.store.is_scripted());
  EXPECT_FALSE(testing::scenario(world("")).store.is_scripted());
}

TEST(StoreSection, RefusesWhatMakesNoSense) {
  EXPECT_THAT(refused(R"({"faults": [{"from": "20s", "until": "10s", "mode": "dead"}]})"),
              ElementsAre(Complaint{"the fault ends at 10s but begins at 20s", R"("10s")",
                                    "\"until\" counts from the scenario's start"}));
  EXPECT_THAT(
      refused(R"({"faults": [{"from": "20s", "until": "2m", "mode": "dead"}]})"),
      ElementsAre(Complaint{"2m is after the end of the scenario", R"("2m")", "it ends at 1m"}));
  EXPECT_THAT(
      refused(R"({"faults": [{"from": "0s", "until": "20s", "mode": "dead"},
                          {"from": "19s", "until": "30s", "mode": "dead"}]})"),
      ElementsAre(Complaint{"the fault begins at 19s but the one before it ends at 20s", R"("19s")",
                            "faults of a store stand in order of time and do not overlap"}));
  EXPECT_THAT(
      refused(R"({"faults": [{"from": "0s", "until": "9s", "mode": "dead", "latency": "1s"}]})"),
      ElementsAre(Complaint{"\"latency\" has no effect on a store that is dead", R"("1s")",
                            "only slow stores have one"}));
}

}  // namespace
}  // namespace brownout::sim
