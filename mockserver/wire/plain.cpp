// Replies whose body comes whole: completions that are not streamed, and errors.

#include <algorithm>

#include "mockserver/wire/completion.hpp"
#include "mockserver/wire/source.hpp"

namespace brownout::mock::wire {
namespace {

using Place = WirePoint::Place;

// In how many parts a body comes whose bytes are slow.
constexpr std::size_t slow_parts = 64;

class PlainMaker {
 public:
  PlainMaker(const Making& making, bool calls_tool, WireReply& reply)
      : making_(making), plan_(making.plan), reply_(reply), calls_tool_(calls_tool) {}

  void make() {
    make_body();
    damage_body();
    reply_.ends = plan_.complete;
    const WireWord word = plan_.wire.word;
    if (word == WireWord::sliced && making_.request.chunked) return send_slices();
    if (word == WireWord::slow_bytes) return send_slowly();
    const std::string head = head_of(reply_, making_, Transfer::length, announced_);
    // A stalled reply's `complete` is never; what there is of it leaves when it would have left.
    const Duration at = plan_.complete == forever ? headers_leave(plan_) : plan_.complete;
    const std::uint32_t tokens = plan_.status < 400 && plan_.generates ? delivered_ : 0;
    send({{.at = at, .bytes = head + body_, .output_tokens = tokens}});
  }

 private:
  void make_body() {
    const Form& form = making_.form;
    if (plan_.status >= 400) {
      body_ = plan_.kind == OutcomeKind::bad_gateway ? proxy_page(plan_) : error_body();
    } else if (plan_.generates || plan_.kind == OutcomeKind::success) {
      const ReplyForm& of_reply = calls_tool_ ? form.tool : form.text;
      Values values = reply_values(form, making_.request, plan_, making_.occasion, calls_tool_);
      text_ = of_reply.before_text;
      text_ += completion_text(making_.request.id_seed, plan_.output_tokens);
      text_ += of_reply.after_text;
      values.set("sequence", std::uint64_t{0});
      values.set("text", text_);
      body_ = filled(of_reply.plain, values);
      delivered_ = plan_.output_tokens;
    } else if (plan_.wire.word != WireWord::empty_body) {
      body_ = proxy_page(plan_);
    }
    announced_ = body_.size();
  }

  std::string error_body() const {
    const Form& form = making_.form;
    Values values = reply_values(form, making_.request, plan_, making_.occasion, false);
    add_error_values(form, making_.request, plan_, making_.occasion, values);
    return filled(plan_.stream ? form.streamed_error_body : form.error_body, values);
  }

  // Leaves `body_` as it is sent and `announced_` as content-length has it.
  void damage_body() {
    if (plan_.status >= 400 || !plan_.generates) return;
    switch (plan_.wire.word) {
      case WireWord::none:
        // A scripted failure that says no more: broken JSON, or a body cut short.
        if (plan_.kind == OutcomeKind::malformed_reply) break_json();
        if (plan_.kind == OutcomeKind::connection) cut_short(body_.size() / 2, Ending::close);
        break;
      case WireWord::invalid_json:
        break_json();
        break;
      case WireWord::short_body:
        cut_short(body_.size() / 2, Ending::close);
        break;
      case WireWord::reset:
        cut_short(point_in_body(), Ending::reset);
        break;
      case WireWord::close:
        cut_short(point_in_body(), Ending::close);
        break;
      case WireWord::stall:
        cut_short(point_in_body(), Ending::hang);
        break;
      case WireWord::garbage:
        for (std::size_t i = point_in_body(); i < body_.size(); ++i) {
          body_[i] = garbage()[i % garbage().size()];
        }
        break;
      case WireWord::refuse:
      case WireWord::hang:
      case WireWord::html:
      case WireWord::empty_body:
      case WireWord::wrong_content_type:
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
  }

  // The last brace goes, and the length stays true.
  void break_json() {
    body_.pop_back();
    announced_ = body_.size();
  }

  void cut_short(std::size_t length, Ending ending) {
    body_.resize(length);
    reply_.ending = ending;
    delivered_ = 0;
  }

  // Where in the body `bytes` of the output's text have been sent.
  std::size_t point_in_body() const {
    if (plan_.wire.point.place != Place::bytes) return 0;
    const std::size_t begin = body_.find(text_);
    return begin + std::min(text_.size(), static_cast<std::size_t>(plan_.wire.point.amount));
  }

  void send(std::vector<Piece> pieces) {
    reply_.set_source(std::make_unique<ListSource>(std::move(pieces)));
  }

  // Every slice is a chunk, so that one can tell however the network puts them together.
  void send_slices() {
    std::vector<Piece> pieces;
    pieces.push_back({plan_.complete, head_of(reply_, making_, Transfer::chunked, 0), 0});
    std::string_view rest = body_;
    while (!rest.empty()) {
      const std::string_view slice = rest.substr(0, slice_length(rest));
      rest.remove_prefix(slice.size());
      Piece& piece = pieces.emplace_back(Piece{plan_.complete, {}, 0});
      append_chunk(slice, piece.bytes);
    }
    pieces.back().bytes += last_chunk;
    pieces.back().output_tokens = delivered_;
    send(std::move(pieces));
  }

  // The headers with what would be the first token, the body in the time that generating takes.
  void send_slowly() {
    std::vector<Piece> pieces;
    const std::string head = head_of(reply_, making_, Transfer::length, announced_);
    pieces.push_back({plan_.first_token, head, 0});
    const auto parts = static_cast<std::int64_t>(std::min(slow_parts, body_.size()));
    std::size_t begin = 0;
    for (std::int64_t i = 1; i <= parts; ++i) {
      const std::size_t end = body_.size() * static_cast<std::size_t>(i) / slow_parts;
      const Duration span = plan_.complete - plan_.first_token;
      const Duration at = plan_.first_token + span / parts * i;
      pieces.push_back({i == parts ? plan_.complete : at, body_.substr(begin, end - begin), 0});
      begin = end;
    }
    pieces.back().output_tokens = delivered_;
    send(std::move(pieces));
  }

  const Making& making_;
  const Plan& plan_;
  WireReply& reply_;
  bool calls_tool_;
  std::string text_;  // of the completion, as it stands in the body
  std::string body_;
  std::size_t announced_ = 0;
  std::uint32_t delivered_ = 0;
};

}  // namespace

void make_plain(const Making& making, bool calls_tool, WireReply& reply) {
  PlainMaker(making, calls_tool, reply).make();
}

}  // namespace brownout::mock::wire
