#pragma once

// Where providers and stores are and how to get in: the file that a policy is shipped beside.
//
// Apart from the policy, because the same policy runs against a mock, a staging account and
// production; and without secrets, because it names environment variables and not their values.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/document.hpp"
#include "engine/core/result.hpp"
#include "engine/store/redis_options.hpp"
#include "engine/transport/http/endpoints.hpp"

namespace brownout {

struct Connections {
  std::string description;
  std::vector<EndpointOptions> endpoints;  ///< by provider, in file order; `ca_file` is a path
  std::optional<RedisOptions> redis;       ///< where stored replies are, when the file says so

  std::unique_ptr<Document> document;  ///< the file, for messages about places in it
};

/// Reads a connections file. Paths in it begin at its folder. Errors: everything wrong with it,
/// each with its place; see the schema in scenarios/schema/connections.schema.json, which accepts
/// the same files. The environment is not looked at, so a file can be checked anywhere.
Result<Connections> load_connections(const std::string& path);
Result<Connections> parse_connections(std::string name, std::string text);

/// URLs that are likely to lead nowhere, as they end in what their dialect adds: warnings, each
/// with its place, and without the URL.
Problems find_traps(const Connections& connections);

}  // namespace brownout
