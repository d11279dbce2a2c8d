// What a policy file says is what the options become, and what describe() tells.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "engine/policy_file/policy.hpp"
#include "tests/support/engine/stage.hpp"
#include "tests/support/golden.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;

template <class Options>
Options only_layer(const std::string& json) {
  const Policy policy = policy_of("[" + json + "]");
  EXPECT_EQ(policy.pipeline.size(), 1U);
  if (policy.pipeline.size() != 1) return {};
  const auto* options = std::get_if<Options>(&policy.pipeline.front());
  EXPECT_NE(options, nullptr) << json;
  return options != nullptr ? *options : Options{};
}

TEST(PolicyFile, ReadsTheHead) {
  const auto policy = parse_policy("test.json", R"({
      "$schema": "x", "kind": "policy", "version": 1, "name": "a.b-c_1", "description": "why",
      "source": "where", "deadline": "1m30s", "route": "gpt-4", "to": "openai/gpt-4",
      "role": "primary", "pipeline": [] })");
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->name, "a.b-c_1");
  EXPECT_EQ(policy->description, "why");
  EXPECT_EQ(policy->deadline, 90s);
  ASSERT_TRUE(policy->main_route);
  EXPECT_EQ(policy->main_route->name, "gpt-4");
  EXPECT_EQ(policy->main_route->to, "openai/gpt-4");
  EXPECT_EQ(policy->main_route->role, "primary");
  EXPECT_TRUE(policy->pipeline.empty());
}

TEST(PolicyFile, TheHeadsDefaultsAreNoDeadlineAndARouteCalledMain) {
  const Policy policy = policy_of("[]", R"("to": "role:primary")");
  EXPECT_EQ(policy.deadline, forever);
  EXPECT_EQ(policy.main_route->name, "main");
  EXPECT_EQ(policy.main_route->to, "");
  EXPECT_EQ(policy.main_route->role, "primary");
}

TEST(PolicyFile, ReadsACache) {
  const auto options =
      only_layer<CacheOptions>(R"({ "cache": { "ttl": "5m", "single_flight": true } })");
  EXPECT_EQ(options.ttl, 5min);
  EXPECT_TRUE(options.single_flight);
  const auto defaults = only_layer<CacheOptions>(R"({ "cache": {} })");
  EXPECT_EQ(defaults.ttl, 1h);
  EXPECT_FALSE(defaults.single_flight);
}

TEST(PolicyFile, ReadsABreaker) {
  const auto options = only_layer<BreakerOptions>(R"({ "breaker": {
      "consecutive_failures": 7, "open_for": "90s", "close_after": 3, "probes": 4,
      "probe_lease": "11s", "late_results": "extend_open",
      "failures": [ "overloaded", "status 500-599" ] } })");
  EXPECT_EQ(options.consecutive_failures, 7U);
  EXPECT_EQ(options.open_for, 90s);
  EXPECT_EQ(options.close_after, 3U);
  EXPECT_EQ(options.probes, 4U);
  EXPECT_EQ(options.probe_lease, 11s);
  EXPECT_EQ(options.late_results, BreakerOptions::LateResults::extend_open);
  EXPECT_EQ(options.failures.to_string(), "overloaded, status 500-599");
}

TEST(PolicyFile, ReadsTheOtherWordsOfABreaker) {
  const auto options = only_layer<BreakerOptions>(
      R"({ "breaker": { "probes": "all", "late_results": "counted" } })");
  EXPECT_EQ(options.probes, 0U);
  EXPECT_EQ(options.late_results, BreakerOptions::LateResults::counted);
  const auto defaults = only_layer<BreakerOptions>(R"({ "breaker": {} })");
  EXPECT_EQ(defaults.consecutive_failures, 5U);
  EXPECT_EQ(defaults.open_for, 60s);
  EXPECT_EQ(defaults.close_after, 1U);
  EXPECT_EQ(defaults.probes, 1U);
  EXPECT_EQ(defaults.probe_lease, 60s);
  EXPECT_EQ(defaults.late_results, BreakerOptions::LateResults::ignored);
  EXPECT_EQ(defaults.failures.to_string(), OutcomeSet::blamed_on_provider().to_string());
}

TEST(PolicyFile, ReadsARetry) {
  const auto options = only_layer<RetryOptions>(R"({ "retry": {
      "max_attempts": 6, "give_up_after": "5m", "retry_after": "ignore",
      "wait": { "exponential": { "multiplier": "2s", "min": "10s", "max": "2m",
                                 "jitter": "equal" } },
      "on": [ "critical", "timed_out", "status 429", "status >= 590" ] } })");
  EXPECT_EQ(options.max_attempts, 6U);
  EXPECT_EQ(options.give_up_after, 5min);
  EXPECT_EQ(options.hint.policy, HintPolicy::ignore);
  EXPECT_EQ(options.wait.shape, BackoffOptions::Shape::exponential);
  EXPECT_EQ(options.wait.multiplier, 2s);
  EXPECT_EQ(options.wait.min, 10s);
  EXPECT_EQ(options.wait.max, 2min);
  EXPECT_EQ(options.wait.jitter, Jitter::equal);
  EXPECT_EQ(options.on.to_string(),
            "quota_exhausted, timed_out, authentication, permission, status 429, "
            "status 590-599");
}

TEST(PolicyFile, ReadsTheOtherShapesOfARetry) {
  const auto fixed = only_layer<RetryOptions>(
      R"({ "retry": { "max_attempts": "unbounded", "give_up_after": "1h",
                      "wait": { "fixed": { "wait": "3s", "jitter": "full" } } } })");
  EXPECT_EQ(fixed.max_attempts, 0U);
  EXPECT_EQ(fixed.wait.shape, BackoffOptions::Shape::fixed);
  EXPECT_EQ(fixed.wait.multiplier, 3s);
  EXPECT_EQ(fixed.wait.jitter, Jitter::full);
  const auto shorter = only_layer<RetryOptions>(R"({ "retry": { "wait": { "fixed": "3s" } } })");
  EXPECT_EQ(shorter.wait.multiplier, 3s);
  EXPECT_EQ(shorter.wait.jitter, Jitter::none);
  const auto defaults = only_layer<RetryOptions>(R"({ "retry": {} })");
  EXPECT_EQ(defaults.max_attempts, 3U);
  EXPECT_EQ(defaults.give_up_after, forever);
  EXPECT_EQ(defaults.wait.jitter, Jitter::full);
  EXPECT_EQ(defaults.hint.policy, HintPolicy::at_least);
  EXPECT_EQ(defaults.hint.cap, 120s);
  EXPECT_EQ(defaults.hint.above_cap, AboveCap::stop);
  EXPECT_EQ(defaults.on.to_string(), OutcomeSet::of(ErrorClass::retryable).to_string());
}

BackoffOptions wait_of(const std::string& wait) {
  return only_layer<RetryOptions>(R"({ "retry": { "wait": )" + wait + " } }").wait;
}

TEST(PolicyFile, ReadsEveryShapeOfAWait) {
  using Shape = BackoffOptions::Shape;
  const auto linear = wait_of(R"({ "linear": { "multiplier": "2s", "max": "9s" } })");
  EXPECT_EQ(linear.shape, Shape::linear);
  EXPECT_EQ(linear.multiplier, 2s);
  EXPECT_EQ(linear.max, 9s);
  EXPECT_EQ(wait_of(R"({ "fibonacci": { "jitter_first": false } })").jitter_first, false);
  const auto random = wait_of(R"({ "random": { "min": "1s", "max": "3s" } })");
  EXPECT_EQ(random.shape, Shape::random);
  EXPECT_EQ(random.min, 1s);
  EXPECT_EQ(wait_of(R"({ "listed": [ "1s", "5s" ] })").list, (std::vector<Duration>{1s, 5s}));
  const auto listed = wait_of(R"({ "listed": { "waits": [ "1s" ], "jitter": "full" } })");
  EXPECT_EQ(listed.shape, Shape::listed);
  EXPECT_EQ(listed.jitter, Jitter::full);
  EXPECT_EQ(wait_of(R"({ "exponential": { "factor": 1.5 } })").factor_per_mille, 1500U);
}

TEST(PolicyFile, ReadsEveryJitter) {
  const auto jitter = [](const std::string& text) {
    return wait_of(R"({ "exponential": { "bound": "before_jitter", "jitter": )" + text + " } }");
  };
  EXPECT_EQ(jitter(R"("decorrelated")").jitter, Jitter::decorrelated);
  EXPECT_EQ(jitter(R"("decorrelated_v2")").jitter, Jitter::decorrelated_v2);
  const auto proportional = jitter(R"({ "proportional": { "from": 0.75, "to": 1 } })");
  EXPECT_EQ(proportional.jitter, Jitter::proportional);
  EXPECT_EQ(proportional.spread_low_per_mille, 750U);
  EXPECT_EQ(proportional.spread_high_per_mille, 1000U);
  EXPECT_FALSE(proportional.bound_after_jitter);
  const auto additive = jitter(R"({ "additive": "1s" })");
  EXPECT_EQ(additive.jitter, Jitter::additive);
  EXPECT_EQ(additive.addition, 1s);
}

TEST(PolicyFile, ReadsHowTheServersHintIsUsed) {
  const auto options = only_layer<RetryOptions>(R"({ "retry": { "retry_after": {
      "policy": "verbatim", "cap": "60s", "above_cap": "clamp", "stretch_by": "3s",
      "zero_is_now": true, "obey_should_retry": "always" } } })");
  EXPECT_EQ(options.hint.policy, HintPolicy::verbatim);
  EXPECT_EQ(options.hint.cap, 60s);
  EXPECT_EQ(options.hint.above_cap, AboveCap::clamp);
  EXPECT_EQ(options.hint.stretch_by, 3s);
  EXPECT_TRUE(options.hint.zero_is_now);
  EXPECT_EQ(options.hint.obey_should_retry, ObeyShouldRetry::always);
}

TEST(PolicyFile, ReadsBudgets) {
  const auto policy = parse_policy("test", R"({ "kind": "policy", "version": 1, "name": "test",
      "to": "openai/gpt-4",
      "budgets": { "bucket": { "quota": { "capacity": 20, "retry_cost": 2 } },
                   "ratio": { "success_ratio": { "max_tokens": 7, "token_ratio": 0.25 } },
                   "share": { "call_share": { "share": 0.1, "floor_per_second": 3,
                                              "window": "30s" } } },
      "pipeline": [ { "retry": { "budget": "ratio" } } ] })");
  ASSERT_TRUE(policy);
  ASSERT_EQ(policy->budgets.size(), 3U);
  EXPECT_EQ(std::get<QuotaOptions>(policy->budgets[0].options).capacity, 20U);
  EXPECT_EQ(std::get<QuotaOptions>(policy->budgets[0].options).retry_cost, 2U);
  EXPECT_EQ(std::get<SuccessRatioOptions>(policy->budgets[1].options).token_ratio, 250U);
  EXPECT_EQ(std::get<CallShareOptions>(policy->budgets[2].options).share, 100U);
  EXPECT_EQ(std::get<CallShareOptions>(policy->budgets[2].options).window, 30s);
  EXPECT_EQ(std::get<RetryOptions>(policy->pipeline[0]).budget, "ratio");
}

TEST(PolicyFile, ReadsATimeout) {
  const auto options = only_layer<TimeoutOptions>(
      R"({ "timeout": { "attempt": "30s", "first_token": "10s", "idle": "1.5s" } })");
  EXPECT_EQ(options.attempt, 30s);
  EXPECT_EQ(options.first_token, 10s);
  EXPECT_EQ(options.idle, 1500ms);
  const auto one = only_layer<TimeoutOptions>(R"({ "timeout": { "idle": "1s" } })");
  EXPECT_EQ(one.attempt, forever);
  EXPECT_EQ(one.first_token, forever);
  const auto others =
      only_layer<TimeoutOptions>(R"({ "timeout": { "connect": "5s", "total": "90s" } })");
  EXPECT_EQ(others.connect, 5s);
  EXPECT_EQ(others.total, 90s);
  EXPECT_EQ(others.attempt, forever);
}

TEST(PolicyFile, ReadsAFallbackAndWhatIsInsideItsRoutes) {
  const Policy policy = policy_of(R"([ { "timeout": { "attempt": "1m" } }, { "fallback": {
      "on": [ "any" ],
      "routes": [
        { "name": "a", "to": "openai/gpt-4", "role": "primary", "pipeline": [ { "retry": {} } ] },
        { "name": "b", "to": "role:independent", "pipeline": [] } ],
      "then": [ { "cached": { "ttl": "2h" } },
                { "default": { "error": "down",  "n": [1, 2] } } ] } } ])",
                                  "");
  EXPECT_FALSE(policy.main_route);
  ASSERT_EQ(policy.pipeline.size(), 2U);
  const auto& spec = std::get<FallbackSpec>(policy.pipeline[1]);
  EXPECT_EQ(spec.options.routes.size(), 2U);
  EXPECT_EQ(spec.options.on.to_string(), OutcomeSet::any().to_string());
  EXPECT_TRUE(spec.options.cached);
  EXPECT_EQ(spec.options.cached_ttl, 2h);
  EXPECT_EQ(*spec.options.default_reply, R"({ "error": "down",  "n": [1, 2] })")
      << "as the file spells it";
  ASSERT_EQ(spec.routes.size(), 2U);
  EXPECT_EQ(spec.routes[0].name, "a");
  EXPECT_EQ(spec.routes[0].to, "openai/gpt-4");
  EXPECT_EQ(spec.routes[0].role, "primary");
  EXPECT_EQ(spec.routes[0].pipeline.size(), 1U);
  EXPECT_EQ(spec.routes[1].to, "");
  EXPECT_EQ(spec.routes[1].role, "independent");
}

TEST(PolicyFile, ReadsWhenAFallbackTakesARoute) {
  const Policy policy = policy_of(R"([ { "fallback": {
      "routes": [
        { "name": "a", "to": "x/a", "weight": 3, "pipeline": [] },
        { "name": "b", "to": "x/b", "for": [ "context_length" ], "pipeline": [] } ],
      "max_routes": 5, "when_all_refuse": { "wait": { "at_most": "4s" } },
      "then": [ { "cached": { "stale": "24h" } } ], "order": "weighted" } } ])",
                                  "");
  const auto& options = std::get<FallbackSpec>(policy.pipeline[0]).options;
  EXPECT_EQ(options.order, FallbackOptions::Order::weighted);
  EXPECT_EQ(options.max_routes, 5);
  EXPECT_EQ(options.wait_at_most, Duration{4s});
  EXPECT_EQ(options.cached_stale, 24h);
  ASSERT_EQ(options.routes.size(), 2U);
  EXPECT_EQ(options.routes[0].weight, 3U);
  EXPECT_FALSE(options.routes[0].only_for);
  EXPECT_EQ(options.routes[1].weight, 1U);
  ASSERT_TRUE(options.routes[1].only_for);
  EXPECT_EQ(options.routes[1].only_for->to_string(), "context_length");
  EXPECT_EQ(describe(policy),
            "policy test\n"
            "  fallback: on " +
                FallbackOptions::default_on().to_string() +
                ", drawn by weight\n"
                "    route a to x/a, weight 3\n"
                "    route b to x/b, weight 1, only for context_length\n"
                "    when all refuse, a wait of at most 4s\n"
                "    then a cached reply up to 1h old, a stale one up to 24h\n");
}

TEST(PolicyFile, TheFallbacksDefaultsAreNoLastResort) {
  const Policy policy = policy_of(
      R"([ { "fallback": { "routes": [ { "name": "a", "to": "x/a", "pipeline": [] } ] } } ])", "");
  const auto& options = std::get<FallbackSpec>(policy.pipeline[0]).options;
  EXPECT_FALSE(options.cached);
  EXPECT_EQ(options.cached_stale, 0s);
  EXPECT_EQ(options.order, FallbackOptions::Order::listed);
  EXPECT_EQ(options.max_routes, FallbackOptions::routes_max);
  EXPECT_FALSE(options.wait_at_most);
  EXPECT_EQ(options.cached_ttl, 1h);
  EXPECT_EQ(options.default_reply, nullptr);
  EXPECT_EQ(options.on.to_string(), FallbackOptions::default_on().to_string());
}

TEST(PolicyFile, ListsRoutesBeforeTheRoutesInsideThem) {
  const Policy policy = policy_of(R"([ { "fallback": { "routes": [
      { "name": "near", "pipeline": [ { "fallback": { "routes": [
          { "name": "a", "to": "x/a", "pipeline": [] },
          { "name": "b", "to": "x/b", "pipeline": [] } ] } } ] },
      { "name": "far", "to": "x/c", "pipeline": [] } ] } } ])",
                                  "");
  std::vector<std::string> names;
  for (const RouteSpec* route : policy.routes()) names.push_back(route->name);
  EXPECT_THAT(names, ::testing::ElementsAre("near", "a", "b", "far"));
}

TEST(PolicyFile, DescribesEveryLayerWithItsEffectiveSettings) {
  const Policy policy = policy_of(R"([
      { "cache": { "ttl": "5m", "single_flight": true } },
      { "retry": { "max_attempts": "unbounded", "give_up_after": "5m", "retry_after": "ignore",
                   "wait": { "fixed": "3s" }, "on": [ "timed_out" ] } },
      { "breaker": { "probes": 2, "probe_lease": "9s", "late_results": "extend_open",
                     "failures": [ "overloaded" ] } },
      { "timeout": { "attempt": "30s", "first_token": "10s", "idle": "1s" } } ])",
                                  R"("to": "openai/gpt-4", "deadline": "1m")");
  EXPECT_EQ(describe(policy),
            "policy test deadline 1m\n"
            "  cache: ttl 5m, single-flight\n"
            "  retry: unbounded attempts within 5m, wait fixed 3s, no jitter, on timed_out\n"
            "  breaker: opens after 5 failures in a row for 1m, then probes 2 at a time, each for "
            "at most 9s, closes after 1, late failures extend the open period; failures: "
            "overloaded\n"
            "  timeout: attempt 30s first token 10s idle 1s\n"
            "  to openai/gpt-4\n");
}

// The golden file holds what describe() says about each bundled policy, in order of their names.
TEST(PolicyFile, TheBundledPoliciesAreDescribedAsInTheGoldenFile) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("scenarios/policies")) {
    if (entry.is_regular_file()) paths.push_back(entry.path().string());
  }
  std::ranges::sort(paths);
  std::string described;
  for (const std::string& path : paths) {
    const auto policy = load_policy(path);
    ASSERT_TRUE(policy) << policy.error().front().to_string();
    described += describe(*policy) + "\n";
  }
  expect_golden("policies.txt", described);
}

}  // namespace
}  // namespace brownout::testing
