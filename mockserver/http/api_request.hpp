#pragma once

// What a client asks of the provider: a request's head and body, understood.

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/core/outcome.hpp"
#include "mockserver/http/request_head.hpp"
#include "mockserver/script.hpp"
#include "mockserver/wire/reply.hpp"

namespace brownout::mock::http {

/// *Input tokens* are those of the header `x-brownout-input-tokens`; without it one for every four
/// bytes of text in the prompt (messages, system, input, contents and the like, without keys,
/// images and tools), rounded up, at least one.
struct ApiRequest {
  wire::RequestFacts facts;
  bool stream = false;
  ModelId model = 0;
  std::uint32_t output_tokens = 0;  ///< asked for by `x-brownout-output-tokens`; 0: not asked for
  std::string credential;           ///< the key it came with; empty: none

  /// Why the request is refused before the script is asked; success: it is not.
  OutcomeKind refusal = OutcomeKind::success;
  std::uint16_t refusal_status = 0;
  std::string refusal_message;  ///< empty: the dialect's own for that outcome
};

/// Reads a request for one of the provider's endpoints. What it cannot read is a refusal in words
/// of the endpoint's vendor: no key 401, no such model 404, a body that is not JSON or says
/// nonsense 400. Models are those of `script`: by name ("gpt-4"), of the dialect the endpoint
/// belongs to before others, or by full name ("openai/gpt-4").
ApiRequest read_api_request(const RequestHead& head, std::string_view body,
                            const wire::Target& target, const Script& script);

/// The refusal of a path, or of a method, that nothing is served at.
ApiRequest refuse_target(const RequestHead& head);

}  // namespace brownout::mock::http
