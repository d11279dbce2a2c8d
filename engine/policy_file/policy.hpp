#pragma once

// A policy as its author wrote it: plain data, validated, not yet bound to providers.

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "engine/core/document.hpp"
#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "engine/policy/breaker.hpp"
#include "engine/policy/budget.hpp"
#include "engine/policy/cache.hpp"
#include "engine/policy/fallback.hpp"
#include "engine/policy/hedge.hpp"
#include "engine/policy/retry.hpp"
#include "engine/policy/timeout.hpp"
#include "engine/policy_file/limit_specs.hpp"

namespace brownout {

struct RouteSpec;

struct FallbackSpec {
  FallbackOptions options;
  std::vector<RouteSpec> routes;
};

struct HedgeSpec {
  HedgeOptions options;
  HedgeBudgetOptions budget;
};

/// One layer and its options, outermost first in a pipeline.
using LayerSpec =
    std::variant<CacheOptions, FallbackSpec, BreakerOptions, RetryOptions, TimeoutOptions,
                 HedgeSpec, RateLimitSpec, BulkheadSpec, AdaptiveConcurrencySpec, ThrottleOptions,
                 TokenLimitSpec, AdaptiveRateOptions>;

/// A way to a model. Leads to "provider/model", to "role:NAME", or to the first with the second as
/// what to use in worlds that lack it.
struct RouteSpec {
  std::string name;
  std::string to;    ///< "provider/model"; empty when only a role is given
  std::string role;  ///< without "role:"; may be empty
  Span span;         ///< of `to` in the file, for messages about binding
  std::vector<LayerSpec> pipeline;
};

/// A retry budget, shared by the layers that name it.
struct BudgetSpec {
  std::string name;
  BudgetOptions options;
};

/// When a streamed reply is the caller's, after which no retry or fallback may start again.
enum class Commit : std::uint8_t {
  first_token,  ///< as soon as the caller has been handed output (default)
  complete,  ///< at its end: output is held until then, so that a broken stream can be tried again
};

struct Policy {
  std::string name;
  std::string description;
  Duration deadline = forever;  ///< of a whole call
  Commit commit = Commit::first_token;
  std::vector<BudgetSpec> budgets;
  std::vector<LayerSpec> pipeline;

  /// Where the pipeline ends when no fallback says so; its name is "main" unless the file says
  /// else.
  std::unique_ptr<RouteSpec> main_route;

  std::unique_ptr<Document> document;  ///< the file, for messages about places in it

  /// All routes, in file order, those inside routes included.
  std::vector<const RouteSpec*> routes() const;
};

/// Reads a policy file. Errors: everything wrong with it, each with its place; see the schema in
/// scenarios/schema/policy.schema.json, which accepts the same files.
Result<Policy> load_policy(const std::string& path);
Result<Policy> parse_policy(std::string name, std::string text);

/// One line per layer, indented, with effective settings.
std::string describe(const Policy& policy);

}  // namespace brownout
