// Lookups allocate nothing once as many have waited at once as ever will.

#include <gtest/gtest.h>

#include <array>

#include "engine/store/guarded_store.hpp"
#include "engine/store/memory_store.hpp"
#include "sim/kernel/context.hpp"
#include "tests/sim/kernel/heap_counter.hpp"

namespace brownout {
namespace {

using namespace std::chrono_literals;

class Asker final : public ReplyLookup {
 public:
  void on_lookup(const StoredReply*) override { ++answers; }
  int answers = 0;
};

// Never answers.
class SilentStore final : public ReplyStore {
 public:
  void get(const CacheKey&, ReplyLookup&) override {}
  void cancel(ReplyLookup&) override {}
  void put(const CacheKey&, const Reply&, Instant, Duration) override {}
};

TEST(GuardedStore, AllocatesNothingInSteadyState) {
  sim::Context context;
  SilentStore silent;
  GuardedStore guard(context, silent, {.skip_after = 0});
  std::array<Asker, 100> askers;
  std::size_t before = 0;
  for (int round = 0; round < 3; ++round) {
    for (Asker& asker : askers) guard.get({1, 1}, asker);
    for (std::size_t i = 0; i < askers.size(); i += 2) guard.cancel(askers[i]);
    context.run_until_idle();
    if (round == 0) before = heap_allocations();
  }
  EXPECT_EQ(heap_allocations() - before, 0U);
  EXPECT_EQ(askers[0].answers, 0);
  EXPECT_EQ(askers[1].answers, 3);
}

TEST(GuardedStore, AllocatesNothingBeforeAStoreThatAnswersAtOnce) {
  sim::Context context;
  MemoryStore memory;
  GuardedStore guard(context, memory);
  memory.put({1, 1}, {std::make_shared<const std::string>("hello"), 1, 1}, context.now(), 1h);
  Asker asker;
  guard.get({1, 1}, asker);
  const std::size_t before = heap_allocations();
  for (int i = 0; i < 100; ++i) guard.get({1, 1}, asker);
  EXPECT_EQ(heap_allocations() - before, 0U);
  EXPECT_EQ(asker.answers, 101);
}

}  // namespace
}  // namespace brownout
