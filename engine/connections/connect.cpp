#include "engine/connections/connect.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/document_text.hpp"

namespace brownout {
namespace {

std::string provider_of(std::string_view target) {
  return std::string(target.substr(0, target.find('/')));
}

std::string hint(const std::string& provider, const Connections& connections) {
  std::vector<std::string_view> names;
  for (const EndpointOptions& endpoint : connections.endpoints) names.push_back(endpoint.provider);
  return expected_one_of(provider, names);
}

Error unknown(const std::string& target, const Connections& connections) {
  const std::string provider = provider_of(target);
  return {ErrorKind::invalid,
          "the connections have no provider " + brownout::quoted(provider) + " for " +
              brownout::quoted(target) + ": " + hint(provider, connections),
          {}};
}

Errors unknown_providers(const Policy& policy, const Connections& connections,
                         const HttpEndpoints& endpoints, const ClientOptions& options) {
  Errors errors;
  for (const std::string& target : options.targets) {
    if (!endpoints.reaches(target)) errors.push_back(unknown(target, connections));
  }
  if (!options.targets.empty()) return errors;
  for (const RouteSpec* route : policy.routes()) {
    if (route->to.empty() || endpoints.reaches(route->to)) continue;
    Error error = unknown(route->to, connections);
    if (policy.document) error.excerpt = policy.document->excerpt(route->span, "");
    errors.push_back(std::move(error));
  }
  for (const auto& [role, target] : options.roles) {
    if (!endpoints.reaches(target)) errors.push_back(unknown(target, connections));
  }
  return errors;
}

}  // namespace

Result<Client> connect(boost::asio::any_io_executor executor, const Policy& policy,
                       const Connections& connections, ClientOptions options,
                       HttpTransport::OnTrouble on_trouble) {
  auto endpoints = HttpEndpoints::open(connections.endpoints);
  if (!endpoints) return tl::unexpected(std::move(endpoints.error()));
  Errors errors = unknown_providers(policy, connections, **endpoints, options);
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  return Client::make(
      std::move(executor), policy,
      [endpoints = std::move(*endpoints), on_trouble = std::move(on_trouble)](
          AsioRuntime& runtime, const std::vector<std::string>& targets) {
        return std::make_unique<HttpTransport>(runtime, endpoints, targets, on_trouble);
      },
      std::move(options));
}

}  // namespace brownout
