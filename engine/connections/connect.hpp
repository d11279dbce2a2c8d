#pragma once

// A client of real providers, from a policy and a connections file:
//
//     auto connections = load_connections("connections.json");
//     auto client = connect(context.get_executor(), *policy, *connections,
//                           {.executor_is_serial = true});

#include <boost/asio/any_io_executor.hpp>

#include "engine/client/client.hpp"
#include "engine/connections/connections.hpp"
#include "engine/core/result.hpp"
#include "engine/policy_file/policy.hpp"
#include "engine/transport/http/http_transport.hpp"

namespace brownout {

/// Makes a client whose attempts go out over HTTP. Errors: as Client::make(); a route to a provider
/// that the connections do not know, with the nearest that they do; an environment variable that is
/// not set, by name. Nothing is asked of the network.
///
/// `options.store` is the caller's to fill: RedisStore takes `connections.redis`. `on_trouble` is
/// called on every shard's thread.
Result<Client> connect(boost::asio::any_io_executor executor, const Policy& policy,
                       const Connections& connections, ClientOptions options = {},
                       HttpTransport::OnTrouble on_trouble = {});

}  // namespace brownout
