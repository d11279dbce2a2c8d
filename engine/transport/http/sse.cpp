#include "engine/transport/http/sse.hpp"

#include <utility>

namespace brownout::http {

bool SseParser::fits(std::size_t have, std::size_t more) {
  if (more <= most_bytes_ && have <= most_bytes_ - more) return true;
  overflowed_ = true;
  input_ = {};
  return false;
}

bool SseParser::take_line(std::string_view& line) {
  if (std::exchange(line_kept_, false)) line_.clear();
  if (after_cr_ && !input_.empty()) {
    after_cr_ = false;
    if (input_.front() == '\n') input_.remove_prefix(1);
  }
  const std::size_t end = input_.find_first_of("\r\n");
  const std::string_view part = input_.substr(0, end);
  if (!fits(line_.size(), part.size())) return false;
  if (end == input_.npos) {
    line_ += part;
    input_ = {};
    return false;
  }
  after_cr_ = input_[end] == '\r';
  input_.remove_prefix(end + 1);
  line = part;
  if (!line_.empty()) {
    line_ += part;
    line = line_;
    line_kept_ = true;
  }
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (std::exchange(at_start_, false) && line.starts_with(byte_order_mark)) {
    line.remove_prefix(byte_order_mark.size());
  }
  return true;
}

void SseParser::field(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value = colon == line.npos ? std::string_view{} : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") {
    name_ = value;
  } else if (name == "data") {
    if (!fits(data_.size(), value.size() + 1)) return;
    if (has_data_) data_ += '\n';
    data_ += value;
    has_data_ = true;
  }
}

bool SseParser::next(SseEvent& event) {
  if (std::exchange(told_, false)) {
    name_.clear();
    data_.clear();
    has_data_ = false;
  }
  std::string_view line;
  while (!overflowed_ && take_line(line)) {
    if (!line.empty()) {
      field(line);
    } else if (has_data_) {
      event = {name_, data_};
      told_ = true;
      return true;
    } else {
      name_.clear();
    }
  }
  return false;
}

}  // namespace brownout::http
