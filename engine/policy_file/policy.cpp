#include "engine/policy_file/policy.hpp"

#include <fmt/format.h>

#include "engine/policy_file/describe_breaker.hpp"

namespace brownout {
namespace {

void collect(const std::vector<LayerSpec>& layers, std::vector<const RouteSpec*>& routes) {
  for (const LayerSpec& layer : layers) {
    const auto* fallback = std::get_if<FallbackSpec>(&layer);
    if (fallback == nullptr) continue;
    for (const RouteSpec& route : fallback->routes) {
      routes.push_back(&route);
      collect(route.pipeline, routes);
    }
  }
}

std::string bound(std::string_view name, Duration value) {
  return value == forever ? std::string{} : fmt::format(" {} {}", name, format_duration(value));
}

std::string hint(const HintOptions& options) {
  const std::string beyond = options.above_cap == AboveCap::stop    ? ", stop above "
                             : options.above_cap == AboveCap::clamp ? ", at most "
                                                                    : ", ignored above ";
  const std::string cap = beyond + format_duration(options.cap);
  std::string of = options.of == OutcomeSet::any() ? "" : ", read of " + options.of.to_string();
  if (options.required_of != OutcomeSet::none()) {
    of += ", required of " + options.required_of.to_string();
  }
  switch (options.policy) {
    case HintPolicy::ignore:
      return "";
    case HintPolicy::verbatim:
      return ", retry-after instead" + cap + of;
    case HintPolicy::at_least:
      return ", at least retry-after" + cap + of;
    case HintPolicy::stretch:
      return ", retry-after up to " + format_duration(options.stretch_by) + " more" + of;
  }
  return "";
}

std::string waits(const RetryOptions& options) {
  std::string text = ", wait " + describe(options.wait);
  for (const SpecialWait& special : options.special_waits) {
    text += " (" + describe(special.wait) + " after " + special.on.to_string() + ")";
  }
  return text;
}

std::string_view should_retry(ObeyShouldRetry obey) {
  switch (obey) {
    case ObeyShouldRetry::ignore:
      return ", whatever x-should-retry says";
    case ObeyShouldRetry::when_false:
      return "";
    case ObeyShouldRetry::always:
      return " or if x-should-retry says so";
  }
  return "";
}

struct BudgetDescriber {
  std::string operator()(const QuotaOptions& options) const {
    return fmt::format("quota of {}: retry {}, after a timeout {}, throttled {}; success {}{}",
                       options.capacity, options.retry_cost, options.timeout_cost,
                       options.throttled_cost, options.success_gain,
                       options.refund_on_success ? " or a refund" : "");
  }
  std::string operator()(const SuccessRatioOptions& options) const {
    return fmt::format("success ratio {} of {} tokens", options.token_ratio * 1e-3,
                       options.max_tokens);
  }
  std::string operator()(const CallShareOptions& options) const {
    return fmt::format("{} of the calls of {}, at least {}/s", options.share * 1e-3,
                       format_duration(options.window), options.floor_per_second);
  }
};

struct Describer {
  std::string text;
  int indent = 0;

  void line(std::string_view content) { text += fmt::format("{:{}}{}\n", "", indent, content); }

  void layers(const std::vector<LayerSpec>& specs) {
    indent += 2;
    for (const LayerSpec& spec : specs) std::visit(*this, spec);
    indent -= 2;
  }

  void operator()(const CacheOptions& options) {
    line(fmt::format("cache: ttl {}{}", format_duration(options.ttl),
                     options.single_flight ? ", single-flight" : ""));
  }
  void operator()(const TimeoutOptions& options) {
    line("timeout:" + bound("attempt", options.attempt) + bound("connect", options.connect) +
         bound("first token", options.first_token) + bound("idle", options.idle) +
         bound("total", options.total));
  }
  void operator()(const HedgeSpec& spec) {
    const HedgeOptions& options = spec.options;
    const std::string delay =
        options.kind == HedgeOptions::Delay::fixed
            ? format_duration(options.delay)
            : fmt::format("the {} quantile of {} ({} to {}, from {} samples on)",
                          options.per_mille * 1e-3, format_duration(options.samples.window),
                          format_duration(options.floor), format_duration(options.ceiling),
                          options.samples.min_samples);
    line(fmt::format("hedge: {} more after {}, {}, on {}; budget {} per 100 calls, {} at once{}",
                     options.max_hedges, delay,
                     options.on_failure == HedgeOptions::OnFailure::hedge_at_once
                         ? "at once after a failure"
                         : "not after a failure",
                     options.on.to_string(), spec.budget.percent, spec.budget.burst,
                     spec.budget.floor_per_minute == 0
                         ? ""
                         : fmt::format(", {} per minute anyway", spec.budget.floor_per_minute)));
  }
  void operator()(const RetryOptions& options) {
    line(fmt::format("retry: {} attempts{}{}{}{}, on {}",
                     options.max_attempts == 0 ? "unbounded" : std::to_string(options.max_attempts),
                     bound("within", options.give_up_after), waits(options), hint(options.hint),
                     options.budget.empty() ? "" : ", budget " + options.budget,
                     options.on.to_string()) +
         std::string(should_retry(options.hint.obey_should_retry)));
  }
  void operator()(const BreakerOptions& options) { line("breaker: " + describe(options)); }
  void operator()(const RateLimitSpec& spec) { line(describe(spec)); }
  void operator()(const BulkheadSpec& spec) { line(describe(spec)); }
  void operator()(const AdaptiveConcurrencySpec& spec) { line(describe(spec)); }
  void operator()(const ThrottleOptions& options) { line(describe(options)); }
  void operator()(const AdaptiveRateOptions& options) { line(describe(options)); }
  void operator()(const TokenLimitSpec& spec) { line(describe(spec)); }
  void operator()(const FallbackSpec& spec) {
    const FallbackOptions& options = spec.options;
    const bool weighted = options.order == FallbackOptions::Order::weighted;
    line("fallback: on " + options.on.to_string() + (weighted ? ", drawn by weight" : "") +
         (options.max_routes < spec.routes.size()
              ? fmt::format(", at most {} of the routes", options.max_routes)
              : ""));
    indent += 2;
    for (std::size_t i = 0; i < spec.routes.size(); ++i) {
      const RouteSpec& route = spec.routes[i];
      const FallbackRoute& rule = options.routes[i];
      line(fmt::format("route {} to {}{}{}", route.name,
                       route.to.empty() ? "role:" + route.role : route.to,
                       weighted ? fmt::format(", weight {}", rule.weight) : "",
                       rule.only_for ? ", only for " + rule.only_for->to_string() : ""));
      layers(route.pipeline);
    }
    if (options.wait_at_most) {
      line("when all refuse, a wait of at most " + format_duration(*options.wait_at_most));
    }
    if (options.cached) {
      line("then a cached reply up to " + format_duration(options.cached_ttl) + " old" +
           (options.cached_stale > options.cached_ttl
                ? ", a stale one up to " + format_duration(options.cached_stale)
                : ""));
    }
    if (spec.options.default_reply) line("then the default reply " + *spec.options.default_reply);
    indent -= 2;
  }
};

}  // namespace

std::vector<const RouteSpec*> Policy::routes() const {
  std::vector<const RouteSpec*> found;
  if (main_route) found.push_back(main_route.get());
  collect(pipeline, found);
  return found;
}

std::string describe(const Policy& policy) {
  Describer describer;
  describer.line("policy " + policy.name + bound("deadline", policy.deadline) +
                 (policy.commit == Commit::complete ? ", streams are held until complete" : ""));
  for (const BudgetSpec& budget : policy.budgets) {
    describer.line("  budget " + budget.name + ": " +
                   std::visit(BudgetDescriber{}, budget.options));
  }
  describer.layers(policy.pipeline);
  if (policy.main_route) {
    const RouteSpec& route = *policy.main_route;
    describer.line("  to " + (route.to.empty() ? "role:" + route.role : route.to));
  }
  return describer.text;
}

}  // namespace brownout
