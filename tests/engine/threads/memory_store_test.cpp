// One memory store, several threads.

#include "engine/store/memory_store.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

namespace brownout {
namespace {

using namespace std::chrono_literals;

struct Lookup final : ReplyLookup {
  void on_lookup(const StoredReply* found) override {
    ++answers;
    if (found != nullptr) text = *found->reply.text;
  }
  int answers = 0;
  std::string text;
};

CacheKey key(std::uint64_t number) {
  return {number, number % 3};
}

// Fewer entries than keys, so that each thread drops what the other is reading.
TEST(MemoryStore, ServesSeveralThreads) {
  constexpr std::uint64_t rounds = 20'000;
  constexpr std::uint64_t keys = 7;
  MemoryStore store({.entries = 4});
  std::array<std::uint64_t, 2> wrong{};
  std::array<std::uint64_t, 2> hits{};
  {
    std::vector<std::jthread> threads;
    for (std::size_t thread = 0; thread < wrong.size(); ++thread) {
      threads.emplace_back([&, thread] {
        for (std::uint64_t i = 0; i < rounds; ++i) {
          const std::uint64_t put = (i + thread) % keys;
          const std::uint64_t sought = (put + 5) % keys;
          store.put(key(put), {std::make_shared<const std::string>(std::to_string(put)), 1, 2},
                    Instant{}, 1h);
          Lookup lookup;
          store.get(key(sought), lookup);
          hits[thread] += !lookup.text.empty();
          const bool right = lookup.text.empty() || lookup.text == std::to_string(sought);
          wrong[thread] += lookup.answers != 1 || !right;
        }
      });
    }
  }
  EXPECT_EQ(wrong, (std::array<std::uint64_t, 2>{}));
  EXPECT_GT(hits[0] + hits[1], 0U);
  EXPECT_EQ(store.size(), 4U);
}

}  // namespace
}  // namespace brownout
