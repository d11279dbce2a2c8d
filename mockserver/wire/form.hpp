#pragma once

// How each endpoint says things, as templates (see fill.hpp). Sources: captured responses and the
// vendors' documentation.
//
// Placeholders: $id $request_id $item_id $tool_id $tool $model $created $created_date $input
// $output $total $finish $text (of the whole reply, or of a delta) $sequence (of an event)
// $message $type $code $param (of an error; the last three are JSON values) $status.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/core/outcome.hpp"
#include "mockserver/dialect.hpp"
#include "mockserver/wire/reply.hpp"

namespace brownout::mock::wire {

/// One frame that is not a delta.
struct Frame {
  enum class Part : std::uint8_t {
    plain,
    finish,  ///< says why the reply ends
    last,    ///< adds nothing to that, but a client may wait for it
  };
  std::string_view text;
  Part part = Part::plain;
  bool only_with_usage = false;  ///< sent when the request asked for usage
};

/// A reply that says something, or one that calls a tool.
struct ReplyForm {
  std::string_view plain;  ///< the body of a reply that is not streamed
  std::span<const Frame> opening;
  std::string_view delta;
  std::span<const Frame> closing;
  /// What the first delta says before its token and the last one after it, escaped as in a JSON
  /// string: the arguments of a tool are an object.
  std::string_view before_text{};
  std::string_view after_text{};
};

/// The words for why a reply ends.
struct FinishWords {
  std::string_view stop;
  std::string_view length;  ///< max_tokens have been reached
  std::string_view tool;
};

struct HeaderForm {
  enum class When : std::uint8_t {
    always,
    success,
    failure,
    limited,  ///< 429
  };
  std::string_view name;
  std::string_view value;  ///< a header whose value is not known is not sent
  When when = When::always;
};

struct Form {
  DialectId dialect = DialectId::openai;
  ReplyForm text;
  ReplyForm tool;
  FinishWords finish;
  std::string_view error_body;
  std::string_view streamed_error_body;  ///< for a request that asked for a stream
  std::string_view first_error_frame;    ///< an error before any output
  std::string_view error_frame;          ///< an error after some
  std::string_view unknown_frame;        ///< of a kind that no client knows
  std::span<const HeaderForm> headers;
  std::string_view id_prefix;
  std::string_view request_id_prefix;
  std::string_view payment_required_type{};  ///< of errors with status 402; empty: as of others
  bool crlf = false;                         ///< lines of streams end in CR LF anyway
  /// Error texts where they differ from the dialect's, by OutcomeKind; a row without a status does
  /// not.
  const std::array<ErrorShape, outcome_kind_count>* errors = nullptr;
};

/// Requires: not `models`.
const Form& form(Endpoint endpoint);

extern const Form openai_chat_form;
extern const Form openai_responses_form;
extern const Form anthropic_messages_form;
extern const Form azure_chat_form;
extern const Form gemini_generate_form;

/// Of every answer by OpenAI.
extern const std::span<const HeaderForm> openai_headers;

}  // namespace brownout::mock::wire
