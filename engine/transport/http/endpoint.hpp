#pragma once

// An endpoint made ready. Included by the transport's own sources; not for use elsewhere.

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "engine/transport/http/endpoints.hpp"

namespace brownout {

struct HttpEndpoints::Endpoint {
  EndpointOptions options;
  std::string host;  // a name or an address, without brackets
  std::uint16_t port = 0;
  std::vector<std::string> heads;                  // of a request, by credential; see head()
  std::shared_ptr<boost::asio::ssl::context> tls;  // null: none
};

}  // namespace brownout
