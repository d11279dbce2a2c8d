// Alone, because Linux's own tcp.h and the C library's, which Asio includes, do not go together.

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace brownout::http {

std::optional<std::uint64_t> acknowledged_bytes(int socket) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return std::nullopt;
  constexpr std::size_t end = offsetof(tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked;
  if (length < end) return std::nullopt;
  return info.tcpi_bytes_acked;
}

}  // namespace brownout::http
