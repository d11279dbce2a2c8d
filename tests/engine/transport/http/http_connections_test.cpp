// Connections that are kept, lost, shared and waited for.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/transport/http/connection.hpp"
#include "tests/engine/transport/http/lab.hpp"
#include "tests/support/http/raw_server.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;

constexpr std::string_view hello =
    R"({"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]})";

void answer_all(Peer& peer) {
  while (peer.read_request()) peer.send(answer(200, hello));
}

TEST(HttpConnections, AreKeptForTheNextAttempt) {
  RawServer server(answer_all);
  Lab lab(server.url());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(lab.ask(Lab::request()).kind, success);
  EXPECT_EQ(server.accepted(), 1);
  EXPECT_EQ(lab.transport->counts().reused, 4U);
  EXPECT_EQ(lab.transport->counts().idle, 1U);
}

TEST(HttpConnections, NothingIsUnderWayWhileTheyAreKept) {
  RawServer server(answer_all);
  Lab lab(server.url());
  EXPECT_EQ(lab.ask(Lab::request()).kind, success);
  lab.context.restart();
  lab.context.run();  // returns
  EXPECT_EQ(lab.transport->counts().idle, 1U);
}

TEST(HttpConnections, AreNotKeptAgainstTheServersWord) {
  const std::string_view words[] = {"connection: close\r\n", "keep-alive: timeout=1, max=5\r\n"};
  for (const std::string_view word : words) {
    RawServer server([&](Peer& peer) {
      const std::string headers = "content-type: application/json\r\n" + std::string(word);
      while (peer.read_request()) peer.send(answer(200, hello, headers));
    });
    Lab lab(server.url());
    for (int i = 0; i < 3; ++i) EXPECT_EQ(lab.ask(Lab::request()).kind, success);
    EXPECT_EQ(server.accepted(), 3) << word;
    EXPECT_EQ(lab.transport->counts().resent, 0U);
  }
}

TEST(HttpConnections, AreKeptNoLongerAndInNoGreaterNumberThanAllowed) {
  RawServer server(answer_all);
  Lab brief(EndpointOptions{.url = server.url(), .idle_for = 20ms});
  brief.ask(Lab::request());
  brief.run_for(30ms);
  brief.ask(Lab::request());
  EXPECT_EQ(brief.transport->counts().reused, 0U);
  Lab none(EndpointOptions{.url = server.url(), .most_idle = 0});
  none.ask(Lab::request());
  EXPECT_EQ(none.transport->counts().open, 0U);
}

// What a server did is on its way for no longer than this.
void wait_for(const std::atomic<int>& count, int value) {
  while (count < value) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(10ms);
}

TEST(HttpConnections, OneThatItsServerHasClosedIsNotUsed) {
  std::atomic<int> closed = 0;
  RawServer server([&](Peer& peer) {
    peer.read_request();
    peer.send(answer(200, hello));
    peer.close();
    ++closed;
  });
  Lab lab(server.url());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(lab.ask(Lab::request()).kind, success);
    wait_for(closed, i + 1);
  }
  EXPECT_EQ(server.accepted(), 3);
  EXPECT_EQ(lab.transport->counts().stale, 2U);
  EXPECT_EQ(lab.transport->counts().resent, 0U);
}

TEST(HttpConnections, OneThatSaysSomethingUnaskedIsNotUsed) {
  std::atomic<bool> read = false;
  std::atomic<int> said = 0;
  RawServer server([&](Peer& peer) {
    peer.read_request();
    peer.send(answer(200, hello));
    while (!read) peer.pause(1ms);
    peer.send(answer(408, ""));
    ++said;
    peer.sees_close(5s);
  });
  Lab lab(server.url());
  EXPECT_EQ(lab.ask(Lab::request()).kind, success);
  read = true;
  wait_for(said, 1);
  EXPECT_EQ(lab.ask(Lab::request()).kind, success);
  EXPECT_EQ(lab.transport->counts().stale, 1U);
}

// The server has read the request, and perhaps worked on it, before it ends the connection: what
// it did will be billed, so it is not asked again.
TEST(HttpConnections, ARequestThatWasHeardIsNotSentAgain) {
  const std::function<void(Peer&)> ways[] = {[](Peer& peer) { peer.close(); },
                                             [](Peer& peer) { peer.reset(); }};
  for (const auto& end : ways) {
    std::atomic<int> requests = 0;
    RawServer server([&](Peer& peer) {
      peer.read_request();
      ++requests;
      peer.send(answer(200, hello));
      if (!peer.read_request()) return;
      ++requests;
      end(peer);
    });
    Lab lab(server.url());
    EXPECT_EQ(lab.ask(Lab::request()).kind, success);
    EXPECT_EQ(lab.ask(Lab::request()).kind, connection);
    EXPECT_EQ(requests, 2);
    EXPECT_EQ(lab.transport->counts().resent, 0U);
  }
}

// The server closes in the middle of a long request: nobody can have worked on half of it.
TEST(HttpConnections, ARequestThatWasNotWrittenToItsEndIsSentAgainOnce) {
  for (const bool for_good : {false, true}) {
    std::atomic<int> begun = 0;
    RawServer server([&](Peer& peer) {
      if (peer.number() == 0) {
        peer.read_request();
        peer.send(answer(200, hello));
      }
      if (peer.number() == 0 || for_good) {
        peer.read(1000);
        ++begun;
        return peer.reset();
      }
      peer.read_request();
      ++begun;
      peer.send(answer(200, hello));
      peer.sees_close(5s);
    });
    Lab lab(server.url());
    EXPECT_EQ(lab.ask(Lab::request()).kind, success);
    const Outcome outcome = lab.ask(Lab::request(false, std::string(30'000'000, 'x')));
    EXPECT_EQ(outcome.kind, for_good ? connection : success);
    EXPECT_EQ(lab.transport->counts().resent, 1U);
    EXPECT_EQ(begun, 2) << "once more, and not for ever";
  }
}

// A user that begins on a connection whatever is_fresh() says, as it does when the server's FIN
// comes right after that was asked.
class Blind final : public http::ConnectionKeeper, public http::ConnectionUser {
 public:
  void on_idle(http::Connection&) override { idle = true; }
  void on_closed(http::Connection&) override {}
  void on_trouble(const http::Connection&, std::string_view,
                  const boost::system::error_code&) override {}
  void on_open() override { open = true; }
  void on_head(std::uint16_t, std::span<const HeaderView>) override {}
  void on_body(std::string_view) override {}
  void on_complete() override {}
  void on_breach(http::Breach how) override { breach = how; }

  bool open = false;
  bool idle = false;
  std::optional<http::Breach> breach;
};

TEST(HttpConnections, ARequestThatCrossedTheServersFarewellWasHeardByNobody) {
  std::atomic<int> closed = 0;
  RawServer server([&](Peer& peer) {
    peer.read_request();
    peer.send(answer(200, hello));
    peer.close();
    ++closed;
  });
  Lab lab(server.url());
  const auto endpoints = HttpEndpoints::open({{.provider = "p", .url = server.url()}});
  Blind blind;
  const auto connection =
      std::make_shared<http::Connection>(lab.runtime, (*endpoints)->all().front(), blind);
  const std::string request = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
  connection->open(blind);
  lab.run_until([&] { return blind.open; });
  connection->send(request);
  lab.run_until([&] { return blind.idle; });
  wait_for(closed, 1);
  EXPECT_FALSE(connection->is_fresh(lab.runtime.now()));
  connection->take(blind);
  connection->send(request);
  lab.run_until([&] { return blind.breach.has_value(); });
  EXPECT_EQ(blind.breach, http::Breach::unheard);
}

TEST(HttpConnections, AttemptsAboveTheLimitWaitForOne) {
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  RawServer server([&](Peer& peer) {
    while (peer.read_request()) {
      most = std::max(most.load(), ++now);
      peer.pause(5ms);
      --now;
      peer.send(answer(200, hello));
    }
  });
  Lab lab(EndpointOptions{.url = server.url(), .most_connections = 3});
  const Request request = Lab::request();
  std::vector<Heard> heard(20);
  for (Heard& each : heard) lab.start(request, {.end = lab.in(5s)}, each);
  lab.run_until([&] {
    return std::ranges::all_of(heard, [](const Heard& each) { return each.outcome.has_value(); });
  });
  for (const Heard& each : heard) EXPECT_EQ(each.outcome->kind, success);
  EXPECT_LE(most, 3);
  EXPECT_EQ(server.accepted(), 3);
}

// A failure at one connection makes room for who waits.
TEST(HttpConnections, WhoWaitsIsServedWhenAConnectionBreaks) {
  RawServer server([](Peer& peer) {
    peer.read_request();
    if (peer.number() == 0) return peer.reset();
    peer.send(answer(200, hello));
    peer.sees_close(5s);
  });
  Lab lab(EndpointOptions{.url = server.url(), .most_connections = 1});
  const Request request = Lab::request();
  Heard first;
  Heard second;
  lab.start(request, {.end = lab.in(5s)}, first);
  lab.start(request, {.end = lab.in(5s)}, second);
  lab.run_until([&] { return first.outcome && second.outcome; });
  EXPECT_EQ(first.outcome->kind, connection);
  EXPECT_EQ(second.outcome->kind, success);
}

TEST(HttpConnections, AThousandAttemptsAtOnceNeedOneThread) {
  RawServer server(answer_all);
  Lab lab(EndpointOptions{.url = server.url(), .most_connections = 1000});
  const Request request = Lab::request();
  std::vector<Heard> heard(1000);
  for (Heard& each : heard) lab.start(request, {.end = lab.in(60s)}, each);
  const bool ended = lab.run_until(
      [&] { return std::ranges::all_of(heard, [](const Heard& each) { return each.ends == 1; }); },
      60s);
  ASSERT_TRUE(ended);
  for (const Heard& each : heard) ASSERT_EQ(each.outcome->kind, success);
  EXPECT_EQ(server.accepted(), 1000);
}

TEST(HttpConnections, TheListenerMayBeginTheNextAttemptAndHasItsConnection) {
  RawServer server(answer_all);
  Lab lab(server.url());
  const Request request = Lab::request();
  Heard first;
  Heard second;
  first.on_ended = [&] { lab.start(request, {}, second); };
  lab.start(request, {}, first);
  lab.run_until([&] { return second.outcome.has_value(); });
  EXPECT_EQ(second.outcome->kind, success);
  EXPECT_EQ(server.accepted(), 1);
}

}  // namespace
}  // namespace brownout::testing
