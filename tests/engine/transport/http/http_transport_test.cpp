// Attempts over real sockets, against a server that does what each test says.

#include "engine/transport/http/http_transport.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  EXPECT_EQ(body, R"({"messages":[{"content":"hello","role":"user"}],"model":"m"})");
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

}  // namespace
}  // namespace brownout::testing
