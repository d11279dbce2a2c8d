#pragma once

// A policy, built: the tree of layers that calls ride through.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/pipeline/layer.hpp"
#include "engine/policy_file/policy.hpp"
#include "engine/telemetry/names.hpp"

namespace brownout {

class Breaker;
class SharedBreaker;
class SharedBudget;

/// A place in the tree. Leaves have no layer: there the driver starts an attempt.
struct PipelineNode {
  std::unique_ptr<Layer> layer;
  std::string name;  ///< "retry in route gpt-4"
  const PipelineNode* parent = nullptr;
  std::vector<std::unique_ptr<PipelineNode>> children;
  std::uint32_t frame_offset = 0;
  std::uint16_t depth = 0;
  std::uint16_t leaf = 0;    ///< for leaves: their number
  RouteId route = no_route;  ///< the innermost route this stands in
  TargetId target = 0;       ///< for leaves
};

/// *Ownership*: owns its layers and their shared state. *Threads*: engines on several threads may
/// share it: then all of them together keep to its limits, and its breakers see all their calls.
/// *Determinism*: layers draw from families named by `seed` and their place in the tree.
class Pipeline {
 public:
  using Node = PipelineNode;

  struct RouteInfo {
    std::string name;
    std::string target;  ///< "provider/model" it is bound to
  };
  struct BreakerInfo {
    std::string name;  ///< its route's, its provider's when it is shared by its routes, "pipeline"
                       ///< outside any; "name#2" for a second one of that name
    const Breaker* breaker = nullptr;  ///< to look at, while no call is under way elsewhere
    RouteId route = no_route;          ///< the innermost route it stands in; the first, if several
    SharedBreaker* control = nullptr;  ///< to isolate, close and ask, at any time
  };
  struct BudgetInfo {
    std::string name;
    const SharedBudget* budget = nullptr;  ///< its level may be read on any thread
  };

  /// Builds the tree of a validated policy. `targets[i]` is where route i goes, and
  /// `target_ids[i]` its number at the transport, in the order of Policy::routes().
  ///
  /// With a `previous` pipeline, whose calls may go on, this one takes its place (Engine::reload):
  /// breakers and budgets of the same name and options are the same ones, so that calls of both
  /// count; a breaker whose options have changed goes on in the old one's state.
  Pipeline(const Policy& policy, const std::vector<std::string>& targets,
           const std::vector<TargetId>& target_ids, std::uint64_t seed,
           const Pipeline* previous = nullptr);
  ~Pipeline();

  const Node& root() const { return *root_; }
  Duration deadline() const { return deadline_; }
  bool holds_output() const { return holds_output_; }  ///< see Limits::hold_output
  const std::vector<RouteInfo>& routes() const { return routes_; }
  const std::vector<BreakerInfo>& breakers() const { return breakers_; }
  std::vector<BudgetInfo> budgets() const;  ///< in the order of the policy

  /// What observers call the routes and breakers that events refer to by number.
  PipelineNames names() const;

  std::size_t frame_bytes() const { return frame_bytes_; }
  std::uint16_t depth() const { return depth_; }
  std::uint16_t leaves() const { return leaves_; }

 private:
  struct Builder;

  Duration deadline_;
  bool holds_output_;
  struct Budget {
    BudgetSpec spec;
    std::shared_ptr<SharedBudget> shared;
  };
  std::vector<Budget> budgets_;
  std::vector<std::shared_ptr<SharedBreaker>> shared_breakers_;  // by BreakerId
  std::unique_ptr<Node> root_;
  std::vector<RouteInfo> routes_;
  std::vector<BreakerInfo> breakers_;
  std::size_t frame_bytes_ = 0;
  std::uint16_t depth_ = 0;  // of the deepest node, plus one
  std::uint16_t leaves_ = 0;
};

}  // namespace brownout
