#include "mockserver/wire/reply.hpp"

#include <fmt/format.h>

#include "engine/core/check.hpp"
#include "mockserver/wire/completion.hpp"
#include "mockserver/wire/source.hpp"

namespace brownout::mock::wire {
namespace {

using Place = WirePoint::Place;

constexpr std::size_t longest_slice = 7;
// One reply in so many calls a tool when it may.
constexpr std::uint64_t replies_per_call = 4;

// Whether the connection breaks or hangs before a byte of an answer.
bool sends_nothing(const Plan& plan) {
  if (plan.hang) return true;
  if (plan.wire.word == WireWord::garbage) return false;
  if (!plan.generates) return plan.status == 0;
  const bool broken = plan.status == 0 || plan.complete == forever;
  if (!broken) return false;
  if (plan.wire.word == WireWord::none) return plan.stream;
  return plan.wire.word != WireWord::short_body && !has_begun(plan.wire.point, plan);
}

Ending broken_ending(const Plan& plan) {
  if (plan.hang || plan.complete == forever) return Ending::hang;
  return plan.wire.word == WireWord::close ? Ending::close : Ending::reset;
}

WireReply silence(const Plan& plan) {
  WireReply reply(std::make_unique<ListSource>());
  reply.ending = broken_ending(plan);
  reply.ends = plan.complete;
  if (plan.wire.word != WireWord::none && !has_begun(plan.wire.point, plan)) {
    const Place place = plan.wire.point.place;
    if (place == Place::before_accept || place == Place::after_accept) reply.place = place;
  }
  return reply;
}

bool is_stream(const Plan& plan) {
  const bool begins = plan.complete >= headers_leave(plan);
  return plan.stream && plan.generates && plan.status < 400 && begins;
}

std::string_view content_type(const Plan& plan) {
  const bool page = plan.status >= 400
                        ? plan.kind == OutcomeKind::bad_gateway
                        : plan.kind == OutcomeKind::malformed_reply && !plan.generates &&
                              plan.wire.word != WireWord::empty_body;
  if (page) return "text/html; charset=utf-8";
  if (plan.wire.word == WireWord::wrong_content_type) return "text/plain; charset=utf-8";
  const bool events = plan.stream && plan.status < 400;
  return events ? "text/event-stream; charset=utf-8" : "application/json";
}

Plan answered(const Plan& plan) {
  Plan answer = plan;
  if (answer.status == 0) answer.status = 200;
  return answer;
}

std::unique_ptr<WireReply::Source> one_piece(Duration at, std::string bytes,
                                             std::uint32_t output_tokens = 0) {
  std::vector<Piece> pieces;
  pieces.push_back({.at = at, .bytes = std::move(bytes), .output_tokens = output_tokens});
  return std::make_unique<ListSource>(std::move(pieces));
}

}  // namespace

WireReply::WireReply(std::unique_ptr<Source> source) : source_(std::move(source)) {}
WireReply::WireReply(WireReply&&) noexcept = default;
WireReply& WireReply::operator=(WireReply&&) noexcept = default;
WireReply::~WireReply() = default;

bool WireReply::next(Piece& piece) {
  return source_->next(piece);
}

void WireReply::set_source(std::unique_ptr<Source> source) {
  source_ = std::move(source);
}

bool ListSource::next(Piece& piece) {
  if (next_ == pieces_.size()) return false;
  piece = std::move(pieces_[next_++]);
  return true;
}

bool calls_tool(const RequestFacts& request) {
  if (request.tools.empty()) return false;
  return request.tool_required || request.id_seed % replies_per_call == 0;
}

std::string_view garbage() {
  return {"\x16\x03\xC0\xFF\xFE\x00\x80]}{\r\n\xF5\x1B?\r\n\r\n", 18};
}

std::size_t slice_length(std::string_view text) {
  for (std::size_t i = 0; i < std::min(text.size(), longest_slice); ++i) {
    if (static_cast<unsigned char>(text[i]) >= 0xC0) return i + 1;
  }
  return std::min(text.size(), longest_slice);
}

void append_broken_chunk(std::string_view data, std::size_t announced, std::string& out) {
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", announced);
  out += data;
}

void append_chunk(std::string_view data, std::string& out) {
  append_broken_chunk(data, data.size(), out);
  out += "\r\n";
}

std::string head_of(const WireReply& reply, const Making& making, Transfer transfer,
                    std::size_t length) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", reply.status, reason_phrase(reply.status));
  head += fmt::format("date: {}\r\n", http_date(making.occasion.now));
  for (const auto& [name, value] : reply.headers) {
    head += name;
    head += ": ";
    head += value;
    head += "\r\n";
  }
  if (transfer == Transfer::length) head += fmt::format("content-length: {}\r\n", length);
  if (transfer == Transfer::chunked) head += "transfer-encoding: chunked\r\n";
  if (transfer == Transfer::connection || !making.request.keep_alive) {
    head += "connection: close\r\n";
  }
  return head + "\r\n";
}

WireReply encode(const RequestFacts& request, const Plan& plan, const Occasion& occasion) {
  BROWNOUT_CHECK(request.endpoint != Endpoint::models);
  if (sends_nothing(plan)) return silence(plan);
  WireReply reply(std::make_unique<ListSource>());
  if (plan.wire.word == WireWord::garbage && plan.status == 0) {
    reply.set_source(one_piece(plan.complete, std::string(garbage())));
    reply.ending = Ending::close;
    reply.ends = plan.complete;
    return reply;
  }
  const Form& of_endpoint = form(request.endpoint);
  const Plan answer = answered(plan);
  const Making making{of_endpoint, request, answer, occasion};
  reply.status = answer.status;
  reply.headers.emplace_back("content-type", content_type(answer));
  for (Header& header : answer_headers(of_endpoint, request, answer, occasion)) {
    reply.headers.push_back(std::move(header));
  }
  reply.ending = request.keep_alive ? Ending::keep_alive : Ending::close;
  if (is_stream(answer)) {
    make_stream(making, calls_tool(request), reply);
  } else {
    make_plain(making, calls_tool(request), reply);
  }
  return reply;
}

WireReply encode_models(Endpoint endpoint, const std::vector<std::string>& names,
                        const RequestFacts& request, const Occasion& occasion) {
  const bool anthropic = endpoint == Endpoint::anthropic_messages;
  constexpr std::string_view openai_entry =
      R"({{"id":"{0}","object":"model","created":1767225600,"owned_by":"brownout"}})";
  constexpr std::string_view anthropic_entry =
      R"({{"type":"model","id":"{0}","display_name":"{0}","created_at":"2026-01-01T00:00:00Z"}})";
  std::string list;
  for (const std::string& name : names) {
    if (!list.empty()) list += ',';
    list +=
        fmt::format(fmt::runtime(anthropic ? anthropic_entry : openai_entry), json_escaped(name));
  }
  const auto edge = [&](bool last) {
    if (names.empty()) return std::string("null");
    return '"' + json_escaped(last ? names.back() : names.front()) + '"';
  };
  const std::string body =
      anthropic ? fmt::format(R"({{"data":[{}],"has_more":false,"first_id":{},"last_id":{}}})",
                              list, edge(false), edge(true))
                : fmt::format(R"({{"object":"list","data":[{}]}})", list);
  Plan plan;
  const Form& of_endpoint = form(anthropic ? endpoint : Endpoint::openai_chat);
  const Making making{of_endpoint, request, plan, occasion};
  WireReply reply(std::make_unique<ListSource>());
  reply.status = 200;
  reply.headers.emplace_back("content-type", "application/json");
  for (Header& header : answer_headers(of_endpoint, request, plan, occasion)) {
    reply.headers.push_back(std::move(header));
  }
  reply.ending = request.keep_alive ? Ending::keep_alive : Ending::close;
  reply.set_source(
      one_piece(Duration{0}, head_of(reply, making, Transfer::length, body.size()) + body));
  return reply;
}

const Form& form(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::openai_chat:
      return openai_chat_form;
    case Endpoint::openai_responses:
      return openai_responses_form;
    case Endpoint::anthropic_messages:
      return anthropic_messages_form;
    case Endpoint::azure_chat:
      return azure_chat_form;
    case Endpoint::gemini_generate:
      return gemini_generate_form;
    case Endpoint::models:
      break;
  }
  BROWNOUT_UNREACHABLE("a list of models is no reply of a model");
}

}  // namespace brownout::mock::wire
