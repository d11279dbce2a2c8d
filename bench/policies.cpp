// The policies that are measured. Limits are far away and breakers hard to open: what is measured
// is the price of a policy that has nothing to do, or of the one thing that it does.

#include <array>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "bench/world.hpp"

namespace brownout::bench {
namespace {

struct Named {
  std::string_view name;
  std::string_view members;
};

constexpr std::string_view full_route = R"([
    { "retry": { "max_attempts": 3, "budget": "shared" } },
    { "hedge": { "delay": "2s" } },
    { "breaker": {} },
    { "rate_limit": { "requests_per_minute": 1000000000, "tokens_per_minute": 1000000000000 } },
    { "timeout": { "attempt": "30s", "first_token": "10s" } } ])";

constexpr std::array policies{
    Named{"empty", R"("to": "a/a", "pipeline": [])"},
    Named{"timeout", R"("to": "a/a", "pipeline": [ { "timeout": { "attempt": "30s" } } ])"},
    Named{"retry", R"("to": "a/a", "pipeline": [ { "retry": { "max_attempts": 3 } } ])"},
    Named{"retry_budget",
          R"("to": "a/a", "budgets": { "shared": { "quota": {} } },
             "pipeline": [ { "retry": { "max_attempts": 3, "budget": "shared" } } ])"},
    Named{"breaker", R"("to": "a/a", "pipeline": [ { "breaker": {} } ])"},
    Named{"breaker_retry", R"("to": "a/a", "pipeline": [ { "breaker": {} }, { "retry": {} } ])"},
    Named{"breaker_window",
          R"("to": "a/a", "pipeline": [ { "breaker": {
               "window": { "time": "30s" }, "failure_rate": 0.9 } } ])"},
    Named{"breaker_open",
          R"("to": "a/a", "pipeline": [ { "breaker": { "mode": "forced_open" } } ])"},
    Named{"rate_limit",
          R"("to": "a/a", "pipeline": [ { "rate_limit": {
               "requests_per_minute": 1000000000, "tokens_per_minute": 1000000000000 } } ])"},
    Named{"rate_limit_spent",
          R"("to": "a/a", "pipeline": [ { "rate_limit": {
               "requests_per_minute": 1, "starts_full": false, "max_wait": "0s" } } ])"},
    Named{"bulkhead", R"("to": "a/a", "pipeline": [ { "bulkhead": { "max_concurrent": 2000 } } ])"},
    Named{"adaptive_concurrency", R"("to": "a/a", "pipeline": [ { "adaptive_concurrency": {} } ])"},
    Named{"throttle", R"("to": "a/a", "pipeline": [ { "throttle": {} } ])"},
    Named{"token_limit", R"("to": "a/a", "pipeline": [ { "token_limit": { "window": 8192 } } ])"},
    Named{"hedge", R"("to": "a/a", "pipeline": [ { "hedge": { "delay": "2s" } } ])"},
    Named{"hedge_at_once",
          R"("to": "a/a", "pipeline": [ { "hedge": { "budget": { "percent": 1000 } } } ])"},
    Named{"hedge_learned",
          R"("to": "a/a", "pipeline": [ { "hedge": { "delay": { "quantile": 0.95 } } } ])"},
    Named{"cache", R"("to": "a/a", "pipeline": [ { "cache": {} } ])"},
    Named{"cache_single_flight",
          R"("to": "a/a", "pipeline": [ { "cache": { "single_flight": true } } ])"},
    Named{"fallback", R"("pipeline": [ { "fallback": { "on": [ "any" ], "routes": [
               { "name": "a", "to": "a/a", "pipeline": [] },
               { "name": "b", "to": "b/b", "pipeline": [] } ] } } ])"},
    Named{"guide_open", R"("pipeline": [ { "fallback": { "on": [ "any" ], "routes": [
               { "name": "a", "to": "a/a", "pipeline": [
                 { "breaker": { "mode": "forced_open" } }, { "retry": {} },
                 { "timeout": { "attempt": "30s" } } ] },
               { "name": "b", "to": "b/b", "pipeline": [
                 { "breaker": { "mode": "forced_open" } }, { "retry": {} },
                 { "timeout": { "attempt": "30s" } } ] } ] } } ])"},
};

std::string full(std::string_view breaker) {
  std::string route(full_route);
  const std::string_view automatic = R"("breaker": {})";
  route.replace(route.find(automatic), automatic.size(), breaker);
  return R"("deadline": "90s", "budgets": { "shared": { "quota": {} } }, "pipeline": [
      { "cache": { "single_flight": true } },
      { "fallback": { "routes": [ { "name": "a", "to": "a/a", "pipeline": )" +
         route + R"( }, { "name": "b", "to": "b/b", "pipeline": )" + route +
         R"( } ], "then": [ "cached" ] } } ])";
}

Policy take(Result<Policy> policy) {
  if (policy) return std::move(*policy);
  for (const Error& error : policy.error()) std::cerr << error.to_string();
  std::exit(2);
}

std::string members_of(std::string_view name) {
  if (name == "full") return full(R"("breaker": {})");
  if (name == "full_open") return full(R"("breaker": { "mode": "forced_open" })");
  for (const Named& policy : policies) {
    if (policy.name == name) return std::string(policy.members);
  }
  return "";
}

}  // namespace

Policy policy_named(const std::string& name) {
  const std::string members = members_of(name);
  if (members.empty()) return take(load_policy("scenarios/policies/" + name + ".json"));
  return take(parse_policy(
      name, R"({ "kind": "policy", "version": 1, "name": ")" + name + "\", " + members + " }"));
}

Shared::Shared(const Policy& policy) {
  std::vector<std::string> targets;
  std::vector<TargetId> ids;
  for (const RouteSpec* route : policy.routes()) {
    ids.push_back(static_cast<TargetId>(targets.size()));
    targets.push_back(route->to);
  }
  pipeline = std::make_shared<Pipeline>(policy, targets, ids, 1);
}

}  // namespace brownout::bench
