#pragma once

// Text that is too long to be kept: handed on piece by piece.

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>

namespace brownout::reports {

/// Takes the next piece of a text.
using Sink = std::function<void(std::string_view)>;

/// Gathers small pieces into large ones.
class TextSink {
 public:
  explicit TextSink(Sink sink) : sink_(std::move(sink)) {}
  TextSink(const TextSink&) = delete;
  TextSink& operator=(const TextSink&) = delete;

  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(buffer_), format, std::forward<Args>(args)...);
    if (buffer_.size() >= piece) flush();
  }
  void flush() {
    handed_on_ += buffer_.size();
    if (buffer_.size() > 0) sink_({buffer_.data(), buffer_.size()});
    buffer_.clear();
  }
  /// Bytes so far.
  std::uint64_t size() const { return handed_on_ + buffer_.size(); }

 private:
  static constexpr std::size_t piece = 65'536;

  Sink sink_;
  fmt::memory_buffer buffer_;
  std::uint64_t handed_on_ = 0;
};

/// `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace brownout::reports
