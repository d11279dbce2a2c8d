#include "mockserver/http/sockets.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>

namespace brownout::mock::http {
namespace {

// The system caps it (net.core.somaxconn). cpp-httplib as Debian compiles it says 5, and whoever
// comes sixth in a burst waits a second for the retransmission of his SYN.
constexpr int backlog = 4096;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

bool parse_address(const std::string& host, std::uint16_t port, Address& out) {
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.size = sizeof v4;
    return true;
  }
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.size = sizeof v6;
    return true;
  }
  return false;
}

std::uint16_t port_of(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return 0;
  // The port lies at the same place in both families.
  sockaddr_in v4{};
  std::memcpy(&v4, &storage, sizeof v4);
  return ntohs(v4.sin_port);
}

tl::unexpected<Errors> failed(const std::string& what) {
  return fail(ErrorKind::environment, fmt::format("{}: {}", what, std::strerror(errno)));
}

std::string place(const std::string& host, std::uint16_t port) {
  return fmt::format("cannot listen at {} port {}", host, port);
}

// A socket that has the address, and does not listen.
Result<Descriptor> bind_to(const Address& address, const std::string& what) {
  Descriptor socket(
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return failed(what);
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) !=
      0) {
    return failed(what);
  }
  return socket;
}

Moved moved_nothing() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Moved::nothing_yet
                                                                   : Moved::ended;
}

}  // namespace

void Descriptor::close() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

Result<Listener> listen_at(const std::string& host, std::uint16_t port) {
  Address address;
  if (!parse_address(host, port, address)) {
    return fail(
        ErrorKind::environment,
        fmt::format("\"{}\" is not an address to listen at, such as 127.0.0.1 or ::1", host));
  }
  auto socket = bind_to(address, place(host, port));
  if (!socket) return tl::unexpected(std::move(socket.error()));
  if (::listen(socket->get(), backlog) != 0) return failed(place(host, port));
  Listener listener{.socket = std::move(*socket), .host = host, .port = 0, .url = {}};
  listener.port = port_of(listener.socket.get());
  const bool v6 = address.storage.ss_family == AF_INET6;
  listener.url = v6 ? fmt::format("http://[{}]:{}", host, listener.port)
                    : fmt::format("http://{}:{}", host, listener.port);
  return listener;
}

Result<void> stop_listening(Listener& listener) {
  Address address;
  parse_address(listener.host, listener.port, address);
  listener.socket.close();
  auto socket = bind_to(address, place(listener.host, listener.port) + " again");
  if (!socket) return tl::unexpected(std::move(socket.error()));
  listener.socket = std::move(*socket);
  return {};
}

Result<void> listen_again(Listener& listener) {
  if (::listen(listener.socket.get(), backlog) == 0) return {};
  return failed(place(listener.host, listener.port) + " again");
}

std::size_t raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

Duration real_now() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

SystemTime calendar_at_zero() {
  return SystemTime{std::chrono::system_clock::now()} - real_now();
}

Result<void> Poller::open() {
  epoll_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  wake_ = Descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!epoll_.is_open() || !wake_.is_open()) return failed("cannot wait for connections");
  add(wake_.get(), EPOLLIN, wake_tag);
  return {};
}

void Poller::add(int descriptor, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event);
}

void Poller::change(int descriptor, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, descriptor, &event);
}

std::span<const epoll_event> Poller::wait(std::span<epoll_event> room, Duration patience) {
  const std::int64_t ns = std::max<std::int64_t>(patience.count(), 0);
  const timespec timeout{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  const int count =
      ::epoll_pwait2(epoll_.get(), room.data(), static_cast<int>(room.size()), &timeout, nullptr);
  return room.first(static_cast<std::size_t>(std::max(count, 0)));
}

void Poller::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void Poller::take_wake() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto read = ::read(wake_.get(), &count, sizeof count);
}

Moved send_some(int socket, const char* from, std::size_t size, std::size_t& moved) {
  const ssize_t sent = ::send(socket, from, size, MSG_NOSIGNAL);
  moved = sent > 0 ? static_cast<std::size_t>(sent) : 0;
  return sent >= 0 ? Moved::some : moved_nothing();
}

Moved receive_some(int socket, char* to, std::size_t size, std::size_t& moved) {
  const ssize_t received = ::recv(socket, to, size, 0);
  moved = received > 0 ? static_cast<std::size_t>(received) : 0;
  if (received == 0) return Moved::ended;
  return received > 0 ? Moved::some : moved_nothing();
}

void reset_on_close(int socket) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void send_fin(int socket) {
  ::shutdown(socket, SHUT_WR);
}

}  // namespace brownout::mock::http
