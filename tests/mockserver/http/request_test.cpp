#include <gtest/gtest.h>

#include <string>

#include "mockserver/http/journal.hpp"
#include "mockserver/http/request_body.hpp"
#include "mockserver/http/request_head.hpp"

namespace brownout::mock::http {
namespace {

RequestHead head_of(const std::string& bytes) {
  HeadParser parser;
  RequestHead head;
  EXPECT_EQ(parser.parse(bytes, head), 0);
  return head;
}

TEST(HeadParser, ReadsMethodPathQueryAndHeaders) {
  const RequestHead head =
      head_of("POST /a%20b?key=x%26y HTTP/1.1\r\nX-One: 1\r\nx-two: 2\r\n\r\n");
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/a b");
  EXPECT_EQ(head.parameter("key"), "x&y");
  EXPECT_EQ(head.header("x-ONE"), "1");
  EXPECT_EQ(head.header("x-three"), "");
  EXPECT_TRUE(head.keep_alive);
}

TEST(HeadParser, KnowsWhoWantsTheConnectionClosed) {
  EXPECT_FALSE(head_of("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").keep_alive);
  EXPECT_FALSE(head_of("GET / HTTP/1.1\r\nConnection: TE , Close\r\n\r\n").keep_alive);
  EXPECT_FALSE(head_of("GET / HTTP/1.1\r\nconnection: te\r\nconnection: close\r\n\r\n").keep_alive);
  EXPECT_TRUE(head_of("GET / HTTP/1.1\r\nconnection: closet,\r\n\r\n").keep_alive);
  EXPECT_FALSE(head_of("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(head_of("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
}

TEST(HeadParser, RefusesWhatIsNoRequest) {
  HeadParser parser;
  RequestHead head;
  EXPECT_EQ(parser.parse("nonsense\r\n\r\n", head), 400);
  EXPECT_EQ(parser.parse("GET / HTTP/3.7\r\n\r\n", head), 400);
  EXPECT_EQ(parser.parse("GET /" + std::string(9000, 'x') + " HTTP/1.1\r\n\r\n", head), 414);
  EXPECT_EQ(parser.parse("GET / HTTP/1.1\r\nx: " + std::string(9000, 'x') + "\r\n\r\n", head), 431);
  EXPECT_EQ(parser.parse("POST / HTTP/1.1\r\ntransfer-encoding : chunked\r\n\r\n", head), 400);
  EXPECT_EQ(parser.parse("GET / HTTP/1.1\r\n\r\n", head), 0);  // and goes on
}

TEST(BodyReader, TakesItsBodyAndLeavesTheNextRequest) {
  BodyReader body;
  EXPECT_EQ(body.begin(head_of("POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\n"), 100),
            BodyReader::State::more);
  std::string input = "he";
  EXPECT_EQ(body.read(input), BodyReader::State::more);
  input += "lloPOST";
  EXPECT_EQ(body.read(input), BodyReader::State::complete);
  EXPECT_EQ(body.body(), "hello");
  EXPECT_EQ(input, "POST");
}

TEST(BodyReader, ReadsChunksHoweverTheyAreCut) {
  const RequestHead head = head_of("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
  const std::string chunks = "3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\nx: y\r\n\r\n";
  for (std::size_t cut = 0; cut < chunks.size(); ++cut) {
    BodyReader body;
    body.begin(head, 100);
    std::string input = chunks.substr(0, cut);
    EXPECT_EQ(body.read(input), BodyReader::State::more) << cut;
    input += chunks.substr(cut) + "next";
    EXPECT_EQ(body.read(input), BodyReader::State::complete) << cut;
    EXPECT_EQ(body.body(), "hello");
    EXPECT_EQ(input, "next");
  }
}

TEST(BodyReader, RefusesChunksThatAreMostlySizes) {
  BodyReader body;
  body.begin(head_of("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"), 1'000'000);
  BodyReader::State state = BodyReader::State::more;
  for (int i = 0; i < 10'000 && state == BodyReader::State::more; ++i) {
    std::string input = "1;" + std::string(100, 'x') + "\r\na\r\n";
    state = body.read(input);
  }
  EXPECT_EQ(state, BodyReader::State::bad);
  EXPECT_EQ(body.status(), 400);
}

TEST(Journal, WritesTextThatEveryJsonReaderTakes) {
  const auto json = [](std::string_view text) {
    std::string out;
    append_json(text, out);
    return out;
  };
  EXPECT_EQ(json("a\"b\\c\n"), R"("a\"b\\c\u000a")");
  EXPECT_EQ(json("größe 東 🚢"), "\"größe 東 🚢\"");
  EXPECT_EQ(json("\xff|\xc0\x80|\xed\xa0\x80|\xf0\x9f"),
            "\"\uFFFD|\uFFFD\uFFFD|\uFFFD\uFFFD\uFFFD|\uFFFD\uFFFD\"");
}

}  // namespace
}  // namespace brownout::mock::http
