// Limits and detachment at every stage of an attempt, and that the server learns of both.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/engine/transport/http/lab.hpp"
#include "tests/support/http/raw_server.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;

std::string delta(std::string_view text) {
  return chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + std::string(text) +
               "\"},\"finish_reason\":null}]}\n\n");
}
const std::string finish =
    chunk("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");

// A server that stands still once it has read a request and sent this much; it looks whether its
// client goes away.
struct Still {
  explicit Still(std::string sends)
      : server([this, sends](Peer& peer) {
          if (!peer.read_request()) return;
          peer.send(sends);
          reached = true;
          if (peer.sees_close(5s)) left = true;
        }) {}

  std::atomic<bool> reached = false;
  std::atomic<bool> left = false;
  RawServer server;
};

struct Stage {
  std::string_view name;
  std::string sends;
};
const std::vector<Stage> stages{
    {"before an answer", ""},
    {"in the status line", "HTTP/1.1 2"},
    {"in the headers", "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"},
    {"after the headers", stream_head()},
    {"in a chunk", stream_head() + "ff\r\ndata: {"},
    {"after output", stream_head() + delta("Hi")},
};

TEST(HttpLimits, TheEndOfAnAttemptHoldsAtEveryStageAndReachesTheServer) {
  for (const Stage& stage : stages) {
    Still still(stage.sends);
    Lab lab(still.server.url());
    const Instant begun = lab.runtime.now();
    const Outcome outcome = lab.ask(Lab::request(true), {.end = after(begun, 300ms)});
    EXPECT_EQ(outcome.kind, timed_out) << stage.name;
    EXPECT_EQ(outcome.committed, stage.name == "after output") << stage.name;
    EXPECT_GE(lab.runtime.now() - begun, 300ms) << stage.name;
    EXPECT_TRUE(lab.run_until([&] { return still.left.load(); }, 2s)) << stage.name;
    EXPECT_EQ(lab.transport->counts().open, 0U) << stage.name;
  }
}

TEST(HttpLimits, TheFirstTokenIsWaitedForUntilThereIsOne) {
  for (const Stage& stage : stages) {
    if (stage.name == "after output") continue;
    Still still(stage.sends);
    Lab lab(still.server.url());
    const Outcome outcome =
        lab.ask(Lab::request(true), {.end = lab.in(5s), .first_token = 60ms, .idle = 1ms});
    EXPECT_EQ(outcome.kind, timed_out) << stage.name;
    EXPECT_FALSE(outcome.committed) << stage.name;
    EXPECT_TRUE(lab.run_until([&] { return still.left.load(); }, 2s)) << stage.name;
  }
}

// Pings are no output: a provider that sends nothing else hangs.
TEST(HttpLimits, SilenceAfterOutputHasItsOwnLimit) {
  RawServer server([](Peer& peer) {
    peer.read_request();
    peer.send(stream_head());
    for (int i = 0; i < 5; ++i) {
      peer.pause(20ms);
      peer.send(delta("Hi"));
    }
    while (peer.send(chunk(": ping\n\n"))) peer.pause(5ms);
  });
  Lab lab(server.url());
  Heard heard;
  const Outcome outcome = lab.ask(Lab::request(true), {.first_token = 9s, .idle = 400ms}, heard);
  EXPECT_EQ(outcome.kind, timed_out);
  EXPECT_EQ(heard.pieces, 5);
  EXPECT_EQ(outcome.billed_output_tokens, 5U);
}

TEST(HttpLimits, LimitsOfStreamsSayNothingAboutOtherRequests) {
  RawServer server([](Peer& peer) {
    peer.read_request();
    peer.pause(50ms);
    peer.send(answer(529, ""));
  });
  Lab lab(server.url());
  EXPECT_EQ(lab.ask(Lab::request(), {.first_token = 5ms, .idle = 5ms}).kind, overloaded);
}

// A connection that nobody accepts: the queue of a listening socket is full.
TEST(HttpLimits, AConnectionHasItsOwnLimit) {
  RawServer server([](Peer& peer) { peer.sees_close(5s); });
  Lab lab(EndpointOptions{.url = server.url(), .most_connections = 1});
  Heard first;
  const Request request = Lab::request();
  lab.start(request, {.connect = 5s}, first);
  const Instant begun = lab.runtime.now();
  // It waits for the one connection that is allowed.
  EXPECT_EQ(lab.ask(request, {.connect = 50ms}).kind, timed_out);
  EXPECT_GE(lab.runtime.now() - begun, 50ms);
  EXPECT_FALSE(first.outcome) << "a connection that stands has kept its limit";
}

TEST(HttpLimits, AStreamThatSaidWhyItEndsIsASuccessWhenItsLimitPasses) {
  Still still(stream_head() + delta("Hi") + finish);
  Lab lab(still.server.url());
  Heard heard;
  const Outcome outcome = lab.ask(Lab::request(true), {.idle = 50ms}, heard);
  EXPECT_EQ(outcome.kind, success);
  EXPECT_EQ(heard.text, "Hi");
}

TEST(HttpDetach, IsHeardByTheServerAtEveryStageAndByNobodyElse) {
  for (const Stage& stage : stages) {
    Still still(stage.sends);
    Lab lab(still.server.url());
    Heard heard;
    const Request request = Lab::request(true);
    const auto handle = lab.start(request, {.end = lab.in(30s)}, heard);
    const bool output = stage.name == "after output";
    lab.run_until([&] { return still.reached && (!output || heard.pieces == 1); });
    lab.run_for(10ms);
    const Outcome outcome = lab.transport->detach(handle);
    EXPECT_EQ(outcome.kind, cancelled) << stage.name;
    EXPECT_EQ(outcome.committed, output) << stage.name;
    EXPECT_EQ(outcome.billed_output_tokens, output ? 1U : 0U) << stage.name;
    // Nothing runs here meanwhile.
    for (int i = 0; i < 200 && !still.left; ++i) std::this_thread::sleep_for(5ms);
    EXPECT_TRUE(still.left) << stage.name;
    lab.run_for(20ms);
    EXPECT_EQ(heard.ends, 0) << stage.name;
    EXPECT_EQ(lab.transport->counts().open, 0U) << stage.name;
  }
}

TEST(HttpDetach, MayComeAtOnceOrWhileItConnects) {
  RawServer server([](Peer& peer) { peer.sees_close(5s); });
  for (const bool named : {false, true}) {
    Lab lab((named ? "http://localhost:" : "http://127.0.0.1:") + std::to_string(server.port()));
    for (int polls = 0; polls < 4; ++polls) {
      Heard heard;
      const Request request = Lab::request();
      const auto handle = lab.start(request, {.end = lab.in(5s)}, heard);
      for (int i = 0; i < polls; ++i) lab.context.poll_one();
      EXPECT_EQ(lab.transport->detach(handle).kind, cancelled);
      lab.run_for(5ms);
      EXPECT_EQ(heard.ends, 0);
      EXPECT_EQ(lab.transport->counts().open, 0U);
    }
  }
}

TEST(HttpDetach, MayComeFromInsideAPiece) {
  Still still(stream_head() + delta("one") + delta("two") + finish);
  Lab lab(still.server.url());
  Heard heard;
  const Request request = Lab::request(true);
  Transport::Handle handle{};
  heard.on_piece = [&] { lab.transport->detach(handle); };
  handle = lab.start(request, {}, heard);
  EXPECT_TRUE(lab.run_until([&] { return still.left.load(); }));
  EXPECT_EQ(heard.text, "one");
  EXPECT_EQ(heard.ends, 0);
}

TEST(HttpDetach, OneThatWaitsForAConnectionLeavesTheLine) {
  Still still("");
  Lab lab(EndpointOptions{.url = still.server.url(), .most_connections = 1});
  const Request request = Lab::request();
  Heard first;
  Heard second;
  const auto holds = lab.start(request, {}, first);
  const auto waits = lab.start(request, {}, second);
  lab.run_until([&] { return still.reached.load(); });
  lab.transport->detach(waits);
  lab.transport->detach(holds);
  lab.run_for(10ms);
  EXPECT_EQ(first.ends + second.ends, 0);
  EXPECT_EQ(still.server.accepted(), 1);
}

TEST(HttpDetach, TheEndOfATransportIsOneForAllItsAttempts) {
  Still still(stream_head() + delta("Hi"));
  Heard heard;
  const Request request = Lab::request(true);
  Lab lab(still.server.url());
  lab.start(request, {.end = lab.in(5s)}, heard);
  lab.run_until([&] { return heard.pieces == 1; });
  lab.transport.reset();
  lab.run_for(20ms);
  EXPECT_EQ(heard.ends, 0);
  EXPECT_TRUE(lab.run_until([&] { return still.left.load(); }));
}

}  // namespace
}  // namespace brownout::testing
