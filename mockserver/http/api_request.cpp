#include "mockserver/http/api_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

namespace brownout::mock::http {
namespace {

using Json = nlohmann::json;
using wire::Endpoint;

constexpr std::uint32_t most_tokens = 10'000'000;
// Of a reply: what is not streamed is made at once.
constexpr std::uint32_t most_output_tokens = 1'000'000;
constexpr std::size_t bytes_per_token = 4;

bool is_anthropic(Endpoint endpoint) {
  return endpoint == Endpoint::anthropic_messages;
}

void refuse(ApiRequest& request, OutcomeKind kind, std::uint16_t status, std::string message) {
  request.refusal = kind;
  request.refusal_status = status;
  request.refusal_message = std::move(message);
}

bool refused(const ApiRequest& request) {
  return request.refusal != OutcomeKind::success;
}

// Keys, in the places where each vendor's clients put them.
std::string_view credential(const RequestHead& head) {
  constexpr std::string_view scheme = "bearer ";
  const std::string_view bearer = head.header("authorization");
  if (bearer.size() > scheme.size() && same_letters(bearer.substr(0, scheme.size()), scheme)) {
    return bearer.substr(scheme.size());
  }
  for (const std::string_view name : {"x-api-key", "api-key", "x-goog-api-key"}) {
    if (const std::string_view key = head.header(name); !key.empty()) return key;
  }
  return head.parameter("key");
}

std::string_view no_credential(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::anthropic_messages:
      return "x-api-key header is required";
    case Endpoint::azure_chat:
      return "Access denied due to missing subscription key. Make sure to include subscription key "
             "when making requests to an API.";
    case Endpoint::gemini_generate:
      return "Method doesn't allow unregistered callers (callers without established identity). "
             "Please use API Key or other form of API consumer identity to call this API.";
    case Endpoint::openai_chat:
    case Endpoint::openai_responses:
    case Endpoint::models:
      break;
  }
  return "You didn't provide an API key. You need to provide your API key in an Authorization "
         "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
}

// Whose words an answer has that is about no endpoint with words of its own.
Endpoint vendor_of(const RequestHead& head) {
  const bool anthropic = head.has_header("anthropic-version") || head.has_header("x-api-key");
  return anthropic ? Endpoint::anthropic_messages : Endpoint::openai_chat;
}

std::optional<std::uint32_t> header_count(const RequestHead& head, std::string_view name) {
  const std::string_view text = head.header(name);
  std::uint32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return std::min(count, most_tokens);
}

const Json* find(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string_view text_of(const Json* value) {
  const auto* text = value != nullptr ? value->get_ptr<const std::string*>() : nullptr;
  return text != nullptr ? std::string_view(*text) : std::string_view();
}

bool flag(const Json* value) {
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

// Bytes of text, without what only names or describes it. `depth` bounds the stack, not the bytes:
// nothing in these formats nests so deep.
std::size_t text_bytes(const Json& value, int depth = 16) {
  if (const auto* text = value.get_ptr<const std::string*>()) return text->size();
  std::size_t bytes = 0;
  if (depth == 0) return bytes;
  if (value.is_array()) {
    for (const Json& item : value) bytes += text_bytes(item, depth - 1);
  } else if (value.is_object()) {
    for (const char* key : {"content", "text", "parts", "output", "arguments", "input"}) {
      if (const Json* part = find(value, key)) bytes += text_bytes(*part, depth - 1);
    }
  }
  return bytes;
}

std::uint32_t estimated_tokens(const Json& body) {
  std::size_t bytes = 0;
  for (const char* key : {"messages", "system", "input", "instructions", "prompt", "contents",
                          "systemInstruction", "system_instruction"}) {
    if (const Json* part = find(body, key)) bytes += text_bytes(*part);
  }
  const std::size_t tokens = (bytes + bytes_per_token - 1) / bytes_per_token;
  return static_cast<std::uint32_t>(std::clamp<std::size_t>(tokens, 1, most_tokens));
}

// Reads the members of one request.
class RequestReader {
 public:
  RequestReader(const Json& body, Endpoint endpoint, ApiRequest& out)
      : body_(body), endpoint_(endpoint), out_(out) {}

  void read() {
    out_.stream = out_.stream || flag(find(body_, "stream"));
    if (const Json* options = find(body_, "stream_options")) {
      out_.facts.include_usage = flag(find(*options, "include_usage"));
    }
    out_.facts.input_tokens = estimated_tokens(body_);
    read_prompt();
    if (!refused(out_)) read_max_tokens();
    if (!refused(out_)) read_tools();
  }

 private:
  void read_prompt() {
    const char* const key = endpoint_ == Endpoint::openai_responses  ? "input"
                            : endpoint_ == Endpoint::gemini_generate ? "contents"
                                                                     : "messages";
    const Json* prompt = find(body_, key);
    if (prompt == nullptr) {
      return invalid(is_anthropic(endpoint_)
                         ? fmt::format("{}: Field required", key)
                         : fmt::format("Missing required parameter: '{}'.", key));
    }
    const bool may_be_text = endpoint_ == Endpoint::openai_responses && prompt->is_string();
    if (!prompt->is_array() && !may_be_text) {
      invalid(is_anthropic(endpoint_)
                  ? fmt::format("{}: Input should be a valid list", key)
                  : fmt::format("Invalid type for '{}': expected an array of objects, but got {} "
                                "instead.",
                                key, prompt->type_name()));
    }
  }

  void read_max_tokens() {
    const Json* config = find(body_, "generationConfig");
    const Json* value = config != nullptr ? find(*config, "maxOutputTokens") : nullptr;
    const char* name = "maxOutputTokens";
    for (const char* key : {"max_completion_tokens", "max_tokens", "max_output_tokens"}) {
      if (value != nullptr) break;
      value = find(body_, key);
      name = key;
    }
    if (value == nullptr) {
      if (is_anthropic(endpoint_)) invalid("max_tokens: Field required");
      return;
    }
    if (!value->is_number_integer() || *value < 1) {
      return invalid(
          is_anthropic(endpoint_)
              ? fmt::format("{}: Input should be greater than or equal to 1", name)
              : fmt::format("Invalid value for '{}': expected an integer of at least 1.", name));
    }
    out_.facts.max_tokens = *value > most_tokens
                                ? most_tokens
                                : static_cast<std::uint32_t>(value->get<std::uint64_t>());
  }

  void read_tools() {
    const Json* tools = find(body_, "tools");
    if (tools == nullptr) return;
    if (!tools->is_array()) {
      return invalid(is_anthropic(endpoint_) ? "tools: Input should be a valid list"
                                             : "Invalid type for 'tools': expected an array of "
                                               "objects.");
    }
    for (const Json& tool : *tools) {
      const Json* function = find(tool, "function");
      const std::string_view name = text_of(find(function != nullptr ? *function : tool, "name"));
      if (!name.empty()) out_.facts.tools.emplace_back(name);
    }
    const Json* choice = find(body_, "tool_choice");
    if (choice == nullptr) return;
    const std::string_view type =
        choice->is_object() ? text_of(find(*choice, "type")) : text_of(choice);
    if (type == "none") out_.facts.tools.clear();
    out_.facts.tool_required = !type.empty() && type != "none" && type != "auto";
  }

  void invalid(std::string message) {
    refuse(out_, OutcomeKind::invalid_request, 400, std::move(message));
  }

  const Json& body_;
  Endpoint endpoint_;
  ApiRequest& out_;
};

std::optional<ModelId> find_model(const Script& script, std::string_view name, Endpoint endpoint) {
  if (const auto found = script.find_model(name)) return found;
  const DialectId own = is_anthropic(endpoint) ? DialectId::anthropic : DialectId::openai;
  std::optional<ModelId> other;
  for (std::size_t i = 0; i < script.models.size(); ++i) {
    if (script.models[i].name != name) continue;
    if (script.models[i].dialect == own) return static_cast<ModelId>(i);
    if (!other) other = static_cast<ModelId>(i);
  }
  return other;
}

void read_model(const Json& body, const wire::Target& target, const Script& script,
                ApiRequest& out) {
  const std::string_view name = target.model.empty() ? text_of(find(body, "model")) : target.model;
  out.facts.model = name;
  if (name.empty()) {
    const bool anthropic = is_anthropic(target.endpoint);
    return refuse(out, OutcomeKind::invalid_request, 400,
                  anthropic ? "model: Field required" : "you must provide a model parameter");
  }
  const auto model = find_model(script, name, target.endpoint);
  if (!model) return refuse(out, OutcomeKind::not_found, 404, {});
  out.model = *model;
}

std::string not_json(Endpoint endpoint) {
  if (is_anthropic(endpoint)) return "The request body is not valid JSON";
  return "We could not parse the JSON body of your request. (HINT: This likely means you aren't "
         "using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was "
         "sent was not valid JSON.)";
}

}  // namespace

ApiRequest read_api_request(const RequestHead& head, std::string_view body,
                            const wire::Target& target, const Script& script) {
  ApiRequest out;
  out.facts.endpoint = target.endpoint;
  out.facts.keep_alive = head.keep_alive;
  out.facts.chunked = head.is_http_1_1;
  out.stream = target.stream;
  out.credential = credential(head);
  if (out.credential.empty()) {
    // A list has no words of its own for errors.
    if (target.endpoint == Endpoint::models) out.facts.endpoint = vendor_of(head);
    refuse(out, OutcomeKind::authentication, 401, std::string(no_credential(out.facts.endpoint)));
    return out;
  }
  if (target.endpoint == Endpoint::models) return out;
  const Json json = Json::parse(body, nullptr, false);
  if (json.is_discarded() || !json.is_object()) {
    refuse(out, OutcomeKind::invalid_request, 400, not_json(target.endpoint));
    return out;
  }
  read_model(json, target, script, out);
  if (!refused(out)) RequestReader(json, target.endpoint, out).read();
  if (const auto count = header_count(head, "x-brownout-input-tokens")) {
    out.facts.input_tokens = *count;
  }
  out.output_tokens =
      std::min(header_count(head, "x-brownout-output-tokens").value_or(0), most_output_tokens);
  if (const Json* metadata = find(json, "metadata"); metadata && out.output_tokens == 0) {
    const std::string_view text = text_of(find(*metadata, "x-brownout-output-tokens"));
    std::from_chars(text.data(), text.data() + text.size(), out.output_tokens);
    out.output_tokens = std::min(out.output_tokens, most_output_tokens);
  }
  return out;
}

ApiRequest refuse_target(const RequestHead& head) {
  ApiRequest out;
  out.facts.endpoint = vendor_of(head);
  const bool anthropic = is_anthropic(out.facts.endpoint);
  out.facts.keep_alive = head.keep_alive;
  out.facts.chunked = head.is_http_1_1;
  out.credential = credential(head);
  // A path that is served, but by another method.
  wire::Target target;
  for (const std::string_view method : {"POST", "GET"}) {
    if (!wire::find_target(method, head.path, target)) continue;
    if (target.endpoint != Endpoint::models) out.facts.endpoint = target.endpoint;
    refuse(out, OutcomeKind::invalid_request, 405,
           is_anthropic(out.facts.endpoint)
               ? "Method Not Allowed"
               : fmt::format("Not allowed to {} on {}.", head.method, head.path));
    return out;
  }
  if (anthropic) {
    refuse(out, OutcomeKind::not_found, 404, "Not found");
  } else {
    refuse(out, OutcomeKind::invalid_request, 404,
           fmt::format("Invalid URL ({} {})", head.method, head.path));
  }
  return out;
}

}  // namespace brownout::mock::http
