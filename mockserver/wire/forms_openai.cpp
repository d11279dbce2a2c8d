// OpenAI's chat completions, and Azure's variant of them. Sources: streams captured in
// openai-python's tests (.inline-snapshot), a response captured in community.openai.com/t/935514,
// the rate limit guide; Azure's 429 in jasonacox/TinyLLM#17, its headers in openai-python#937 and
// openai-dotnet#838, its content filter in compl-ai#20.

#include "mockserver/wire/form.hpp"

namespace brownout::mock::wire {
namespace {

using When = HeaderForm::When;

#define CHUNK                                                                 \
  R"(data: {"id":"$id","object":"chat.completion.chunk","created":$created,)" \
  R"("model":"$model","service_tier":"default","system_fingerprint":"fp_brownout",)"

constexpr std::string_view plain =
    R"({"id":"$id","object":"chat.completion","created":$created,"model":"$model",)"
    R"("choices":[{"index":0,"message":{"role":"assistant","content":"$text","refusal":null,)"
    R"("annotations":[]},"logprobs":null,"finish_reason":"$finish"}],)"
    R"("usage":{"prompt_tokens":$input,"completion_tokens":$output,"total_tokens":$total,)"
    R"("prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},)"
    R"("completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,)"
    R"("accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},)"
    R"("service_tier":"default","system_fingerprint":"fp_brownout"})";

constexpr std::string_view plain_tool =
    R"({"id":"$id","object":"chat.completion","created":$created,"model":"$model",)"
    R"("choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":)"
    R"([{"id":"$tool_id","type":"function","function":{"name":"$tool",)"
    R"("arguments":"$text"}}],"refusal":null,"annotations":[]},"logprobs":null,)"
    R"("finish_reason":"$finish"}],)"
    R"("usage":{"prompt_tokens":$input,"completion_tokens":$output,"total_tokens":$total,)"
    R"("prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},)"
    R"("completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,)"
    R"("accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},)"
    R"("service_tier":"default","system_fingerprint":"fp_brownout"})";

constexpr Frame role{CHUNK R"("choices":[{"index":0,"delta":{"role":"assistant","content":"",)"
                           R"("refusal":null},"logprobs":null,"finish_reason":null}]$no_usage})"
                           "\n\n"};

constexpr std::array opening{role};

constexpr std::array opening_tool{
    Frame{CHUNK R"("choices":[{"index":0,"delta":{"role":"assistant","content":null,)"
                R"("tool_calls":[{"index":0,"id":"$tool_id","type":"function",)"
                R"("function":{"name":"$tool","arguments":""}}],"refusal":null},)"
                R"("logprobs":null,"finish_reason":null}]$no_usage})"
                "\n\n"}};

constexpr std::string_view delta = CHUNK
    R"("choices":[{"index":0,"delta":{"content":"$text"},"logprobs":null,"finish_reason":null}])"
    "$no_usage}\n\n";

constexpr std::string_view delta_tool =
    CHUNK R"("choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":)"
          R"({"arguments":"$text"}}]},"logprobs":null,"finish_reason":null}]$no_usage})"
          "\n\n";

constexpr std::array closing{
    Frame{CHUNK R"("choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"$finish"}])"
                "$no_usage}\n\n",
          Frame::Part::finish},
    Frame{CHUNK R"("choices":[],"usage":{"prompt_tokens":$input,"completion_tokens":$output,)"
                R"("total_tokens":$total,"prompt_tokens_details":{"cached_tokens":0},)"
                R"("completion_tokens_details":{"reasoning_tokens":0}}})"
                "\n\n",
          Frame::Part::plain, true},
    Frame{"data: [DONE]\n\n", Frame::Part::last},
};

#undef CHUNK

#define ERROR R"({"error":{"message":"$message","type":$type,"param":$param,"code":$code}})"

constexpr std::string_view error_body = ERROR;
constexpr std::string_view error_frame = "data: " ERROR "\n\n";

#undef ERROR

constexpr std::string_view unknown_frame =
    R"(data: {"id":"$id","object":"brownout.unknown","created":$created,"model":"$model"})"
    "\n\n";

constexpr FinishWords finish{"stop", "length", "tool_calls"};

// What the captured response also has but speaks of other ports of its host is left out:
// strict-transport-security and alt-svc.
constexpr std::array headers{
    HeaderForm{"access-control-expose-headers", "X-Request-ID"},
    HeaderForm{"openai-organization", "org-brownout"},
    HeaderForm{"openai-processing-ms", "$processing_ms"},
    HeaderForm{"openai-version", "2020-10-01"},
    HeaderForm{"x-ratelimit-limit-requests", "$requests_limit"},
    HeaderForm{"x-ratelimit-limit-tokens", "$tokens_limit"},
    HeaderForm{"x-ratelimit-remaining-requests", "$requests_remaining"},
    HeaderForm{"x-ratelimit-remaining-tokens", "$tokens_remaining"},
    HeaderForm{"x-ratelimit-reset-requests", "$requests_reset_go"},
    HeaderForm{"x-ratelimit-reset-tokens", "$tokens_reset_go"},
    HeaderForm{"x-request-id", "$request_id"},
    HeaderForm{"retry-after", "$retry_after_s", When::failure},
    HeaderForm{"retry-after-ms", "$retry_after_ms", When::failure},
    HeaderForm{"x-should-retry", "$should_retry", When::failure},
    HeaderForm{"cf-cache-status", "DYNAMIC"},
    HeaderForm{"server", "cloudflare"},
    HeaderForm{"cf-ray", "$ray-FRA"},
};

// Azure says which limit, but no numbers.
constexpr std::array azure_headers{
    HeaderForm{"apim-request-id", "$uuid"},
    HeaderForm{"azureml-model-session", "d001-20260101000000", When::success},
    HeaderForm{"policy-id", "DeploymentRatelimit-Token", When::limited},
    HeaderForm{"retry-after", "$retry_after_s", When::failure},
    HeaderForm{"retry-after-ms", "$retry_after_ms", When::failure},
    HeaderForm{"x-ms-retry-after-ms", "$retry_after_ms", When::failure},
    HeaderForm{"x-ms-region", "Sweden Central"},
    HeaderForm{"x-ratelimit-remaining-requests", "$requests_remaining"},
    HeaderForm{"x-ratelimit-remaining-tokens", "$tokens_remaining"},
    HeaderForm{"x-rate-limit-reset-tokens", "$retry_after_s", When::failure},
    HeaderForm{"x-request-id", "$uuid"},
    HeaderForm{"x-should-retry", "$should_retry", When::failure},
};

constexpr std::array azure_opening{
    Frame{R"(data: {"choices":[],"created":0,"id":"","model":"","object":"",)"
          R"("prompt_filter_results":[{"prompt_index":0,"content_filter_results":)"
          R"({"hate":{"filtered":false,"severity":"safe"},)"
          R"("self_harm":{"filtered":false,"severity":"safe"},)"
          R"("sexual":{"filtered":false,"severity":"safe"},)"
          R"("violence":{"filtered":false,"severity":"safe"}}}]})"
          "\n\n"},
    role,
};

constexpr std::array azure_opening_tool{azure_opening[0], opening_tool[0]};

constexpr std::string_view azure_exceeded =
    "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-06-01 "
    "have exceeded token rate limit of your current AIServices S0 pricing tier. Please retry after "
    "{retry_seconds} seconds. Please contact Azure support service if you would like to further "
    "increase the default rate limit.";

// A row per OutcomeKind; without a status OpenAI's own is said. Codes are the status as a string
// where Azure's gateway answers, and OpenAI's words where the model's service does.
constexpr std::array<ErrorShape, outcome_kind_count> azure_errors{{
    {},
    {429, "", "429", "", azure_exceeded, true},
    {429, "", "429", "", azure_exceeded, true},
    {},
    {},
    {429, "", "429", "", azure_exceeded, true},
    {503, "", "503", "", "The service is temporarily unavailable, please try again later."},
    {},
    {},
    {},
    {},
    {},
    {},
    {401, "", "401", "",
     "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a "
     "valid key for an active subscription and use a correct regional API endpoint for your "
     "resource."},
    {},
    {404, "", "DeploymentNotFound", "",
     "The API deployment for this resource does not exist. If you created the deployment within "
     "the last 5 minutes, please wait a moment and try again."},
    {},
    {400, "", "content_filter", "prompt",
     "The response was filtered due to the prompt triggering Azure OpenAI's content management "
     "policy. Please modify your prompt and retry."},
    {},
    {},
    {},
    {},
    {},
    {},
    {},
}};

}  // namespace

const std::span<const HeaderForm> openai_headers = headers;

const Form openai_chat_form{
    .dialect = DialectId::openai,
    .text = {plain, opening, delta, closing},
    .tool = {plain_tool, opening_tool, delta_tool, closing, R"({\"text\":\")", R"(\"})"},
    .finish = finish,
    .error_body = error_body,
    .streamed_error_body = error_body,
    .first_error_frame = error_frame,
    .error_frame = error_frame,
    .unknown_frame = unknown_frame,
    .headers = headers,
    .id_prefix = "chatcmpl-",
    .request_id_prefix = "req_",
};

const Form azure_chat_form{
    .dialect = DialectId::openai,
    .text = {plain, azure_opening, delta, closing},
    .tool = {plain_tool, azure_opening_tool, delta_tool, closing, R"({\"text\":\")", R"(\"})"},
    .finish = finish,
    .error_body = R"({"error":{"code":$code,"message":"$message"$azure_more}})",
    .streamed_error_body = R"({"error":{"code":$code,"message":"$message"$azure_more}})",
    .first_error_frame = error_frame,
    .error_frame = error_frame,
    .unknown_frame = unknown_frame,
    .headers = azure_headers,
    .id_prefix = "chatcmpl-",
    .request_id_prefix = "",
    .errors = &azure_errors,
};

}  // namespace brownout::mock::wire
