// Anthropic's messages, API version 2023-06-01. Sources: the vendor's pages on streaming, errors
// and rate limits; headers captured in tidyllm's tests; an error frame in anthropic-sdk-go#200.

#include "mockserver/wire/form.hpp"

namespace brownout::mock::wire {
namespace {

using When = HeaderForm::When;

// The fields that most of them share. The first stops before its number.
// clang-format off
#define USAGE                                                          \
  R"("usage":{"input_tokens":$input,"cache_creation_input_tokens":0,)" \
  R"("cache_read_input_tokens":0,"output_tokens":)"
#define MESSAGE R"({"id":"$id","type":"message","role":"assistant","model":"$model",)"
// clang-format on

constexpr std::string_view plain = MESSAGE R"("content":[{"type":"text","text":"$text"}],)"
                                           R"("stop_reason":"$finish","stop_sequence":null,)" USAGE
                                           R"($output,"service_tier":"standard"}})";

constexpr std::string_view plain_tool =
    MESSAGE R"("content":[{"type":"tool_use","id":"$tool_id","name":"$tool","input":$tool_input}],)"
            R"("stop_reason":"$finish","stop_sequence":null,)" USAGE
            R"($output,"service_tier":"standard"}})";

constexpr Frame start{
    "event: message_start\n"
    R"(data: {"type":"message_start","message":)" MESSAGE
    R"("content":[],"stop_reason":null,"stop_sequence":null,)" USAGE
    R"(1,"service_tier":"standard"}}})"
    "\n\n"};

constexpr Frame ping{
    "event: ping\n"
    R"(data: {"type":"ping"})"
    "\n\n"};

constexpr std::array opening{
    start,
    Frame{"event: content_block_start\n"
          R"(data: {"type":"content_block_start","index":0,)"
          R"("content_block":{"type":"text","text":""}})"
          "\n\n"},
    ping,
};

constexpr std::array opening_tool{
    start,
    Frame{"event: content_block_start\n"
          R"(data: {"type":"content_block_start","index":0,"content_block":)"
          R"({"type":"tool_use","id":"$tool_id","name":"$tool","input":{}}})"
          "\n\n"},
    ping,
};

constexpr std::string_view delta =
    "event: content_block_delta\n"
    R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"$text"}})"
    "\n\n";

constexpr std::string_view delta_tool =
    "event: content_block_delta\n"
    R"(data: {"type":"content_block_delta","index":0,)"
    R"("delta":{"type":"input_json_delta","partial_json":"$text"}})"
    "\n\n";

constexpr std::array closing{
    Frame{"event: content_block_stop\n"
          R"(data: {"type":"content_block_stop","index":0})"
          "\n\n"},
    Frame{"event: message_delta\n"
          R"(data: {"type":"message_delta","delta":{"stop_reason":"$finish",)"
          R"("stop_sequence":null},"usage":{"output_tokens":$output}})"
          "\n\n",
          Frame::Part::finish},
    Frame{"event: message_stop\n"
          R"(data: {"type":"message_stop"})"
          "\n\n",
          Frame::Part::last},
};

#undef USAGE
#undef MESSAGE

constexpr std::array headers{
    HeaderForm{"anthropic-ratelimit-requests-limit", "$requests_limit"},
    HeaderForm{"anthropic-ratelimit-requests-remaining", "$requests_remaining"},
    HeaderForm{"anthropic-ratelimit-requests-reset", "$requests_reset_date"},
    HeaderForm{"anthropic-ratelimit-tokens-limit", "$tokens_limit"},
    HeaderForm{"anthropic-ratelimit-tokens-remaining", "$tokens_remaining"},
    HeaderForm{"anthropic-ratelimit-tokens-reset", "$tokens_reset_date"},
    HeaderForm{"anthropic-ratelimit-input-tokens-limit", "$input_limit"},
    HeaderForm{"anthropic-ratelimit-input-tokens-remaining", "$input_remaining"},
    HeaderForm{"anthropic-ratelimit-input-tokens-reset", "$input_reset_date"},
    HeaderForm{"anthropic-ratelimit-output-tokens-limit", "$output_limit"},
    HeaderForm{"anthropic-ratelimit-output-tokens-remaining", "$output_remaining"},
    HeaderForm{"anthropic-ratelimit-output-tokens-reset", "$output_reset_date"},
    HeaderForm{"retry-after", "$retry_after_s", When::failure},
    HeaderForm{"x-should-retry", "$should_retry", When::failure},
    HeaderForm{"request-id", "$request_id"},
    HeaderForm{"anthropic-organization-id", "3656e48f-0000-4000-8000-62726f776e6f"},
    HeaderForm{"x-envoy-upstream-service-time", "$processing_ms"},
    HeaderForm{"via", "1.1 google"},
    HeaderForm{"cf-cache-status", "DYNAMIC"},
    HeaderForm{"server", "cloudflare"},
    HeaderForm{"cf-ray", "$ray-FRA"},
};

constexpr std::string_view error_body =
    R"({"type":"error","error":{"type":$type,"message":"$message"$details},)"
    R"("request_id":"$request_id"})";

constexpr std::string_view error_frame =
    "event: error\n"
    R"(data: {"type":"error","error":{"details":$details_or_null,"type":$type,)"
    R"("message":"$message"},"request_id":"$request_id"})"
    "\n\n";

constexpr std::string_view unknown_frame =
    "event: brownout_unknown\n"
    R"(data: {"type":"brownout_unknown"})"
    "\n\n";

}  // namespace

const Form anthropic_messages_form{
    .dialect = DialectId::anthropic,
    .text = {plain, opening, delta, closing},
    .tool = {plain_tool, opening_tool, delta_tool, closing, R"({\"text\":\")", R"(\"})"},
    .finish = {"end_turn", "max_tokens", "tool_use"},
    .error_body = error_body,
    .streamed_error_body = error_body,
    .first_error_frame = error_frame,
    .error_frame = error_frame,
    .unknown_frame = unknown_frame,
    .headers = headers,
    .id_prefix = "msg_01",
    .request_id_prefix = "req_011C",
    .payment_required_type = "billing_error",
};

}  // namespace brownout::mock::wire
