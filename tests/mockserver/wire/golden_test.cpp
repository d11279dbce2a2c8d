// What every endpoint sends, as reviewed files: tests/golden/wire. UPDATE_GOLDEN=1 writes them.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "mockserver/script.hpp"
#include "tests/mockserver/wire/replies.hpp"
#include "tests/support/golden.hpp"

namespace brownout::mock::wire {
namespace {

using namespace testing;
using brownout::testing::expect_golden;

// A piece a paragraph; carriage returns can be seen.
std::string shown(const Played& played) {
  std::string text;
  for (const Piece& piece : played.pieces) {
    text += fmt::format("--- {}, {} tokens\n", format_duration(piece.at), piece.output_tokens);
    for (const char c : piece.bytes) text += c == '\r' ? std::string("\\r") : std::string(1, c);
    if (text.back() != '\n') text += '\n';
  }
  constexpr const char* endings[] = {"keep_alive", "close", "reset", "hang"};
  return text + fmt::format("=== {}\n", endings[static_cast<std::size_t>(played.ending)]);
}

Plan with_limits(Plan plan, Endpoint endpoint) {
  plan.told.requests = {.limit = 1000, .remaining = 999, .reset_ns = 60'000'000};
  plan.told.tokens = {.limit = 96'000, .remaining = 95'900, .reset_ns = 6'120'000'000};
  if (endpoint != Endpoint::anthropic_messages) return plan;
  plan.told_input = {.limit = 80'000, .remaining = 79'900, .reset_ns = 75'000'000};
  plan.told_output = {.limit = 16'000, .remaining = 16'000, .reset_ns = 0};
  return plan;
}

class WireGolden : public ::testing::TestWithParam<Endpoint> {
 protected:
  void expect(const char* what, const std::string& text) {
    expect_golden(fmt::format("wire/{}-{}.txt", name_of(GetParam()), what), text);
  }
};

TEST_P(WireGolden, Replies) {
  RequestFacts request = request_to(GetParam());
  request.include_usage = true;
  expect("plain", shown(play(request, with_limits(reply_of(5, false), GetParam()))));
  expect("stream", shown(play(request, with_limits(reply_of(3, true), GetParam()))));
  request.tools = {"look_up"};
  request.tool_required = true;
  expect("tool",
         shown(play(request, reply_of(3, false))) + shown(play(request, reply_of(3, true))));
}

TEST_P(WireGolden, Errors) {
  std::string text;
  for (const std::string_view word : provider_failures()) {
    const OutcomeKind kind = *parse_outcome_kind(word);
    Plan plan{.kind = kind};
    plan.status = error_shape(dialect_of(GetParam()), kind).status;
    if (kind == OutcomeKind::stream_truncated) continue;
    if (kind == OutcomeKind::rate_limited) plan.retry_after = 2500ms;
    plan.first_byte = plan.complete = 50ms;
    text += fmt::format("##### {}\n{}", word, shown(play(request_to(GetParam()), plan)));
  }
  expect("errors", text);
}

TEST_P(WireGolden, ErrorsInsideAStream) {
  std::string text;
  for (const std::uint32_t delivered : {0U, 1U}) {
    for (const OutcomeKind kind : {OutcomeKind::overloaded, OutcomeKind::rate_limited,
                                   OutcomeKind::bad_gateway, OutcomeKind::malformed_reply}) {
      Plan plan = reply_of(3, true);
      plan.kind = kind;
      plan.delivered_tokens = delivered;
      plan.complete = token_at(plan, delivered);
      text += fmt::format("##### {} after {}\n{}", to_string(kind), delivered,
                          shown(play(request_to(GetParam()), plan)));
    }
  }
  expect("stream-errors", text);
}

INSTANTIATE_TEST_SUITE_P(Endpoints, WireGolden, ::testing::ValuesIn(reply_endpoints),
                         [](const auto& of) {
                           std::string name = name_of(of.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(WireModels, AreListedAsEachVendorDoes) {
  const std::vector<std::string> names{"gpt-4", "claude-1"};
  std::string text;
  for (const Endpoint endpoint : {Endpoint::openai_chat, Endpoint::anthropic_messages}) {
    text += shown(play(encode_models(endpoint, names, request_to(Endpoint::models), noon())));
  }
  expect_golden("wire/models.txt", text);
}

}  // namespace
}  // namespace brownout::mock::wire
