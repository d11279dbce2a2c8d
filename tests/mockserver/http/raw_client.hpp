#pragma once

// A server in a thread of its own, and clients that speak to it byte by byte.

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "mockserver/http/server.hpp"
#include "tests/mockserver/scripts.hpp"

namespace brownout::mock::http::testing {

using namespace std::chrono_literals;
using mock::testing::Scene;

/// Everything on one model is twenty times as fast as `steady`: the first token after 5 ms, errors
/// after 2.5 ms.
class TestServer {
 public:
  explicit TestServer(const Scene& scene = {}, ServerLimits limits = {}, double speed = 20)
      : script_(mock::testing::load(mock::testing::providers_json(scene),
                                    mock::testing::hour_json(scene), 1h)) {
    ServerOptions options;
    options.scenario = "test";
    options.session.script = &script_;
    options.session.speed = speed;
    options.limits = limits;
    auto server = Server::listen(options);
    EXPECT_TRUE(server.has_value());
    server_ = std::move(*server);
    thread_ = std::thread([this] { server_->run(); });
  }
  ~TestServer() { stop(); }

  void stop() {
    server_->stop();
    if (thread_.joinable()) thread_.join();
  }
  std::uint16_t port() const { return server_->port(); }
  /// Requires: stopped.
  const Server& server() const { return *server_; }

 private:
  Script script_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

/// How a connection was found to have ended.
enum class End { open, fin, rst };

/// One connection. Whatever takes longer than ten seconds fails.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  RawClient(RawClient&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient() { close(); }

  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // the server may have enough
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  /// Everything until the connection ends, which `end` then tells.
  std::string read_all(End& end) {
    std::string text;
    while (read_some(text)) {
    }
    end = end_;
    return text;
  }
  std::string read_all() {
    End ignored{};
    return read_all(ignored);
  }

  /// One reply with a content-length, or a chunked one as it is.
  std::string read_reply() {
    while (!is_whole(buffer_)) {
      if (!read_some(buffer_)) break;
    }
    return std::exchange(buffer_, {});
  }

  /// Reads until the text contains that.
  std::string read_until(std::string_view mark) {
    while (buffer_.find(mark) == std::string::npos) {
      if (!read_some(buffer_)) break;
    }
    return buffer_;
  }

  std::string read_until_silent_for(std::chrono::milliseconds time) {
    while (!is_silent_for(time) && read_some(buffer_)) {
    }
    return buffer_;
  }

  /// Whether nothing comes for so long, neither bytes nor an end.
  bool is_silent_for(std::chrono::milliseconds time) const {
    pollfd poll{.fd = socket_, .events = POLLIN, .revents = 0};
    return ::poll(&poll, 1, static_cast<int>(time.count())) == 0;
  }

 private:
  static bool is_whole(std::string_view text) {
    const std::size_t head = text.find("\r\n\r\n");
    if (head == std::string_view::npos) return false;
    if (text.substr(0, head).find("transfer-encoding: chunked") != std::string_view::npos) {
      return text.ends_with("\r\n0\r\n\r\n");
    }
    const std::size_t at = text.find("content-length: ");
    if (at == std::string_view::npos || at > head) return false;
    return text.size() >= head + 4 + std::stoul(std::string(text.substr(at + 16, 12)));
  }

  bool read_some(std::string& to) {
    char bytes[4096];
    const ssize_t received = ::recv(socket_, bytes, sizeof bytes, 0);
    if (received > 0) {
      to.append(bytes, static_cast<std::size_t>(received));
      return true;
    }
    if (received == 0) end_ = End::fin;
    if (received < 0 && errno == ECONNRESET) end_ = End::rst;
    EXPECT_TRUE(received == 0 || errno == ECONNRESET) << "nothing comes any more";
    return false;
  }

  int socket_;
  End end_ = End::open;
  std::string buffer_;
};

inline std::string http(std::string_view method, std::string_view path, std::string_view body,
                        std::string_view more = "") {
  return fmt::format("{} {} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{}\r\n{}", method, path,
                     body.size(), more, body);
}

inline constexpr std::string_view key = "authorization: Bearer k\r\n";

/// A chat completion of `tokens` tokens.
inline std::string chat(bool stream = false, int tokens = 5, std::string_view more = "",
                        std::string_view text = "hi") {
  const std::string body = fmt::format(
      R"({{"model":"gpt-4","stream":{},"messages":[{{"role":"user","content":"{}"}}]}})", stream,
      text);
  return http("POST", "/v1/chat/completions", body,
              fmt::format("{}x-brownout-output-tokens: {}\r\n{}", key, tokens, more));
}

inline int open_files() {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    count += entry.path().empty() ? 0 : 1;
  }
  return count;
}

}  // namespace brownout::mock::http::testing
