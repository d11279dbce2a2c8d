// Attempts over real sockets, against a server that does what each test says.

#include "engine/transport/http/http_transport.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "tests/engine/transport/http/lab.hpp"
#include "tests/support/http/raw_server.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::HasSubstr;

constexpr std::string_view hello =
    R"({"id":"c1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",)"
    R"("content":"Hi there"},"finish_reason":"stop"}],)"
    R"("usage":{"prompt_tokens":13,"completion_tokens":2,"total_tokens":15}})";

std::string delta(std::string_view text) {
  return chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + std::string(text) +
               "\"},\"finish_reason\":null}]}\n\n");
}
const std::string finish =
    chunk("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
const std::string usage =
    chunk("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":13,\"completion_tokens\":2}}\n\n");
const std::string done = chunk("data: [DONE]\n\n");

TEST(HttpTransport, BringsAReplyWithItsTextAndItsBill) {
  std::string head;
  std::string body;
  RawServer server([&](Peer& peer) {
    const auto request = peer.read_request();
    head = request->head;
    body = request->body;
    peer.send(answer(200, hello));
    peer.read_request();
  });
  Lab lab(server.url() + "/v1");
  Heard heard;
  const Outcome outcome = lab.ask(Lab::request(), {}, heard);
  EXPECT_EQ(outcome.kind, success);
  EXPECT_EQ(outcome.status, 200);
  EXPECT_EQ(*outcome.reply.text, "Hi there");
  EXPECT_EQ(outcome.billed_input_tokens, 13U);
  EXPECT_EQ(outcome.reply.output_tokens, 2U);
  EXPECT_FALSE(outcome.committed);
  EXPECT_EQ(outcome.first_output, never);
  EXPECT_FALSE(heard.ended_inside_start);
  EXPECT_THAT(head, HasSubstr("POST /v1/chat/completions HTTP/1.1\r\n"));
  EXPECT_EQ(body, R"({"messages":[{"role":"user","content":"hello"}],"model":"m"})");
}

TEST(HttpTransport, HandsOverTheTextOfAStreamAsItComes) {
  RawServer server([&](Peer& peer) {
    peer.read_request();
    peer.send(stream_head() + delta("Hi"));
    peer.pause(30ms);
    peer.send(delta(" there") + finish + usage + done + std::string(last_chunk));
    peer.read_request();
  });
  Lab lab(server.url());
  Heard heard;
  const Outcome outcome = lab.ask(Lab::request(true), {.tell_first_output = true}, heard);
  EXPECT_EQ(outcome.kind, success);
  EXPECT_EQ(heard.text, "Hi there");
  EXPECT_EQ(heard.pieces, 2);
  EXPECT_EQ(heard.first_outputs, 1);
  EXPECT_EQ(*outcome.reply.text, "Hi there");
  EXPECT_EQ(outcome.billed_output_tokens, 2U);
  EXPECT_TRUE(outcome.committed);
  EXPECT_LE(outcome.first_output, lab.runtime.now() - 20ms);
}

// --- how attempts fail ---------------------------------------------------------------------------

using Serve = std::function<void(Peer&)>;

// What becomes of an attempt whose request the server has read.
Outcome outcome_of(const Serve& answer_it, bool stream, EndpointOptions options = {}) {
  RawServer server([&](Peer& peer) {
    if (!peer.read_request()) return;
    answer_it(peer);
    peer.sees_close(2s);
  });
  options.url = server.url();
  Lab lab(std::move(options));
  return lab.ask(Lab::request(stream), {.end = lab.in(5s)});
}

Serve sends(std::string bytes) {
  return [bytes](Peer& peer) {
    peer.send(bytes);
    peer.close();
  };
}

struct WireCase {
  std::string_view name;
  Serve serve;
  bool stream;
  OutcomeKind kind;
  std::uint16_t status = 0;
};

TEST(HttpTransport, EveryWayToFailOnTheWireHasItsOutcome) {
  const std::string head = stream_head();
  const auto reset_after = [](std::string bytes) {
    return [bytes](Peer& peer) {
      peer.send(bytes);
      peer.pause(20ms);
      peer.reset();
    };
  };
  const WireCase cases[] = {
      {"closed before an answer", sends(""), false, connection},
      {"reset before an answer", reset_after(""), false, connection},
      {"closed in the status line", sends("HTTP/1.1 20"), false, connection},
      {"closed in a header", sends("HTTP/1.1 200 OK\r\ncontent-le"), false, connection},
      {"reset in a header", reset_after("HTTP/1.1 200 OK\r\nconten"), true, connection},
      {"a short body", sends(answer(200, hello).substr(0, 150)), false, connection},
      {"a reset in the body", reset_after(answer(200, hello).substr(0, 150)), false, connection},
      {"no HTTP", sends("SSH-2.0-OpenSSH_9.2\r\n\r\n"), false, malformed_reply},
      {"garbage for a chunk", sends(head + delta("a") + "zzz\r\n"), true, malformed_reply, 200},
      {"a page", sends(answer(200, "<html></html>", "content-type: text/html\r\n")), false,
       malformed_reply, 200},
      {"an empty body", sends(answer(200, "")), false, malformed_reply, 200},
      {"a stream that just ends", sends(head + delta("a") + std::string(last_chunk)), true,
       stream_truncated, 200},
      {"a stream that is closed", sends(head + delta("a")), true, stream_truncated, 200},
      {"a stream that is reset", reset_after(head + delta("a")), true, stream_truncated, 200},
      {"a stream closed after its head", sends(head), true, stream_truncated, 200},
      {"a redirect", sends(answer(307, "", "location: http://127.0.0.1:1/\r\n")), false,
       malformed_reply, 307},
      {"an error without a length", sends("HTTP/1.1 503 x\r\n\r\n<html>"), false, bad_gateway, 503},
      {"an error cut short", sends("HTTP/1.1 500 x\r\ncontent-length: 100\r\n\r\n{"), true,
       server_error, 500},
      {"compressed",
       sends(answer(200, hello, "content-type: application/json\r\ncontent-encoding: gzip\r\n")),
       false, malformed_reply, 200},
      {"another protocol", sends("HTTP/1.1 101 Switching\r\nupgrade: h2c\r\n\r\n"), false,
       malformed_reply, 101},
  };
  for (const WireCase& each : cases) {
    const Outcome outcome = outcome_of(each.serve, each.stream);
    EXPECT_EQ(to_string(outcome.kind), to_string(each.kind)) << each.name;
    EXPECT_EQ(outcome.status, each.status) << each.name;
  }
}

TEST(HttpTransport, WhoHasNoServerHasNoConnection) {
  Lab lab("http://127.0.0.1:" + std::to_string(closed_port()));
  EXPECT_EQ(lab.ask(Lab::request()).kind, connection);
  EXPECT_THAT(lab.troubles, ::testing::ElementsAre(HasSubstr("connect: ")));
  Lab nameless("http://localhost:" + std::to_string(closed_port()));
  EXPECT_EQ(nameless.ask(Lab::request()).kind, connection);
  Lab nowhere(EndpointOptions{.url = "http://brownout.invalid", .plaintext = true});
  EXPECT_EQ(nowhere.ask(Lab::request()).kind, connection);
  EXPECT_THAT(nowhere.troubles, ::testing::ElementsAre(HasSubstr("resolve: ")));
}

TEST(HttpTransport, WhatCannotBeSentIsNotAsked) {
  Lab lab("http://127.0.0.1:" + std::to_string(closed_port()));
  Heard heard;
  EXPECT_EQ(lab.ask(Lab::request(false, "{"), {}, heard).kind, invalid_request);
  EXPECT_FALSE(heard.ended_inside_start);
  Request request = Lab::request();
  request.credential = 1;
  EXPECT_EQ(lab.ask(request).kind, invalid_request);
  EXPECT_EQ(lab.transport->counts().connections, 0U);
}

TEST(HttpTransport, MoreThanIsAllowedIsMalformed) {
  EndpointOptions options{
      .most_header_bytes = 1024, .most_reply_bytes = 2048, .most_line_bytes = 1024};
  const std::string long_header = "x-long: " + std::string(2000, 'x') + "\r\n";
  EXPECT_EQ(outcome_of(sends(answer(200, hello, long_header)), false, options).kind,
            malformed_reply);
  EXPECT_EQ(outcome_of(sends(answer(200, std::string(3000, ' '))), false, options).kind,
            malformed_reply);
  EXPECT_EQ(
      outcome_of(sends("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"), false, options)
          .kind,
      malformed_reply);
  EXPECT_EQ(
      outcome_of(sends("HTTP/1.1 200 OK\r\n\r\n" + std::string(3000, ' ')), false, options).kind,
      malformed_reply);
  EXPECT_EQ(
      outcome_of(sends(stream_head() + chunk("data: " + std::string(1500, 'x'))), true, options)
          .kind,
      malformed_reply);
}

TEST(HttpTransport, AnswersThatAnnounceAnotherAreSkipped) {
  const Outcome outcome =
      outcome_of(sends("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" +
                       answer(200, hello)),
                 false);
  EXPECT_EQ(outcome.kind, success);
}

TEST(HttpTransport, ABodyWithoutLengthEndsWithItsConnection) {
  const std::string head = "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n";
  EXPECT_EQ(outcome_of(sends(head + std::string(hello)), false).kind, success);
}

// An answer that comes while the request is still being sent: too large, say.
// Thirty megabytes take a sanitizer on a busy machine ten seconds to encode.
TEST(HttpTransport, AnAnswerNeedNotWaitForTheRequest) {
  RawServer server([](Peer& peer) {
    peer.read(1000);
    peer.send(answer(413, ""));
    peer.sees_close(60s);
  });
  Lab lab(server.url());
  const Request request = Lab::request(false, std::string(30'000'000, 'x'));
  const Outcome outcome = lab.ask(request, {.end = lab.in(60s)});
  EXPECT_EQ(outcome.kind, request_too_large);
  EXPECT_EQ(lab.transport->counts().open, 0U);
}

TEST(HttpTransport, IsTheSameWhereverAStreamIsCut) {
  const std::string whole = stream_head() + delta("Hi") + delta(" \xC3\xBC") + finish + usage +
                            done + std::string(last_chunk);
  RawServer server([&](Peer& peer) {
    for (std::size_t at = 0; peer.read_request(); ++at) {
      peer.send(std::string_view(whole).substr(0, at));
      peer.pause(1ms);
      peer.send(std::string_view(whole).substr(at));
    }
  });
  Lab lab(server.url());
  const Request request = Lab::request(true);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    Heard heard;
    const Outcome outcome = lab.ask(request, {.end = lab.in(5s)}, heard);
    ASSERT_EQ(outcome.kind, success) << "cut at " << at;
    ASSERT_EQ(heard.text, "Hi \xC3\xBC") << "cut at " << at;
    lab.run_until([&] { return lab.transport->counts().idle == 1; });
  }
  EXPECT_EQ(server.accepted(), 1) << "the connection is kept";
}

TEST(HttpTransport, BytesMayComeOneByOne) {
  const Outcome outcome = outcome_of(
      [&](Peer& peer) {
        for (const char byte : stream_head() + delta("Hi") + finish + done) {
          peer.send({&byte, 1});
        }
      },
      true);
  EXPECT_EQ(outcome.kind, success);
}

TEST(HttpTransport, AnErrorInsideAStreamEndsItAtOnce) {
  bool closed = false;
  RawServer server([&](Peer& peer) {
    peer.read_request();
    peer.send(stream_head() + delta("Hi") +
              chunk("data: {\"error\":{\"type\":\"overloaded_error\"}}\n\n"));
    closed = peer.sees_close(5s);
  });
  {
    Lab lab(server.url());
    Heard heard;
    const Outcome outcome = lab.ask(Lab::request(true), {}, heard);
    EXPECT_EQ(outcome.kind, overloaded);
    EXPECT_TRUE(outcome.committed);
  }
}

TEST(HttpTransport, OutputThatIsHeldIsNotToldButKept) {
  RawServer server([&](Peer& peer) {
    peer.read_request();
    peer.send(stream_head() + delta("Hi") + finish + done + std::string(last_chunk));
    peer.read_request();
  });
  Lab lab(server.url());
  Heard heard;
  const Outcome outcome =
      lab.ask(Lab::request(true), {.tell_first_output = true, .hold_output = true}, heard);
  EXPECT_EQ(outcome.kind, success);
  EXPECT_FALSE(outcome.committed);
  EXPECT_EQ(heard.pieces, 0);
  EXPECT_EQ(heard.first_outputs, 0);
  EXPECT_EQ(*outcome.reply.text, "Hi");
  EXPECT_NE(outcome.first_output, never);
}

}  // namespace
}  // namespace brownout::testing
