#pragma once

// The admin API under /__brownout/: docs/reference/serve.md.

#include <cstdint>
#include <string>
#include <string_view>

#include "mockserver/http/request_head.hpp"
#include "mockserver/http/server.hpp"
#include "mockserver/http/session.hpp"

namespace brownout::mock::http {

struct AdminReply {
  std::uint16_t status = 200;
  std::string_view content_type = "application/json";
  std::string body{};
};

/// What the admin API tells of the server as a whole.
struct ServerState {
  std::string_view scenario;
  ServerCounts counts;
  std::size_t connections = 0;  ///< open now
  std::size_t sessions = 0;
  bool is_refusing = false;  ///< connections: an outage of every model
};

bool is_admin(std::string_view path);

/// Answers a request to the admin API about `session`, whatever its path.
AdminReply administer(const RequestHead& head, std::string_view body, Session& session,
                      const ServerState& state, Duration real_now);

}  // namespace brownout::mock::http
