#include "mockserver/http/request_body.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace brownout::mock::http {
namespace {

// A size with its extension, or a line of the trailer.
constexpr std::size_t longest_line = 4096;
// Of all sizes and trailers together, beyond which somebody sends one byte a chunk for sport: five
// bytes for every byte of the body, and a few lines.
constexpr std::size_t overhead_per_byte = 8;

template <class Number>
bool parse_whole(std::string_view text, int base, Number& out) {
  if (text.empty()) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

BodyReader::State BodyReader::refuse(std::uint16_t status, std::string_view reason) {
  status_ = status;
  reason_ = reason;
  return state_ = State::bad;
}

BodyReader::State BodyReader::begin(const RequestHead& head, std::size_t limit) {
  body_.clear();
  limit_ = limit;
  overhead_ = 0;
  left_ = 0;
  const bool has_length = head.has_header("content-length");
  if (head.has_header("transfer-encoding")) {
    if (has_length) return refuse(400, "content-length and transfer-encoding exclude each other");
    if (!same_letters(head.header("transfer-encoding"), "chunked")) {
      return refuse(501, "the only transfer-encoding understood is chunked");
    }
    part_ = Part::chunk_size;
    return state_ = State::more;
  }
  part_ = Part::length;
  if (!has_length) return state_ = State::complete;
  const std::string_view length = head.header("content-length");
  for (const auto& [name, value] : head.headers) {
    if (same_letters(name, "content-length") && value != length) {
      return refuse(400, "two content-lengths");
    }
  }
  if (!parse_whole(length, 10, left_)) return refuse(400, "content-length is not a number");
  if (left_ > limit_) return refuse(413, "the body is too large");
  body_.reserve(left_);
  return state_ = left_ == 0 ? State::complete : State::more;
}

BodyReader::State BodyReader::read(std::string& input) {
  if (state_ != State::more) return state_;
  std::string_view rest = input;
  if (part_ == Part::length) {
    const std::size_t size = std::min(left_, rest.size());
    body_.append(rest.substr(0, size));
    rest.remove_prefix(size);
    left_ -= size;
    if (left_ == 0) state_ = State::complete;
  } else {
    state_ = read_chunks(rest);
  }
  input.erase(0, input.size() - rest.size());
  return state_;
}

BodyReader::State BodyReader::read_chunks(std::string_view& input) {
  std::string_view line;
  for (;;) {
    switch (part_) {
      case Part::chunk_size:
        if (!take_line(input, line)) return state_;
        if (read_size(line) == State::bad) return state_;
        break;
      case Part::chunk: {
        const std::size_t size = std::min(left_, input.size());
        body_.append(input.substr(0, size));
        input.remove_prefix(size);
        left_ -= size;
        if (left_ > 0) return State::more;
        part_ = Part::chunk_end;
        break;
      }
      case Part::chunk_end:
        if (!take_line(input, line)) return state_;
        if (!line.empty()) return refuse(400, "a chunk is longer than its size");
        part_ = Part::chunk_size;
        break;
      case Part::trailer:
        if (!take_line(input, line)) return state_;
        if (line.empty()) return State::complete;
        break;
      case Part::length:
        return State::more;
    }
  }
}

// False when the line is not there in full, which may be an error by now.
bool BodyReader::take_line(std::string_view& input, std::string_view& line) {
  const std::size_t end = input.find("\r\n");
  if (end == std::string_view::npos) {
    if (input.size() > longest_line) refuse(400, "a line of the chunked body is too long");
    return false;
  }
  line = input.substr(0, end);
  input.remove_prefix(end + 2);
  overhead_ += end + 2;
  if (overhead_ > overhead_per_byte * body_.size() + 2 * longest_line) {
    refuse(400, "the chunked body is more chunks than body");
    return false;
  }
  return true;
}

BodyReader::State BodyReader::read_size(std::string_view line) {
  line = line.substr(0, line.find(';'));
  while (line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
  if (!parse_whole(line, 16, left_)) return refuse(400, "a chunk without a size");
  if (left_ > limit_ - body_.size()) return refuse(413, "the body is too large");
  part_ = left_ == 0 ? Part::trailer : Part::chunk;
  return State::more;
}

}  // namespace brownout::mock::http
