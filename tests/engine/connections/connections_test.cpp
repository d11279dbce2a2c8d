// Connections as they are read, and the clients that are made of them. What is said of broken files
// is in tests/corpus.

#include "engine/connections/connections.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/asio/io_context.hpp>
#include <string>
#include <string_view>

#include "engine/connections/connect.hpp"
#include "tests/support/http/raw_server.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string complaints(const Errors& errors) {
  std::string text;
  for (const Error& error : errors) text += error.to_string();
  return text;
}

Connections with_openai(const std::string& members) {
  auto parsed = parse_connections("inline", R"({ "kind": "connections", "version": 1,
      "providers": { "openai": { )" + members + " } } }");
  EXPECT_TRUE(parsed) << complaints(parsed ? Errors{} : parsed.error());
  return std::move(*parsed);
}

Policy policy_to(const std::string& target) {
  auto parsed = parse_policy("inline", R"({ "kind": "policy", "version": 1, "name": "x", "to": ")" +
                                           target + R"(", "pipeline": [ { "retry": {} } ] })");
  EXPECT_TRUE(parsed);
  return std::move(*parsed);
}

TEST(Connections, SayWhatTheFileSays) {
  const auto loaded = load_connections("tests/corpus/valid/connections-every-key.json");
  ASSERT_TRUE(loaded);
  ASSERT_EQ(loaded->endpoints.size(), 3U);
  const EndpointOptions& openai = loaded->endpoints[0];
  EXPECT_EQ(openai.provider, "openai");
  EXPECT_EQ(openai.url, "https://api.openai.com/v1");
  EXPECT_THAT(openai.key_variables, ElementsAre("OPENAI_API_KEY"));
  EXPECT_THAT(openai.headers,
              ElementsAre(Pair("openai-organization", "org-1"), Pair("x-empty", "")));
  EXPECT_EQ(openai.ca_file, "tests/corpus/valid/certificates/ca.pem");
  EXPECT_EQ(openai.cap_member, "max_tokens");
  EXPECT_EQ(openai.most_connections, 100U);
  EXPECT_EQ(openai.most_idle, 10U);
  EXPECT_EQ(openai.idle_for, 20s);
  EXPECT_EQ(openai.most_header_bytes, 32'768U);
  EXPECT_EQ(openai.most_reply_bytes, 1'048'576U);
  EXPECT_EQ(openai.most_line_bytes, 65'536U);
  EXPECT_TRUE(openai.call_headers && openai.idempotency_key && !openai.plaintext);
  EXPECT_EQ(loaded->endpoints[1].dialect, http::Dialect::anthropic);
  EXPECT_EQ(loaded->endpoints[1].key_variables.size(), 2U);
  EXPECT_TRUE(loaded->endpoints[2].plaintext);
  ASSERT_TRUE(loaded->redis);
  EXPECT_EQ(loaded->redis->host, "redis.internal");
  EXPECT_EQ(loaded->redis->port, 6380);
  EXPECT_EQ(loaded->redis->command_timeout, 100ms);
  EXPECT_EQ(loaded->redis->longest_reconnect_wait, 2s);
  EXPECT_EQ(loaded->redis->most_pending_bytes, 1'000'000U);
}

TEST(Connections, AreAsTheOptionsAreWhereTheFileSaysNothing) {
  const Connections connections = with_openai(R"("url": "http://localhost:1")");
  const EndpointOptions standard;
  const EndpointOptions& read = connections.endpoints[0];
  EXPECT_EQ(read.most_connections, standard.most_connections);
  EXPECT_EQ(read.idle_for, standard.idle_for);
  EXPECT_EQ(read.most_line_bytes, standard.most_line_bytes);
  EXPECT_EQ(read.cap_member, standard.cap_member);
  EXPECT_FALSE(connections.redis);
}

TEST(Connections, AKeyThatStandsInTheFileIsNotShown) {
  const auto read = parse_connections("inline", R"({ "kind": "connections", "version": 1,
      "providers": { "p": { "url": "https://x", "key_variable": "sk-secret", "headers":
      { "Authorization": "Bearer sk-secret" } } } })");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().size(), 2U);
  EXPECT_EQ(complaints(read.error()).find("secret"), std::string::npos);
}

TEST(Connections, AKeyInAFileOfAWrongKindIsNotShown) {
  for (const char* kind : {R"("kind": "conections", )", R"("kind": "policy", )", "",
                           R"("kind": "connections" )", R"(kind: "connections", )"}) {
    const auto read = parse_connections(
        "inline", std::string("{ ") + kind + R"("version": 1, "providers": { "p": {
            "url": "https://me:sk-secret@x", "headers":
            { "authorization": "Bearer sk-secret" } } } })");
    ASSERT_FALSE(read) << kind;
    EXPECT_EQ(complaints(read.error()).find("secret"), std::string::npos)
        << complaints(read.error());
  }
  const auto text = parse_connections(
      "inline",
      R"({ "kind": "connections", "version": 1, "providers": "https://me:sk-secret@x" })");
  EXPECT_EQ(complaints(text.error()).find("secret"), std::string::npos);
}

// However the rest of its line is wrong.
TEST(Connections, AKeyBesideAMistakeIsNotShown) {
  for (const char* provider : {
           R"("url": "https://x", "key": "sk-secret")",
           R"("url": "https://x", "dialect": "opnai", "headers": {"api-key": "sk-secret"})",
           R"("url": "https://x", "headers": {"api-key": "sk-secret"}, "most_idle": "many")",
           R"("url": "https://x", "headers": {"api-key": "sk-secret\n"})",
           R"("headers": {"api-key": "sk-secret"})",
           R"("url": "https://x/?key=sk-secret")",
           R"("url": "https://me:sk-secret@x")",
           R"("url": "http://x/sk-secret")",
           R"("url": "https://x", "key": "sk-secret)",
           R"("url": "https://x", "key": sk-secret)",
           R"("url": "https://x", "url": "sk-secret", "key": ["sk-secret"])",
           R"("url": "https://me:sk-secret@x" "headers": {})",
           "\"url\": \"https://me:sk-secret@x\"\n\"headers\": {}",
           R"("url": "https://x", "headers": {"x-extra": "sk-secret" "y": 1})",
           R"("url": "https://x", "headers": {"x-extra": "sk-secret"; "y": 1})",
           R"("url": "https://x", "headers": {"x-extra" "sk-secret"})",
           R"("url": "https://x", "headers": {"x-extra": 'sk-secret'})",
           R"("url": "https://x", "headers": {"x-extra": 1secret})",
           R"("url": "https://x", "headers": {"x-extra": secret})",
           R"("url": "https://x", "headers": {"x-extra": "y", secret})",
           R"("url": "https://x", "headers": {"x-extra": "sk-secret\q"})",
           R"("url": "https://x", "headers": "sk-secret")",
           R"("url": "https://x", "key_variables": "sk-secret")",
       }) {
    const auto read = parse_connections("inline", std::string(R"({ "kind": "connections",
      "version": 1, "providers": { "p": { )") + provider +
                                                      " } } }");
    ASSERT_FALSE(read) << provider;
    EXPECT_EQ(complaints(read.error()).find("secret"), std::string::npos)
        << complaints(read.error());
  }
}

TEST(Connections, AUrlThatEndsInWhatItsDialectAddsIsATrap) {
  const auto traps = [](const std::string& provider) {
    return complaints(find_traps(with_openai(provider)).take());
  };
  EXPECT_THAT(traps(R"("url": "https://x/v1/chat/completions")"),
              HasSubstr(R"(the URL ends in "/chat/completions", and the dialect adds)"));
  EXPECT_THAT(traps(R"("url": "https://x/v1/messages", "dialect": "anthropic")"),
              HasSubstr("leave /v1/messages out, as in \"https://api.anthropic.com\""));
  EXPECT_THAT(traps(R"("url": "https://x/v1/", "dialect": "anthropic")"),
              HasSubstr("leave /v1 out"));
  EXPECT_EQ(traps(R"("url": "https://x/v1")"), "");
  EXPECT_EQ(traps(R"("url": "https://x/v1/messages")"), "");
  EXPECT_EQ(traps(R"("url": "https://x", "dialect": "anthropic")"), "");
}

TEST(Connections, TheMistakeItselfIsShown) {
  const auto read = parse_connections("inline", R"({ "kind": "connections", "version": 1,
      "providers": { "p": { "url": "https://x",
  "dialect": "opnai", "idle_for": "5s", "headers": {"api-key": "sk-secret"} } } })");
  ASSERT_FALSE(read);
  EXPECT_THAT(complaints(read.error()),
              HasSubstr(R"(  "dialect": "opnai", "idle_for": "**", "headers": {"api-key": "****)"));
}

TEST(Connect, MakesCallsToTheProvidersOfTheFile) {
  RawServer server([](Peer& peer) {
    while (peer.read_request()) {
      peer.send(
          answer(200, R"({"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]})"));
    }
  });
  boost::asio::io_context context(1);
  auto client =
      connect(context.get_executor(), policy_to("openai/gpt-4"),
              with_openai(R"("url": ")" + server.url() + "\""), {.executor_is_serial = true});
  ASSERT_TRUE(client);
  Request request;
  request.body = std::make_shared<const std::string>("hello");
  std::string text;
  client->async_complete(request, [&](const Outcome& outcome) { text = *outcome.reply.text; });
  context.run();
  EXPECT_EQ(text, "Hi");
}

TEST(Connect, RefusesRoutesToProvidersThatTheFileDoesNotHave) {
  boost::asio::io_context context(1);
  const Connections connections = with_openai(R"("url": "http://localhost:1")");
  auto client = connect(context.get_executor(), policy_to("opnai/gpt-4"), connections);
  ASSERT_FALSE(client);
  EXPECT_THAT(complaints(client.error()),
              HasSubstr("the connections have no provider \"opnai\" for \"opnai/gpt-4\": did you "
                        "mean \"openai\"?\n --> inline:1:"));
  client = connect(context.get_executor(), policy_to("openai/gpt-4"), connections,
                   {.roles = {{"independent", "anthropic/claude"}}});
  ASSERT_FALSE(client);
  EXPECT_THAT(complaints(client.error()), HasSubstr("no provider \"anthropic\""));
}

TEST(Connect, MissesAKeyBeforeTheFirstCall) {
  unsetenv("BROWNOUT_TEST_NO_KEY");
  boost::asio::io_context context(1);
  const auto client =
      connect(context.get_executor(), policy_to("openai/gpt-4"),
              with_openai(R"("url": "https://x", "key_variable": "BROWNOUT_TEST_NO_KEY")"));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error()[0].kind, ErrorKind::environment);
  EXPECT_EQ(client.error()[0].message,
            "provider 'openai': the environment variable BROWNOUT_TEST_NO_KEY is not set");
}

}  // namespace
}  // namespace brownout::testing
