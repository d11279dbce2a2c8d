#include "mockserver/wire_fault.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/core/check.hpp"
#include "mockserver/dialect.hpp"
#include "mockserver/plan.hpp"

namespace brownout::mock {
namespace {

using Place = WirePoint::Place;

constexpr std::uint8_t at(Place place) {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(place));
}

constexpr std::uint8_t within = at(Place::after_headers) | at(Place::frames) | at(Place::bytes) |
                                at(Place::time) | at(Place::final_frame);
constexpr std::uint8_t from_accept = at(Place::after_accept) | at(Place::before_headers);
constexpr std::uint8_t on_frames = at(Place::frames) | at(Place::final_frame);

constexpr WirePoint before_headers{Place::before_headers, 0};
constexpr WirePoint after_headers{Place::after_headers, 0};
constexpr WirePoint first_frame{Place::frames, 1};

// In the order of WireWord.
constexpr std::array<WireRule, wire_word_count> rules{{
    {},
    {at(Place::before_accept), WirePoint{Place::before_accept, 0}, true, true},  // refuse
    {from_accept | within, before_headers, true, true},                          // reset
    {from_accept | within, before_headers, true, true},                          // close
    {from_accept, before_headers, true, true},                                   // hang
    {within, after_headers, true, true},                                         // stall
    {at(Place::before_headers) | within, before_headers, true, true},            // garbage
    {0, std::nullopt, true, true},                                               // html
    {0, std::nullopt, true, true},                                               // empty_body
    {0, std::nullopt, true, true},                  // wrong_content_type
    {on_frames, first_frame, true, true},           // invalid_json
    {0, std::nullopt, true, false},                 // short_body
    {on_frames, first_frame, false, true},          // half_frame
    {0, std::nullopt, false, true},                 // missing_finish
    {0, std::nullopt, false, true},                 // missing_done
    {at(Place::frames), first_frame, false, true},  // duplicate_frame
    {0, std::nullopt, true, true},                  // sliced
    {0, std::nullopt, true, true},                  // slow_bytes
    {0, std::nullopt, false, true},                 // crlf
    {0, std::nullopt, false, true},                 // comments
    {at(Place::frames), first_frame, false, true},  // unknown_event
}};

bool end_after(std::int64_t tokens, Plan& plan) {
  if (tokens > plan.output_tokens) return false;
  plan.delivered_tokens = static_cast<std::uint32_t>(tokens);
  const bool all = plan.delivered_tokens == plan.output_tokens;
  plan.complete = all ? plan.last_token : token_at(plan, plan.delivered_tokens);
  return true;
}

bool end_at_time(Duration time, Plan& plan) {
  if (time >= plan.complete) return false;
  plan.delivered_tokens = tokens_generated(plan, time);
  plan.complete = time;
  return true;
}

// Nothing of a plain reply leaves before all of it is generated: its frames are the tokens that the
// model has come to.
bool end_plain_at(const WirePoint& point, Plan& plan) {
  switch (point.place) {
    case Place::before_headers:
    case Place::after_headers:
    case Place::final_frame:
      return true;
    case Place::bytes:
      return point.amount <= std::int64_t{plan.output_tokens} * token_bytes;
    case Place::frames:
      return end_after(point.amount, plan);
    case Place::time:
      return end_at_time(Duration{point.amount}, plan);
    case Place::before_accept:
    case Place::after_accept:
      break;
  }
  return false;
}

bool end_stream_at(const WirePoint& point, Plan& plan) {
  switch (point.place) {
    case Place::before_headers:
    case Place::after_headers:
      return end_after(0, plan);
    case Place::frames:
      return end_after(point.amount, plan);
    case Place::bytes:
      if (point.amount > std::int64_t{plan.output_tokens} * token_bytes) return false;
      return end_after(point.amount / token_bytes, plan);
    case Place::final_frame:
      return end_after(plan.output_tokens, plan);
    case Place::time:
      return end_at_time(Duration{point.amount}, plan);
    case Place::before_accept:
    case Place::after_accept:
      break;
  }
  return false;
}

void become_broken(const WirePoint& point, Plan& plan) {
  const bool truncated = plan.stream && has_begun(point, plan);
  plan.kind = truncated ? OutcomeKind::stream_truncated : OutcomeKind::connection;
  if (!truncated) plan.status = 0;
}

void become_stalled(Plan& plan) {
  plan.kind = OutcomeKind::timed_out;
  plan.complete = forever;
  if (!plan.stream || plan.delivered_tokens == 0) plan.first_byte = forever;
}

// The whole of it comes at once, as something else.
void become_mislabelled(Plan& plan) {
  plan.kind = OutcomeKind::malformed_reply;
  plan.stream = false;
  plan.first_byte = plan.complete;
}

}  // namespace

std::string_view to_string(WireWord word) {
  return word == WireWord::none ? "none" : wire_words()[static_cast<std::size_t>(word) - 1];
}

const std::vector<std::string_view>& wire_words() {
  static const std::vector<std::string_view> words{
      "refuse",         "reset",        "close",
      "hang",           "stall",        "garbage",
      "html",           "empty_body",   "wrong_content_type",
      "invalid_json",   "short_body",   "half_frame",
      "missing_finish", "missing_done", "duplicate_frame",
      "sliced",         "slow_bytes",   "crlf",
      "comments",       "unknown_event"};
  return words;
}

const std::vector<std::string_view>& wire_places() {
  static const std::vector<std::string_view> places{
      "before_accept", "after_accept", "before_headers", "after_headers",
      "frames",        "bytes",        "time",           "final_frame"};
  return places;
}

bool takes_amount(WirePoint::Place place) {
  return place == Place::frames || place == Place::bytes || place == Place::time;
}

std::string WirePoint::to_string() const {
  const std::string_view name = wire_places()[static_cast<std::size_t>(place)];
  if (!takes_amount(place)) return std::string(name);
  if (place == Place::time) return fmt::format("{} {}", name, format_duration(Duration{amount}));
  return fmt::format("{} {}", name, amount);
}

const WireRule& wire_rule(WireWord word) {
  BROWNOUT_CHECK(word != WireWord::none);
  return rules[static_cast<std::size_t>(word)];
}

bool replaces_reply(WireWord word, const WirePoint& point) {
  switch (word) {
    case WireWord::refuse:
    case WireWord::hang:
    case WireWord::html:
    case WireWord::empty_body:
      return true;
    case WireWord::reset:
    case WireWord::close:
      return point.place == Place::after_accept;
    case WireWord::garbage:
      return point.place == Place::before_headers;
    case WireWord::none:
    case WireWord::stall:
    case WireWord::wrong_content_type:
    case WireWord::invalid_json:
    case WireWord::short_body:
    case WireWord::half_frame:
    case WireWord::missing_finish:
    case WireWord::missing_done:
    case WireWord::duplicate_frame:
    case WireWord::sliced:
    case WireWord::slow_bytes:
    case WireWord::crlf:
    case WireWord::comments:
    case WireWord::unknown_event:
      break;
  }
  return false;
}

bool finishes_without_done(DialectId dialect) {
  return dialect == DialectId::openai;
}

Duration headers_leave(const Plan& plan) {
  return plan.stream ? plan.first_token : plan.last_token;
}

bool has_begun(const WirePoint& point, const Plan& plan) {
  switch (point.place) {
    case Place::after_headers:
    case Place::bytes:
      return true;
    case Place::frames:
    case Place::final_frame:
      return plan.stream;
    case Place::time:
      return Duration{point.amount} >= headers_leave(plan);
    case Place::before_accept:
    case Place::after_accept:
    case Place::before_headers:
      break;
  }
  return false;
}

bool end_at(const WirePoint& point, Plan& plan) {
  const bool reached = plan.stream ? end_stream_at(point, plan) : end_plain_at(point, plan);
  if (!reached) return false;
  plan.first_byte = plan.stream ? std::min(plan.first_byte, plan.complete) : plan.complete;
  return true;
}

bool happen(WireWord word, const WirePoint& point, DialectId dialect, Plan& plan) {
  BROWNOUT_CHECK(plan.kind == OutcomeKind::success && !replaces_reply(word, point));
  const WireRule& rule = wire_rule(word);
  if (!(plan.stream ? rule.stream : rule.plain)) return false;
  Plan changed = plan;
  // In a plain reply there is one JSON, and no point in which to break it.
  const bool whole = rule.places == 0 || (word == WireWord::invalid_json && !plan.stream);
  if (!whole && !end_at(point, changed)) return false;
  switch (word) {
    case WireWord::reset:
    case WireWord::close:
      become_broken(point, changed);
      break;
    case WireWord::stall:
      become_stalled(changed);
      break;
    case WireWord::garbage:
      changed.kind = OutcomeKind::malformed_reply;
      if (!has_begun(point, changed)) changed.status = 0;
      break;
    case WireWord::invalid_json:
      changed.kind = OutcomeKind::malformed_reply;
      break;
    case WireWord::wrong_content_type:
      become_mislabelled(changed);
      break;
    case WireWord::short_body:
      changed.kind = OutcomeKind::connection;
      changed.status = 0;
      break;
    case WireWord::half_frame:
    case WireWord::missing_finish:
      changed.kind = OutcomeKind::stream_truncated;
      break;
    case WireWord::missing_done:
      if (!finishes_without_done(dialect)) changed.kind = OutcomeKind::stream_truncated;
      break;
    case WireWord::duplicate_frame:
    case WireWord::sliced:
    case WireWord::slow_bytes:
    case WireWord::crlf:
    case WireWord::comments:
    case WireWord::unknown_event:
      changed = plan;
      break;
    case WireWord::none:
    case WireWord::refuse:
    case WireWord::hang:
    case WireWord::html:
    case WireWord::empty_body:
      BROWNOUT_UNREACHABLE("this stands in the place of a reply");
  }
  changed.wire = {.word = word, .point = point};
  plan = changed;
  return true;
}

}  // namespace brownout::mock
