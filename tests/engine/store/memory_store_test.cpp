#include "engine/store/memory_store.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace brownout {
namespace {

using namespace std::chrono_literals;

constexpr Instant at(Duration since_start) {
  return Instant{} + since_start;
}

class Lookup final : public ReplyLookup {
 public:
  void on_lookup(const StoredReply* found) override {
    ++answers;
    if (found != nullptr) stored = *found;
  }
  int answers = 0;
  std::optional<StoredReply> stored;
};

CacheKey key(std::uint64_t number) {
  return {number, number % 3};  // the hash sees `low` only: some keys collide
}

Reply reply(const std::string& text) {
  return {std::make_shared<const std::string>(text), 1, 2};
}

std::optional<StoredReply> get(MemoryStore& store, std::uint64_t number) {
  Lookup lookup;
  store.get(key(number), lookup);
  EXPECT_EQ(lookup.answers, 1) << "exactly once, inside get()";
  return lookup.stored;
}

TEST(MemoryStore, HasNothingAtFirst) {
  MemoryStore store;
  EXPECT_FALSE(get(store, 1));
  EXPECT_EQ(store.size(), 0U);
}

TEST(MemoryStore, GivesBackWhatWasPutAndWhen) {
  MemoryStore store;
  store.put(key(1), reply("one"), at(3s), 1h);
  const auto stored = get(store, 1);
  ASSERT_TRUE(stored);
  EXPECT_EQ(*stored->reply.text, "one");
  EXPECT_EQ(stored->reply.output_tokens, 2U);
  EXPECT_EQ(stored->stored_at, at(3s));
}

TEST(MemoryStore, TellsKeysApartWhoseHashesAreEqual) {
  MemoryStore store;
  store.put(key(1), reply("one"), at(0s), 1h);
  store.put(key(4), reply("four"), at(0s), 1h);
  EXPECT_EQ(*get(store, 1)->reply.text, "one");
  EXPECT_EQ(*get(store, 4)->reply.text, "four");
  EXPECT_FALSE(get(store, 7));
}

TEST(MemoryStore, ANewerReplyTakesTheOldersPlace) {
  MemoryStore store;
  store.put(key(1), reply("old"), at(0s), 1h);
  store.put(key(1), reply("new"), at(5s), 1h);
  EXPECT_EQ(store.size(), 1U);
  EXPECT_EQ(*get(store, 1)->reply.text, "new");
  EXPECT_EQ(get(store, 1)->stored_at, at(5s));
}

TEST(MemoryStore, FindsRepliesHoweverOldTheyAre) {
  MemoryStore store;
  store.put(key(1), reply("one"), at(0s), 1ns);
  EXPECT_TRUE(get(store, 1)) << "freshness is the policy's decision";
}

TEST(MemoryStore, DropsTheLeastRecentlyUsedWhenItIsFull) {
  MemoryStore store({.entries = 2});
  store.put(key(1), reply("one"), at(0s), 1h);
  store.put(key(2), reply("two"), at(0s), 1h);
  EXPECT_TRUE(get(store, 1)) << "used: 2 is now the older one";
  store.put(key(3), reply("three"), at(0s), 1h);
  EXPECT_EQ(store.size(), 2U);
  EXPECT_TRUE(get(store, 1));
  EXPECT_FALSE(get(store, 2));
  EXPECT_TRUE(get(store, 3));
}

TEST(MemoryStore, PuttingAgainCountsAsUse) {
  MemoryStore store({.entries = 2});
  store.put(key(1), reply("one"), at(0s), 1h);
  store.put(key(2), reply("two"), at(0s), 1h);
  store.put(key(1), reply("one again"), at(0s), 1h);
  store.put(key(3), reply("three"), at(0s), 1h);
  EXPECT_TRUE(get(store, 1));
  EXPECT_FALSE(get(store, 2));
}

TEST(MemoryStore, LookingForWhatIsNotThereChangesNothing) {
  MemoryStore store({.entries = 1});
  store.put(key(1), reply("one"), at(0s), 1h);
  EXPECT_FALSE(get(store, 2));
  EXPECT_TRUE(get(store, 1));
}

TEST(MemoryStore, KeepsNoMoreBytesThanItMay) {
  constexpr std::size_t hundred = MemoryStore::entry_bytes + 100;
  MemoryStore store({.bytes = 2 * hundred});
  store.put(key(1), reply(std::string(100, 'a')), at(0s), 1h);
  store.put(key(2), reply(std::string(100, 'b')), at(0s), 1h);
  EXPECT_EQ(store.bytes(), 2 * hundred);
  store.put(key(3), reply("c"), at(0s), 1h);
  EXPECT_EQ(store.bytes(), hundred + MemoryStore::entry_bytes + 1);
  EXPECT_FALSE(get(store, 1));
  EXPECT_TRUE(get(store, 2));
  store.put(key(2), reply(""), at(0s), 1h);
  EXPECT_EQ(store.bytes(), 2 * MemoryStore::entry_bytes + 1) << "the older text is gone";
}

TEST(MemoryStore, AReplyThatFitsNowhereTakesItsPredecessorWithIt) {
  MemoryStore store({.bytes = MemoryStore::entry_bytes + 100});
  store.put(key(1), reply("old"), at(0s), 1h);
  store.put(key(1), reply(std::string(101, 'x')), at(1s), 1h);
  EXPECT_FALSE(get(store, 1)) << "the newest reply is the only one to give";
  EXPECT_EQ(store.bytes(), 0U);
  store.put(key(2), Reply{}, at(1s), 1h);
  EXPECT_TRUE(get(store, 2)) << "a reply without text is one too";
}

// A lookup that keeps the store busy from inside its answer.
TEST(MemoryStore, MayBeUsedFromInsideAnAnswer) {
  MemoryStore store({.entries = 1});
  store.put(key(1), reply("one"), at(0s), 1h);
  class Nosy final : public ReplyLookup {
   public:
    explicit Nosy(MemoryStore& asked) : store(asked) {}
    void on_lookup(const StoredReply* found) override {
      store.put(key(2), reply("two"), at(1s), 1h);
      text = *found->reply.text;
    }
    MemoryStore& store;
    std::string text;
  } nosy(store);
  store.get(key(1), nosy);
  EXPECT_EQ(nosy.text, "one") << "what was found outlives its entry";
}

// Against the simplest thing that is right: a vector, most recently used last.
RC_GTEST_PROP(MemoryStore, BehavesLikeAListOfRecentKeys, ()) {
  const auto capacity = *rc::gen::inRange<std::size_t>(1, 6);
  const auto steps = *rc::gen::container<std::vector<std::pair<bool, std::uint64_t>>>(
      rc::gen::pair(rc::gen::arbitrary<bool>(), rc::gen::inRange<std::uint64_t>(0, 9)));
  MemoryStore store({.entries = capacity});
  std::vector<std::uint64_t> model;
  for (const auto& [puts, number] : steps) {
    const auto known = std::ranges::find(model, number);
    const bool was_known = known != model.end();
    if (was_known) model.erase(known);
    if (puts) {
      store.put(key(number), reply(std::to_string(number)), at(0s), 1h);
    } else {
      const auto stored = get(store, number);
      RC_ASSERT(stored.has_value() == was_known);
      if (stored) RC_ASSERT(*stored->reply.text == std::to_string(number));
    }
    if (puts || was_known) model.push_back(number);
    if (model.size() > capacity) model.erase(model.begin());
    RC_ASSERT(store.size() == model.size());
  }
}

}  // namespace
}  // namespace brownout
