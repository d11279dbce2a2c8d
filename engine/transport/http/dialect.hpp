#pragma once

// The wire formats of providers: how a request is written and what an answer means. Pure: bytes in,
// bytes or outcomes out, nothing of sockets.
//
// Sources: OpenAI's API reference and error codes guide, Anthropic's (Messages, streaming, errors),
// and captured answers of both and of Azure OpenAI. docs/reference/outcomes.md is the meaning.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/outcome.hpp"

namespace brownout::http {

enum class Dialect : std::uint8_t {
  openai,     ///< chat.completions, of OpenAI and of the many that speak like it
  anthropic,  ///< Messages
};
std::string_view to_string(Dialect dialect);
/// "openai", "anthropic", in the order of Dialect.
const std::vector<std::string_view>& dialect_names();

/// What is the same for every request of a dialect.
struct DialectFacts {
  std::string_view path;                ///< behind the base URL
  std::string_view key_header;          ///< which header carries the API key
  std::string_view key_prefix;          ///< before the key in it
  std::string_view version_header;      ///< empty: none
  std::string_view version;             ///< its value
  std::string_view idempotency_header;  ///< empty: the dialect has none
};
const DialectFacts& facts(Dialect dialect);

/// What an error says of itself.
struct ErrorFacts {
  std::uint16_t status = 0;  ///< of HTTP; 200 for an error inside a stream or a 200 reply
  std::string_view type;     ///< error.type
  std::string_view code;     ///< error.code, or Anthropic's error.details.error_code
  std::string_view text;     ///< the whole body, or the whole event
  bool html = false;         ///< it is a page for people, as proxies send them
};

/// Which failure it is: by the first row of the dialect's table that fits, else by the status, else
/// (inside a 200) server_error. Never success.
OutcomeKind classify_error(Dialect dialect, const ErrorFacts& error);

struct EncodeOptions {
  std::string_view model{};
  bool stream = false;
  std::uint32_t output_cap = 0;  ///< 0: what the body says, else the model's own

  /// The member that carries the cap for `openai` when the body has neither: what OpenAI calls
  /// `max_completion_tokens` is `max_tokens` for others.
  std::string_view cap_member = "max_completion_tokens";
};

/// Writes the body of a request. `body` (Request::body) is one of
///
/// - a JSON object as OpenAI's chat.completions takes it: "messages", and whatever else the
/// provider
///   knows ("temperature", "tools", …), which is passed on untouched. "model", "stream" and the cap
///   on the output are set here. For `anthropic`, messages of the roles "system" and "developer"
///   become "system", "stop" becomes "stop_sequences", and "max_tokens", which must be there, is
///   4,096 unless somebody says else; what Anthropic alone knows may be in it as well;
/// - such an object with "prompt" in place of "messages": one message of the user;
/// - text that does not begin with '{': the prompt itself.
///
/// So that one body can go to every route of a fallback. Nothing when it is none of these: no such
/// request can be sent.
std::optional<std::string> encode_request(Dialect dialect, std::string_view body,
                                          const EncodeOptions& options);

}  // namespace brownout::http
