#pragma once

// What the numbers in events are called.

#include <string>
#include <vector>

#include "engine/core/outcome.hpp"

namespace brownout {

/// Names of a pipeline's parts, for observers; Pipeline::names() gives them. They consist of
/// letters, digits and a few signs, none of which metrics or logs have to escape.
struct PipelineNames {
  struct Route {
    std::string name;
    std::string model;  ///< "openai/gpt-4"; empty where it only branches
  };
  struct Breaker {
    std::string name;          ///< unlike that of every other breaker
    RouteId route = no_route;  ///< the innermost route it stands in
  };

  std::vector<Route> routes;      ///< by RouteId
  std::vector<Breaker> breakers;  ///< by BreakerId
};

}  // namespace brownout
