#pragma once

// What a client makes of a reply's bytes, written from the specifications (RFC 9112, the WHATWG's
// server-sent events) and not from the encoder.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brownout::mock::wire::testing {

struct Event {
  std::string name;  // empty: none was given
  std::string data;
};

/// Server-sent events of a body; a block that no blank line ends is dropped.
inline std::vector<Event> parse_events(const std::string& body) {
  std::vector<Event> events;
  Event event;
  bool any = false;
  std::size_t at = 0;
  while (at < body.size()) {
    const std::size_t end = body.find_first_of("\r\n", at);
    if (end == std::string::npos) break;
    const std::string line = body.substr(at, end - at);
    at = end + (body.compare(end, 2, "\r\n") == 0 ? 2 : 1);
    if (line.empty()) {
      if (any) events.push_back(event);
      event = {};
      any = false;
      continue;
    }
    if (line.front() == ':') continue;
    const std::size_t colon = line.find(':');
    const std::string field = line.substr(0, colon);
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    if (!value.empty() && value.front() == ' ') value.erase(0, 1);
    if (field == "event") event.name = value;
    if (field != "data") continue;
    if (any) event.data += '\n';
    event.data += value;
    any = true;
  }
  return events;
}

struct Answer {
  int status = 0;  // 0: this is not HTTP
  std::map<std::string, std::string> headers;
  std::string body;
  bool complete = false;  // as its delimiters have it
  bool nonsense = false;  // where a chunk should be, there is none
  std::size_t left_over = 0;
  std::vector<std::string> chunks;
};

inline void parse_chunks(std::string_view rest, Answer& answer) {
  for (;;) {
    const std::size_t line = rest.find("\r\n");
    if (line == std::string_view::npos) return;
    const std::string digits(rest.substr(0, line));
    if (digits.empty() || digits.find_first_not_of("0123456789abcdef") != std::string::npos) {
      answer.nonsense = true;
      return;
    }
    const std::size_t size = std::stoul(digits, nullptr, 16);
    rest.remove_prefix(line + 2);
    if (size == 0) {
      answer.complete = rest.substr(0, 2) == "\r\n";
      answer.left_over = rest.size() - (answer.complete ? 2 : 0);
      return;
    }
    answer.chunks.emplace_back(rest.substr(0, size));
    answer.body += rest.substr(0, size);
    if (rest.size() < size + 2) return;
    if (rest.substr(size, 2) != "\r\n") {
      answer.nonsense = true;
      return;
    }
    rest.remove_prefix(size + 2);
  }
}

inline Answer parse_answer(const std::string& bytes) {
  Answer answer;
  const std::size_t head = bytes.find("\r\n\r\n");
  if (bytes.rfind("HTTP/1.1 ", 0) != 0 || head == std::string::npos) return answer;
  answer.status = std::stoi(bytes.substr(9, 3));
  std::size_t at = bytes.find("\r\n") + 2;
  while (at < head + 2) {
    const std::size_t end = bytes.find("\r\n", at);
    const std::size_t colon = bytes.find(": ", at);
    answer.headers[bytes.substr(at, colon - at)] = bytes.substr(colon + 2, end - colon - 2);
    at = end + 2;
  }
  const std::string rest = bytes.substr(head + 4);
  if (answer.headers.count("transfer-encoding") != 0) {
    parse_chunks(rest, answer);
  } else if (answer.headers.count("content-length") != 0) {
    const std::size_t length = std::stoul(answer.headers["content-length"]);
    answer.body = rest.substr(0, length);
    answer.complete = rest.size() >= length;
    answer.left_over = rest.size() - answer.body.size();
  } else {
    answer.body = rest;
    answer.complete = true;
  }
  return answer;
}

/// Whether every byte belongs to a whole UTF-8 character.
inline bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xC2 && lead < 0xE0 ? 2
                               : lead >= 0xE0 && lead < 0xF0 ? 3
                               : lead >= 0xF0 && lead < 0xF5 ? 4
                                                             : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

}  // namespace brownout::mock::wire::testing
