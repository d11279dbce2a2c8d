// Every fault on the wire at every place: what its bytes make a correct client see is what its plan
// says, which is what the simulator plays.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "mockserver/wire/completion.hpp"
#include "tests/mockserver/wire/reading.hpp"
#include "tests/support/mockserver/wire_faults.hpp"

namespace brownout::mock::wire {
namespace {

using namespace testing;
using mock::testing::all_faults;
using Place = WirePoint::Place;

constexpr std::uint32_t tokens = 11;

Plan plan_of(const std::string& fault, ModelId model, bool stream) {
  World world(Scene{.faults = fmt::format(R"([{{"on": "*", {}}}])", fault)});
  ProviderRequest request = mock::testing::request(1, model);
  request.stream = stream;
  const Arrival arrival = world.arrive(request, 0s);
  EXPECT_FALSE(arrival.queued);
  return arrival.plan;
}

// The error frame's type says the kind: the tables are read backwards.
void expect_in_stream_error(const Plan& plan, Endpoint endpoint, const Seen& seen) {
  if (endpoint == Endpoint::azure_chat || endpoint == Endpoint::gemini_generate) return;
  const ErrorShape shape = error_shape(dialect_of(endpoint), plan.kind);
  const bool by_code = endpoint == Endpoint::openai_responses && !shape.code.empty();
  EXPECT_EQ(seen.error_type, by_code ? shape.code : shape.type);
}

void expect_agreement(const std::string& fault, Endpoint endpoint, bool stream) {
  SCOPED_TRACE(fmt::format("{} at {}{}", fault, name_of(endpoint), stream ? ", streamed" : ""));
  const ModelId model = endpoint == Endpoint::anthropic_messages ? claude : gpt4;
  const Plan plan = plan_of(fault, model, stream);
  const Played played = play(request_to(endpoint), plan);
  if (plan.status >= 400) {
    EXPECT_EQ(parse_answer(played.bytes).status, plan.status);
    EXPECT_TRUE(parse_answer(played.bytes).complete);
    return;
  }
  Seen seen = see(endpoint, stream, played);
  // Gemini's streams have nothing before their first output.
  const bool nothing =
      plan.stream && plan.delivered_tokens == 0 && plan.kind == OutcomeKind::stream_truncated;
  if (endpoint == Endpoint::gemini_generate && nothing) seen.kind = plan.kind;
  if (!seen.error_type.empty()) {
    expect_in_stream_error(plan, endpoint, seen);
  } else {
    EXPECT_EQ(to_string(seen.kind), to_string(plan.kind));
  }
  if (plan.stream && plan.generates && plan.wire.word != WireWord::duplicate_frame &&
      plan.wire.word != WireWord::invalid_json) {
    EXPECT_EQ(seen.deltas, plan.delivered_tokens);
    const std::string text = completion_text(1, plan.delivered_tokens);
    EXPECT_EQ(seen.text, text);
  }
  for (const Piece& piece : played.pieces)
    EXPECT_LE(piece.at, std::max(plan.last_token, plan.complete));
  EXPECT_EQ(played.ending == Ending::hang, played.ends == forever);
}

TEST(WireFault, SimulatorAndBytesAgreeForEveryFaultAtEveryPlace) {
  const std::vector<std::string> faults = all_faults();
  EXPECT_GT(faults.size(), 150U);
  for (const std::string& fault : faults) {
    for (const Endpoint endpoint : reply_endpoints) {
      for (const bool stream : {false, true}) expect_agreement(fault, endpoint, stream);
    }
  }
}

TEST(WireFault, EveryWordAndPlaceIsOnThePage) {
  std::ifstream file("docs/reference/scenarios.md");
  std::ostringstream page;
  page << file.rdbuf();
  for (const std::string_view word : wire_words()) {
    EXPECT_NE(page.str().find(fmt::format("\n| `{}` | ", word)), std::string::npos) << word;
  }
  for (const std::string_view place : wire_places()) {
    EXPECT_NE(page.str().find(place), std::string::npos) << place;
  }
}

TEST(WireFault, TimesAscendWhateverHappens) {
  for (const std::string& fault : all_faults()) {
    for (const bool stream : {false, true}) {
      const Plan plan = plan_of(fault, gpt4, stream);
      const Played played = play(request_to(Endpoint::openai_chat), plan);
      Duration last{};
      for (const Piece& piece : played.pieces) {
        EXPECT_GE(piece.at, last) << fault;
        EXPECT_FALSE(piece.bytes.empty()) << fault;
        last = piece.at;
      }
      EXPECT_GE(played.ends, last) << fault;
    }
  }
}

Played streamed(const std::string& fault, Endpoint endpoint = Endpoint::openai_chat) {
  const ModelId model = endpoint == Endpoint::anthropic_messages ? claude : gpt4;
  return play(request_to(endpoint), plan_of(fault, model, true));
}

std::string body_of(const Played& played) {
  return parse_answer(played.bytes).body;
}

std::string healthy_body(Endpoint endpoint = Endpoint::openai_chat) {
  return body_of(play(request_to(endpoint), reply_of(tokens, true)));
}

std::string without(std::string text, const std::string& part) {
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part)) {
    text.erase(at, part.size());
  }
  return text;
}

TEST(WireFault, SlicesAreSmallTearEveryCharacterAndChangeNothingElse) {
  for (const bool stream : {false, true}) {
    const Plan plan = plan_of(R"("wire": "sliced")", gpt4, stream);
    const Answer answer = parse_answer(play(request_to(Endpoint::openai_chat), plan).bytes);
    int torn = 0;
    for (const std::string& chunk : answer.chunks) {
      EXPECT_LE(chunk.size(), 7U);
      if (!is_utf8(chunk)) ++torn;
    }
    EXPECT_GT(torn, 8) << "the text has characters of two, three and four bytes";
    const Plan healthy = reply_of(tokens, stream);
    EXPECT_EQ(answer.body,
              parse_answer(play(request_to(Endpoint::openai_chat), healthy).bytes).body);
  }
}

TEST(WireFault, CrLfCommentsAndDuplicatesAddExactlyThat) {
  const std::string healthy = healthy_body();
  std::string crlf = body_of(streamed(R"("wire": "crlf")"));
  EXPECT_EQ(std::count(crlf.begin(), crlf.end(), '\r'), std::count(crlf.begin(), crlf.end(), '\n'));
  EXPECT_EQ(without(crlf, "\r"), healthy);
  const std::string comments = body_of(streamed(R"("wire": "comments")"));
  EXPECT_NE(comments.find(": brownout\n\n: brownout\n\n"), std::string::npos) << "a double one";
  EXPECT_EQ(without(comments, ": brownout\n\n"), healthy);
  const auto doubled =
      parse_events(body_of(streamed(R"("wire": "duplicate_frame", "at": {"frames": 3})")));
  auto events = parse_events(healthy);
  ASSERT_EQ(doubled.size(), events.size() + 1);
  const Event third = events[3];  // the role is frame 0
  events.insert(events.begin() + 4, third);
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(doubled[i].data, events[i].data) << i;
}

TEST(WireFault, AnUnknownEventIsOneMoreFrameAmongTheOthers) {
  for (const Endpoint endpoint : reply_endpoints) {
    const Plan plan = plan_of(R"("wire": "unknown_event", "at": {"frames": 3})", 0, true);
    const Played played = play(request_to(endpoint), plan);
    auto events = parse_events(parse_answer(played.bytes).body);
    const auto healthy =
        parse_events(parse_answer(play(request_to(endpoint), reply_of(tokens, true)).bytes).body);
    SCOPED_TRACE(static_cast<int>(endpoint));
    ASSERT_EQ(events.size(), healthy.size() + 1);
    const auto differs = [](const Event& a, const Event& b) { return a.data != b.data; };
    std::size_t at = 0;
    while (at < healthy.size() && !differs(events[at], healthy[at])) ++at;
    EXPECT_GE(at, 3U);
    EXPECT_LE(at, 7U);
    EXPECT_THAT(events[at].data, ::testing::HasSubstr("nknown"));
    events.erase(events.begin() + static_cast<std::ptrdiff_t>(at));
    // Responses number their events, and so what follows.
    if (endpoint == Endpoint::openai_responses) continue;
    for (std::size_t i = at; i < healthy.size(); ++i) EXPECT_EQ(events[i].data, healthy[i].data);
  }
}

TEST(WireFault, SlowBytesComeInBetweenAndAreCompleteInTime) {
  // 100ms headers and first token | a token every 10 ms, each in 16 parts | 200ms last
  const Played slow = streamed(R"("wire": "slow_bytes")");
  EXPECT_EQ(slow.bytes, play(request_to(Endpoint::openai_chat), reply_of(tokens, true)).bytes);
  EXPECT_GT(slow.pieces.size(), 16U * (tokens - 1));
  EXPECT_EQ(slow.pieces.back().at, 200ms);
  for (const Piece& piece : slow.pieces) {
    if (piece.output_tokens == 0) continue;
    EXPECT_GE(piece.at, 100ms + 10ms * (piece.output_tokens - 1));
  }
  const Played whole =
      play(request_to(Endpoint::openai_chat), plan_of(R"("wire": "slow_bytes")", gpt4, false));
  EXPECT_EQ(whole.bytes, play(request_to(Endpoint::openai_chat), reply_of(tokens, false)).bytes);
  EXPECT_EQ(whole.pieces.front().at, 100ms);
  EXPECT_EQ(whole.pieces.back().at, 200ms);
}

TEST(WireFault, WhatIsMissingIsMissingAndNothingElse) {
  const std::string healthy = healthy_body();
  EXPECT_EQ(body_of(streamed(R"("wire": "missing_done")")) + "data: [DONE]\n\n", healthy);
  const std::string no_finish = body_of(streamed(R"("wire": "missing_finish")"));
  EXPECT_EQ(healthy.rfind(no_finish, 0), 0U);
  EXPECT_EQ(no_finish.find("\"stop\""), std::string::npos);
  EXPECT_EQ(parse_events(no_finish).size(), 1U + tokens);
  const std::string claudes = healthy_body(Endpoint::anthropic_messages);
  const std::string no_stop =
      body_of(streamed(R"("wire": "missing_done")", Endpoint::anthropic_messages));
  EXPECT_EQ(no_stop + "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", claudes);
}

TEST(WireFault, HalfAFrameIsCutInsideAndTheStreamEndsCleanly) {
  const Played half = streamed(R"("wire": "half_frame", "at": {"frames": 3})");
  const Answer answer = parse_answer(half.bytes);
  EXPECT_TRUE(answer.complete);
  EXPECT_EQ(healthy_body().rfind(answer.body, 0), 0U);
  EXPECT_EQ(parse_events(answer.body).size(), 1U + 3U);
  EXPECT_NE(answer.body.substr(answer.body.size() - 2), "\n\n");
}

TEST(WireFault, ACutAtAByteCanBeInsideACharacter) {
  // Token by token the text has 8 bytes each; one cut at every byte of the first four words.
  int torn = 0;
  for (int bytes = 1; bytes <= 32; ++bytes) {
    const Played cut = streamed(fmt::format(R"("wire": "close", "at": {{"bytes": {}}})", bytes));
    const Answer answer = parse_answer(cut.bytes);
    EXPECT_FALSE(answer.complete);
    EXPECT_EQ(cut.ending, Ending::close);
    EXPECT_EQ(healthy_body().rfind(answer.body, 0), 0U);
    const std::string text = completion_text(1, tokens).substr(0, static_cast<std::size_t>(bytes));
    const std::size_t part = static_cast<std::size_t>(bytes) % token_bytes;
    EXPECT_TRUE(part == 0 || answer.body.ends_with(text.substr(text.size() - part)));
    if (!is_utf8(answer.body)) ++torn;
  }
  EXPECT_GT(torn, 0);
}

TEST(WireFault, AnInvalidFrameIsFollowedByTheRest) {
  const auto events =
      parse_events(body_of(streamed(R"("wire": "invalid_json", "at": {"frames": 2})")));
  ASSERT_EQ(events.size(), parse_events(healthy_body()).size());
  int broken = 0;
  for (const Event& event : events) broken += !Json::accept(event.data) && event.data != "[DONE]";
  EXPECT_EQ(broken, 1);
  EXPECT_FALSE(Json::accept(events[3].data)) << "the role, two tokens, and then this";
}

TEST(WireFault, AShortBodySendsLessThanItAnnounces) {
  const Plan plan = plan_of(R"("wire": "short_body")", gpt4, false);
  const Played played = play(request_to(Endpoint::openai_chat), plan);
  const Answer answer = parse_answer(played.bytes);
  EXPECT_LT(answer.body.size(), std::stoul(answer.headers.at("content-length")));
  EXPECT_GT(answer.body.size(), 0U);
  EXPECT_EQ(played.ending, Ending::close);
}

TEST(WireFault, AnErrorIsTheFirstFrameOrComesInTheMiddle) {
  const auto first = parse_events(body_of(streamed(R"("error": "overloaded", "after_share": 0)")));
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(Json::parse(first[0].data).at("error").at("code"), "server_is_overloaded");
  const auto third =
      parse_events(body_of(streamed(R"("error": "overloaded", "at": {"frames": 3})")));
  ASSERT_EQ(third.size(), 5U) << "the role, three tokens, the error";
  EXPECT_TRUE(Json::parse(third[4].data).contains("error"));
}

TEST(WireFault, BrokenConnectionsSayWhere) {
  const auto place = [](const std::string& fault) {
    return encode(request_to(Endpoint::openai_chat), plan_of(fault, gpt4, true), noon()).place;
  };
  EXPECT_EQ(place(R"("wire": "refuse")"), Place::before_accept);
  EXPECT_EQ(place(R"("outage": true)"), Place::before_accept);
  EXPECT_EQ(place(R"("wire": "reset", "at": "after_accept")"), Place::after_accept);
  EXPECT_EQ(place(R"("wire": "reset")"), Place::before_headers);
  EXPECT_EQ(place(R"("error": "connection")"), Place::before_headers);
  EXPECT_EQ(place(R"("hang": true)"), Place::before_headers);
}

}  // namespace
}  // namespace brownout::mock::wire
