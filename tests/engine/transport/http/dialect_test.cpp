// What providers' errors mean, and how requests are written: tables, tried row by row.

#include "engine/transport/http/dialect.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "engine/transport/http/reply_decoder.hpp"

namespace brownout::http {
namespace {

using enum OutcomeKind;
using enum Dialect;

// An error reply as it comes, read by a decoder.
Outcome error_of(Dialect dialect, std::uint16_t status, std::string_view body,
                 std::vector<HeaderView> headers = {{"Content-Type", "application/json"}}) {
  ReplyDecoder decoder({.dialect = dialect, .most_line_bytes = 1000});
  decoder.on_head(status, headers, SystemTime{});
  decoder.feed(body);
  decoder.on_complete();
  return decoder.outcome();
}

std::string openai_error(std::string_view type, std::string_view code, std::string_view message) {
  return R"({"error":{"message":")" + std::string(message) + R"(","type":")" + std::string(type) +
         R"(","param":null,"code":)" + (code.empty() ? "null" : "\"" + std::string(code) + "\"") +
         "}}";
}

std::string anthropic_error(std::string_view type, std::string_view message,
                            std::string_view code = "") {
  std::string details;
  if (!code.empty()) details = R"(,"details":{"error_code":")" + std::string(code) + "\"}";
  return R"({"type":"error","error":{"type":")" + std::string(type) + R"(","message":")" +
         std::string(message) + "\"" + details + R"(},"request_id":"req_1"})";
}

struct ErrorCase {
  std::uint16_t status;
  std::string body;
  OutcomeKind kind;
};

TEST(OpenAiErrors, AreToldApartByTheirCodes) {
  const ErrorCase cases[] = {
      {429, openai_error("tokens", "rate_limit_exceeded", "Rate limit reached for gpt-4"),
       rate_limited},
      {429, openai_error("tokens", "rate_limit_exceeded", "Request too large for gpt-4o in"),
       request_too_large},
      {429, openai_error("requests", "rate_limit_exceeded", "on requests per day (RPD)"),
       daily_limited},
      {429, openai_error("insufficient_quota", "insufficient_quota", "You exceeded your current"),
       quota_exhausted},
      {429, openai_error("billing", "credit_balance_exhausted", "x"), quota_exhausted},
      {429, openai_error("rate_limit_error", "slow_down", "x"), slow_down},
      {503, openai_error("rate_limit_error", "slow_down", "x"), slow_down},
      {429, openai_error("requests", "", "The engine is currently overloaded"), overloaded},
      {503, openai_error("service_unavailable_error", "server_is_overloaded", "x"), overloaded},
      {503, openai_error("server_error", "", "That model is currently overloaded"), overloaded},
      {503, openai_error("server_error", "", "x"), server_error},
      {500, openai_error("server_error", "", "x"), server_error},
      {400, openai_error("invalid_request_error", "context_length_exceeded", "x"), context_length},
      {400, openai_error("x", "content_filter", "x"), content_policy},
      {400, openai_error("invalid_request_error", "content_policy_violation", "x"), content_policy},
      {400, openai_error("invalid_request_error", "", "x"), invalid_request},
      {401, openai_error("invalid_request_error", "invalid_api_key", "x"), authentication},
      {403, openai_error("x", "unsupported_country_region_territory", "x"), permission},
      {404, openai_error("invalid_request_error", "model_not_found", "x"), not_found},
      {408, "", invalid_request},
      {413, "", request_too_large},
      {402, "", quota_exhausted},
      {500, "", server_error},
      {502, "<html>", bad_gateway},
      {503, "<!DOCTYPE html><html>", bad_gateway},
      {520, "error code: 520", bad_gateway},
      {527, "", bad_gateway},
      {530, "", bad_gateway},
      {529, "", overloaded},
      {599, "", server_error},
      {301, "", malformed_reply},
      {429, "<html>slow_down insufficient_quota</html>", rate_limited},
      {429,
       R"([{"error":{"code":429,"details":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}}])",
       daily_limited},
      // Without a status to go by, as inside a stream.
      {200, openai_error("requests", "rate_limit_exceeded", "on requests per day (RPD)"),
       daily_limited},
      {200, openai_error("request_forbidden", "unsupported_country_region_territory", "x"),
       permission},
      {200, openai_error("bad_gateway", "", "x"), bad_gateway},
  };
  for (const ErrorCase& each : cases) {
    const Outcome outcome = error_of(openai, each.status, each.body);
    EXPECT_EQ(to_string(outcome.kind), to_string(each.kind)) << each.status << " " << each.body;
    EXPECT_EQ(outcome.status, each.status);
  }
}

TEST(AnthropicErrors, AreToldApartByTheirTypes) {
  const ErrorCase cases[] = {
      {429, anthropic_error("rate_limit_error", "This request would exceed"), rate_limited},
      {429, anthropic_error("rate_limit_error", "x", "enforced_spend_limit_reached"),
       quota_exhausted},
      {400,
       anthropic_error("invalid_request_error",
                       "You have reached your specified API usage "
                       "limits. You will regain access"),
       quota_exhausted},
      {429, anthropic_error("rate_limit_error", "x", "ramp_limit_exceeded"), slow_down},
      {429,
       anthropic_error("rate_limit_error", "would exceed your organization's daily rate limit"),
       daily_limited},
      {529, anthropic_error("overloaded_error", "Overloaded"), overloaded},
      {500, anthropic_error("api_error", "x"), server_error},
      {504, anthropic_error("timeout_error", "x"), bad_gateway},
      {413, anthropic_error("request_too_large", "x"), request_too_large},
      {400, anthropic_error("invalid_request_error", "prompt is too long: 200251 tokens"),
       context_length},
      {400, anthropic_error("invalid_request_error", "Output blocked by content filtering policy"),
       content_policy},
      {400, anthropic_error("invalid_request_error", "x"), invalid_request},
      {401, anthropic_error("authentication_error", "invalid x-api-key"), authentication},
      {402, anthropic_error("billing_error", "x"), quota_exhausted},
      {403, anthropic_error("permission_error", "x"), permission},
      {404, anthropic_error("not_found_error", "model: x"), not_found},
      {200, anthropic_error("bad_gateway", "x"), bad_gateway},
      {409, anthropic_error("conflict_error", "x"), invalid_request},
  };
  for (const ErrorCase& each : cases) {
    EXPECT_EQ(to_string(error_of(anthropic, each.status, each.body).kind), to_string(each.kind))
        << each.status << " " << each.body;
  }
}

TEST(Errors, BringTheServersHintsAndLimits) {
  const Outcome outcome =
      error_of(openai, 429, openai_error("tokens", "rate_limit_exceeded", "try again in 20s"),
               {{"Content-Type", "application/json"},
                {"retry-after-ms", "644"},
                {"x-should-retry", "false"},
                {"x-ratelimit-limit-requests", "60"},
                {"x-ratelimit-remaining-requests", "0"},
                {"x-ratelimit-reset-requests", "1s"}});
  EXPECT_EQ(outcome.retry_after, std::chrono::milliseconds{644});
  EXPECT_EQ(outcome.should_retry, false);
  EXPECT_EQ(outcome.limits.requests, (RateLimit{60, 0, 1'000'000'000}));
  EXPECT_EQ(outcome.limits.tokens, RateLimit{});
}

TEST(Errors, AWaitOfADayIsALimitOfTheDay) {
  const Outcome outcome = error_of(
      openai, 429, R"({"error":{"code":"429","message":"Please retry after 86400 seconds."}})");
  EXPECT_EQ(outcome.kind, daily_limited);
  EXPECT_EQ(outcome.retry_after, std::chrono::hours{24});
}

std::string encoded(Dialect dialect, std::string_view body, EncodeOptions options = {}) {
  options.model = "m";
  return encode_request(dialect, body, options).value_or("nothing");
}

TEST(Encode, APromptIsAMessageOfTheUser) {
  const std::string_view asked = R"({"messages":[{"role":"user","content":"hi"}],"model":"m"})";
  EXPECT_EQ(encoded(openai, "hi"), asked);
  EXPECT_EQ(encoded(openai, R"({"prompt":"hi"})"), asked);
  EXPECT_EQ(encoded(openai, R"({"messages":[{"role":"user","content":"hi"}],"model":"other"})"),
            asked);
  EXPECT_EQ(encoded(anthropic, "hi"),
            R"({"messages":[{"role":"user","content":"hi"}],"model":"m","max_tokens":4096})");
}

TEST(Encode, WhatIsNoRequestIsNotSent) {
  for (const std::string_view body :
       {R"({"messages":)", "{}", R"({"messages":7})", R"({"prompt":[]})"}) {
    EXPECT_EQ(encoded(openai, body), "nothing") << body;
  }
}

TEST(Encode, AStreamAsksForItsBill) {
  EXPECT_EQ(encoded(openai, "hi", {.stream = true}),
            R"({"messages":[{"role":"user","content":"hi"}],"model":"m","stream":true,)"
            R"("stream_options":{"include_usage":true}})");
  EXPECT_EQ(encoded(openai, R"({"messages":[],"stream":true,"stream_options":{}})"),
            R"({"messages":[],"stream":false,"model":"m"})");
}

TEST(Encode, TheCapGoesWhereTheBodyHasOneOrTheEndpointWants) {
  EXPECT_EQ(encoded(openai, R"({"messages":[],"max_tokens":9})", {.output_cap = 5}),
            R"({"messages":[],"max_tokens":5,"model":"m"})");
  EXPECT_EQ(encoded(openai, R"({"messages":[]})", {.output_cap = 5}),
            R"({"messages":[],"model":"m","max_completion_tokens":5})");
  EXPECT_EQ(encoded(openai, R"({"messages":[]})", {.output_cap = 5, .cap_member = "max_tokens"}),
            R"({"messages":[],"model":"m","max_tokens":5})");
  EXPECT_EQ(encoded(anthropic, R"({"messages":[],"max_completion_tokens":9})"),
            R"({"messages":[],"model":"m","max_tokens":9})");
}

TEST(Encode, ARequestInOpenAisFormGoesToAnthropicToo) {
  EXPECT_EQ(
      encoded(anthropic, R"({"messages":[{"role":"system","content":"be brief"},)"
                         R"({"role":"user","content":"hi"}],"stop":"x","temperature":0.5})"),
      R"({"messages":[{"role":"user","content":"hi"}],"temperature":0.5,"model":"m",)"
      R"("system":[{"type":"text","text":"be brief"}],"stop_sequences":["x"],"max_tokens":4096})");
}

TEST(Encode, MembersKeepTheirOrderAndBadBytesAreReplaced) {
  EXPECT_EQ(encoded(openai, R"({"messages":[],"tools":[{"z":1,"a":2}]})"),
            R"({"messages":[],"tools":[{"z":1,"a":2}],"model":"m"})");
  EXPECT_EQ(encoded(openai, "a\xFF"),
            "{\"messages\":[{\"role\":\"user\",\"content\":\"a\xEF\xBF\xBD\"}],\"model\":\"m\"}");
}

}  // namespace
}  // namespace brownout::http
