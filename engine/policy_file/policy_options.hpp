#pragma once

// Reads the options of each layer from a policy file. What is absent keeps its default; what is
// wrong becomes a problem with its place.

#include "engine/core/document.hpp"
#include "engine/policy/breaker.hpp"
#include "engine/policy/budget.hpp"
#include "engine/policy/cache.hpp"
#include "engine/policy/fallback.hpp"
#include "engine/policy/hedge.hpp"
#include "engine/policy/retry.hpp"
#include "engine/policy/timeout.hpp"
#include "engine/policy_file/limit_specs.hpp"

namespace brownout {

void read_cache(const Node& node, Problems& problems, CacheOptions& options);
void read_breaker(const Node& node, Problems& problems, BreakerOptions& options);
void read_retry(const Node& node, Problems& problems, RetryOptions& options);
void read_timeout(const Node& node, Problems& problems, TimeoutOptions& options);
void read_hedge(const Node& node, Problems& problems, HedgeOptions& options,
                HedgeBudgetOptions& budget);
void read_rate_limit(const Node& node, Problems& problems, RateLimitSpec& spec);
void read_bulkhead(const Node& node, Problems& problems, BulkheadSpec& spec);
void read_adaptive_concurrency(const Node& node, Problems& problems, AdaptiveConcurrencySpec& spec);
void read_throttle(const Node& node, Problems& problems, ThrottleOptions& options);
void read_adaptive_rate(const Node& node, Problems& problems, AdaptiveRateOptions& options);
void read_token_limit(const Node& node, Problems& problems, TokenLimitSpec& spec);

/// { "quota": … }, { "success_ratio": … } or { "call_share": … }.
void read_budget(const Node& node, Problems& problems, BudgetOptions& options);

/// The shape, bounds and jitter of a retry's waits.
void read_wait(const Node& node, Problems& problems, BackoffOptions& options);

/// The options of a fallback beside its routes. `order` is known when this returns.
void read_fallback_options(ObjectReader& fallback, Problems& problems, FallbackOptions& options);

/// When to take a route: appends to options.routes. Requires: read_fallback_options() has been
/// here.
void read_route_options(ObjectReader& route, Problems& problems, FallbackOptions& options);

/// A list of outcomes, classes and statuses.
void read_outcomes(const Node& node, Problems& problems, OutcomeSet& set);

/// A whole number in [low, high], which lies within what `out` holds.
void read_count(const Node& node, Problems& problems, std::uint32_t& out, std::int64_t low,
                std::int64_t high);

/// A share such as 0.2 as thousandths.
void read_per_mille(const Node& node, Problems& problems, std::uint32_t& per_mille, double most);

}  // namespace brownout
