// Gemini's generateContent. Sources: a 429 captured in comic-translate#403, errors of streams in
// gemini-cli#6454, the vendor's reference. No capture has a retry-after or a rate limit header.

#include "mockserver/wire/form.hpp"

namespace brownout::mock::wire {
namespace {

using When = HeaderForm::When;

#define USAGE                                                                     \
  R"("usageMetadata":{"promptTokenCount":$input,"candidatesTokenCount":$output,)" \
  R"("totalTokenCount":$total},"modelVersion":"$model","responseId":"$id"})"

#define PART R"({"text":"$text"})"
#define CALL R"({"functionCall":{"name":"$tool","args":$tool_input}})"

constexpr std::string_view plain =
    R"({"candidates":[{"content":{"parts":[)" PART
    R"(],"role":"model"},"finishReason":"$finish","index":0}],)" USAGE;

constexpr std::string_view plain_tool =
    R"({"candidates":[{"content":{"parts":[)" CALL
    R"(],"role":"model"},"finishReason":"$finish","index":0}],)" USAGE;

constexpr std::string_view delta =
    R"(data: {"candidates":[{"content":{"parts":[)" PART
    R"(],"role":"model"},"index":0}],"modelVersion":"$model","responseId":"$id"})"
    "\n\n";

constexpr std::array closing{
    Frame{R"(data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},)"
          R"("finishReason":"$finish","index":0}],)" USAGE "\n\n",
          Frame::Part::finish}};

// A call comes whole, once it is known.
constexpr std::array closing_tool{
    Frame{R"(data: {"candidates":[{"content":{"parts":[)" CALL
          R"(],"role":"model"},"finishReason":"$finish","index":0}],)" USAGE "\n\n",
          Frame::Part::finish}};

#undef USAGE
#undef PART
#undef CALL

constexpr std::string_view error_body =
    R"({"error":{"code":$status,"message":"$message","status":$type$gemini_details}})";

constexpr std::array headers{
    HeaderForm{"vary", "Origin, X-Origin, Referer"},
    HeaderForm{"server", "scaffolding on HTTPServer2"},
    HeaderForm{"x-should-retry", "$should_retry", When::failure},
};

constexpr std::string_view quota =
    "You exceeded your current quota, please check your plan and billing details. For more "
    "information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. \n"
    "* Quota exceeded for metric: "
    "generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: {limit_or_20}, "
    "model: {model}\n{retry_in}";

// `type` is the status' name. A row per OutcomeKind.
constexpr std::array<ErrorShape, outcome_kind_count> errors{{
    {},
    {429, "RESOURCE_EXHAUSTED", "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "", quota},
    {429, "RESOURCE_EXHAUSTED", "", "", "Resource has been exhausted (e.g. check quota)."},
    {429, "RESOURCE_EXHAUSTED", "GenerateContentInputTokensPerModelPerMinute-FreeTier", "", quota},
    {429, "RESOURCE_EXHAUSTED", "", "",
     "You exceeded your current quota, please check your plan and billing details."},
    {429, "RESOURCE_EXHAUSTED", "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "", quota},
    {503, "UNAVAILABLE", "", "", "The model is overloaded. Please try again later."},
    {500, "INTERNAL", "", "",
     "An internal error has occurred. Please retry or report in "
     "https://developers.generativeai.google/guide/troubleshooting"},
    {},
    {},
    {},
    {},
    {},
    {401, "UNAUTHENTICATED", "", "", "API key not valid. Please pass a valid API key."},
    {403, "PERMISSION_DENIED", "", "", "The caller does not have permission"},
    {404, "NOT_FOUND", "", "",
     "models/{model} is not found for API version v1beta, or is not supported for "
     "generateContent."},
    {400, "INVALID_ARGUMENT", "", "",
     "The input token count ({tokens}) exceeds the maximum number of tokens allowed."},
    {400, "INVALID_ARGUMENT", "", "", "The request was blocked by a safety filter."},
    {400, "INVALID_ARGUMENT", "", "", "Request contains an invalid argument."},
    {},
    {},
    {},
    {},
    {},
    {},
}};

}  // namespace

const Form gemini_generate_form{
    .dialect = DialectId::openai,
    .text = {plain, {}, delta, closing},
    .tool = {plain_tool, {}, "", closing_tool},
    .finish = {"STOP", "MAX_TOKENS", "STOP"},
    .error_body = error_body,
    .streamed_error_body = R"([{"error":{"code":$status,"message":"$message","status":$type)"
                           R"($gemini_details}}])",
    .first_error_frame = R"(data: {"error":{"code":$status,"message":"$message","status":$type)"
                         R"($gemini_details}})"
                         "\n\n",
    .error_frame = R"(data: {"error":{"code":$status,"message":"$message","status":$type)"
                   R"($gemini_details}})"
                   "\n\n",
    .unknown_frame = "data: {\"brownoutUnknown\":{}}\n\n",
    .headers = headers,
    .id_prefix = "",
    .request_id_prefix = "",
    .crlf = true,
    .errors = &errors,
};

}  // namespace brownout::mock::wire
