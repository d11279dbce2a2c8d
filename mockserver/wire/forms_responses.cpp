// OpenAI's Responses. Sources: the order of events that the SDK's helpers accept, and the failure
// forms in the SDK's types.

#include "mockserver/wire/form.hpp"

namespace brownout::mock::wire {
namespace {

#define RESPONSE(STATUS, ERROR, OUTPUT, USAGE)                                                \
  R"({"id":"$id","object":"response","created_at":$created,"status":)" STATUS                 \
  R"(,"background":false,"error":)" ERROR                                                     \
  R"(,"incomplete_details":$incomplete,"instructions":null,"max_output_tokens":$max_tokens,)" \
  R"("model":"$model","output":)" OUTPUT                                                      \
  R"(,"parallel_tool_calls":true,"previous_response_id":null,)"                               \
  R"("reasoning":{"effort":null,"summary":null},"service_tier":"default","store":true,)"      \
  R"("temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],)"   \
  R"("top_p":1.0,"truncation":"disabled","usage":)" USAGE R"(,"user":null,"metadata":{}})"

#define EVENT(TYPE) "event: " TYPE "\ndata: {\"type\":\"" TYPE "\",\"sequence_number\":$sequence,"

#define USAGE                                                                  \
  R"({"input_tokens":$input,"input_tokens_details":{"cached_tokens":0},)"      \
  R"("output_tokens":$output,"output_tokens_details":{"reasoning_tokens":0},)" \
  R"("total_tokens":$total})"

#define BEGUN RESPONSE(R"("in_progress")", "null", "[]", "null")

#define PART R"({"type":"output_text","annotations":[],"logprobs":[],"text":"$text"})"
#define EMPTY_PART R"({"type":"output_text","annotations":[],"logprobs":[],"text":""})"

#define MESSAGE(STATUS, CONTENT)                                                    \
  R"({"id":"$item_id","type":"message","status":)" STATUS R"(,"content":[)" CONTENT \
  R"(],"role":"assistant"})"

#define CALL(STATUS, ARGUMENTS)                                                               \
  R"({"id":"$item_id","type":"function_call","status":)" STATUS R"(,"arguments":")" ARGUMENTS \
  R"(","call_id":"$tool_id","name":"$tool"})"

#define IN_TEXT R"("item_id":"$item_id","output_index":0,"content_index":0,)"
#define IN_CALL R"("item_id":"$item_id","output_index":0,)"

#define DONE R"("$finish")"

constexpr std::string_view plain = RESPONSE(DONE, "null", "[" MESSAGE(DONE, PART) "]", USAGE);
constexpr std::string_view plain_tool = RESPONSE(DONE, "null", "[" CALL(DONE, "$text") "]", USAGE);

constexpr Frame created{EVENT("response.created") R"("response":)" BEGUN "}\n\n"};
constexpr Frame in_progress{EVENT("response.in_progress") R"("response":)" BEGUN "}\n\n"};

constexpr std::array opening{
    created,
    in_progress,
    Frame{EVENT("response.output_item.added") R"("output_index":0,"item":)" MESSAGE(
        R"("in_progress")", "") "}\n\n"},
    Frame{EVENT("response.content_part.added") IN_TEXT R"("part":)" EMPTY_PART "}\n\n"},
};

constexpr std::array opening_tool{
    created,
    in_progress,
    Frame{EVENT("response.output_item.added") R"("output_index":0,"item":)" CALL(R"("in_progress")",
                                                                                 "") "}\n\n"},
};

constexpr std::string_view delta =
    EVENT("response.output_text.delta") IN_TEXT R"("delta":"$text","logprobs":[]})"
                                                "\n\n";
constexpr std::string_view delta_tool =
    EVENT("response.function_call_arguments.delta") IN_CALL R"("delta":"$text"})"
                                                            "\n\n";

// The event's own name says whether the response is complete: "response.$finish".
#define ENDED(ITEM)                                                                           \
  Frame {                                                                                     \
    EVENT("response.$finish")                                                                 \
    R"("response":)" RESPONSE(DONE, "null", "[" ITEM "]", USAGE) "}\n\n", Frame::Part::finish \
  }

constexpr std::array closing{
    Frame{EVENT("response.output_text.done") IN_TEXT R"("text":"$text","logprobs":[]})"
                                                     "\n\n"},
    Frame{EVENT("response.content_part.done") IN_TEXT R"("part":)" PART "}\n\n"},
    Frame{EVENT("response.output_item.done") R"("output_index":0,"item":)" MESSAGE(DONE,
                                                                                   PART) "}\n\n"},
    ENDED(MESSAGE(DONE, PART)),
};

constexpr std::array closing_tool{
    Frame{EVENT("response.function_call_arguments.done") IN_CALL
          R"("name":"$tool","arguments":"$text"})"
          "\n\n"},
    Frame{EVENT("response.output_item.done") R"("output_index":0,"item":)" CALL(DONE,
                                                                                "$text") "}\n\n"},
    ENDED(CALL(DONE, "$text")),
};

constexpr std::string_view error_frame =
    EVENT("error") R"("code":$code_or_type,"message":"$message","param":$param})"
                   "\n\n";

constexpr std::string_view failed_frame = EVENT("response.failed") R"("response":)" RESPONSE(
    R"("failed")", R"({"code":$code_or_type,"message":"$message"})", "[]", "null") "}\n\n";

constexpr std::string_view unknown_frame = EVENT("response.brownout_unknown") R"("text":""})"
                                                                              "\n\n";

constexpr std::string_view error_body =
    R"({"error":{"message":"$message","type":$type,"param":$param,"code":$code}})";

}  // namespace

const Form openai_responses_form{
    .dialect = DialectId::openai,
    .text = {plain, opening, delta, closing},
    .tool = {plain_tool, opening_tool, delta_tool, closing_tool, R"({\"text\":\")", R"(\"})"},
    .finish = {"completed", "incomplete", "completed"},
    .error_body = error_body,
    .streamed_error_body = error_body,
    .first_error_frame = error_frame,
    .error_frame = failed_frame,
    .unknown_frame = unknown_frame,
    .headers = openai_headers,
    .id_prefix = "resp_",
    .request_id_prefix = "req_",
};

}  // namespace brownout::mock::wire
