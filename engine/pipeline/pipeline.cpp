#include "engine/pipeline/pipeline.hpp"

#include <algorithm>

#include "engine/core/check.hpp"
#include "engine/pipeline/layers/adaptive_rate_layer.hpp"
#include "engine/pipeline/layers/breaker_layer.hpp"
#include "engine/pipeline/layers/bulkhead_layer.hpp"
#include "engine/pipeline/layers/cache_layer.hpp"
#include "engine/pipeline/layers/fallback_layer.hpp"
#include "engine/pipeline/layers/hedge_layer.hpp"
#include "engine/pipeline/layers/rate_limit_layer.hpp"
#include "engine/pipeline/layers/retry_layer.hpp"
#include "engine/pipeline/layers/throttle_layer.hpp"
#include "engine/pipeline/layers/timeout_layer.hpp"
#include "engine/pipeline/layers/token_limit_layer.hpp"
#include "engine/pipeline/shared_budget.hpp"
#include "engine/policy/model_windows.hpp"

namespace brownout {
namespace {

std::size_t count_routes(const std::vector<LayerSpec>& layers) {
  std::size_t count = 0;
  for (const LayerSpec& layer : layers) {
    const auto* fallback = std::get_if<FallbackSpec>(&layer);
    if (fallback == nullptr) continue;
    for (const RouteSpec& route : fallback->routes) count += 1 + count_routes(route.pipeline);
  }
  return count;
}

// How long the layer that wants a stored reply longest may have a use for it. All of them store
// under the same key, so each keeps what it stores for the others too.
Duration longest_use(const std::vector<LayerSpec>& layers) {
  Duration longest{0};
  for (const LayerSpec& layer : layers) {
    if (const auto* cache = std::get_if<CacheOptions>(&layer)) {
      longest = std::max(longest, cache->ttl);
    } else if (const auto* fallback = std::get_if<FallbackSpec>(&layer)) {
      longest = std::max(longest, fallback->options.keep_for());
      for (const RouteSpec& route : fallback->routes) {
        longest = std::max(longest, longest_use(route.pipeline));
      }
    }
  }
  return longest;
}

}  // namespace

struct Pipeline::Builder {
  Pipeline& pipeline;
  const std::vector<std::string>& targets;
  const std::vector<TargetId>& target_ids;
  std::uint64_t seed;
  const Pipeline* previous;
  Duration keep_for{};  // of stored replies
  RouteId routes_seen = 0;
  std::vector<std::pair<std::string, SharedBreaker*>> provider_breakers;

  // Builds the layers from `first` on, one inside the other, and what they lead to.
  std::unique_ptr<Node> chain(const std::vector<LayerSpec>& layers, std::size_t first,
                              const Node* parent, RouteId route) {
    if (first == layers.size()) return leaf(parent, route);
    auto node = place(parent, route);
    std::visit([&](const auto& spec) { make_layer(*node, spec); }, layers[first]);
    reserve_frame(*node);
    if (const auto* fallback = std::get_if<FallbackSpec>(&layers[first])) {
      for (const RouteSpec& spec : fallback->routes) {
        node->children.push_back(route_chain(spec, node.get()));
      }
    } else {
      node->children.push_back(chain(layers, first + 1, node.get(), route));
    }
    return node;
  }

  // Numbers routes as Policy::routes() lists them: each before the routes inside it.
  std::unique_ptr<Node> route_chain(const RouteSpec& spec, const Node* parent) {
    const RouteId id = routes_seen++;
    pipeline.routes_.push_back({spec.name, targets[id]});
    return chain(spec.pipeline, 0, parent, id);
  }

  std::unique_ptr<Node> place(const Node* parent, RouteId route) {
    auto node = std::make_unique<Node>();
    node->parent = parent;
    node->depth =
        parent == nullptr ? std::uint16_t{0} : static_cast<std::uint16_t>(parent->depth + 1);
    node->route = route;
    pipeline.depth_ =
        std::max<std::uint16_t>(pipeline.depth_, static_cast<std::uint16_t>(node->depth + 1));
    return node;
  }

  std::unique_ptr<Node> leaf(const Node* parent, RouteId route) {
    auto node = place(parent, route);
    node->name = targets[route] + where(route);
    node->target = target_ids[route];
    node->leaf = pipeline.leaves_++;
    return node;
  }

  std::string where(RouteId route) const {
    return route == no_route ? "" : " in route " + pipeline.routes_[route].name;
  }

  // A frame lies behind its parent's; siblings share the space, since a call is in one at a time.
  void reserve_frame(Node& node) {
    std::size_t offset = 0;
    if (node.parent != nullptr) {
      offset = node.parent->frame_offset + node.parent->layer->frame().size;
    }
    const FrameLayout layout = node.layer->frame();
    offset = (offset + layout.alignment - 1) / layout.alignment * layout.alignment;
    node.frame_offset = static_cast<std::uint32_t>(offset);
    pipeline.frame_bytes_ = std::max(pipeline.frame_bytes_, offset + layout.size);
  }

  std::string breaker_name(const std::string& base) const {
    const auto same = [&](const BreakerInfo& info) {
      return info.name == base || info.name.starts_with(base + "#");
    };
    const auto count = std::count_if(pipeline.breakers_.begin(), pipeline.breakers_.end(), same);
    return count == 0 ? base : base + "#" + std::to_string(count + 1);
  }

  // Routes bound to one provider share its breaker. Where roles have brought breakers of different
  // options to one provider, each kind has its own.
  SharedBreaker& breaker(const BreakerOptions& options, RouteId route) {
    const bool shared = options.scope == BreakerOptions::Scope::provider;
    BROWNOUT_CHECK(!shared || route != no_route);
    std::string base = route == no_route ? "pipeline" : pipeline.routes_[route].name;
    if (shared) {
      base = targets[route].substr(0, targets[route].find('/'));
      for (const auto& [provider, breaker] : provider_breakers) {
        if (provider == base && breaker->options() == options) return *breaker;
      }
    }
    const auto id = static_cast<BreakerId>(pipeline.breakers_.size());
    const std::string name = breaker_name(base);
    SharedBreaker& made =
        *pipeline.shared_breakers_.emplace_back(make_or_keep_breaker(options, id, name));
    pipeline.breakers_.push_back({name, &made.breaker(), route, &made});
    if (shared) provider_breakers.emplace_back(base, &made);
    return made;
  }

  std::shared_ptr<SharedBreaker> make_or_keep_breaker(const BreakerOptions& options, BreakerId id,
                                                      const std::string& name) const {
    std::shared_ptr<SharedBreaker> old;
    if (previous != nullptr) {
      const auto& infos = previous->breakers_;
      const auto found = std::ranges::find(infos, name, &BreakerInfo::name);
      if (found != infos.end()) old = previous->shared_breakers_[found->control->id()];
    }
    if (old != nullptr && old->id() == id && old->options() == options) return old;
    auto made = std::make_shared<SharedBreaker>(options, id, seed, name);
    if (old != nullptr) made->adopt(*old);
    return made;
  }

  std::shared_ptr<SharedBudget> make_or_keep_budget(const BudgetSpec& spec) const {
    if (previous != nullptr) {
      const auto& old = previous->budgets_;
      const auto same = [&](const Budget& budget) {
        return budget.spec.name == spec.name && budget.spec.options == spec.options;
      };
      const auto found = std::ranges::find_if(old, same);
      if (found != old.end()) return found->shared;
    }
    return std::make_shared<SharedBudget>(spec.options);
  }

  SharedBudget* budget(const std::string& name) const {
    if (name.empty()) return nullptr;
    const auto found = std::ranges::find(pipeline.budgets_, name,
                                         [](const Budget& budget) { return budget.spec.name; });
    BROWNOUT_CHECK(found != pipeline.budgets_.end());
    return found->shared.get();
  }

  void make_layer(Node& node, const CacheOptions& options) {
    node.name = "cache" + where(node.route);
    node.layer = std::make_unique<CacheLayer>(options, keep_for);
  }
  void make_layer(Node& node, const FallbackSpec& spec) {
    node.name = "fallback" + where(node.route);
    std::vector<RouteId> routes;  // numbered by route_chain() later
    RouteId next = routes_seen;
    for (const RouteSpec& route : spec.routes) {
      routes.push_back(next);
      next = static_cast<RouteId>(next + 1 + count_routes(route.pipeline));
    }
    node.layer =
        std::make_unique<FallbackLayer>(spec.options, std::move(routes), keep_for, seed, node.name);
  }
  void make_layer(Node& node, const BreakerOptions& options) {
    node.name = "breaker" + where(node.route);
    node.layer = std::make_unique<BreakerLayer>(breaker(options, node.route));
  }
  void make_layer(Node& node, const RetryOptions& options) {
    node.name = "retry" + where(node.route);
    node.layer =
        std::make_unique<RetryLayer>(options, budget(options.budget), node.route, seed, node.name);
  }
  void make_layer(Node& node, const HedgeSpec& spec) {
    node.name = "hedge" + where(node.route);
    node.layer = std::make_unique<HedgeLayer>(spec.options, spec.budget);
  }
  void make_layer(Node& node, const TimeoutOptions& options) {
    node.name = "timeout" + where(node.route);
    node.layer = std::make_unique<TimeoutLayer>(options);
  }
  void make_layer(Node& node, const RateLimitSpec& spec) {
    node.name = "rate_limit" + where(node.route);
    node.layer = std::make_unique<RateLimitLayer>(spec, node.route);
  }
  void make_layer(Node& node, const BulkheadSpec& spec) {
    node.name = "bulkhead" + where(node.route);
    node.layer = std::make_unique<BulkheadLayer>(spec);
  }
  void make_layer(Node& node, const AdaptiveConcurrencySpec& spec) {
    node.name = "adaptive_concurrency" + where(node.route);
    node.layer = std::make_unique<AdaptiveConcurrencyLayer>(spec);
  }
  void make_layer(Node& node, const AdaptiveRateOptions& options) {
    node.name = "adaptive_rate" + where(node.route);
    node.layer = std::make_unique<AdaptiveRateLayer>(options, node.route);
  }
  void make_layer(Node& node, const ThrottleOptions& options) {
    node.name = "throttle" + where(node.route);
    node.layer = std::make_unique<ThrottleLayer>(options, seed, node.name);
  }
  void make_layer(Node& node, const TokenLimitSpec& spec) {
    const bool known = spec.window == 0 && node.route != no_route;
    node.name = "token_limit" + where(node.route);
    node.layer = std::make_unique<TokenLimitLayer>(
        spec.limit, known ? model_window(targets[node.route]) : spec.window);
  }
};

Pipeline::Pipeline(const Policy& policy, const std::vector<std::string>& targets,
                   const std::vector<TargetId>& target_ids, std::uint64_t seed,
                   const Pipeline* previous)
    : deadline_(policy.deadline), holds_output_(policy.commit == Commit::complete) {
  BROWNOUT_CHECK(targets.size() == policy.routes().size());
  BROWNOUT_CHECK(target_ids.size() == targets.size());
  Builder builder{*this, targets, target_ids, seed, previous, longest_use(policy.pipeline), 0, {}};
  for (const BudgetSpec& spec : policy.budgets) {
    budgets_.push_back({spec, builder.make_or_keep_budget(spec)});
  }
  RouteId route = no_route;
  if (policy.main_route) {
    route = builder.routes_seen++;
    routes_.push_back({policy.main_route->name, targets[route]});
  }
  root_ = builder.chain(policy.pipeline, 0, nullptr, route);
  BROWNOUT_CHECK(routes_.size() == targets.size());
}

Pipeline::~Pipeline() = default;

std::vector<Pipeline::BudgetInfo> Pipeline::budgets() const {
  std::vector<BudgetInfo> infos;
  for (const Budget& budget : budgets_) infos.push_back({budget.spec.name, budget.shared.get()});
  return infos;
}

PipelineNames Pipeline::names() const {
  PipelineNames names;
  for (const RouteInfo& route : routes_) names.routes.push_back({route.name, route.target});
  for (const BreakerInfo& info : breakers_) names.breakers.push_back({info.name, info.route});
  return names;
}

}  // namespace brownout
