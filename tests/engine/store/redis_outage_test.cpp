// The Redis store and a server that stops, freezes, comes back, was never there, or is no Redis.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/store/guarded_store.hpp"
#include "tests/engine/store/redis_stage.hpp"

namespace brownout::testing {
namespace {

using ::testing::HasSubstr;

// A blocked thread would stand still until the server thaws or an answer is overdue, both a second
// or more here; anything below is this machine giving its time to others.
constexpr Duration blocked = 500ms;

bool misses_at_once(RedisClient& client) {
  Asker asker;
  client.store->get(key(1), asker);
  return asker.answers == 1 && !asker.found;
}

TEST(RedisOutage, AServerThatWasNeverThereIsNoError) {
  RedisServer server;
  RedisClient client(RedisClient::options(server));
  EXPECT_TRUE(misses_at_once(client));
  client.store->put(key(1), reply("lost"), client.runtime.now(), 1h);
  EXPECT_TRUE(client.runtime.run_until([&] { return !client.store->last_error().empty(); }));
  EXPECT_THAT(client.store->last_error(), HasSubstr("refused"));
  EXPECT_TRUE(misses_at_once(client));
  EXPECT_EQ(client.store->counts().skipped, 2U);
  EXPECT_EQ(client.store->counts().puts_dropped, 1U);
  server.start();
  ASSERT_TRUE(client.connect()) << "it keeps trying";
  client.put(1, reply("kept"));
  EXPECT_EQ(client.look(1), "kept");
}

TEST(RedisOutage, AStoppedServerIsNoticedAndFoundAgain) {
  RedisServer server;
  server.start();
  RedisClient client(RedisClient::options(server));
  for (std::uint64_t round = 1; round <= 3; ++round) {
    ASSERT_TRUE(client.connect());
    client.put(1, reply("here"));
    EXPECT_EQ(client.look(1), "here");
    server.stop();
    EXPECT_TRUE(client.runtime.run_until([&] { return !client.store->connected(); }))
        << "without being asked";
    EXPECT_TRUE(misses_at_once(client));
    EXPECT_EQ(client.store->counts().connections, round);
    EXPECT_EQ(client.store->counts().connections_lost, round);
    server.start();
  }
}

// Frozen: a lookup and a put are overdue after 100 ms, and from then on nothing is asked. Thawed:
// connected again.
TEST(RedisOutage, AFrozenServerIsGivenUpAndFoundAgain) {
  RedisServer server;
  server.start();
  RedisOptions options = RedisClient::options(server);
  options.command_timeout = 100ms;
  options.connect_timeout = 100ms;
  RedisClient client(options);
  ASSERT_TRUE(client.connect());
  client.put(1, reply("here"));
  server.freeze();
  const Instant frozen = client.runtime.now();
  client.store->put(key(2), reply("lost"), client.runtime.now(), 1h);
  EXPECT_EQ(client.look(1), "nothing");
  EXPECT_GE(client.runtime.now() - frozen, 100ms);
  EXPECT_LT(client.runtime.now() - frozen, 100ms + blocked);
  EXPECT_FALSE(client.store->connected());
  EXPECT_EQ(client.store->last_error(), "no answer within 100ms");
  EXPECT_EQ(client.store->counts().unanswered, 1U);
  EXPECT_EQ(client.store->counts().puts_failed, 1U);
  client.runtime.run_for(300ms);  // connections are accepted, by the kernel, and mean nothing
  EXPECT_FALSE(client.store->connected());
  EXPECT_TRUE(misses_at_once(client));
  server.thaw();
  ASSERT_TRUE(client.connect());
  EXPECT_EQ(client.look(1), "here");
  EXPECT_EQ(client.store->counts().connections, 2U);
}

TEST(RedisOutage, WhatIsPendingIsBounded) {
  RedisServer server;
  server.start();
  RedisOptions options = RedisClient::options(server);
  options.command_timeout = 10s;
  options.most_pending = 4;
  options.most_pending_bytes = 1000;
  RedisClient client(options);
  ASSERT_TRUE(client.connect());
  server.freeze();
  client.store->put(key(1), reply(std::string(900, 'x')), client.runtime.now(), 1h);
  client.store->put(key(2), reply(std::string(100, 'y')), client.runtime.now(), 1h);
  EXPECT_EQ(client.store->counts().puts_dropped, 1U) << "too many bytes";
  std::vector<Asker> askers(5);
  for (Asker& asker : askers) client.store->get(key(1), asker);
  for (std::size_t i = 0; i < askers.size(); ++i) {
    EXPECT_EQ(askers[i].answers, i < 3 ? 0 : 1) << "three fit beside the put";
  }
  EXPECT_EQ(client.store->counts().skipped, 2U);
  client.store->put(key(3), Reply{}, client.runtime.now(), 1h);
  EXPECT_EQ(client.store->counts().puts_dropped, 2U);
  server.thaw();
  EXPECT_TRUE(client.runtime.run_until([&] {
    return std::ranges::all_of(askers, [](const Asker& asker) { return asker.answers == 1; });
  }));
  EXPECT_EQ(client.store->counts().found, 3U) << "the put came first";
  client.put(2, reply(std::string(900, 'z')));
}

TEST(RedisOutage, AStoreCanBeDestroyedWhateverTheServerDoes) {
  RedisServer server;
  server.start();
  RedisOptions options = RedisClient::options(server);
  options.command_timeout = 10s;
  Asker unheard;
  {
    RedisClient client(options);
    ASSERT_TRUE(client.connect());
    client.store->get(key(1), unheard);
    std::this_thread::sleep_for(50ms);
    client.store.reset();  // with an answer on its way to the runtime
    client.runtime.run_for(10ms);
  }
  {
    RedisClient client(options);
    ASSERT_TRUE(client.connect());
    client.store->get(key(1), unheard);
    std::this_thread::sleep_for(50ms);
    client.store.reset();  // the same, and the runtime goes without running it
  }
  {
    RedisClient client(options);
    ASSERT_TRUE(client.connect());
    server.freeze();
    client.store->get(key(1), unheard);
    const Instant before = client.runtime.now();
    client.store.reset();
    EXPECT_LT(client.runtime.now() - before, blocked);
    RedisClient connecting(options);
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_EQ(unheard.answers, 0);
}

// A socket that listens on loopback.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd_, generic, size), 0);
    EXPECT_EQ(listen(fd_, 8), 0);
    EXPECT_EQ(getsockname(fd_, generic, &size), 0);
    port = ntohs(address.sin_port);
  }
  ~Listener() { close(fd_); }

  // Says this to everyone who waits to be accepted, and closes.
  void say(const std::string& text) const {
    for (;;) {
      const int peer = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (peer < 0) return;
      // Many have given up waiting: what they are told is lost.
      static_cast<void>(send(peer, text.data(), text.size(), MSG_NOSIGNAL));
      close(peer);
    }
  }

  std::uint16_t port = 0;

 private:
  int fd_;
};

TEST(RedisOutage, WhatIsNoRedisIsNotUsed) {
  Listener listener;
  RedisOptions options;
  options.port = listener.port;
  options.connect_timeout = 100ms;
  options.first_reconnect_wait = 1ms;
  options.longest_reconnect_wait = 10ms;
  RedisClient client(options);
  const auto failure_when_told = [&](const std::string& text, const std::string& expected) {
    const auto failed = [&] {
      return client.store->last_error().find(expected) != std::string::npos;
    };
    for (int i = 0; i < 500 && !failed(); ++i) {
      if (!text.empty()) listener.say(text);
      client.runtime.run_for(2ms);
    }
    EXPECT_FALSE(client.store->connected());
    return client.store->last_error();
  };
  const auto expect_failure = [&](const std::string& text, const std::string& expected) {
    EXPECT_THAT(failure_when_told(text, expected), HasSubstr(expected));
  };
  expect_failure("", "no answer within 100ms");
  expect_failure("HTTP/1.1 400 Bad Request\r\n\r\n", "Protocol error");
  expect_failure(":1\r\n", "does not speak as Redis");
  expect_failure("-LOADING Redis is loading the dataset in memory\r\n", "LOADING");
  expect_failure("+PONG\r\n:5\r\n", "an answer nobody asked for");
  EXPECT_TRUE(misses_at_once(client));
}

// --- under load --------------------------------------------------------------------------------

// A few lookups and a put every millisecond. Each lookup has a witness: a timer armed after it for
// the end of its patience. The runtime fires timers in order, so however busy this machine is, a
// lookup that has not been answered when its witness is called has outlived its patience.
class Load final : public Timer {
 public:
  Load(RealRuntime& runtime, GuardedStore& store) : Timer(job), runtime_(runtime), store_(store) {
    runtime_.arm(*this, runtime_.now());
  }
  ~Load() {
    runtime_.disarm(*this);
    for (const auto& watch : watches_) {
      runtime_.disarm(*watch);
      store_.cancel(*watch);
    }
  }

  void fire() override {
    for (int i = 0; i < 3; ++i) look();
    store_.put(key(next_ % 10), reply("reply " + std::to_string(next_ % 10)), runtime_.now(), 1h);
    runtime_.arm(*this, runtime_.now() + 1ms);
  }

  std::size_t lookups = 0;
  std::size_t hits = 0;
  std::size_t wrong = 0;      // a hit that is another key's
  std::size_t impatient = 0;  // not answered when patience ended

  static constexpr Duration patience = 20ms;

 private:
  static constexpr JobName job{"load"};

  struct Watch final : Timer, ReplyLookup {
    Watch(Load& its_load, std::uint64_t number)
        : Timer(job), load(its_load), expected("reply " + std::to_string(number)) {}
    void on_lookup(const StoredReply* found) override {
      answered = true;
      if (found == nullptr) return;
      ++load.hits;
      load.wrong += *found->reply.text != expected;
    }
    void fire() override { load.impatient += !answered; }

    Load& load;
    const std::string expected;
    bool answered = false;
  };

  void look() {
    ++lookups;
    const std::uint64_t number = ++next_ % 10;
    watches_.push_back(std::make_unique<Watch>(*this, number));
    store_.get(key(number), *watches_.back());
    runtime_.arm(*watches_.back(), runtime_.now() + patience);
  }

  RealRuntime& runtime_;
  GuardedStore& store_;
  std::uint64_t next_ = 0;
  std::vector<std::unique_ptr<Watch>> watches_;
};

class RedisUnderLoad : public ::testing::Test {
 protected:
  RedisUnderLoad() {
    server.start();
    client = std::make_unique<RedisClient>(options());
    EXPECT_TRUE(client->connect());
    guard =
        std::make_unique<GuardedStore>(client->runtime, *client->store,
                                       GuardOptions{.patience = Load::patience, .skip_for = 50ms});
    load = std::make_unique<Load>(client->runtime, *guard);
  }

  RedisOptions options() const {
    RedisOptions options = RedisClient::options(server);
    options.command_timeout = 200ms;
    options.connect_timeout = 200ms;
    return options;
  }

  // Lookups find replies again.
  void expect_hits() {
    const std::size_t before = load->hits;
    EXPECT_TRUE(client->runtime.run_until([&] { return load->hits >= before + 50; }));
  }

  void expect_all_is_well() {
    EXPECT_EQ(load->impatient, 0U) << "of " << load->lookups;
    EXPECT_EQ(load->wrong, 0U);
    EXPECT_LT(client->runtime.longest_job(), blocked);
    EXPECT_GT(load->lookups, 100U);
  }

  RedisServer server;
  std::unique_ptr<RedisClient> client;
  std::unique_ptr<GuardedStore> guard;
  std::unique_ptr<Load> load;
};

TEST_F(RedisUnderLoad, StoppingAndStartingCostsNothingButMisses) {
  expect_hits();
  for (int round = 0; round < 2; ++round) {
    server.stop();
    client->runtime.run_for(200ms);
    EXPECT_FALSE(client->store->connected());
    server.start();
    expect_hits();
  }
  expect_all_is_well();
  EXPECT_EQ(client->store->counts().connections_lost, 2U);
}

// Shorter than the command timeout, the connection survives; longer, it does not.
TEST_F(RedisUnderLoad, FreezingCostsNothingButMisses) {
  expect_hits();
  for (const Duration frozen : {100ms, 1000ms}) {
    const std::size_t before = load->hits;
    server.freeze();
    client->runtime.run_for(frozen);
    EXPECT_LT(load->hits, before + 200) << "only what was on its way";
    server.thaw();
    expect_hits();
  }
  expect_all_is_well();
  EXPECT_GE(client->store->counts().connections_lost, 1U);
  EXPECT_GT(guard->counts().unanswered, 0U);
  EXPECT_GT(guard->counts().skipped, 0U);
}

TEST_F(RedisUnderLoad, FrozenThenStoppedThenBackItIsUsedAgain) {
  expect_hits();
  server.freeze();
  client->runtime.run_for(300ms);
  server.thaw();
  server.stop();
  client->runtime.run_for(100ms);
  server.start();
  expect_hits();
  expect_all_is_well();
}

}  // namespace
}  // namespace brownout::testing
