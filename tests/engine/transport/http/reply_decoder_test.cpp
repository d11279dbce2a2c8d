// What a caller gets of an answer, whatever its bytes and however they are cut.

#include "engine/transport/http/reply_decoder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace brownout::http {
namespace {

using enum OutcomeKind;
using enum Dialect;

enum class End { complete, broken, hangs };

struct Read {
  Outcome outcome;
  std::string text;   // as it came
  bool over = false;  // before the end
};

// A reply with this head and body, in these pieces.
Read read(Dialect dialect, bool stream, std::initializer_list<std::string_view> pieces,
          End end = End::complete, std::string_view type = "", std::uint16_t status = 200) {
  ReplyDecoder decoder(
      {.dialect = dialect, .stream = stream, .most_line_bytes = 400, .input_tokens = 5});
  if (type.empty()) type = stream ? "text/event-stream; charset=utf-8" : "application/json";
  const std::vector<HeaderView> headers{{"content-type", type}};
  decoder.on_head(status, headers, SystemTime{});
  Read result;
  for (const std::string_view piece : pieces) {
    if (result.over) break;
    decoder.feed(piece);
    std::string_view text;
    for (auto step = decoder.next(text); step != ReplyDecoder::Step::more;
         step = decoder.next(text)) {
      result.over = step == ReplyDecoder::Step::over;
      if (result.over) break;
      if (step == ReplyDecoder::Step::text) result.text += text;
    }
  }
  if (end == End::complete) decoder.on_complete();
  if (end == End::broken) decoder.on_broken();
  result.outcome = end == End::hangs && !result.over && !decoder.finished() ? decoder.cut(timed_out)
                                                                            : decoder.outcome();
  return result;
}

std::string openai_frame(std::string_view choice) {
  return R"(data: {"id":"c","choices":[{"index":0,)" + std::string(choice) + "}]}\n\n";
}
const std::string role = openai_frame(R"("delta":{"role":"assistant","content":""})");
const std::string tree =
    openai_frame(R"("delta":{"content":"a \ud83c\udf33"},"finish_reason":null)");
const std::string more = openai_frame(R"("delta":{"content":" grüßt"},"finish_reason":null)");
const std::string stop = openai_frame(R"("delta":{},"finish_reason":"stop")");
const std::string usage =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":13,\"completion_tokens\":2}}\n\n";
const std::string done = "data: [DONE]\n\n";
const std::string broken_json = "data: {\"choices\":[\n\n";
constexpr std::string_view tree_text = "a \xF0\x9F\x8C\xB3 gr\xC3\xBC\xC3\x9Ft";

std::string frame(std::string_view name, std::string_view data) {
  return "event: " + std::string(name) + "\ndata: {\"type\":\"" + std::string(name) + "\"," +
         std::string(data) + "}\n\n";
}
const std::string started = frame(
    "message_start",
    R"("message":{"role":"assistant","content":[],"usage":{"input_tokens":25,"output_tokens":1}})");
const std::string block = frame("content_block_start", R"("index":0)");
const std::string ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
const std::string text =
    frame("content_block_delta",
          R"("index":0,"delta":{"type":"text_delta","text":"a \ud83c\udf33 grüßt"})");
const std::string thought =
    frame("content_block_delta", R"("index":0,"delta":{"type":"thinking_delta","thinking":"hm"})");
const std::string ending =
    frame("message_delta", R"("delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15})");
const std::string stopped = frame("message_stop", R"("x":0)");

TEST(OpenAiStream, BringsTextAndBillWhereverItIsCut) {
  const std::string whole = ": hi\n\n" + role + tree + more + stop + usage + done;
  for (std::size_t at = 0; at <= whole.size(); ++at) {
    const Read got = read(
        openai, true, {std::string_view(whole).substr(0, at), std::string_view(whole).substr(at)});
    ASSERT_EQ(got.outcome.kind, success) << at;
    ASSERT_EQ(got.text, tree_text) << at;
    ASSERT_EQ(*got.outcome.reply.text, tree_text);
    ASSERT_EQ(got.outcome.billed_input_tokens, 13U);
    ASSERT_EQ(got.outcome.billed_output_tokens, 2U);
    ASSERT_TRUE(got.over);
  }
}

TEST(AnthropicStream, BringsTextAndBillWhereverItIsCut) {
  const std::string whole = started + block + ping + thought + text + ending + stopped;
  for (std::size_t at = 0; at <= whole.size(); ++at) {
    const Read got =
        read(anthropic, true,
             {std::string_view(whole).substr(0, at), std::string_view(whole).substr(at)});
    ASSERT_EQ(got.outcome.kind, success) << at;
    ASSERT_EQ(got.text, tree_text) << at;
    ASSERT_EQ(got.outcome.billed_input_tokens, 25U);
    ASSERT_EQ(got.outcome.billed_output_tokens, 15U);
    ASSERT_TRUE(got.over);
  }
}

struct StreamCase {
  std::string_view name;
  std::string body;
  End end;
  OutcomeKind kind;
};

TEST(OpenAiStream, IsASuccessOnlyWhenItSaysWhyItEnds) {
  const StreamCase cases[] = {
      {"no [DONE]", role + tree + stop, End::complete, success},
      {"no [DONE], and no end either", role + tree + stop, End::hangs, success},
      {"broken after the finish", role + tree + stop, End::broken, success},
      {"no finish", role + tree + done, End::complete, stream_truncated},
      {"no finish and no [DONE]", role + tree, End::complete, stream_truncated},
      {"half a frame", role + tree + stop.substr(0, 30), End::complete, stream_truncated},
      {"an ending without its empty line", tree + stop.substr(0, stop.size() - 1), End::complete,
       stream_truncated},
      {"broken", role + tree, End::broken, stream_truncated},
      {"broken before anything", "", End::broken, stream_truncated},
      {"silence", role + tree, End::hangs, timed_out},
      {"no frame", "", End::complete, malformed_reply},
      {"only comments", ": a\n\n: b\n\n", End::complete, malformed_reply},
      {"only [DONE]", done, End::complete, stream_truncated},
      {"broken JSON", role + tree + broken_json + stop + done, End::complete, malformed_reply},
      {"other JSON", "data: {\"a\":1}\n\n", End::complete, malformed_reply},
      {"something of another kind", role + tree + "data: {\"object\":\"news\"}\n\n" + stop,
       End::complete, success},
      {"a chunk without choices", role + "data: {\"object\":\"chat.completion.chunk\"}\n\n" + stop,
       End::complete, malformed_reply},
      {"no JSON", "data: hello\n\n", End::complete, malformed_reply},
      {"a frame without end", "data: " + std::string(500, 'x'), End::complete, malformed_reply},
      {"a filter", tree + openai_frame(R"("delta":{},"finish_reason":"content_filter")") + done,
       End::complete, content_policy},
  };
  for (const StreamCase& each : cases) {
    const Read got = read(openai, true, {each.body}, each.end);
    EXPECT_EQ(to_string(got.outcome.kind), to_string(each.kind)) << each.name;
  }
}

TEST(AnthropicStream, IsASuccessOnlyWithMessageStop) {
  const StreamCase cases[] = {
      {"no message_stop", started + text + ending, End::complete, stream_truncated},
      {"no message_stop, and silence", started + text + ending, End::hangs, timed_out},
      {"no message_delta", started + text + stopped, End::complete, success},
      {"only message_stop", stopped, End::complete, malformed_reply},
      {"half a frame", started + text + ending + stopped.substr(0, 20), End::broken,
       stream_truncated},
      {"an unknown event", started + frame("news", R"("a":1)") + text + stopped, End::complete,
       success},
      {"frames without names", "data: {\"type\":\"message_start\"}\n\n", End::complete,
       stream_truncated},
      {"broken JSON", started + "event: content_block_delta\ndata: {\n\n", End::complete,
       malformed_reply},
      {"a refusal",
       started + text + frame("message_delta", R"("delta":{"stop_reason":"refusal"})") + stopped,
       End::complete, content_policy},
  };
  for (const StreamCase& each : cases) {
    const Read got = read(anthropic, true, {each.body}, each.end);
    EXPECT_EQ(to_string(got.outcome.kind), to_string(each.kind)) << each.name;
  }
}

TEST(Streams, AnErrorInsideIsWhatItsTypeSaysAndEndsIt) {
  const auto openai_error = [](std::string_view type, std::string_view code) {
    return R"(data: {"error":{"message":"try again in 2s","type":")" + std::string(type) +
           R"(","code":")" + std::string(code) + "\"}}\n\n";
  };
  const auto in_openai = [&](std::string_view type, std::string_view code) {
    return read(openai, true, {tree + openai_error(type, code) + tree + stop}, End::hangs);
  };
  const Read server = in_openai("server_error", "");
  EXPECT_EQ(server.outcome.kind, server_error);
  EXPECT_EQ(server.outcome.status, 200);
  EXPECT_EQ(server.outcome.retry_after, std::chrono::seconds{2});
  EXPECT_TRUE(server.over);
  EXPECT_EQ(in_openai("x", "server_is_overloaded").outcome.kind, overloaded);
  EXPECT_EQ(in_openai("x", "rate_limit_exceeded").outcome.kind, rate_limited);
  EXPECT_EQ(in_openai("insufficient_quota", "x").outcome.kind, quota_exhausted);
  EXPECT_EQ(in_openai("invalid_request_error", "").outcome.kind, invalid_request);
  const auto in_anthropic = [&](std::string_view type) {
    return read(anthropic, true,
                {started + frame("error", R"("error":{"type":")" + std::string(type) +
                                              R"(","message":"m","details":null})")})
        .outcome.kind;
  };
  EXPECT_EQ(in_anthropic("overloaded_error"), overloaded);
  EXPECT_EQ(in_anthropic("api_error"), server_error);
  EXPECT_EQ(in_anthropic("rate_limit_error"), rate_limited);
}

TEST(Streams, WhatIsNotLabelledAsOneIsNone) {
  const std::string whole = role + tree + stop + done;
  for (const std::string_view type : {"text/html", "application/json", "text/plain"}) {
    EXPECT_EQ(read(openai, true, {whole}, End::complete, type).outcome.kind, malformed_reply);
  }
  EXPECT_EQ(read(openai, true, {"<html></html>"}, End::complete, "text/html").outcome.kind,
            malformed_reply);
  EXPECT_EQ(read(openai, true, {R"({"error":{"type":"server_error"}})"}, End::complete,
                 "application/json")
                .outcome.kind,
            server_error);
}

TEST(Streams, WhatWasCutIsBilledAsFarAsItIsKnown) {
  const Read begun = read(openai, true, {role + tree + more}, End::hangs);
  EXPECT_EQ(begun.outcome.billed_input_tokens, 5U) << "as the request estimated it";
  EXPECT_EQ(begun.outcome.billed_output_tokens, 2U) << "a token for each piece";
  const Read told = read(anthropic, true, {started + text + text}, End::broken);
  EXPECT_EQ(told.outcome.billed_input_tokens, 25U);
  EXPECT_EQ(told.outcome.billed_output_tokens, 2U);
  const Read silent = read(openai, true, {}, End::hangs);
  EXPECT_EQ(silent.outcome.billed_input_tokens, 0U);
}

constexpr std::string_view openai_reply =
    R"({"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},)"
    R"("finish_reason":"length"}],"usage":{"prompt_tokens":13,"completion_tokens":2}})";
constexpr std::string_view anthropic_reply =
    R"({"type":"message","content":[{"type":"text","text":"H"},{"type":"tool_use","name":"x"},)"
    R"({"type":"text","text":"i"}],"stop_reason":"end_turn",)"
    R"("usage":{"input_tokens":12,"cache_read_input_tokens":1,"output_tokens":2}})";

TEST(Replies, BringTextAndBill) {
  for (const Dialect dialect : {openai, anthropic}) {
    const Read got = read(dialect, false, {dialect == openai ? openai_reply : anthropic_reply});
    ASSERT_EQ(got.outcome.kind, success);
    EXPECT_EQ(*got.outcome.reply.text, "Hi");
    EXPECT_EQ(got.outcome.billed_input_tokens, 13U);
    EXPECT_EQ(got.outcome.reply.output_tokens, 2U);
    EXPECT_EQ(got.text, "");
  }
}

TEST(Replies, WhatIsNoneIsMalformedAndWhatIsCutIsTheConnections) {
  const std::string whole(openai_reply);
  EXPECT_EQ(read(openai, false, {whole.substr(0, 60)}).outcome.kind, malformed_reply);
  EXPECT_EQ(read(openai, false, {""}).outcome.kind, malformed_reply);
  EXPECT_EQ(read(openai, false, {"{}"}).outcome.kind, malformed_reply);
  EXPECT_EQ(read(openai, false, {"[]"}).outcome.kind, malformed_reply);
  EXPECT_EQ(read(openai, false, {R"({"choices":[]})"}).outcome.kind, malformed_reply);
  EXPECT_EQ(read(openai, false, {R"({"choices":[{"message":{"content":"a"}}]})"}).outcome.kind,
            malformed_reply);
  EXPECT_EQ(read(openai, false, {anthropic_reply}).outcome.kind, malformed_reply);
  EXPECT_EQ(read(anthropic, false, {openai_reply}).outcome.kind, malformed_reply);
  EXPECT_EQ(read(openai, false, {whole}, End::complete, "text/html").outcome.kind, malformed_reply);
  EXPECT_EQ(read(openai, false, {"<html>"}, End::complete, "text/html").outcome.kind,
            malformed_reply);
  EXPECT_EQ(read(openai, false, {std::string(5000, '[')}).outcome.kind, malformed_reply);
  const Read cut = read(openai, false, {whole.substr(0, 60)}, End::broken);
  EXPECT_EQ(cut.outcome.kind, connection);
  EXPECT_EQ(cut.outcome.status, 0);
  EXPECT_EQ(read(openai, false, {"{\"err"}, End::broken, "", 503).outcome.kind, server_error);
  EXPECT_EQ(read(openai, false, {R"({"error":{"code":"slow_down"}})"}).outcome.kind, slow_down);
}

}  // namespace
}  // namespace brownout::http
