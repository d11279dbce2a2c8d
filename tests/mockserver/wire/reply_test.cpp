// Properties of every reply: what a client written from the specifications reads out of it.

#include <fmt/format.h>
#include <rapidcheck/gtest.h>

#include "mockserver/wire/completion.hpp"
#include "tests/mockserver/wire/reading.hpp"

namespace brownout::mock::wire {
namespace {

using namespace testing;

Endpoint any_endpoint() {
  return *rc::gen::elementOf(
      std::vector<Endpoint>(std::begin(reply_endpoints), std::end(reply_endpoints)));
}

RC_GTEST_PROP(WireReply, IsReadBackAsItsPlanSays, ()) {
  const Endpoint endpoint = any_endpoint();
  const bool stream = *rc::gen::arbitrary<bool>();
  const auto tokens = *rc::gen::inRange<std::uint32_t>(0, 300);
  RequestFacts request = request_to(endpoint, *rc::gen::arbitrary<std::uint64_t>());
  request.include_usage = true;
  const Played played = play(request, reply_of(tokens, stream));
  const Seen seen = see(endpoint, stream, played);
  RC_ASSERT(seen.kind == OutcomeKind::success);
  RC_ASSERT(seen.text == completion_text(request.id_seed, tokens));
  RC_ASSERT(seen.output_tokens == tokens);
  RC_ASSERT(is_utf8(seen.text));
  RC_ASSERT(seen.deltas == (stream ? tokens : 0U));
  const Answer answer = parse_answer(played.bytes);
  RC_ASSERT(answer.status == 200);
  RC_ASSERT(answer.complete);
  RC_ASSERT(answer.left_over == 0U);
  RC_ASSERT(played.ending == Ending::keep_alive);
}

RC_GTEST_PROP(WireReply, LeavesInOrderOfTimeAndTokens, ()) {
  const Endpoint endpoint = any_endpoint();
  const Plan plan = reply_of(*rc::gen::inRange<std::uint32_t>(1, 100), true);
  const Played played = play(request_to(endpoint), plan);
  Duration last{};
  std::uint32_t tokens = 0;
  for (const Piece& piece : played.pieces) {
    RC_ASSERT(piece.at >= last);
    RC_ASSERT(piece.output_tokens >= tokens);
    const bool due =
        piece.output_tokens == 0 || piece.at >= token_at(plan, piece.output_tokens - 1);
    RC_ASSERT(due);
    last = piece.at;
    tokens = piece.output_tokens;
  }
  RC_ASSERT(tokens == plan.output_tokens);
  RC_ASSERT(played.ends == plan.complete);
  RC_ASSERT(last == plan.complete);
}

TEST(WireReply, IsAFunctionOfItsSeed) {
  const Plan plan = reply_of(20, true);
  EXPECT_EQ(play(request_to(Endpoint::openai_chat, 5), plan).bytes,
            play(request_to(Endpoint::openai_chat, 5), plan).bytes);
  EXPECT_NE(play(request_to(Endpoint::openai_chat, 5), plan).bytes,
            play(request_to(Endpoint::openai_chat, 6), plan).bytes);
}

TEST(WireReply, CallsAToolWithArgumentsThatAreJson) {
  for (const Endpoint endpoint : reply_endpoints) {
    for (const bool stream : {false, true}) {
      RequestFacts request = request_to(endpoint);
      request.tools = {"look_up", "other"};
      request.tool_required = true;
      const Played played = play(request, reply_of(7, stream));
      const Seen seen = see(endpoint, stream, played);
      EXPECT_EQ(seen.kind, OutcomeKind::success) << name_of(endpoint);
      ASSERT_TRUE(Json::accept(seen.text)) << name_of(endpoint) << seen.text;
      EXPECT_EQ(Json::parse(seen.text).at("text"), completion_text(request.id_seed, 7));
      EXPECT_NE(played.bytes.find("look_up"), std::string::npos);
    }
  }
}

TEST(WireReply, OneInFourCallsAToolWhenItMay) {
  RequestFacts request = request_to(Endpoint::openai_chat);
  request.tools = {"look_up"};
  int calls = 0;
  for (request.id_seed = 0; request.id_seed < 400; ++request.id_seed) {
    const Seen seen = see(Endpoint::openai_chat, false, play(request, reply_of(2, false)));
    if (seen.finish == "tool_calls") ++calls;
  }
  EXPECT_EQ(calls, 100);
}

TEST(WireReply, SaysThatMaxTokensCutItShort) {
  const std::map<Endpoint, std::pair<std::string, std::string>> words{
      {Endpoint::openai_chat, {"stop", "length"}},
      {Endpoint::openai_responses, {"completed", "incomplete"}},
      {Endpoint::anthropic_messages, {"end_turn", "max_tokens"}},
      {Endpoint::azure_chat, {"stop", "length"}},
      {Endpoint::gemini_generate, {"STOP", "MAX_TOKENS"}}};
  for (const auto& [endpoint, word] : words) {
    for (const bool stream : {false, true}) {
      RequestFacts request = request_to(endpoint);
      request.max_tokens = 10;
      EXPECT_EQ(see(endpoint, stream, play(request, reply_of(9, stream))).finish, word.first);
      EXPECT_EQ(see(endpoint, stream, play(request, reply_of(10, stream))).finish, word.second);
    }
  }
}

TEST(WireReply, UsageIsToldOnlyWhenAskedFor) {
  RequestFacts request = request_to(Endpoint::openai_chat);
  EXPECT_EQ(play(request, reply_of(2, true)).bytes.find("usage"), std::string::npos);
  request.include_usage = true;
  const std::string bytes = play(request, reply_of(2, true)).bytes;
  EXPECT_NE(bytes.find(R"("usage":null)"), std::string::npos);
  EXPECT_NE(bytes.find(R"("choices":[],"usage":{"prompt_tokens":100)"), std::string::npos);
}

TEST(WireReply, ForAnOlderClientEndsWithItsConnection) {
  RequestFacts request = request_to(Endpoint::openai_chat);
  request.keep_alive = false;
  request.chunked = false;
  const Played played = play(request, reply_of(4, true));
  const Answer answer = parse_answer(played.bytes);
  EXPECT_EQ(answer.headers.count("transfer-encoding"), 0U);
  EXPECT_EQ(answer.headers.at("connection"), "close");
  EXPECT_EQ(played.ending, Ending::close);
  EXPECT_EQ(see(Endpoint::openai_chat, true, played).kind, OutcomeKind::success);
}

TEST(WireReply, AModelsNameCannotBreakTheJson) {
  RequestFacts request = request_to(Endpoint::openai_chat);
  request.model = "a\"b\\c$text\n\x01";
  const Played played = play(request, reply_of(2, false));
  EXPECT_EQ(Json::parse(parse_answer(played.bytes).body).at("model"), request.model);
  EXPECT_EQ(see(Endpoint::openai_chat, true, play(request, reply_of(2, true))).text,
            completion_text(request.id_seed, 2));
}

TEST(WireHeaders, AreComputedFromTheBuckets) {
  // 60 requests and 6,000 tokens a minute: after one request of 100 tokens, one second each.
  World world(Scene{.gpt4_limits = R"({"rpm": 60, "tpm": 6000})"});
  const Plan plan = world.serve(mock::testing::request(1, gpt4), 0s);
  const Answer answer = parse_answer(play(request_to(Endpoint::openai_chat), plan).bytes);
  EXPECT_EQ(answer.headers.at("x-ratelimit-limit-requests"), "60");
  EXPECT_EQ(answer.headers.at("x-ratelimit-remaining-requests"), "59");
  EXPECT_EQ(answer.headers.at("x-ratelimit-reset-requests"), "1s");
  EXPECT_EQ(answer.headers.at("x-ratelimit-limit-tokens"), "6000");
  EXPECT_EQ(answer.headers.at("x-ratelimit-remaining-tokens"), "5900");
  EXPECT_EQ(answer.headers.at("x-ratelimit-reset-tokens"), "1s");
}

TEST(WireHeaders, ALimitThatIsNotThereIsNotTold) {
  World world(Scene{.gpt4_limits = R"({"rpm": 60})"});
  const Plan plan = world.serve(mock::testing::request(1, gpt4), 0s);
  const Answer answer = parse_answer(play(request_to(Endpoint::openai_chat), plan).bytes);
  EXPECT_EQ(answer.headers.count("x-ratelimit-limit-tokens"), 0U);
  EXPECT_EQ(answer.headers.count("x-ratelimit-limit-requests"), 1U);
}

TEST(WireHeaders, AnthropicTellsInputAndOutputApartAndCalendarTimes) {
  // Input: 100 of 6,000 a minute, back after 1 s; noon and a half plus 1 s is told as 12:00:02.
  World world(Scene{.claude_limits = R"({"rpm": 50, "itpm": 6000, "otpm": 1000})"});
  const Plan plan = world.serve(mock::testing::request(1, claude), 0s);
  const Answer answer = parse_answer(play(request_to(Endpoint::anthropic_messages), plan).bytes);
  EXPECT_EQ(answer.headers.at("anthropic-ratelimit-requests-remaining"), "49");
  EXPECT_EQ(answer.headers.at("anthropic-ratelimit-tokens-limit"), "7000");
  EXPECT_EQ(answer.headers.at("anthropic-ratelimit-tokens-remaining"), "6900");
  EXPECT_EQ(answer.headers.at("anthropic-ratelimit-input-tokens-remaining"), "5900");
  EXPECT_EQ(answer.headers.at("anthropic-ratelimit-input-tokens-reset"), "2024-02-29T12:00:02Z");
  EXPECT_EQ(answer.headers.at("anthropic-ratelimit-output-tokens-limit"), "1000");
  EXPECT_EQ(answer.headers.at("anthropic-ratelimit-output-tokens-remaining"), "1000");
  EXPECT_EQ(answer.headers.at("date"), "Thu, 29 Feb 2024 12:00:00 GMT");
}

TEST(WireHeaders, HintsAreRoundedUpAndCompressedWithTime) {
  Plan plan{.kind = OutcomeKind::rate_limited, .status = 429};
  plan.first_byte = plan.complete = 50ms;
  plan.retry_after = 90'500ms;
  plan.should_retry = false;
  Occasion occasion = noon();
  const RequestFacts request = request_to(Endpoint::openai_chat);
  Answer answer = parse_answer(play(encode(request, plan, occasion)).bytes);
  EXPECT_EQ(answer.headers.at("retry-after"), "91");
  EXPECT_EQ(answer.headers.at("retry-after-ms"), "90500");
  EXPECT_EQ(answer.headers.at("x-should-retry"), "false");
  EXPECT_EQ(answer.headers.at("openai-processing-ms"), "50");
  EXPECT_NE(answer.body.find("Please try again in 1m30.5s."), std::string::npos);
  occasion.speed = 60;
  answer = parse_answer(play(encode(request, plan, occasion)).bytes);
  EXPECT_EQ(answer.headers.at("retry-after"), "2");
  EXPECT_EQ(answer.headers.at("retry-after-ms"), "1509");
  EXPECT_NE(answer.body.find("Please try again in 1.509s."), std::string::npos);

  // A year, for a clock a thousand times as slow: what no time can hold is told as a long one.
  plan.retry_after = 8760h;
  occasion.speed = 0.001;
  answer = parse_answer(play(encode(request, plan, occasion)).bytes);
  EXPECT_EQ(answer.headers.at("retry-after"), "4000000000");
}

TEST(WireErrors, TheFiveCapturedTokenLimitMessagesComeOverTheWire) {
  struct Captured {
    const char* model;
    std::int64_t limit;
    std::int64_t used;
    std::int64_t requested;
    const char* wait;
  };
  constexpr Captured captured[] = {
      {"gpt-4o", 30'000, 29'937, 385, "644ms"},      {"gpt-4", 10'000, 8'554, 3'082, "9.816s"},
      {"gpt-4o", 30'000, 18'928, 11'159, "174ms"},   {"gpt-4o", 30'000, 28'039, 3'906, "3.89s"},
      {"gpt-4o", 30'000, 14'567, 24'754, "18.642s"},
  };
  for (const Captured& capture : captured) {
    Bucket bucket(capture.limit);
    ASSERT_FALSE(bucket.take(capture.used, Instant{}));
    Plan plan{.kind = OutcomeKind::rate_limited, .status = 429};
    plan.hit = {LimitKind::tokens, *bucket.take(capture.requested, Instant{})};
    RequestFacts request = request_to(Endpoint::openai_chat);
    request.model = capture.model;
    const Json body = Json::parse(parse_answer(play(request, plan).bytes).body);
    EXPECT_EQ(
        body.at("error").at("message"),
        fmt::format("Rate limit reached for {} in organization org-brownout on tokens per "
                    "min (TPM): Limit {}, Used {}, Requested {}. Please try again in {}. "
                    "Visit https://platform.openai.com/account/rate-limits to learn more.",
                    capture.model, capture.limit, capture.used, capture.requested, capture.wait));
    EXPECT_EQ(body.at("error").at("code"), "rate_limit_exceeded");
    EXPECT_EQ(body.at("error").at("type"), "tokens");
  }
}

TEST(WireErrors, AServersOwnComplaintTakesTheEndpointsForm) {
  Plan plan{.kind = OutcomeKind::invalid_request, .status = 400};
  Occasion occasion = noon();
  occasion.message = "no \"messages\" in {this}";
  for (const Endpoint endpoint : reply_endpoints) {
    const Answer answer = parse_answer(play(encode(request_to(endpoint), plan, occasion)).bytes);
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(Json::parse(answer.body).at("error").at("message"), occasion.message);
  }
}

TEST(WireErrors, AnthropicHasATypeOfItsOwnForAStatusOf402) {
  const auto error = [](Endpoint endpoint, std::uint16_t status) {
    const Plan plan{.kind = OutcomeKind::quota_exhausted, .status = status};
    return Json::parse(parse_answer(play(request_to(endpoint), plan).bytes).body).at("error");
  };
  const Json paid = error(Endpoint::anthropic_messages, 402);
  EXPECT_EQ(paid.at("type"), "billing_error");
  EXPECT_FALSE(paid.contains("details"));
  const Json spent = error(Endpoint::anthropic_messages, 429);
  EXPECT_EQ(spent.at("type"), "rate_limit_error");
  EXPECT_EQ(spent.at("details").at("error_code"), "enforced_spend_limit_reached");
  EXPECT_EQ(error(Endpoint::openai_chat, 402).at("type"), "insufficient_quota");
}

TEST(WireErrors, AProxyAnswersInHtml) {
  Plan plan{.kind = OutcomeKind::bad_gateway, .status = 530};
  const Answer answer = parse_answer(play(request_to(Endpoint::openai_chat), plan).bytes);
  EXPECT_EQ(answer.status, 530);
  EXPECT_EQ(answer.headers.at("content-type"), "text/html; charset=utf-8");
  EXPECT_NE(answer.body.find("<h1>530</h1>"), std::string::npos);
}

TEST(WireTarget, IsFoundWhateverTheBaseUrl) {
  const auto found = [](std::string_view method, std::string_view path) {
    Target target;
    if (!find_target(method, path, target)) return std::string("none");
    return fmt::format("{} {}{}", name_of(target.endpoint), target.model,
                       target.stream ? " stream" : "");
  };
  EXPECT_EQ(found("POST", "/v1/chat/completions"), "openai-chat ");
  EXPECT_EQ(found("POST", "/chat/completions"), "openai-chat ");
  EXPECT_EQ(found("POST", "/v1/responses"), "openai-responses ");
  EXPECT_EQ(found("POST", "/anthropic/v1/messages"), "anthropic-messages ");
  EXPECT_EQ(found("POST", "/openai/deployments/gpt-4/chat/completions"), "azure-chat gpt-4");
  EXPECT_EQ(found("POST", "/v1beta/models/gemini-2.5:generateContent"),
            "gemini-generate gemini-2.5");
  EXPECT_EQ(found("POST", "/v1beta/models/g:streamGenerateContent"), "gemini-generate g stream");
  EXPECT_EQ(found("GET", "/v1/models"), "models ");
  EXPECT_EQ(found("GET", "/v1/chat/completions"), "none");
  EXPECT_EQ(found("POST", "/v1/completions"), "none");
  EXPECT_EQ(found("POST", "/v1beta/models/:generateContent"), "none");
}

}  // namespace
}  // namespace brownout::mock::wire
