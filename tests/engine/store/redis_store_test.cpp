// The Redis store and a server that does what it should.

#include "engine/store/redis_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/store/redis_stage.hpp"

namespace brownout::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// One server for all of them; each test has a database of its own where it matters.
class RedisStoreTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server = new RedisServer;
    server->start();
  }
  static void TearDownTestSuite() {
    delete server;
    server = nullptr;
  }
  void SetUp() override { EXPECT_EQ(server->ask({"FLUSHALL"}), "OK"); }

  static RedisServer* server;
  static RedisOptions options() { return RedisClient::options(*server); }
};
RedisServer* RedisStoreTest::server = nullptr;

TEST_F(RedisStoreTest, GivesBackWhatWasPutAndWhen) {
  RedisClient client(options());
  ASSERT_TRUE(client.connect());
  EXPECT_EQ(client.look(1), "nothing");
  const Instant before = client.runtime.now();
  const std::string binary("a\0b\r\n\xFF", 6);
  client.put(1, reply(binary));
  client.put(2, Reply{});
  client.put(3, reply(std::string(300'000, 'x')));
  const auto found = client.find(1);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found->reply.text, binary);
  EXPECT_EQ(found->reply.input_tokens, 11U);
  EXPECT_EQ(found->reply.output_tokens, 22U);
  // Two clocks were read to tell, one after the other, and the calendar may be slewed.
  EXPECT_GE(found->stored_at, before - 1s);
  EXPECT_LE(found->stored_at, client.runtime.now());
  EXPECT_EQ(client.look(2), "null");
  EXPECT_EQ(client.look(3), std::string(300'000, 'x'));
  client.put(1, reply("newer"));
  EXPECT_EQ(client.look(1), "newer");
  const RedisCounts counts = client.store->counts();
  EXPECT_EQ(counts.found, 4U);
  EXPECT_EQ(counts.missed, 1U);
  EXPECT_EQ(counts.stored, 4U);
  EXPECT_EQ(counts.connections, 1U);
  EXPECT_EQ(client.store->last_error(), "");
}

TEST_F(RedisStoreTest, AReplyIsAsOldAsItIsAcrossProcessesAndMachines) {
  RedisClient writer(options());
  ASSERT_TRUE(writer.connect());
  writer.store->put(key(1), reply("old"), writer.runtime.now() - 5min, 1h);
  EXPECT_TRUE(writer.runtime.run_until([&] { return writer.store->counts().stored == 1; }));
  writer.put(2, reply("new"));
  // Another process, another monotonic clock, and an hour later.
  RedisClient later(options(), 1h);
  ASSERT_TRUE(later.connect());
  const auto age = [](RedisClient& client, std::uint64_t number) {
    const auto found = client.find(number);
    return found ? client.runtime.now() - found->stored_at : Duration{-1};
  };
  EXPECT_GE(age(later, 1), 65min - 1s);
  EXPECT_LE(age(later, 1), 65min + 10s);
  EXPECT_GE(age(later, 2), 60min - 1s);
  EXPECT_LE(age(later, 2), 60min + 10s);
  // A machine whose calendar is behind sees replies from its future: new, not older than time.
  RedisClient behind(options(), -1h);
  ASSERT_TRUE(behind.connect());
  EXPECT_GE(age(behind, 2), 0s);
  EXPECT_LE(age(behind, 2), 10s);
}

TEST_F(RedisStoreTest, KeepsRepliesAsLongAsTheyAreWanted) {
  RedisClient client(options());
  ASSERT_TRUE(client.connect());
  client.put(1, reply("short"), 150ms);
  client.put(2, reply("long"), 1h);
  client.put(3, reply("for ever"), forever);
  client.put(4, reply("barely"), 1ns);
  EXPECT_LE(std::stoll(server->ask({"PTTL", redis_key(1)})), 150);
  const auto left = std::stoll(server->ask({"PTTL", redis_key(2)}));
  EXPECT_GT(left, 3'590'000);
  EXPECT_LE(left, 3'600'000);
  EXPECT_GT(std::stoll(server->ask({"PTTL", redis_key(3)})), 300'000'000'000);
  client.runtime.run_for(160ms);
  EXPECT_EQ(client.look(1), "nothing");
  EXPECT_EQ(client.look(2), "long");
  EXPECT_EQ(client.look(4), "nothing");
}

TEST_F(RedisStoreTest, KeysHaveTheirPrefix) {
  RedisOptions mine = options();
  mine.key_prefix = "team a\n:";
  RedisClient a(mine);
  mine.key_prefix = "";
  RedisClient b(mine);
  ASSERT_TRUE(a.connect() && b.connect());
  a.put(1, reply("of a"));
  EXPECT_EQ(b.look(1), "nothing");
  b.put(1, reply("of b"));
  EXPECT_EQ(a.look(1), "of a");
  EXPECT_EQ(server->ask({"EXISTS", redis_key(1, "team a\n:"), redis_key(1, "")}), "2");
}

TEST_F(RedisStoreTest, WhatIsNotAReplyOfOursIsAMiss) {
  RedisClient client(options());
  ASSERT_TRUE(client.connect());
  client.put(1, reply("whole"));
  const std::string whole = server->ask({"GET", redis_key(1)});
  server->ask({"SET", redis_key(1), whole.substr(0, whole.size() - 1)});
  server->ask({"SET", redis_key(2), "{\"text\": \"hello\"}"});
  server->ask({"SET", redis_key(3), ""});
  server->ask({"RPUSH", redis_key(4), "a", "list"});
  for (std::uint64_t number = 1; number <= 4; ++number) {
    EXPECT_EQ(client.look(number), "nothing") << number;
  }
  EXPECT_EQ(client.store->counts().undecodable, 4U);
  server->ask({"SET", redis_key(2), whole});
  EXPECT_EQ(client.look(2), "whole") << "the same bytes anywhere are a reply";
  client.put(4, reply("instead of a list"));
  EXPECT_EQ(client.look(4), "instead of a list");
}

TEST_F(RedisStoreTest, SelectsItsDatabaseAndSpeaksThroughASocketFile) {
  RedisOptions here = options();
  here.database = 3;
  here.unix_socket = server->socket_path();
  here.host = "not looked at";
  RedisClient client(here);
  ASSERT_TRUE(client.connect()) << client.store->last_error();
  client.put(1, reply("in 3"));
  EXPECT_EQ(server->ask({"DBSIZE"}), "0");
  EXPECT_EQ(client.look(1), "in 3");
  here.database = 99;
  RedisClient nowhere(here);
  EXPECT_TRUE(nowhere.runtime.run_until([&] { return !nowhere.store->last_error().empty(); }));
  EXPECT_THAT(nowhere.store->last_error(), HasSubstr("DB index"));
  EXPECT_FALSE(nowhere.store->connected());
}

TEST_F(RedisStoreTest, CancelledLookupsHearNothing) {
  RedisClient client(options());
  ASSERT_TRUE(client.connect());
  client.put(1, reply("one"));
  Asker cancelled;
  Asker kept;
  for (int i = 0; i < 2; ++i) client.store->cancel(cancelled);
  client.store->get(key(1), cancelled);
  client.store->get(key(1), kept);
  client.store->cancel(cancelled);
  EXPECT_TRUE(client.runtime.run_until([&] { return client.store->counts().cancelled == 1; }));
  EXPECT_TRUE(client.runtime.run_until([&] { return kept.answers == 1; }));
  // Also when the answer is already waiting to be picked up.
  client.store->get(key(1), cancelled);
  std::this_thread::sleep_for(50ms);
  client.store->cancel(cancelled);
  EXPECT_TRUE(client.runtime.run_until([&] { return client.store->counts().cancelled == 2; }));
  EXPECT_EQ(cancelled.answers, 0);
  client.store->get(key(1), cancelled);
  EXPECT_TRUE(client.runtime.run_until([&] { return cancelled.answers == 1; }));
}

TEST_F(RedisStoreTest, ManyLookupsAreUnderWayAtOnce) {
  RedisClient client(options());
  ASSERT_TRUE(client.connect());
  for (std::uint64_t i = 0; i < 500; ++i) {
    client.store->put(key(i), reply(std::to_string(i)), client.runtime.now(), 1h);
  }
  std::vector<Asker> askers(500);
  for (std::uint64_t i = 0; i < askers.size(); ++i) client.store->get(key(i), askers[i]);
  const auto all = [&] {
    return std::ranges::all_of(askers, [](const Asker& asker) { return asker.answers == 1; });
  };
  ASSERT_TRUE(client.runtime.run_until(all));
  for (std::uint64_t i = 0; i < askers.size(); ++i) {
    ASSERT_TRUE(askers[i].found);
    EXPECT_EQ(*askers[i].found->reply.text, std::to_string(i));
  }
}

// Threads of this process on which SIGPIPE, SIGTERM and SIGINT are blocked.
std::size_t deaf_threads() {
  constexpr std::uint64_t wanted = 1U << (SIGPIPE - 1) | 1U << (SIGTERM - 1) | 1U << (SIGINT - 1);
  std::size_t deaf = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (!line.starts_with("SigBlk:")) continue;
      deaf += (std::stoull(line.substr(7), nullptr, 16) & wanted) == wanted;
    }
  }
  return deaf;
}

// hiredis writes without MSG_NOSIGNAL: a SIGPIPE would end the process.
TEST_F(RedisStoreTest, ItsThreadHearsNoSignals) {
  const std::size_t before = deaf_threads();
  const RedisClient client(options());
  EXPECT_EQ(deaf_threads(), before + 1);
}

TEST_F(RedisStoreTest, RefusesOptionsThatMakeNoSense) {
  RealRuntime runtime;
  const auto refused = [&](auto change) {
    RedisOptions changed = options();
    change(changed);
    const auto opened = RedisStore::open(runtime, changed);
    return opened ? std::string("accepted") : opened.error().front().message;
  };
  EXPECT_EQ(refused([](RedisOptions& o) { o.host = ""; }), "redis: there is no host");
  EXPECT_EQ(refused([](RedisOptions& o) { o.command_timeout = 0s; }),
            "redis: the command timeout must be positive");
  EXPECT_EQ(refused([](RedisOptions& o) { o.longest_reconnect_wait = 1ns; }),
            "redis: the longest reconnect wait is shorter than the first");
  EXPECT_EQ(refused([](RedisOptions& o) { o.key_prefix = std::string(257, 'x'); }),
            "redis: the key prefix exceeds 256 bytes");
  EXPECT_EQ(refused([](RedisOptions& o) { o.most_pending = 0; }),
            "redis: at least one command must be able to wait");
  unsetenv("BROWNOUT_TEST_REDIS_PASSWORD");
  EXPECT_EQ(refused([](RedisOptions& o) { o.password_variable = "BROWNOUT_TEST_REDIS_PASSWORD"; }),
            "redis: the environment variable \"BROWNOUT_TEST_REDIS_PASSWORD\" holds no password");
}

TEST(RedisPassword, ComesFromTheEnvironmentAndIsNeverTold) {
  RedisServer server({"--requirepass", "right-secret"});
  server.start();
  RedisOptions options = RedisClient::options(server);
  options.password_variable = "BROWNOUT_TEST_REDIS_PASSWORD";
  setenv("BROWNOUT_TEST_REDIS_PASSWORD", "wrong-secret", 1);
  RedisClient wrong(options);
  setenv("BROWNOUT_TEST_REDIS_PASSWORD", "right-secret", 1);
  RedisClient right(options);
  options.user = "default";
  RedisClient named(options);
  unsetenv("BROWNOUT_TEST_REDIS_PASSWORD");
  options.password_variable = "";
  RedisClient none(options);

  ASSERT_TRUE(right.connect()) << right.store->last_error();
  right.put(1, reply("let in"));
  ASSERT_TRUE(named.connect()) << named.store->last_error();
  EXPECT_EQ(named.look(1), "let in");
  for (RedisClient* client : {&wrong, &none}) {
    EXPECT_TRUE(client->runtime.run_until([&] { return !client->store->last_error().empty(); }));
    EXPECT_FALSE(client->store->connected());
    EXPECT_EQ(client->look(1), "nothing");
    EXPECT_THAT(client->store->last_error(), Not(HasSubstr("secret")));
  }
  EXPECT_THAT(wrong.store->last_error(), HasSubstr("WRONGPASS"));
  EXPECT_THAT(none.store->last_error(), HasSubstr("NOAUTH"));
}

}  // namespace
}  // namespace brownout::testing
