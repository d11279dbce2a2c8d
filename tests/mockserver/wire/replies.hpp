#pragma once

// Replies for tests: plans as a provider makes them, and what a correct client makes of their
// bytes.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mockserver/wire/reply.hpp"
#include "tests/mockserver/scripts.hpp"
#include "tests/mockserver/wire/client.hpp"

namespace brownout::mock::wire::testing {

using namespace std::chrono_literals;
using mock::testing::claude;
using mock::testing::gpt4;
using mock::testing::Scene;
using mock::testing::World;

/// First token after 100 ms, then one every 10 ms.
inline Plan reply_of(std::uint32_t tokens, bool stream) {
  Plan plan{.stream = stream, .generates = true, .billed_input_tokens = 100};
  plan.output_tokens = plan.delivered_tokens = tokens;
  plan.first_token = 100ms;
  plan.last_token = plan.first_token + 10ms * (tokens == 0 ? 0 : tokens - 1);
  plan.complete = plan.last_token;
  plan.first_byte = stream ? plan.first_token : plan.complete;
  return plan;
}

inline RequestFacts request_to(Endpoint endpoint, std::uint64_t id_seed = 1) {
  RequestFacts request;
  request.endpoint = endpoint;
  request.model = endpoint == Endpoint::anthropic_messages ? "claude-1" : "gpt-4";
  request.input_tokens = 100;
  request.id_seed = id_seed;
  return request;
}

/// Noon of the leap day of 2024, and a half second.
inline Occasion noon() {
  return {.now = SystemTime{std::chrono::sys_days{std::chrono::year{2024} / 2 / 29} + 12h + 500ms},
          .speed = 1,
          .message = {}};
}

struct Played {
  std::vector<Piece> pieces;
  std::string bytes;
  std::uint16_t status = 0;
  Ending ending = Ending::keep_alive;
  Duration ends{};
};

inline Played play(WireReply reply) {
  Played played;
  Piece piece;
  while (reply.next(piece)) {
    played.pieces.push_back(piece);
    played.bytes += piece.bytes;
  }
  played.status = reply.status;
  played.ending = reply.ending;
  played.ends = reply.ends;
  return played;
}

inline Played play(const RequestFacts& request, const Plan& plan) {
  return play(encode(request, plan, noon()));
}

inline constexpr Endpoint reply_endpoints[] = {Endpoint::openai_chat, Endpoint::openai_responses,
                                               Endpoint::anthropic_messages, Endpoint::azure_chat,
                                               Endpoint::gemini_generate};

inline const char* name_of(Endpoint endpoint) {
  constexpr const char* names[] = {"openai-chat", "openai-responses", "anthropic-messages",
                                   "azure-chat",  "gemini-generate",  "models"};
  return names[static_cast<std::size_t>(endpoint)];
}

inline DialectId dialect_of(Endpoint endpoint) {
  return endpoint == Endpoint::anthropic_messages ? DialectId::anthropic : DialectId::openai;
}

}  // namespace brownout::mock::wire::testing
