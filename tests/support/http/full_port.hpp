#pragma once

// A port that neither takes nor refuses connections.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "engine/core/check.hpp"

namespace brownout::testing {

/// Listens with the shortest queue there is, which is full: Linux drops what else knocks, as a
/// firewall would, and the caller asks again and again until it gives up.
class FullPort {
 public:
  FullPort() : listener_(open_socket()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    BROWNOUT_CHECK(::bind(listener_, any, length) == 0);
    BROWNOUT_CHECK(::getsockname(listener_, any, &length) == 0);
    BROWNOUT_CHECK(::listen(listener_, 0) == 0);
    port_ = ntohs(address.sin_port);
    for (int& one : waiting_) {
      one = open_socket();
      ::fcntl(one, F_SETFL, O_NONBLOCK);
      ::connect(one, any, length);
    }
  }
  FullPort(const FullPort&) = delete;
  FullPort& operator=(const FullPort&) = delete;
  ~FullPort() {
    for (const int one : waiting_) ::close(one);
    ::close(listener_);
  }

  std::uint16_t port() const { return port_; }

 private:
  static int open_socket() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    BROWNOUT_CHECK(socket >= 0);
    return socket;
  }

  int listener_;
  std::uint16_t port_ = 0;
  std::array<int, 4> waiting_{};
};

}  // namespace brownout::testing
