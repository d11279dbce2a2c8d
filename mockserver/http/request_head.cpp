#include "mockserver/http/request_head.hpp"

#include <httplib.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace brownout::mock::http {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

const std::string* find(const Pairs& pairs, std::string_view name) {
  const auto found =
      std::ranges::find_if(pairs, [&](const auto& pair) { return same_letters(pair.first, name); });
  return found == pairs.end() ? nullptr : &found->second;
}

bool asks_to_close(const Pairs& headers) {
  for (const auto& [name, value] : headers) {
    if (!same_letters(name, "connection")) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      std::string_view word = rest.substr(0, comma);
      word.remove_prefix(std::min(word.find_first_not_of(" \t"), word.size()));
      word = word.substr(0, word.find_last_not_of(" \t") + 1);
      if (same_letters(word, "close")) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

// What the library would misread: lines longer than its buffer, and a space before a colon, which
// hides a header (RFC 9112, 5.1).
std::uint16_t problem_of(std::string_view head) {
  constexpr std::size_t longest_line = 8 * 1024 - 8;
  head.remove_prefix(std::min(head.find("\r\n") + 2, head.size()));
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    if (line.size() > longest_line) return 431;
    if (line.substr(0, line.find(':')).find_first_of(" \t") != line.npos) return 400;
    head.remove_prefix(std::min(end + 2, head.size()));
  }
  return 0;
}

// A socket that holds a whole head and keeps the beginning of what is answered.
class Bytes final : public httplib::Stream {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

  bool is_readable() const override { return !bytes_.empty(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override {
    size = std::min(size, bytes_.size());
    std::memcpy(to, bytes_.data(), size);
    bytes_.remove_prefix(size);
    return static_cast<ssize_t>(size);
  }
  ssize_t write(const char* from, std::size_t size) override {
    if (answer_.size() < 16) answer_.append(from, std::min<std::size_t>(size, 16));
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return 0; }

  // The status in "HTTP/1.1 400 Bad Request".
  std::uint16_t status() const {
    std::uint16_t status = 0;
    if (answer_.size() >= 12) std::from_chars(&answer_[9], &answer_[12], status);
    return status;
  }

 private:
  std::string_view bytes_;
  std::string answer_;
};

}  // namespace

bool same_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view RequestHead::header(std::string_view name) const {
  const std::string* value = find(headers, name);
  return value != nullptr ? std::string_view(*value) : std::string_view();
}

bool RequestHead::has_header(std::string_view name) const {
  return find(headers, name) != nullptr;
}

std::string_view RequestHead::parameter(std::string_view name) const {
  const std::string* value = find(query, name);
  return value != nullptr ? std::string_view(*value) : std::string_view();
}

class HeadParser::Server : public httplib::Server {
 public:
  // Every request counts as answered before the library would look for a handler or a body.
  Server() {
    set_pre_routing_handler([](const httplib::Request&, httplib::Response&) {
      return httplib::Server::HandlerResponse::Handled;
    });
  }

  std::uint16_t read(std::string_view bytes, RequestHead& head) {
    Bytes stream(bytes);
    bool closes = false;
    bool understood = false;
    process_request(stream, false, closes, [&](httplib::Request& request) {
      understood = true;
      head.is_http_1_1 = request.version == "HTTP/1.1";
      head.method = std::move(request.method);
      head.path = std::move(request.path);
      head.query.clear();
      for (auto& [name, value] : request.params) head.query.emplace_back(name, std::move(value));
      head.headers.clear();
      for (auto& [name, value] : request.headers) {
        head.headers.emplace_back(name, std::move(value));
      }
      // Neither is for the library to act upon.
      request.headers.clear();
    });
    head.keep_alive = !closes && !asks_to_close(head.headers);
    if (understood) return 0;
    return stream.status() == 414 ? 414 : 400;
  }
};

HeadParser::HeadParser() : server_(std::make_unique<Server>()) {}
HeadParser::~HeadParser() = default;

std::uint16_t HeadParser::parse(std::string_view bytes, RequestHead& head) {
  if (const std::uint16_t status = problem_of(bytes); status != 0) return status;
  return server_->read(bytes, head);
}

}  // namespace brownout::mock::http
