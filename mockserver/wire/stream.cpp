// Streams: opening frames, a delta for every token, closing frames, and what breaks them off.

#include <algorithm>
#include <utility>

#include "engine/core/check.hpp"
#include "mockserver/wire/completion.hpp"
#include "mockserver/wire/source.hpp"

namespace brownout::mock::wire {
namespace {

using Place = WirePoint::Place;

constexpr std::string_view comment = ": brownout\n\n";
// In how many parts a frame comes whose bytes are slow.
constexpr std::size_t slow_parts = 16;
constexpr std::size_t no_frame = ~std::size_t{0};

std::vector<std::string_view> texts_of(std::span<const Frame> frames, bool with_usage) {
  std::vector<std::string_view> texts;
  for (const Frame& frame : frames) {
    if (with_usage || !frame.only_with_usage) texts.push_back(frame.text);
  }
  return texts;
}

std::string with_crlf(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') out += '\r';
    out += c;
  }
  return out;
}

class StreamSource final : public WireReply::Source {
 public:
  StreamSource(const Making& making, bool calls_tool, const WireReply& reply)
      : form_(making.form),
        reply_form_(calls_tool ? making.form.tool : making.form.text),
        plan_(making.plan),
        seed_(making.request.id_seed),
        chunked_(making.request.chunked),
        values_(
            reply_values(making.form, making.request, making.plan, making.occasion, calls_tool)),
        delta_(filled(reply_form_.delta, values_)),
        opening_(texts_of(reply_form_.opening, making.request.include_usage)),
        closing_(texts_of(reply_form_.closing, making.request.include_usage)),
        deltas_(reply_form_.delta.empty() ? 0 : plan_.output_tokens),
        total_(opening_.size() + deltas_ + closing_.size()) {
    head_ = head_of(reply, making, chunked_ ? Transfer::chunked : Transfer::connection, 0);
    find_end();
    if (breaks_with_error()) {
      add_error_values(form_, making.request, plan_, making.occasion, values_);
    }
  }

  bool next(Piece& piece) override {
    if (slice_ < slices_.size()) return next_slice(piece);
    piece.bytes.clear();
    if (!std::exchange(head_sent_, true)) {
      piece.at = headers_leave(plan_);
      piece.output_tokens = 0;
      piece.bytes = head_;
      return true;
    }
    if (index_ < end_) {
      send_frame(piece);
    } else if (end_ < total_ && !std::exchange(tail_sent_, true)) {
      send_tail(piece);
      if (piece.bytes.empty()) return false;
    } else {
      return false;
    }
    if (!slices_.empty()) return next_slice(piece);
    return true;
  }

  Ending ending(Ending otherwise) const {
    if (!chunked_ && otherwise == Ending::keep_alive) otherwise = Ending::close;
    switch (plan_.wire.word) {
      case WireWord::reset:
        return Ending::reset;
      case WireWord::close:
      case WireWord::garbage:
        return Ending::close;
      case WireWord::stall:
        return Ending::hang;
      case WireWord::none:
      case WireWord::refuse:
      case WireWord::hang:
      case WireWord::html:
      case WireWord::empty_body:
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
    return otherwise;
  }

  Duration ends() const { return end_ == total_ ? plan_.last_token : plan_.complete; }

 private:
  // Frames before `end_` are sent as they are; then, if there were more, the tail.
  void find_end() {
    end_ = total_;
    const std::size_t at_point = frame_at_point();
    switch (plan_.wire.word) {
      case WireWord::none:
        if (plan_.kind != OutcomeKind::success) end_ = at_point;
        break;
      case WireWord::reset:
      case WireWord::close:
      case WireWord::stall:
      case WireWord::garbage:
      case WireWord::half_frame:
        end_ = at_point;
        break;
      case WireWord::invalid_json:
        broken_ = at_point;
        break;
      case WireWord::duplicate_frame:
        doubled_ = last_frame_before_point();
        break;
      case WireWord::unknown_event:
        joined_ = last_frame_before_point();
        break;
      case WireWord::missing_finish:
        end_ = frame_of(Frame::Part::finish);
        break;
      case WireWord::missing_done:
        end_ = frame_of(Frame::Part::last);
        break;
      case WireWord::refuse:
      case WireWord::hang:
      case WireWord::html:
      case WireWord::empty_body:
      case WireWord::wrong_content_type:
      case WireWord::short_body:
      case WireWord::sliced:
      case WireWord::slow_bytes:
      case WireWord::crlf:
      case WireWord::comments:
        break;
    }
  }

  // The frame in whose place something happens. An error before any output, and what comes right
  // after the headers, is in the place of the first one; a stream without any frame would be no
  // stream that was cut.
  std::size_t frame_at_point() const {
    const WirePoint& point = plan_.wire.point;
    if (point.place == Place::final_frame) return frame_of(Frame::Part::finish);
    const bool first = breaks_with_error() ? plan_.delivered_tokens == 0
                                           : point.place == Place::after_headers &&
                                                 plan_.wire.word != WireWord::none;
    if (first) return 0;
    return opening_.size() + std::min<std::size_t>(plan_.delivered_tokens, deltas_);
  }

  // Of a point that counts frames.
  std::size_t last_frame_before_point() const {
    return opening_.size() + static_cast<std::size_t>(plan_.wire.point.amount) - 1;
  }

  std::size_t frame_of(Frame::Part part) const {
    for (const Frame& frame : reply_form_.closing) {
      if (frame.part != part) continue;
      const auto found = std::find(closing_.begin(), closing_.end(), frame.text);
      return opening_.size() + deltas_ + static_cast<std::size_t>(found - closing_.begin());
    }
    return total_;
  }

  bool breaks_with_error() const {
    return plan_.wire.word == WireWord::none && plan_.kind != OutcomeKind::success &&
           plan_.kind != OutcomeKind::stream_truncated;
  }

  Duration time_of(std::size_t index) const {
    if (index < opening_.size()) return plan_.first_token;
    const std::size_t k = index - opening_.size();
    return k < deltas_ ? token_at(plan_, static_cast<std::uint32_t>(k)) : plan_.last_token;
  }

  std::uint32_t tokens_before(std::size_t index) const {
    if (index < opening_.size()) return 0;
    return static_cast<std::uint32_t>(std::min<std::size_t>(index - opening_.size(), deltas_));
  }

  std::string_view text_before(std::size_t k) const {
    return k == 0 ? reply_form_.before_text : std::string_view{};
  }

  // Appends the frame as the dialect has it.
  void append_frame(std::size_t index, std::string& out) const {
    if (index >= opening_.size() && index - opening_.size() < deltas_) {
      return append_delta(index - opening_.size(), index, out);
    }
    Values values = values_;
    values.set("sequence", sequence_of(index));
    if (index >= opening_.size()) {
      std::string text(reply_form_.before_text);
      text += completion_text(seed_, plan_.output_tokens);
      text += reply_form_.after_text;
      values.set("text", std::move(text));
      fill(closing_[index - opening_.size() - deltas_], values, out);
    } else {
      fill(opening_[index], values, out);
    }
  }

  void append_delta(std::size_t k, std::size_t index, std::string& out) const {
    const std::string_view token = token_text(seed_, k);
    const bool last = k + 1 == deltas_ && !reply_form_.after_text.empty();
    if (text_before(k).empty() && !last) return delta_.append(token, sequence_of(index), out);
    std::string text(text_before(k));
    text += token;
    if (last) text += reply_form_.after_text;
    delta_.append(text, sequence_of(index), out);
  }

  std::uint64_t sequence_of(std::size_t index) const { return index + (index > joined_ ? 1U : 0U); }

  void append_unknown_frame() {
    Values values = values_;
    values.set("sequence", sequence_of(joined_) + 1);
    fill(form_.unknown_frame, values, frame_);
  }

  void send_frame(Piece& piece) {
    frame_.clear();
    append_frame(index_, frame_);
    if (index_ == broken_) break_json(frame_);
    if (index_ == doubled_) frame_ += std::string(frame_);
    if (index_ == joined_) append_unknown_frame();
    if (plan_.wire.word == WireWord::comments) {
      frame_.insert(
          0, index_ % 2 == 0 ? std::string(comment) : std::string(comment) + std::string(comment));
    }
    piece.at = time_of(index_);
    piece.output_tokens = tokens_before(index_ + 1);
    const Duration before = index_ == 0 ? piece.at : time_of(index_ - 1);
    ++index_;
    put(frame_, piece, before);
    if (index_ == total_ && chunked_) append_to_last(last_chunk, piece);
  }

  static void break_json(std::string& frame) {
    const std::size_t brace = frame.rfind('}');
    if (brace != std::string::npos) frame.erase(brace, 1);
  }

  // Puts text into the piece in the stream's coding, or into slices that replace the piece.
  void put(const std::string& text, Piece& piece, Duration before) {
    const bool crlf = form_.crlf || plan_.wire.word == WireWord::crlf;
    const std::string converted = crlf ? with_crlf(text) : std::string{};
    const std::string_view data = crlf ? std::string_view(converted) : std::string_view(text);
    if (plan_.wire.word == WireWord::sliced) return slice(data, piece);
    if (chunked_) {
      append_chunk(data, piece.bytes);
    } else {
      piece.bytes += data;
    }
    if (plan_.wire.word == WireWord::slow_bytes) slow_down(piece, before);
  }

  // Every slice is a chunk, so that one can tell however the network puts them together.
  void slice(std::string_view data, const Piece& piece) {
    slices_.clear();
    slice_ = 0;
    while (!data.empty()) {
      const std::string_view part = data.substr(0, slice_length(data));
      data.remove_prefix(part.size());
      Piece& next = slices_.emplace_back(Piece{piece.at, {}, 0});
      if (chunked_) {
        append_chunk(part, next.bytes);
      } else {
        next.bytes = part;
      }
      next.output_tokens = data.empty() ? piece.output_tokens : tokens_before(index_ - 1);
    }
  }

  // The frame comes bit by bit in the time since the one before, and is complete when it is due.
  void slow_down(const Piece& piece, Duration before) {
    slices_.clear();
    slice_ = 0;
    const std::size_t parts = std::min(slow_parts, piece.bytes.size());
    const Duration gap = piece.at - before;
    std::size_t begin = 0;
    for (std::size_t i = 1; i <= parts; ++i) {
      const std::size_t end = piece.bytes.size() * i / parts;
      const auto late = static_cast<std::int64_t>(parts - i);
      slices_.push_back({piece.at - gap / static_cast<std::int64_t>(parts) * late,
                         piece.bytes.substr(begin, end - begin),
                         i == parts ? piece.output_tokens : tokens_before(index_ - 1)});
      begin = end;
    }
  }

  void append_to_last(std::string_view bytes, Piece& piece) {
    (slices_.empty() ? piece.bytes : slices_.back().bytes) += bytes;
  }

  bool next_slice(Piece& piece) {
    Piece& slice = slices_[slice_++];
    piece.at = slice.at;
    piece.bytes = slice.bytes;
    piece.output_tokens = slice.output_tokens;
    if (slice_ == slices_.size()) {
      slices_.clear();
      slice_ = 0;
    }
    return true;
  }

  // What comes in the place of the frame at `end_`.
  void send_tail(Piece& piece) {
    piece.at = plan_.complete == forever ? stalls_at() : plan_.complete;
    piece.output_tokens = tokens_before(end_);
    frame_.clear();
    switch (plan_.wire.word) {
      case WireWord::reset:
      case WireWord::close:
      case WireWord::stall:
        return send_part_of_frame(piece);
      case WireWord::garbage:
        send_part_of_frame(piece);
        piece.bytes += garbage();
        return;
      case WireWord::half_frame:
        append_frame(end_, frame_);
        frame_.resize(frame_.size() / 2);
        break;
      case WireWord::none:
        append_failure();
        break;
      case WireWord::refuse:
      case WireWord::hang:
      case WireWord::html:
      case WireWord::empty_body:
      case WireWord::wrong_content_type:
      case WireWord::invalid_json:
      case WireWord::short_body:
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
    if (!frame_.empty()) put(frame_, piece, piece.at);
    if (chunked_) piece.bytes += last_chunk;
  }

  Duration stalls_at() const { return time_of(end_); }

  void append_failure() {
    if (plan_.kind == OutcomeKind::stream_truncated) return;
    if (plan_.kind == OutcomeKind::malformed_reply) {
      append_frame(end_, frame_);
      return break_json(frame_);
    }
    Values values = values_;
    values.set("sequence", end_);
    fill(plan_.delivered_tokens == 0 ? form_.first_error_frame : form_.error_frame, values, frame_);
  }

  // For a point between the bytes of a token's text: its frame up to there, in a chunk that says it
  // is all of it.
  void send_part_of_frame(Piece& piece) {
    if (plan_.wire.point.place != Place::bytes) return;
    const auto part = static_cast<std::size_t>(plan_.wire.point.amount % token_bytes);
    const std::size_t k = end_ - opening_.size();
    if (part == 0 || k >= deltas_) return;
    append_frame(end_, frame_);
    const std::size_t length = frame_.rfind(token_text(seed_, k)) + part;
    const std::string_view data = std::string_view(frame_).substr(0, length);
    if (chunked_) {
      append_broken_chunk(data, frame_.size(), piece.bytes);
    } else {
      piece.bytes += data;
    }
  }

  const Form& form_;
  const ReplyForm& reply_form_;
  Plan plan_;
  std::uint64_t seed_;
  bool chunked_;
  Values values_;
  DeltaTemplate delta_;
  std::vector<std::string_view> opening_;
  std::vector<std::string_view> closing_;
  std::size_t deltas_;
  std::size_t total_;
  std::string head_;
  bool head_sent_ = false;
  bool tail_sent_ = false;
  std::size_t index_ = 0;  // of the next frame
  std::size_t end_ = 0;
  std::size_t broken_ = no_frame;
  std::size_t doubled_ = no_frame;
  std::size_t joined_ = no_frame;  // by one of unknown kind
  std::string frame_;
  std::vector<Piece> slices_;
  std::size_t slice_ = 0;
};

}  // namespace

void make_stream(const Making& making, bool calls_tool, WireReply& reply) {
  auto source = std::make_unique<StreamSource>(making, calls_tool, reply);
  reply.ending = source->ending(reply.ending);
  reply.ends = reply.ending == Ending::hang ? forever : source->ends();
  reply.set_source(std::move(source));
}

}  // namespace brownout::mock::wire
