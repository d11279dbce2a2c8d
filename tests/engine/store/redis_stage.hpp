#pragma once

// What the tests of the Redis store have in common: real time, a client, and lookups that are
// watched.

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/store/redis_store.hpp"
#include "tests/support/real_runtime.hpp"
#include "tests/support/redis/redis_server.hpp"

namespace brownout::testing {

using namespace std::chrono_literals;

inline CacheKey key(std::uint64_t number) {
  return {number, ~number};
}

inline std::string redis_key(std::uint64_t number, const std::string& prefix = "brownout:") {
  return fmt::format("{}{:016x}{:016x}", prefix, number, ~number);
}

inline Reply reply(const std::string& text) {
  return {std::make_shared<const std::string>(text), 11, 22};
}

class Asker final : public ReplyLookup {
 public:
  void on_lookup(const StoredReply* reply_found) override {
    ++answers;
    if (reply_found != nullptr) found = *reply_found;
  }
  int answers = 0;
  std::optional<StoredReply> found;
};

/// A runtime with a store on it.
class RedisClient {
 public:
  explicit RedisClient(RedisOptions options, Duration skew = {}) : runtime(skew) {
    auto opened = RedisStore::open(runtime, std::move(options));
    if (opened) {
      store = std::move(*opened);
    } else {
      for (const Error& error : opened.error()) ADD_FAILURE() << error.to_string();
    }
  }

  /// Options for tests: as by default, but they come back soon.
  static RedisOptions options(const RedisServer& server) {
    RedisOptions options;
    options.port = server.port();
    options.first_reconnect_wait = 5ms;
    options.longest_reconnect_wait = 40ms;
    return options;
  }

  bool connect() {
    return runtime.run_until([this] { return store->connected(); });
  }

  /// The text found, "nothing", or "null" for a reply without a text.
  std::string look(std::uint64_t number) {
    const auto found = find(number);
    if (!found) return "nothing";
    return found->reply.text ? *found->reply.text : "null";
  }

  std::optional<StoredReply> find(std::uint64_t number) {
    Asker asker;
    store->get(key(number), asker);
    EXPECT_TRUE(runtime.run_until([&] { return asker.answers != 0; }));
    store->cancel(asker);  // should it not have been
    EXPECT_EQ(asker.answers, 1);
    return asker.found;
  }

  /// Waits until the server has it.
  void put(std::uint64_t number, const Reply& what, Duration keep_for = 1h) {
    const RedisCounts before = store->counts();
    store->put(key(number), what, runtime.now(), keep_for);
    EXPECT_TRUE(runtime.run_until([&] {
      const RedisCounts now = store->counts();
      return now.stored + now.puts_failed + now.puts_dropped >
             before.stored + before.puts_failed + before.puts_dropped;
    }));
    EXPECT_EQ(store->counts().stored, before.stored + 1);
  }

  RealRuntime runtime;
  std::unique_ptr<RedisStore> store;
};

}  // namespace brownout::testing
