// Who may be spoken to, and what is never told.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>
#include <string_view>

#include "tests/engine/transport/http/lab.hpp"
#include "tests/support/http/raw_server.hpp"
#include "tests/support/http/tls_server.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string hello =
    answer(200, R"({"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]})");

class HttpTls : public ::testing::Test {
 protected:
  Outcome ask(TlsServer& server, const std::string& host, const std::string& ca_file) {
    lab.emplace(EndpointOptions{.url = "https://" + host + ":" + std::to_string(server.port()),
                                .ca_file = ca_file});
    EXPECT_EQ(lab->complaints, "");
    return lab->ask(Lab::request(), {.end = lab->in(5s)});
  }

  static void SetUpTestSuite() { authority = std::make_unique<Authority>(); }
  static void TearDownTestSuite() { authority.reset(); }

  static std::unique_ptr<Authority> authority;
  std::optional<Lab> lab;
};
std::unique_ptr<Authority> HttpTls::authority;

TEST_F(HttpTls, ATrustedServerIsAskedByItsName) {
  TlsServer server(authority->issue("DNS:localhost,IP:127.0.0.1"), hello);
  EXPECT_EQ(ask(server, "localhost", authority->file()).kind, success);
  EXPECT_EQ(server.asked_for(), "localhost");
  EXPECT_EQ(lab->ask(Lab::request()).kind, success);
  EXPECT_EQ(server.accepted(), 1) << "the connection is kept";
  EXPECT_EQ(ask(server, "127.0.0.1", authority->file()).kind, success);
  EXPECT_EQ(server.asked_for(), "") << "an address is no name";
}

TEST_F(HttpTls, NobodyElseIsSpokenTo) {
  TlsServer unknown(authority->issue("DNS:localhost"), hello);
  EXPECT_EQ(ask(unknown, "localhost", "").kind, connection);
  EXPECT_THAT(lab->troubles, ElementsAre(HasSubstr("handshake: certificate verify failed")));
  TlsServer other(authority->issue("DNS:example.org"), hello);
  EXPECT_EQ(ask(other, "localhost", authority->file()).kind, connection);
  EXPECT_EQ(ask(other, "127.0.0.1", authority->file()).kind, connection);
  TlsServer expired(authority->issue("DNS:localhost", -1), hello);
  EXPECT_EQ(ask(expired, "localhost", authority->file()).kind, connection);
}

TEST_F(HttpTls, AServerWithoutTlsIsNoneAndAHangingOneIsNotWaitedFor) {
  RawServer plain([](Peer& peer) { peer.send(hello); });
  Lab not_tls("https://127.0.0.1:" + std::to_string(plain.port()));
  EXPECT_EQ(not_tls.ask(Lab::request()).kind, connection);
  RawServer silent([](Peer& peer) { peer.sees_close(5s); });
  Lab hanging("https://127.0.0.1:" + std::to_string(silent.port()));
  EXPECT_EQ(hanging.ask(Lab::request(), {.connect = 50ms}).kind, timed_out);
  EXPECT_EQ(hanging.transport->counts().open, 0U);
}

// --- keys ----------------------------------------------------------------------------------------

TEST(HttpKeys, ComeFromTheEnvironmentAndGoIntoTheDialectsHeader) {
  setenv("BROWNOUT_TEST_KEY", "sk-first", 1);
  setenv("BROWNOUT_TEST_KEY_2", "sk-second", 1);
  std::string head;
  RawServer server([&](Peer& peer) {
    while (auto request = peer.read_request()) {
      head = request->head;
      peer.send(answer(529, ""));
    }
  });
  Request request = Lab::request();
  for (const http::Dialect dialect : {http::Dialect::openai, http::Dialect::anthropic}) {
    Lab lab(EndpointOptions{.url = server.url(),
                            .dialect = dialect,
                            .key_variables = {"BROWNOUT_TEST_KEY", "BROWNOUT_TEST_KEY_2"},
                            .headers = {{"x-team", "blue"}}});
    const std::string before =
        dialect == http::Dialect::openai ? "authorization: Bearer " : "x-api-key: ";
    request.credential = 0;
    lab.ask(request);
    EXPECT_THAT(head, HasSubstr("\r\n" + before + "sk-first\r\n"));
    EXPECT_THAT(head, HasSubstr("\r\nx-team: blue\r\n"));
    request.credential = 1;
    lab.ask(request);
    EXPECT_THAT(head, HasSubstr("\r\n" + before + "sk-second\r\n"));
    EXPECT_EQ(head.find("anthropic-version: 2023-06-01") != head.npos,
              dialect == http::Dialect::anthropic);
    EXPECT_THAT(head, Not(HasSubstr("x-brownout")));
    EXPECT_THAT(head, Not(HasSubstr("idempotency-key")));
  }
}

TEST(HttpKeys, AreMissedBeforeTheFirstCallAndByNameOnly) {
  unsetenv("BROWNOUT_TEST_NO_KEY");
  setenv("BROWNOUT_TEST_BAD_KEY", "sk-secret\r\nx-evil: 1", 1);
  Lab lab(EndpointOptions{.url = "https://localhost",
                          .key_variables = {"BROWNOUT_TEST_NO_KEY", "BROWNOUT_TEST_BAD_KEY"}});
  EXPECT_EQ(lab.complaints,
            "error: provider 'p': the environment variable BROWNOUT_TEST_NO_KEY is not set\n"
            "error: provider 'p': the environment variable BROWNOUT_TEST_BAD_KEY holds what cannot "
            "be sent: spaces, line breaks or letters beyond ASCII\n");
}

TEST(HttpEndpoints, AreRefusedWithTheirReasons) {
  const auto complaints = [](EndpointOptions options) {
    return Lab(std::move(options)).complaints;
  };
  EXPECT_THAT(complaints({.url = "http://api.example.org"}),
              HasSubstr("http:// would send keys and prompts to 'api.example.org' in the clear"));
  EXPECT_EQ(complaints({.url = "http://api.example.org", .plaintext = true}), "");
  EXPECT_EQ(complaints({.url = "http://[::1]:8080/v1"}), "");
  for (const char* url :
       {"", "api.openai.com", "ftp://x", "https://", "https://user@host", "https://host/?q",
        "https://host:0", "https://host:99999", "https://ho st", "https://[::1", "https://host:"}) {
    EXPECT_THAT(complaints({.url = url}), HasSubstr("is not a URL")) << url;
  }
  EXPECT_THAT(complaints({.url = "https://x", .ca_file = "/no/such/file"}),
              HasSubstr("ca_file '/no/such/file': "));
  EXPECT_THAT(complaints({.url = "https://x", .headers = {{"x-a", "b\r\nc: d"}}}),
              HasSubstr("the header 'x-a' has a control character in it"));
  EXPECT_THAT(complaints({.url = "https://x", .headers = {{"Authorization", "Bearer x"}}}),
              HasSubstr("the header 'Authorization' is not yours to set"));
  EXPECT_THAT(
      complaints(
          {.url = "https://x", .dialect = http::Dialect::anthropic, .idempotency_key = true}),
      HasSubstr("the dialect anthropic has no header for an idempotency key"));
  EXPECT_THAT(complaints({.url = "https://x", .most_connections = 0}),
              HasSubstr("no connections are allowed"));
}

TEST(HttpHeaders, TellWhichCallItIsWhenAskedTo) {
  std::string head;
  RawServer server([&](Peer& peer) {
    while (auto request = peer.read_request()) {
      head = request->head;
      peer.send(answer(529, ""));
    }
  });
  Lab lab(EndpointOptions{.url = server.url(), .call_headers = true, .idempotency_key = true});
  Heard heard;
  Request request = Lab::request();
  request.input_tokens = 77;
  for (std::uint32_t nth = 0; nth < 2; ++nth) {
    heard.outcome.reset();
    lab.transport->start({.call = 42, .nth_at_target = nth, .request = &request, .limits = {}},
                         heard);
    lab.run_until([&] { return heard.outcome.has_value(); });
    EXPECT_THAT(head, HasSubstr("\r\nx-brownout-call: 42\r\nx-brownout-attempt: " +
                                std::to_string(nth) + "\r\nx-brownout-input-tokens: 77\r\n"));
    EXPECT_THAT(head, HasSubstr("\r\nidempotency-key: brownout-0000000000000001-42\r\n"));
  }
}

}  // namespace
}  // namespace brownout::testing
