// chat.completions.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/transport/http/reply_decoder.hpp"

namespace brownout::http {
namespace {

using Json = nlohmann::json;

void read_usage(const Json& body, Reading& reading) {
  const auto usage = body.find("usage");
  if (usage == body.end() || !usage->is_object()) return;
  reading.input_tokens = token_count(*usage, "prompt_tokens");
  reading.output_tokens = token_count(*usage, "completion_tokens");
  reading.usage_told = true;
}

/// The member if it is an object, else null.
const Json* object_in(const Json& parent, const char* member) {
  const auto found = parent.find(member);
  return found != parent.end() && found->is_object() ? &*found : nullptr;
}

/// What the caller gets is the first choice.
const Json* first_choice(const Json& body) {
  const auto choices = body.find("choices");
  if (choices == body.end() || !choices->is_array()) return nullptr;
  for (const Json& choice : *choices) {
    if (!choice.is_object()) continue;
    const auto index = choice.find("index");
    const bool first = index == choice.end() || !index->is_number_integer() || *index == 0;
    if (first) return &choice;
  }
  return nullptr;
}

bool read_finish(const Json& choice, Reading& reading) {
  const auto reason = choice.find("finish_reason");
  if (reason == choice.end() || !reason->is_string()) return false;
  reading.finished = true;
  reading.filtered = *reason == "content_filter";
  return true;
}

bool append_text(const Json& message, Reading& reading) {
  bool any = false;
  const std::size_t begin = reading.text.size();
  for (const char* member : {"content", "refusal"}) {
    const auto text = message.find(member);
    if (text == message.end() || !text->is_string()) continue;
    reading.text += text->get_ref<const std::string&>();
    any = true;
  }
  reading.piece = std::string_view(reading.text).substr(begin);
  return any;
}

// What providers may add to their streams one day, and says itself that it is no chunk.
bool is_of_another_kind(const Json& json) {
  const auto kind = json.find("object");
  return !json.contains("choices") && kind != json.end() && kind->is_string() &&
         *kind != "chat.completion.chunk";
}

}  // namespace

std::uint32_t token_count(const Json& object, const char* member) {
  const auto found = object.find(member);
  if (found == object.end() || !found->is_number_unsigned()) return 0;
  constexpr std::uint64_t most = 0xFFFF'FFFF;
  return static_cast<std::uint32_t>(std::min(found->get<std::uint64_t>(), most));
}

bool read_openai_reply(const Json& body, Reading& reading) {
  if (!body.is_object()) return false;
  const Json* const choice = first_choice(body);
  const Json* const message = choice != nullptr ? object_in(*choice, "message") : nullptr;
  if (message == nullptr || !read_finish(*choice, reading)) return false;
  append_text(*message, reading);
  read_usage(body, reading);
  return true;
}

EventMeaning read_openai_event(const SseEvent& event, Json& json, Reading& reading) {
  if (event.data == "[DONE]") return EventMeaning::complete;
  json = Json::parse(event.data, nullptr, false);
  if (!json.is_object()) return EventMeaning::malformed;
  const auto error = json.find("error");
  if (error != json.end() && !error->is_null()) return EventMeaning::error;
  if (is_of_another_kind(json)) return EventMeaning::nothing;
  if (!json.contains("choices") || !json["choices"].is_array()) return EventMeaning::malformed;
  read_usage(json, reading);
  const Json* const choice = first_choice(json);
  if (choice == nullptr) return EventMeaning::nothing;
  reading.generating = true;
  const Json* const delta = object_in(*choice, "delta");
  const bool text = delta != nullptr && append_text(*delta, reading) && !reading.piece.empty();
  const bool tools = delta != nullptr && delta->contains("tool_calls");
  if (text || tools) ++reading.pieces;
  read_finish(*choice, reading);
  if (text) return EventMeaning::text;
  return tools ? EventMeaning::progress : EventMeaning::nothing;
}

}  // namespace brownout::http
