// The server as clients meet it on the wire.

#include "mockserver/http/server.hpp"

#include <gmock/gmock.h>

#include <set>
#include <vector>

#include "tests/mockserver/http/raw_client.hpp"

namespace brownout::mock::http::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// One request on one connection, and everything that comes back.
std::string ask(const TestServer& server, const std::string& request) {
  RawClient client(server.port());
  client.send(request);
  return client.read_reply();
}

std::string admin(const TestServer& server, std::string_view method, std::string_view what,
                  std::string_view body = "", std::string_view more = "") {
  return ask(server, http(method, fmt::format("/__brownout/{}", what), body, more));
}

TEST(Server, AnswersAPlainCompletionOfTheLengthAskedFor) {
  const TestServer server;
  const std::string reply = ask(server, chat(false, 7));
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(reply, HasSubstr(R"("completion_tokens":7)"));
}

TEST(Server, StreamsACompletionAndKeepsTheConnection) {
  const TestServer server;
  RawClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    client.send(chat(true, 4));
    const std::string reply = client.read_reply();
    EXPECT_THAT(reply, HasSubstr("content-type: text/event-stream"));
    EXPECT_THAT(reply, HasSubstr("data: [DONE]\n\n"));
  }
}

TEST(Server, ServesEveryEndpoint) {
  const TestServer server;
  const auto body = [](std::string_view more) {
    return fmt::format(R"({{"model":"claude","max_tokens":3,{}}})", more);
  };
  constexpr std::string_view messages = R"("messages":[{"role":"user","content":"hi"}])";
  const std::string stream = fmt::format(R"({},"stream":true)", messages);
  EXPECT_THAT(ask(server, http("POST", "/v1/messages", body(messages), "x-api-key: k\r\n")),
              HasSubstr(R"("stop_reason":"max_tokens")"));
  EXPECT_THAT(ask(server, http("POST", "/v1/messages", body(stream), "x-api-key: k\r\n")),
              HasSubstr("event: message_stop"));
  EXPECT_THAT(ask(server, http("POST", "/v1/responses", body(R"("input":"hi")"), key)),
              HasSubstr(R"("object":"response")"));
  EXPECT_THAT(
      ask(server, http("POST", "/v1/responses", body(R"("input":"hi","stream":true)"), key)),
      HasSubstr("event: response.created"));
  EXPECT_THAT(
      ask(server, http("POST", "/openai/deployments/gpt-4/chat/completions?api-version=2024-06-01",
                       body(messages), "api-key: k\r\n")),
      StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(
      ask(server, http("POST", "/v1beta/models/gpt-4:generateContent",
                       R"({"contents":[{"parts":[{"text":"hi"}]}]})", "x-goog-api-key: k\r\n")),
      StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask(server, http("GET", "/v1/models", "", key)), HasSubstr(R"("id":"gpt-3.5")"));
}

TEST(Server, RefusesInTheWordsOfTheVendor) {
  const TestServer server;
  constexpr std::string_view path = "/v1/chat/completions";
  EXPECT_THAT(ask(server, http("POST", path, "{}")), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(ask(server, http("POST", path, "{oops", key)), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask(server, http("POST", path, "{\"model\":\"\xff\"}", key)),
              StartsWith("HTTP/1.1 400"));
  const std::string unknown = ask(server, http("POST", path, R"({"model":"gpt-9"})", key));
  EXPECT_THAT(unknown, StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(unknown, HasSubstr("model_not_found"));
  EXPECT_THAT(ask(server, http("GET", path, "", key)), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(ask(server, http("POST", "/v1/nothing", "{}", key)),
              HasSubstr("Invalid URL (POST /v1/nothing)"));
  EXPECT_THAT(ask(server, http("POST", "/v1/messages", R"({"model":"claude","messages":[]})",
                               "x-api-key: k\r\n")),
              HasSubstr("max_tokens: Field required"));
}

TEST(Server, RefusesListsOfModelsInTheWordsOfTheVendorToo) {
  const TestServer server;
  EXPECT_THAT(ask(server, http("GET", "/v1/models", "")), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(ask(server, http("GET", "/v1/models", "", "anthropic-version: 2023-06-01\r\n")),
              HasSubstr("authentication_error"));
  for (const std::string_view method : {"POST", "HEAD", "OPTIONS"}) {
    EXPECT_THAT(ask(server, http(method, "/v1/models", "", key)), StartsWith("HTTP/1.1 405"));
  }
  EXPECT_THAT(ask(server, http("GET", "/v1/models", "", key)), StartsWith("HTTP/1.1 200"));
}

// Faults on the wire

TEST(Server, AnOutageResetsTheConnectionWithoutAByte) {
  const TestServer server({.faults = R"([{"on": "*", "outage": true}])"});
  RawClient client(server.port());
  client.send(chat());
  End end{};
  EXPECT_EQ(client.read_all(end), "");
  EXPECT_NE(end, End::open);
}

TEST(Server, AHangKeepsTheConnectionAndSaysNothing) {
  TestServer server({.faults = R"([{"on": "*", "hang": true}])"});
  RawClient client(server.port());
  client.send(chat());
  EXPECT_TRUE(client.is_silent_for(150ms));
  client.close();
  // The journal tells who gave up.
  std::string journal;
  for (int i = 0; i < 100 && journal.find("closed_by") == std::string::npos; ++i) {
    journal = admin(server, "GET", "journal");
  }
  EXPECT_THAT(journal, HasSubstr(R"("closed_by":"client")"));
}

struct WireCase {
  std::string_view word;
  bool stream;
  End end;  // open: the connection stays
  std::string_view there;
  std::string_view not_there;
};

TEST(Server, PlaysTheFaultsOfTheWire) {
  const std::vector<WireCase> cases{
      {"reset", false, End::rst, "", "HTTP/1.1"},
      {"close", false, End::fin, "", "HTTP/1.1"},
      {"garbage", false, End::fin, "", "HTTP/1.1 200"},
      {"html", false, End::open, "text/html", "chat.completion"},
      {"short_body", false, End::fin, "content-length", ""},
      {"invalid_json", false, End::open, "HTTP/1.1 200", ""},
      {"reset", true, End::rst, "", "[DONE]"},
      {"half_frame", true, End::open, "data: ", "[DONE]"},
      {"missing_finish", true, End::open, "data: ", R"("finish_reason":"stop")"},
      {"missing_done", true, End::open, R"("finish_reason":"stop")", "[DONE]"},
      {"crlf", true, End::open, "[DONE]\r\n\r\n", ""},
      {"comments", true, End::open, "\n: ", ""},
  };
  for (const WireCase& one : cases) {
    SCOPED_TRACE(fmt::format("{} {}", one.word, one.stream ? "stream" : "plain"));
    const TestServer server({.faults = fmt::format(R"([{{"on": "*", "wire": "{}"}}])", one.word)});
    RawClient client(server.port());
    client.send(chat(one.stream, 8, "connection: keep-alive\r\n"));
    End end = End::open;
    const std::string reply = one.end == End::open ? client.read_reply() : client.read_all(end);
    EXPECT_EQ(end, one.end) << reply;
    EXPECT_THAT(reply, HasSubstr(std::string(one.there)));
    if (one.not_there.empty()) continue;
    EXPECT_THAT(reply, Not(HasSubstr(std::string(one.not_there))));
  }
}

TEST(Server, PlaysASequenceOfFaultsOfTheWireAndErrors) {
  const TestServer server({.faults = R"([{"on": "*", "sequence": [
      {"wire": "reset"}, "overloaded", {"wire": "html"}, {"wire": "close", "at": "after_accept"},
      "success"]}])"});
  const auto next = [&](End& end) {
    RawClient client(server.port());
    client.send(chat(false, 8, "connection: close\r\n"));
    return client.read_all(end);
  };
  End end{};
  EXPECT_EQ(next(end), "");
  EXPECT_EQ(end, End::rst);
  EXPECT_THAT(next(end), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(next(end), HasSubstr("text/html"));
  EXPECT_EQ(next(end), "");
  EXPECT_EQ(end, End::fin);
  EXPECT_THAT(next(end), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(admin(server, "GET", "journal"),
              AllOf(HasSubstr(R"("wire":"reset","at":"before_headers")"),
                    HasSubstr(R"("wire":"html","draw")"), HasSubstr(R"("at":"after_accept")")));
}

TEST(Server, AStallLeavesAStreamOpenInTheMiddle) {
  const TestServer server({.faults = R"([{"on": "*", "wire": "stall"}])"});
  RawClient client(server.port());
  client.send(chat(true, 8));
  client.read_until("\r\n\r\n");
  const std::string said = client.read_until_silent_for(150ms);
  EXPECT_THAT(said, Not(HasSubstr("[DONE]")));
  EXPECT_THAT(said, Not(EndsWith("\r\n0\r\n\r\n")));
}

TEST(Server, AFullQueueIsRefusedAndAnAbandonedPlaceIsGivenOn) {
  // One slot, one place in line. The first is served, the second waits, the third is refused; when
  // the second leaves, the next one waits in its place.
  const TestServer server({.gpt4_limits = R"({"concurrent": 1, "queue": 1})"}, {}, 1);
  RawClient first(server.port());
  first.send(chat(true, 30, "", "one"));
  first.read_until("data: ");
  RawClient second(server.port());
  second.send(chat(false, 1, "", "two"));
  EXPECT_TRUE(second.is_silent_for(50ms));
  EXPECT_THAT(ask(server, chat(false, 1, "", "three")), StartsWith("HTTP/1.1 503"));
  second.close();
  EXPECT_THAT(ask(server, chat(false, 1, "", "four")), StartsWith("HTTP/1.1 200"));
}

TEST(Server, TellsTheBucketsInItsHeaders) {
  const TestServer server({.gpt4_limits = R"({"rpm": 2})"}, {}, 1);
  EXPECT_THAT(ask(server, chat()), HasSubstr("x-ratelimit-remaining-requests: 1"));
  EXPECT_THAT(ask(server, chat()), HasSubstr("x-ratelimit-remaining-requests: 0"));
  const std::string refused = ask(server, chat());
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 429"));
  EXPECT_THAT(refused, HasSubstr("retry-after"));
}

// Hostile clients

std::string last_words(const TestServer& server, std::string_view bytes) {
  RawClient client(server.port());
  client.send(bytes);
  return client.read_all();
}

TEST(Server, TellsHostileClientsWhatIsWrong) {
  const TestServer server({}, {.head_bytes = 1000, .body_bytes = 1000});
  const std::string post = "POST /v1/chat/completions HTTP/1.1\r\n";
  EXPECT_THAT(last_words(server, "\x16\x03\x01 hello\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(last_words(server, post + "x: " + std::string(2000, 'x')),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(last_words(server, post + "content-length: 1001\r\n\r\n"),
              StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(last_words(server, post + "content-length: -1\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(last_words(server, post + "content-length: 1\r\ncontent-length: 2\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(last_words(server, post + "content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(last_words(server, post + "transfer-encoding: gzip\r\n\r\n"),
              StartsWith("HTTP/1.1 501"));
  EXPECT_THAT(last_words(server, post + "transfer-encoding: chunked\r\n\r\nzz\r\n"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(last_words(server, post + "transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
              StartsWith("HTTP/1.1 413"));
}

TEST(Server, AnswersWhatCameBeforePipelinedGarbage) {
  const TestServer server;
  const std::string said = last_words(server, chat() + chat() + "garbage\r\n\r\n");
  const std::size_t second = said.find("HTTP/1.1 200", 1);
  ASSERT_NE(second, std::string::npos);
  EXPECT_NE(said.find("HTTP/1.1 400", second), std::string::npos);
}

TEST(Server, ClosesSlowAndIdleClientsAndServesOthersMeanwhile) {
  const TestServer server({}, {.head_time = 200ms, .body_time = 200ms, .idle_time = 300ms});
  RawClient slow_head(server.port());
  slow_head.send("POST /v1/chat/completions HTTP/1.1\r\nx: ");
  RawClient slow_body(server.port());
  slow_body.send("POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 9\r\n\r\n{");
  RawClient idle(server.port());
  EXPECT_THAT(ask(server, chat()), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(slow_head.read_all(), StartsWith("HTTP/1.1 408"));
  EXPECT_THAT(slow_body.read_all(), StartsWith("HTTP/1.1 408"));
  EXPECT_EQ(idle.read_all(), "");
}

TEST(Server, AtTheCeilingIdleConnectionsMakeRoomAndOtherwiseItSheds) {
  const TestServer server({.faults = R"([{"on": "*", "hang": true}])"}, {.connections = 3});
  std::vector<RawClient> hanging;
  for (int i = 0; i < 2; ++i) {
    hanging.emplace_back(server.port());
    hanging.back().send(chat());
  }
  EXPECT_TRUE(hanging.back().is_silent_for(50ms));
  RawClient idle(server.port());
  EXPECT_TRUE(idle.is_silent_for(50ms));
  hanging.emplace_back(server.port());
  hanging.back().send(chat());
  EXPECT_EQ(idle.read_all(), "");  // had to go
  EXPECT_TRUE(hanging.back().is_silent_for(50ms));
  RawClient shed(server.port());
  const std::string said = shed.read_all();
  EXPECT_THAT(said, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(said, HasSubstr("has 3 connections"));
}

TEST(Server, AbandonedConnectionsLeaveNoFileOpen) {
  const TestServer server;
  ask(server, chat());
  const int before = open_files();
  for (int i = 0; i < 300; ++i) {
    RawClient client(server.port());
    if (i % 3 == 1) client.send("POST / HT");
    if (i % 3 == 2) client.send(chat(true, 100));
  }
  std::string state;
  for (int i = 0; i < 200 && open_files() > before; ++i) state = admin(server, "GET", "state");
  EXPECT_LE(open_files(), before) << state;
}

TEST(Server, ReadsChunkedBodiesAndSaysContinue) {
  const TestServer server;
  RawClient client(server.port());
  const std::string body = R"({"model":"gpt-4","messages":[]})";
  client.send(
      fmt::format("POST /v1/chat/completions HTTP/1.1\r\n{}transfer-encoding: chunked\r\n"
                  "expect: 100-continue\r\n\r\n",
                  key));
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send(fmt::format("5;x=y\r\n{}\r\n{:x}\r\n{}\r\n0\r\ntrailer: t\r\n\r\n", body.substr(0, 5),
                          body.size() - 5, body.substr(5)));
  EXPECT_THAT(client.read_until(R"("choices")"), HasSubstr("HTTP/1.1 200"));
}

// Admin API and sessions

TEST(Server, AnInjectedFaultRevertsByItself) {
  // Ten seconds of scenario time are half a second here.
  const TestServer server;
  const std::string told =
      admin(server, "POST", "faults",
            R"({"fault": {"on": "openai/*", "error": "overloaded", "share": 1}, "for": "10s"})");
  EXPECT_THAT(told, StartsWith("HTTP/1.1 201"));
  EXPECT_THAT(ask(server, chat()), StartsWith("HTTP/1.1 503"));
  std::this_thread::sleep_for(600ms);
  EXPECT_THAT(ask(server, chat()), StartsWith("HTTP/1.1 200"));
}

TEST(Server, AnInjectedFaultCanBeTakenBack) {
  const TestServer server;
  constexpr std::string_view fault =
      R"({"fault": {"on": "*", "error": "overloaded"}, "for": "1h"})";
  admin(server, "POST", "faults", fault);
  EXPECT_THAT(ask(server, chat()), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(admin(server, "DELETE", "faults/1"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(admin(server, "DELETE", "faults/1"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(ask(server, chat()), StartsWith("HTTP/1.1 200"));
}

TEST(Server, AFaultThatIsNoneIsRefusedWithItsPlace) {
  const TestServer server;
  const std::string told = admin(server, "POST", "faults",
                                 R"({"fault": {"on": "*", "eror": "overloaded"}, "for": "1h"})");
  EXPECT_THAT(told, StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(told, HasSubstr(R"(did you mean \"error\"?)"));
  EXPECT_THAT(admin(server, "POST", "faults", R"({"for": "1h"})"), HasSubstr(R"(\"fault\": exp)"));
  for (const std::string_view lasts : {"0s", "30", "99999999h"}) {
    EXPECT_THAT(admin(server, "POST", "faults",
                      fmt::format(R"({{"fault": {{"on": "*"}}, "for": "{}"}})", lasts)),
                HasSubstr(R"(\"for\": expected a duration)"));
  }
  EXPECT_THAT(admin(server, "POST", "phase", R"({"phse": "all"})"),
              HasSubstr(R"(expected {\"phase\": NAME})"));
}

TEST(Server, AFaultOfManyLevelsIsRefusedUnread) {
  const TestServer server;
  const std::string nested = std::string(30'000, '[') + std::string(30'000, ']');
  EXPECT_THAT(admin(server, "POST", "faults",
                    fmt::format(R"({{"fault": {{"on": {}}}, "for": "1h"}})", nested)),
              HasSubstr("too many levels"));
}

TEST(Server, TestsDoNotMeetEachOther) {
  // A limit of one request a minute: the second of the same test is refused, of another it is not.
  const TestServer server({.gpt4_limits = R"({"rpm": 1})"}, {}, 1);
  EXPECT_THAT(ask(server, chat(false, 1, "x-brownout-test: a\r\n")), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask(server, chat(false, 1, "x-brownout-test: a\r\n")), StartsWith("HTTP/1.1 429"));
  EXPECT_THAT(ask(server, chat(false, 1, "x-brownout-test: b\r\n")), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask(server, chat(false, 1)), StartsWith("HTTP/1.1 200"));
  const std::string journal = admin(server, "GET", "journal?test=b");
  EXPECT_THAT(journal, HasSubstr(R"("request":1)"));
  EXPECT_THAT(journal, Not(HasSubstr(R"("request":2)")));
  admin(server, "POST", "reset", "", "x-brownout-test: a\r\n");
  EXPECT_THAT(ask(server, chat(false, 1, "x-brownout-test: a\r\n")), StartsWith("HTTP/1.1 200"));
}

std::string in_test(const TestServer& server, std::string_view name) {
  return ask(server, chat(false, 1, fmt::format("x-brownout-test: {}\r\n", name)));
}

TEST(Server, MoreTestsThanItTakesAreRefusedAndThoseThatAreThereGoOn) {
  const TestServer server({}, {.tests = 2});
  EXPECT_THAT(in_test(server, "one"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(in_test(server, "two"), StartsWith("HTTP/1.1 200"));
  const std::string refused = in_test(server, "three");
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(refused, HasSubstr("give each test a name, not each request"));
  EXPECT_THAT(in_test(server, "one"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask(server, chat()), StartsWith("HTTP/1.1 200")) << "everybody's session is apart";
  EXPECT_THAT(admin(server, "GET", "state?test=one"), HasSubstr(R"("requests": 2)"));
}

TEST(Server, ATestThatNobodyUsesAnyMoreMakesRoomButNotUnderARequest) {
  // Two places. "hangs" waits for an answer; "idle" was used before it, then nobody uses either.
  const TestServer server({.faults = R"([{"on": "*", "hang": true, "first": 1}])"},
                          {.tests = 2, .test_idle_time = 20ms});
  RawClient hanging(server.port());
  hanging.send(chat(false, 1, "x-brownout-test: hangs\r\n"));
  EXPECT_TRUE(hanging.is_silent_for(20ms));
  EXPECT_THAT(admin(server, "GET", "state?test=idle"), HasSubstr(R"("test": "idle")"));
  std::this_thread::sleep_for(40ms);
  EXPECT_THAT(admin(server, "GET", "state?test=third"), StartsWith("HTTP/1.1 200"));
  std::this_thread::sleep_for(40ms);
  EXPECT_THAT(admin(server, "GET", "state?test=hangs"), HasSubstr(R"("under_way": 1)"));
  EXPECT_THAT(admin(server, "GET", "state"), HasSubstr(R"("sessions": 3)"));
}

TEST(Server, WhatTestsHaveSeenIsCountedWhenTheyHaveMadeRoom) {
  // One place for two tests; the third session is everybody's.
  TestServer server({.faults = R"([{"on": "*", "sequence": ["authentication", "success"]}])"},
                    {.tests = 1, .test_idle_time = 0ms});
  for (const std::string_view name : {"first", "second"}) {
    for (int i = 0; i < 2; ++i) in_test(server, name);
  }
  ask(server, chat());
  ask(server, http("POST", "/v1/chat/completions", R"({"model":"none","messages":[]})",
                   "authorization: Bearer k\r\nx-brownout-test: second\r\n"));
  server.stop();
  const SessionTotals totals = server.server().totals();
  EXPECT_EQ(totals.calls, 3U);
  EXPECT_EQ(totals.attempts, 5U);
  EXPECT_EQ(totals.guessed, 2U);
  EXPECT_EQ(totals.findings[static_cast<std::size_t>(Finding::retried_non_retryable)], 2U);
  EXPECT_EQ(totals.refused, (std::map<std::uint16_t, std::uint64_t>{{404, 1}}));
  ASSERT_EQ(totals.faults.size(), 1U);
  EXPECT_EQ(totals.faults[0].matched, 5U);
  EXPECT_EQ(totals.faults[0].injected, 3U);
}

TEST(Server, WhatClientsMakeLongIsShortInTheJournal) {
  const TestServer server;
  EXPECT_THAT(in_test(server, std::string(129, 'n')), StartsWith("HTTP/1.1 400"));
  const std::string body =
      fmt::format(R"({{"model":"{}","messages":[]}})", std::string(1'000'000, 'm'));
  EXPECT_THAT(ask(server, http("POST", "/v1/chat/completions", body, key)),
              StartsWith("HTTP/1.1 404"));
  EXPECT_LT(admin(server, "GET", "journal").size(), 2'000u);
}

TEST(Server, UnknownAdminPathsListTheKnownOnes) {
  const TestServer server;
  const std::string told = admin(server, "GET", "stat");
  EXPECT_THAT(told, StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(told, HasSubstr("GET /__brownout/state"));
  EXPECT_THAT(admin(server, "POST", "phase", R"({"phase": "hours"})"),
              HasSubstr(R"(did you mean \"hour\"?)"));
}

// Determinism

// Whether each of 200 calls met the fault, by the text of its prompt.
std::set<int> hit_calls(std::size_t connections, bool backwards) {
  constexpr int calls = 200;
  const TestServer server({.faults = R"([{"on": "*", "error": "overloaded", "share": 0.3}])"}, {},
                          1000);
  std::vector<RawClient> clients;
  for (std::size_t i = 0; i < connections; ++i) clients.emplace_back(server.port());
  std::set<int> hit;
  for (int i = 0; i < calls; i += static_cast<int>(connections)) {
    const auto number = [&](std::size_t k) {
      const int at = i + static_cast<int>(k);
      return backwards ? calls - 1 - at : at;
    };
    for (std::size_t k = 0; k < connections && i + static_cast<int>(k) < calls; ++k) {
      clients[k].send(chat(false, 1, "", fmt::format("call {}", number(k))));
    }
    for (std::size_t k = 0; k < connections && i + static_cast<int>(k) < calls; ++k) {
      if (clients[k].read_reply().starts_with("HTTP/1.1 503")) hit.insert(number(k));
    }
  }
  return hit;
}

TEST(Server, DrawsTheSameForTheSameCallsWhateverTheConnectionsAndTheirOrder) {
  const std::set<int> one = hit_calls(1, false);
  EXPECT_GT(one.size(), 30U);
  EXPECT_LT(one.size(), 90U);
  EXPECT_EQ(one, hit_calls(16, false));
  EXPECT_EQ(one, hit_calls(1, true));
  EXPECT_EQ(one, hit_calls(16, true));
}

TEST(Server, StopsInTheMiddleOfStreamsAndSaysSo) {
  auto server = std::make_unique<TestServer>(Scene{}, ServerLimits{}, 1);
  RawClient client(server->port());
  client.send(chat(true, 1000));
  client.read_until("data: ");
  server->stop();
  ASSERT_EQ(server->server().session().journal().lines().size(), 1U);
  EXPECT_THAT(server->server().session().journal().lines().front(),
              HasSubstr(R"("closed_by":"shutdown")"));
}

}  // namespace
}  // namespace brownout::mock::http::testing
