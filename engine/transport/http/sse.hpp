#pragma once

// Server-sent events, taken apart as they come (WHATWG HTML, 9.2: the event stream format).

#include <cstddef>
#include <string>
#include <string_view>

namespace brownout::http {

struct SseEvent {
  std::string_view name;  ///< of the last `event:` line; empty without one
  std::string_view data;  ///< all `data:` lines, joined by line feeds
};

/// Takes a stream's bytes in pieces of any size, cut anywhere, and gives its events.
///
///     parser.feed(bytes);
///     for (SseEvent event; parser.next(event);) …
///
/// Lines end with CR, LF or CRLF; one byte order mark at the start is ignored; so are comments,
/// `id:`, `retry:` and unknown fields. Events without data are dropped, and so is one whose empty
/// line has not come by the end. Bytes are passed on as they are: what is in the data is for its
/// reader to judge.
///
/// *Ownership*: refers to the bytes it was fed until next() has returned false. *Threads*: one.
class SseParser {
 public:
  /// `most_bytes`: of a line, and of the data of an event.
  explicit SseParser(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  /// Requires: next() has returned false since the last time.
  void feed(std::string_view bytes) { input_ = bytes; }

  /// The next complete event, whose texts stay until the next call; false when more bytes are
  /// needed, or after an overflow.
  bool next(SseEvent& event);

  /// A line or an event was longer than allowed. There are no more events.
  bool overflowed() const { return overflowed_; }

 private:
  bool take_line(std::string_view& line);
  void field(std::string_view line);
  bool fits(std::size_t have, std::size_t more);

  const std::size_t most_bytes_;
  std::string_view input_;
  std::string line_;  // the beginning of one that is not complete
  std::string name_;
  std::string data_;
  bool has_data_ = false;
  bool told_ = false;       // name_ and data_ are of an event that was given
  bool line_kept_ = false;  // line_ is of the line that was taken last
  bool after_cr_ = false;   // a line feed now belongs to the line before
  bool at_start_ = true;
  bool overflowed_ = false;
};

}  // namespace brownout::http
