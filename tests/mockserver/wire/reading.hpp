#pragma once

// What a correct client of each endpoint makes of an answer.

#include <nlohmann/json.hpp>
#include <string>

#include "engine/core/outcome.hpp"
#include "tests/mockserver/wire/client.hpp"
#include "tests/mockserver/wire/replies.hpp"

namespace brownout::mock::wire::testing {

using Json = nlohmann::json;

struct Seen {
  OutcomeKind kind = OutcomeKind::malformed_reply;
  std::string text;          // of the message, or the arguments of a tool
  std::string error_type;    // of an error inside a stream
  std::string finish;        // why the reply ended
  std::uint32_t deltas = 0;  // with output
  std::int64_t output_tokens = -1;
};

class Reader {
 public:
  Reader(Endpoint endpoint, Seen& seen) : endpoint_(endpoint), seen_(seen) {}

  /// Whether the body is a reply.
  bool read_plain(const Json& body) {
    switch (endpoint_) {
      case Endpoint::anthropic_messages: {
        const Json& block = body.at("content").at(0);
        seen_.text = block.at("type") == "text" ? block.at("text").get<std::string>()
                                                : block.at("input").dump();
        seen_.finish = body.at("stop_reason");
        seen_.output_tokens = body.at("usage").at("output_tokens");
        return true;
      }
      case Endpoint::openai_responses: {
        const Json& item = body.at("output").at(0);
        seen_.text = item.at("type") == "message"
                         ? item.at("content").at(0).at("text").get<std::string>()
                         : item.at("arguments").get<std::string>();
        seen_.finish = body.at("status");
        seen_.output_tokens = body.at("usage").at("output_tokens");
        return true;
      }
      case Endpoint::gemini_generate: {
        const Json& candidate = body.at("candidates").at(0);
        const Json& part = candidate.at("content").at("parts").at(0);
        seen_.text = part.contains("text") ? part.at("text").get<std::string>()
                                           : part.at("functionCall").at("args").dump();
        seen_.finish = candidate.at("finishReason");
        seen_.output_tokens = body.at("usageMetadata").at("candidatesTokenCount");
        return true;
      }
      default: {
        const Json& choice = body.at("choices").at(0);
        const Json& message = choice.at("message");
        seen_.text =
            message.at("content").is_string()
                ? message.at("content").get<std::string>()
                : message.at("tool_calls").at(0).at("function").at("arguments").get<std::string>();
        seen_.finish = choice.at("finish_reason");
        seen_.output_tokens = body.at("usage").at("completion_tokens");
        return true;
      }
    }
  }

  /// Reads one event; false when it is an error, which ends the stream.
  bool read(const Event& event) {
    if (event.data == "[DONE]") return true;
    const Json body = Json::parse(event.data);
    if (body.contains("error") && body.at("error").is_object()) return error(body.at("error"));
    switch (endpoint_) {
      case Endpoint::anthropic_messages:
        return anthropic(event, body);
      case Endpoint::openai_responses:
        return responses(event, body);
      case Endpoint::gemini_generate:
        return gemini(body);
      default:
        return chat(body);
    }
  }

  bool finished() const { return finished_; }

 private:
  bool error(const Json& body) {
    const char* key = endpoint_ == Endpoint::gemini_generate ? "status" : "type";
    const Json& type = body.contains(key) ? body.at(key) : body.at("code");
    seen_.error_type = type.is_string() ? type.get<std::string>() : body.at("code").dump();
    return false;
  }

  void output(const std::string& text) {
    seen_.text += text;
    ++seen_.deltas;
  }

  bool chat(const Json& body) {
    if (body.contains("usage") && body.at("usage").is_object()) {
      seen_.output_tokens = body.at("usage").at("completion_tokens");
    }
    if (body.at("object") != "chat.completion.chunk" && body.at("object") != "") return true;
    if (body.at("choices").empty()) return true;
    const Json& choice = body.at("choices").at(0);
    const Json& delta = choice.at("delta");
    if (!delta.value("role", "").empty()) return true;
    if (delta.contains("content")) output(delta.at("content"));
    if (delta.contains("tool_calls")) {
      output(delta.at("tool_calls").at(0).at("function").at("arguments"));
    }
    if (choice.at("finish_reason").is_string()) {
      seen_.finish = choice.at("finish_reason");
      finished_ = true;
    }
    return true;
  }

  bool anthropic(const Event& event, const Json& body) {
    EXPECT_EQ(event.name, body.at("type"));
    if (event.name == "content_block_delta") {
      const Json& delta = body.at("delta");
      output(delta.at("type") == "text_delta" ? delta.at("text") : delta.at("partial_json"));
    }
    if (event.name == "message_delta") {
      seen_.finish = body.at("delta").at("stop_reason");
      seen_.output_tokens = body.at("usage").at("output_tokens");
    }
    if (event.name == "message_stop") finished_ = true;
    return true;
  }

  bool responses(const Event& event, const Json& body) {
    EXPECT_EQ(event.name, body.at("type"));
    const std::int64_t number = body.at("sequence_number");
    EXPECT_TRUE(number == sequence_ || number == sequence_ - 1) << number << " after " << sequence_;
    sequence_ = number + 1;
    if (event.name == "error") {
      seen_.error_type = body.at("code");
      return false;
    }
    if (event.name == "response.failed") {
      seen_.error_type = body.at("response").at("error").at("code");
      return false;
    }
    if (body.contains("delta")) output(body.at("delta"));
    if (event.name == "response.completed" || event.name == "response.incomplete") {
      finished_ = true;
      seen_.finish = body.at("response").at("status");
      seen_.output_tokens = body.at("response").at("usage").at("output_tokens");
    }
    return true;
  }

  bool gemini(const Json& body) {
    if (body.contains("brownoutUnknown")) return true;
    const Json& candidate = body.at("candidates").at(0);
    const Json& part = candidate.at("content").at("parts").at(0);
    if (part.contains("functionCall")) {
      output(part.at("functionCall").at("args").dump());
    } else if (!candidate.contains("finishReason")) {
      output(part.at("text"));
    }
    if (!candidate.contains("finishReason")) return true;
    finished_ = true;
    seen_.finish = candidate.at("finishReason");
    seen_.output_tokens = body.at("usageMetadata").at("candidatesTokenCount");
    return true;
  }

  Endpoint endpoint_;
  Seen& seen_;
  bool finished_ = false;
  std::int64_t sequence_ = 0;
};

inline Seen see_stream(Endpoint endpoint, const Answer& answer, Ending ending) {
  Seen seen;
  Reader reader(endpoint, seen);
  const std::vector<Event> events = parse_events(answer.body);
  for (const Event& event : events) {
    try {
      if (!reader.read(event)) {
        seen.kind = OutcomeKind::server_error;  // error_type says which
        return seen;
      }
    } catch (const Json::exception&) {
      seen.kind = OutcomeKind::malformed_reply;
      return seen;
    }
  }
  if (reader.finished()) {
    seen.kind = OutcomeKind::success;
  } else if (ending == Ending::hang) {
    seen.kind = OutcomeKind::timed_out;
  } else if (answer.nonsense || (answer.complete && events.empty())) {
    seen.kind = OutcomeKind::malformed_reply;
  } else {
    seen.kind = OutcomeKind::stream_truncated;
  }
  return seen;
}

inline Seen see_plain(Endpoint endpoint, const Answer& answer, Ending ending) {
  Seen seen;
  if (!answer.complete) {
    seen.kind = ending == Ending::hang ? OutcomeKind::timed_out : OutcomeKind::connection;
    return seen;
  }
  if (answer.headers.at("content-type") != "application/json") return seen;
  try {
    if (Reader(endpoint, seen).read_plain(Json::parse(answer.body))) {
      seen.kind = OutcomeKind::success;
    }
  } catch (const Json::exception&) {
    seen.kind = OutcomeKind::malformed_reply;
  }
  return seen;
}

/// Of an answer with status 200, or of none.
inline Seen see(Endpoint endpoint, bool asked_for_stream, const Played& played) {
  Seen seen;
  if (played.bytes.empty()) {
    seen.kind = played.ending == Ending::hang ? OutcomeKind::timed_out : OutcomeKind::connection;
    return seen;
  }
  const Answer answer = parse_answer(played.bytes);
  if (answer.status == 0) return seen;
  if (!asked_for_stream) return see_plain(endpoint, answer, played.ending);
  if (answer.headers.at("content-type").rfind("text/event-stream", 0) != 0) return seen;
  return see_stream(endpoint, answer, played.ending);
}

}  // namespace brownout::mock::wire::testing
