// What is told of attempts that go wrong holds neither the key nor what a server says about it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>
#include <vector>

#include "tests/engine/transport/http/lab.hpp"
#include "tests/support/http/raw_server.hpp"
#include "tests/support/http/tls_server.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr const char* secret = "sk-proj-0123456789abcdef";

// Says what OpenAI says of a wrong key, with all of it.
const std::string echo =
    answer(401, std::string(R"({"error":{"message":"Incorrect API key provided: )") + secret +
                    R"(.","type":"invalid_request_error","code":"invalid_api_key"}})");

EndpointOptions with_key(std::string url) {
  setenv("BROWNOUT_TEST_SECRET", secret, 1);
  return {.url = std::move(url),
          .key_variables = {"BROWNOUT_TEST_SECRET"},
          .headers = {{"api-key", secret}}};
}

// Everything that a caller and an operator are told.
std::vector<std::string> told(Lab& lab, const Outcome& outcome) {
  std::vector<std::string> texts = lab.troubles;
  texts.push_back(lab.complaints);
  texts.push_back(outcome.reply.text ? *outcome.reply.text : "");
  return texts;
}

void expect_untold(Lab& lab, const Outcome& outcome) {
  EXPECT_THAT(told(lab, outcome), Each(AllOf(Not(HasSubstr("sk-")), Not(HasSubstr(secret)))));
}

TEST(HttpKeys, AServerThatEchoesTheKeyIsNotQuoted) {
  RawServer server([](Peer& peer) {
    while (peer.read_request()) peer.send(echo);
  });
  for (const bool stream : {false, true}) {
    Lab lab(with_key(server.url()));
    const Outcome outcome = lab.ask(Lab::request(stream));
    EXPECT_EQ(outcome.kind, authentication);
    EXPECT_EQ(outcome.status, 401);
    expect_untold(lab, outcome);
  }
}

TEST(HttpKeys, BytesThatAreNoAnswerAreNotQuoted) {
  RawServer server([](Peer& peer) {
    peer.read_request();
    peer.send(std::string("HTTP/9.9 ") + secret + "\r\n" + secret + "\r\n\r\n");
  });
  Lab lab(with_key(server.url()));
  const Outcome outcome = lab.ask(Lab::request());
  EXPECT_EQ(outcome.kind, malformed_reply);
  EXPECT_THAT(lab.troubles, SizeIs(1));
  expect_untold(lab, outcome);
}

TEST(HttpKeys, ConnectionsThatDoNotComeAboutTellNoKey) {
  const Authority authority;
  TlsServer unknown(authority.issue("DNS:localhost"), echo);
  Lab untrusted(with_key("https://localhost:" + std::to_string(unknown.port())));
  const Outcome refused_by_us = untrusted.ask(Lab::request());
  EXPECT_EQ(refused_by_us.kind, connection);
  EXPECT_THAT(untrusted.troubles, SizeIs(1));
  expect_untold(untrusted, refused_by_us);

  Lab refused(with_key("http://127.0.0.1:" + std::to_string(closed_port())));
  const Outcome outcome = refused.ask(Lab::request());
  EXPECT_EQ(outcome.kind, connection);
  EXPECT_THAT(refused.troubles, SizeIs(1));
  expect_untold(refused, outcome);
}

TEST(HttpKeys, AnUrlThatIsRefusedIsNotQuoted) {
  for (const std::string& url : {std::string("https://user:") + secret + "@host",
                                 std::string("https://host/v1?key=") + secret}) {
    Lab lab(with_key(url));
    EXPECT_THAT(lab.complaints, AllOf(HasSubstr("is not a URL"), Not(HasSubstr(secret))));
  }
}

}  // namespace
}  // namespace brownout::testing
