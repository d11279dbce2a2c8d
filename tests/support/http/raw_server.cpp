#include "tests/support/http/raw_server.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "engine/core/check.hpp"

namespace brownout::testing {
namespace {

struct Bound {
  int socket;
  std::uint16_t port;
};

Bound bind_loopback() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  BROWNOUT_CHECK(socket >= 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  BROWNOUT_CHECK(::bind(socket, any, length) == 0);
  BROWNOUT_CHECK(getsockname(socket, any, &length) == 0);
  return {socket, ntohs(address.sin_port)};
}

std::size_t content_length(std::string head) {
  std::ranges::transform(head, head.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto at = head.find("content-length:");
  return at == head.npos ? 0 : std::strtoul(head.c_str() + at + 15, nullptr, 10);
}

}  // namespace

Peer::~Peer() {
  close();
}

std::string Peer::read(std::size_t bytes) {
  while (read_.size() < bytes) {
    char buffer[65536];
    const auto got = ::recv(socket_, buffer, sizeof buffer, 0);
    if (got <= 0) break;
    read_.append(buffer, static_cast<std::size_t>(got));
  }
  const std::string given = read_.substr(0, bytes);
  read_.erase(0, given.size());
  return given;
}

std::optional<Peer::Request> Peer::read_request() {
  Request request;
  while (!request.head.ends_with("\r\n\r\n")) {
    const std::string byte = read(1);
    if (byte.empty()) return std::nullopt;
    request.head += byte;
  }
  const std::size_t length = content_length(request.head);
  request.body = read(length);
  if (request.body.size() < length) return std::nullopt;
  return request;
}

bool Peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void Peer::abort() {
  const std::lock_guard lock(mutex_);
  if (socket_ >= 0) ::shutdown(socket_, SHUT_RDWR);
}

void Peer::close() {
  const std::lock_guard lock(mutex_);
  if (socket_ < 0) return;
  ::close(socket_);
  socket_ = -1;
}

void Peer::half_close() {
  ::shutdown(socket_, SHUT_WR);
}

void Peer::reset() {
  const linger at_once{1, 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

bool Peer::sees_close(std::chrono::milliseconds within) {
  if (socket_ < 0) return true;
  const auto until = std::chrono::steady_clock::now() + within;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd wanted{socket_, POLLIN, 0};
    if (::poll(&wanted, 1, static_cast<int>(left.count())) <= 0) return false;
    char buffer[65536];
    if (::recv(socket_, buffer, sizeof buffer, 0) <= 0) return true;
  }
}

RawServer::RawServer(std::function<void(Peer&)> serve) : serve_(std::move(serve)) {
  const Bound bound = bind_loopback();
  listener_ = bound.socket;
  port_ = bound.port;
  BROWNOUT_CHECK(::listen(listener_, 4096) == 0);
  acceptor_ = std::thread([this] { accept_all(); });
}

RawServer::~RawServer() {
  ending_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  {
    const std::lock_guard lock(mutex_);
    for (const auto& peer : peers_) peer->abort();
  }
  for (std::thread& thread : threads_) thread.join();
}

void RawServer::accept_all() {
  while (!ending_) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    const int one = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const auto peer = std::make_shared<Peer>(socket, accepted_++);
    const std::lock_guard lock(mutex_);
    peers_.push_back(peer);
    threads_.emplace_back([this, peer] {
      serve_(*peer);
      peer->close();
    });
  }
}

std::uint16_t closed_port() {
  const Bound bound = bind_loopback();
  ::close(bound.socket);
  return bound.port;
}

std::string answer(int status, std::string_view body, std::string_view headers) {
  return fmt::format("HTTP/1.1 {} Some Reason\r\n{}content-length: {}\r\n\r\n{}", status, headers,
                     body.size(), body);
}

std::string stream_head(std::string_view headers) {
  return fmt::format("HTTP/1.1 200 OK\r\n{}transfer-encoding: chunked\r\n\r\n", headers);
}

std::string chunk(std::string_view bytes) {
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

}  // namespace brownout::testing
