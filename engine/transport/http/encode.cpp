// Requests, as each dialect wants them.

#include <array>
#include <nlohmann/json.hpp>

#include "engine/transport/http/dialect.hpp"

namespace brownout::http {
namespace {

// In the order of the body: models see the order of what a schema says.
using Json = nlohmann::ordered_json;

// Anthropic refuses requests without a cap.
constexpr std::uint32_t anthropic_default_cap = 4096;

Json message_of_user(Json content) {
  Json message = Json::object();
  message["role"] = "user";
  message["content"] = std::move(content);
  return message;
}

/// An object with "messages", or null.
Json read_body(std::string_view body) {
  if (!body.starts_with('{')) {
    Json whole = Json::object();
    whole["messages"].push_back(message_of_user(body));
    return whole;
  }
  Json whole = Json::parse(body, nullptr, false);
  if (!whole.is_object()) return nullptr;
  if (!whole.contains("messages")) {
    const auto prompt = whole.find("prompt");
    if (prompt == whole.end() || !prompt->is_string()) return nullptr;
    Json message = message_of_user(std::move(*prompt));
    whole.erase("prompt");
    whole["messages"].push_back(std::move(message));
  }
  if (!whole["messages"].is_array()) return nullptr;
  return whole;
}

void cap_openai(Json& body, const EncodeOptions& options) {
  if (options.output_cap == 0) return;
  constexpr std::array<std::string_view, 2> members{"max_completion_tokens", "max_tokens"};
  bool there = false;
  for (const std::string_view member : members) {
    const auto found = body.find(member);
    if (found == body.end()) continue;
    *found = options.output_cap;
    there = true;
  }
  if (!there) body[std::string(options.cap_member)] = options.output_cap;
}

void write_openai(Json& body, const EncodeOptions& options) {
  cap_openai(body, options);
  // What was billed comes only when asked for.
  if (options.stream) {
    body["stream_options"]["include_usage"] = true;
  } else {
    body.erase("stream_options");
  }
}

/// The system prompt is apart from the messages. Content may be text or a list of parts.
void move_system(Json& body) {
  Json parts = Json::array();
  Json messages = Json::array();
  for (Json& message : body["messages"]) {
    const std::string role =
        message.is_object() && message.contains("role") && message["role"].is_string()
            ? message["role"].get<std::string>()
            : std::string{};
    if (role != "system" && role != "developer") {
      messages.push_back(std::move(message));
      continue;
    }
    Json content = message.contains("content") ? std::move(message["content"]) : Json();
    if (content.is_string()) {
      parts.push_back({{"type", "text"}, {"text", std::move(content)}});
    } else if (content.is_array()) {
      for (Json& part : content) parts.push_back(std::move(part));
    }
  }
  body["messages"] = std::move(messages);
  if (!parts.empty()) body["system"] = std::move(parts);
}

void write_anthropic(Json& body, const EncodeOptions& options) {
  move_system(body);
  body.erase("stream_options");
  const auto stop = body.find("stop");
  if (stop != body.end()) {
    Json sequences = stop->is_array() ? std::move(*stop) : Json::array({std::move(*stop)});
    body.erase("stop");
    body["stop_sequences"] = std::move(sequences);
  }
  const auto cap = body.find("max_completion_tokens");
  if (cap != body.end()) {
    Json value = std::move(*cap);
    body.erase("max_completion_tokens");
    if (!body.contains("max_tokens")) body["max_tokens"] = std::move(value);
  }
  if (options.output_cap != 0) {
    body["max_tokens"] = options.output_cap;
  } else if (!body.contains("max_tokens")) {
    body["max_tokens"] = anthropic_default_cap;
  }
}

}  // namespace

std::optional<std::string> encode_request(Dialect dialect, std::string_view text,
                                          const EncodeOptions& options) {
  Json body = read_body(text);
  if (body.is_null()) return std::nullopt;
  body["model"] = options.model;
  // Where no stream is wanted, a body that asks for one must not get it.
  if (options.stream || body.contains("stream")) body["stream"] = options.stream;
  if (options.stream && body.contains("stream_options") && !body["stream_options"].is_object()) {
    return std::nullopt;
  }
  switch (dialect) {
    case Dialect::openai:
      write_openai(body, options);
      break;
    case Dialect::anthropic:
      write_anthropic(body, options);
      break;
  }
  // A prompt that is not UTF-8 has its bad bytes replaced.
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace brownout::http
