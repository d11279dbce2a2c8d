// Messages.

#include <nlohmann/json.hpp>

#include "engine/transport/http/reply_decoder.hpp"

namespace brownout::http {
namespace {

using Json = nlohmann::json;

std::string_view text_of(const Json& object, const char* member) {
  const auto found = object.find(member);
  if (found == object.end() || !found->is_string()) return {};
  return found->get_ref<const std::string&>();
}

const Json* object_in(const Json& parent, const char* member) {
  const auto found = parent.find(member);
  return found != parent.end() && found->is_object() ? &*found : nullptr;
}

/// Cached input is input: what is billed at another price is billed all the same.
void read_usage(const Json& parent, Reading& reading) {
  const Json* const usage = object_in(parent, "usage");
  if (usage == nullptr) return;
  if (usage->contains("input_tokens")) {
    reading.input_tokens = token_count(*usage, "input_tokens") +
                           token_count(*usage, "cache_creation_input_tokens") +
                           token_count(*usage, "cache_read_input_tokens");
  }
  if (usage->contains("output_tokens")) {
    reading.output_tokens = token_count(*usage, "output_tokens");
  }
}

void read_stop(const Json& object, Reading& reading) {
  const std::string_view reason = text_of(object, "stop_reason");
  if (!reason.empty()) reading.filtered = reason == "refusal";
}

EventMeaning read_delta(const Json& event, Reading& reading) {
  const Json* const delta = object_in(event, "delta");
  if (delta == nullptr) return EventMeaning::malformed;
  ++reading.pieces;
  if (text_of(*delta, "type") != "text_delta") return EventMeaning::progress;
  const std::size_t begin = reading.text.size();
  reading.text += text_of(*delta, "text");
  reading.piece = std::string_view(reading.text).substr(begin);
  return reading.piece.empty() ? EventMeaning::nothing : EventMeaning::text;
}

}  // namespace

bool read_anthropic_reply(const Json& body, Reading& reading) {
  if (!body.is_object() || text_of(body, "stop_reason").empty()) return false;
  const auto content = body.find("content");
  if (content == body.end() || !content->is_array()) return false;
  for (const Json& block : *content) {
    if (block.is_object() && text_of(block, "type") == "text") {
      reading.text += text_of(block, "text");
    }
  }
  read_usage(body, reading);
  read_stop(body, reading);
  reading.usage_told = true;
  reading.finished = true;
  return true;
}

EventMeaning read_anthropic_event(const SseEvent& event, Json& json, Reading& reading) {
  // The official clients go by the name and drop events without one.
  if (event.name.empty() || event.name == "ping") return EventMeaning::nothing;
  json = Json::parse(event.data, nullptr, false);
  if (!json.is_object()) return EventMeaning::malformed;
  if (event.name == "error") return EventMeaning::error;
  if (event.name == "content_block_delta") return read_delta(json, reading);
  if (event.name == "message_start") {
    const Json* const message = object_in(json, "message");
    if (message == nullptr) return EventMeaning::malformed;
    reading.generating = true;
    read_usage(*message, reading);
  } else if (event.name == "message_delta") {
    const Json* const delta = object_in(json, "delta");
    if (delta == nullptr) return EventMeaning::malformed;
    read_usage(json, reading);
    read_stop(*delta, reading);
    reading.usage_told = true;
  } else if (event.name == "message_stop") {
    if (!reading.generating) return EventMeaning::malformed;
    reading.finished = true;
    return EventMeaning::complete;
  }
  return EventMeaning::nothing;
}

}  // namespace brownout::http
