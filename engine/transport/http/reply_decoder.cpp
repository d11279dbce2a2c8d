#include "engine/transport/http/reply_decoder.hpp"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/core/check.hpp"
#include "engine/policy/limit_headers.hpp"

namespace brownout::http {
namespace {

using Json = nlohmann::json;

// A limit that asks for more is one of the day, whatever it calls itself (Azure: 86,400 seconds).
constexpr Duration a_day = std::chrono::hours{24};

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return (x >= 'A' && x <= 'Z' ? x - 'A' + 'a' : x) == (y >= 'A' && y <= 'Z' ? y - 'A' + 'a' : y);
  });
}

std::string_view header(std::span<const HeaderView> headers, std::string_view name) {
  const auto found = std::ranges::find_if(
      headers, [&](const HeaderView& field) { return equal_ignoring_case(field.name, name); });
  return found == headers.end() ? std::string_view{} : found->value;
}

bool is_media_type(std::string_view value, std::string_view type) {
  return value.size() >= type.size() && equal_ignoring_case(value.substr(0, type.size()), type) &&
         (value.size() == type.size() || value[type.size()] == ';' || value[type.size()] == ' ');
}

/// application/json, or application/problem+json and the like.
bool is_json_type(std::string_view value) {
  value = value.substr(0, value.find_first_of("; "));
  return is_media_type(value, "application/json") ||
         (value.size() > 5 && equal_ignoring_case(value.substr(value.size() - 5), "+json"));
}

RateLimit told(const LimitHeader& header) {
  RateLimit limit;
  limit.limit = header.limit.value_or(-1);
  limit.remaining = header.remaining.value_or(-1);
  if (header.reset) limit.reset_ns = header.reset->count();
  return limit;
}

std::string text_of(const Json& object, const char* member) {
  const auto found = object.find(member);
  if (found == object.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number_integer()) return found->dump();
  return {};
}

struct ErrorNames {
  std::string type;
  std::string code;
};

/// Both dialects put an object "error" into the body; some servers put it into an array, or its
/// members at the top.
ErrorNames names_of(const Json& body) {
  const Json* at = &body;
  if (at->is_array() && !at->empty()) at = &at->front();
  if (!at->is_object()) return {};
  const auto error = at->find("error");
  if (error != at->end() && error->is_object()) at = &*error;
  ErrorNames names{text_of(*at, "type"), text_of(*at, "code")};
  const auto details = at->find("details");
  if (names.code.empty() && details != at->end() && details->is_object()) {
    names.code = text_of(*details, "error_code");
  }
  return names;
}

}  // namespace

ReplyDecoder::ReplyDecoder(const Options& options)
    : options_(options), events_(options.most_line_bytes) {}

void ReplyDecoder::on_head(std::uint16_t status, std::span<const HeaderView> headers,
                           SystemTime now) {
  status_ = status;
  now_ = now;
  const LimitHeaders limits = parse_limit_headers(headers, now);
  limits_ = {told(limits.requests), told(limits.tokens)};
  const std::string_view type = header(headers, "content-type");
  const std::string_view coding = header(headers, "content-encoding");
  json_ = is_json_type(type);
  html_ = is_media_type(type, "text/html");
  if (!coding.empty() && !equal_ignoring_case(coding, "identity")) {
    // Nobody asked for it.
    json_ = false;
  } else if (is_success_status() && options_.stream) {
    as_events_ = is_media_type(type, "text/event-stream");
  }
  if (is_success_status()) return;
  for (const HeaderView& field : headers) headers_.emplace_back(field.name, field.value);
}

void ReplyDecoder::feed(std::string_view bytes) {
  as_events_ ? events_.feed(bytes) : void(body_ += bytes);
}

ReplyDecoder::Step ReplyDecoder::next(std::string_view& text) {
  if (over_) return Step::over;
  if (!as_events_) return Step::more;
  for (SseEvent event; events_.next(event);) {
    any_event_ = true;
    step_ = Step::more;
    read_event(event);
    text = reading_.piece;
    if (step_ != Step::more) return step_;
  }
  if (!events_.overflowed()) return Step::more;
  fail(OutcomeKind::malformed_reply);
  return Step::over;
}

void ReplyDecoder::read_event(const SseEvent& event) {
  Json json;
  const auto read = options_.dialect == Dialect::openai ? read_openai_event : read_anthropic_event;
  switch (read(event, json, reading_)) {
    case EventMeaning::nothing:
      return;
    case EventMeaning::progress:
      step_ = Step::progress;
      return;
    case EventMeaning::text:
      step_ = Step::text;
      return;
    case EventMeaning::complete:
      if (!reading_.finished) fail(OutcomeKind::stream_truncated);
      break;
    case EventMeaning::error:
      fail_with_error(event.data, &json, false);
      break;
    case EventMeaning::malformed:
      fail(OutcomeKind::malformed_reply);
      break;
  }
  over_ = true;
  step_ = Step::over;
}

bool ReplyDecoder::may_end_here() const {
  return !as_events_ || options_.dialect == Dialect::openai;
}

void ReplyDecoder::on_complete() {
  if (over_) return;
  if (as_events_) {
    if (!any_event_) {
      fail(OutcomeKind::malformed_reply);
    } else if (!reading_.finished) {
      fail(OutcomeKind::stream_truncated);
    }
  } else {
    read_whole();
  }
  over_ = true;
}

void ReplyDecoder::on_broken() {
  if (over_) return;
  if (as_events_) {
    if (!reading_.finished) fail(OutcomeKind::stream_truncated);
  } else if (status_ >= 300) {
    // The status says enough, and a piece of the body may say more.
    read_whole();
  } else {
    fail(OutcomeKind::connection);
    failure_.status = 0;
  }
  over_ = true;
}

void ReplyDecoder::on_garbage() {
  if (!over_) fail(OutcomeKind::malformed_reply);
}

void ReplyDecoder::read_whole() {
  const Json json = json_ || status_ >= 300 ? Json::parse(body_, nullptr, false) : Json();
  const bool is_json = json.is_object() || json.is_array();
  if (!is_success_status()) {
    const bool html = !is_json && (html_ || body_.find('<') < 64);
    return fail_with_error(body_, is_json ? &json : nullptr, html);
  }
  if (json.is_object() && json.contains("error") && !json["error"].is_null()) {
    return fail_with_error(body_, &json, false);
  }
  const auto read = options_.dialect == Dialect::openai ? read_openai_reply : read_anthropic_reply;
  if (options_.stream || !is_json || !read(json, reading_)) fail(OutcomeKind::malformed_reply);
}

void ReplyDecoder::fail(OutcomeKind kind) {
  failure_ = Outcome::failure(kind, status_);
  failed_ = true;
  over_ = true;
}

void ReplyDecoder::fail_with_error(std::string_view body, const Json* json, bool html) {
  const ErrorNames names = json != nullptr ? names_of(*json) : ErrorNames{};
  fail(classify_error(
      options_.dialect,
      {.status = status_, .type = names.type, .code = names.code, .text = body, .html = html}));
  std::vector<HeaderView> views;
  for (const auto& [name, value] : headers_) views.push_back({name, value});
  const ServerHint hint = read_server_hint(views, body, now_);
  failure_.retry_after = hint.wait;
  failure_.should_retry = hint.should_retry;
  if (failure_.kind == OutcomeKind::rate_limited && hint.wait && *hint.wait >= a_day) {
    failure_.kind = OutcomeKind::daily_limited;
  }
}

void ReplyDecoder::add_bill(Outcome& outcome) const {
  if (!reading_.generating && !reading_.usage_told) return;
  outcome.billed_input_tokens =
      reading_.input_tokens != 0 ? reading_.input_tokens : options_.input_tokens;
  outcome.billed_output_tokens = reading_.usage_told
                                     ? reading_.output_tokens
                                     : std::max(reading_.output_tokens, reading_.pieces);
}

Outcome ReplyDecoder::outcome() {
  BROWNOUT_CHECK(over_ || finished());
  Outcome outcome;
  if (failed_) {
    outcome = std::move(failure_);
  } else if (reading_.filtered) {
    outcome = Outcome::failure(OutcomeKind::content_policy, status_);
  } else {
    outcome.status = status_;
    outcome.reply.text = std::make_shared<const std::string>(std::move(reading_.text));
  }
  add_bill(outcome);
  if (outcome.ok()) {
    outcome.reply.input_tokens = outcome.billed_input_tokens;
    outcome.reply.output_tokens = outcome.billed_output_tokens;
  }
  // An answer that was cut short is none, whatever its headers told.
  if (outcome.status != 0) outcome.limits = limits_;
  return outcome;
}

Outcome ReplyDecoder::cut(OutcomeKind kind) const {
  Outcome outcome = Outcome::failure(kind);
  add_bill(outcome);
  return outcome;
}

}  // namespace brownout::http
