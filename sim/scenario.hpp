#pragma once

// A scenario file, loaded: the world, what happens in it, who calls, and what is expected.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/document.hpp"
#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "engine/pipeline/pipeline.hpp"
#include "engine/policy_file/policy.hpp"
#include "mockserver/script.hpp"
#include "sim/expectation.hpp"
#include "sim/scripted_store.hpp"
#include "sim/workload.hpp"

namespace brownout::sim {

struct Scenario {
  std::string path;
  std::string name;
  std::string description;
  std::string source;
  Duration duration{};
  SystemTime starts_at{};  ///< calendar time at Instant{}; 1970 unless the file says
  std::uint64_t seed = 1;
  std::vector<std::pair<std::string, std::string>> roles;  ///< role, "provider/model"
  mock::Script script;
  mock::Distribution network_latency;  ///< one way, between engine and provider
  StoreSpec store;
  WorkloadSpec workload;
  std::string
      policy_path;  ///< as the scenario file gives it, resolved against its folder; may be empty
  std::vector<Expectation> expectations;
  std::unique_ptr<Document> document;

  /// The target of a role, or null.
  const std::string* role(std::string_view name) const;
};

/// Reads a scenario file. Errors: everything wrong with it, each with its place; the schema in
/// scenarios/schema/scenario.schema.json accepts the same files.
Result<Scenario> load_scenario(const std::string& path);

/// The same for text in memory; `path` names it and anchors relative paths.
Result<Scenario> parse_scenario(std::string path, std::string text);

/// "route=provider/model", from the command line.
struct Binding {
  std::string route;
  std::string target;
};

/// Where each route of a policy goes in this scenario, by RouteId.
struct BoundPolicy {
  std::vector<std::string> routes;    ///< their names
  std::vector<std::string> breakers;  ///< their names, by BreakerId
  std::vector<std::string> targets;
  std::vector<TargetId> target_ids;  ///< index of the model in the script; no_target for routes
                                     ///< that only branch
  std::vector<std::size_t> inapplicable;  ///< expectations about routes it lacks, ascending
};

/// What becomes of an expectation about a route or breaker that the policy does not have.
enum class ForeignRoutes : std::uint8_t {
  refuse,  ///< an error: most likely a slip
  ignore,  ///< it is not judged: policies that name their routes otherwise are to be compared
};

/// Finds a target for every route: by an explicit binding, else the model it names if the scenario
/// has it, else the model of its role. Errors: invalid, pointing at the route, the binding or the
/// expectation.
Result<BoundPolicy> bind(const Scenario& scenario, const Policy& policy,
                         const std::vector<Binding>& bindings,
                         ForeignRoutes foreign = ForeignRoutes::refuse);

}  // namespace brownout::sim
