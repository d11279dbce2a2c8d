#include "tests/conformance/presets/presets.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

namespace brownout::conformance {
namespace {

constexpr const char* folder = "scenarios/policies/presets";

template <class Spec>
Spec layer_of(const std::string& name) {
  const Policy policy = preset(name);
  const Spec* found = find_layer<Spec>(policy.pipeline);
  if (found != nullptr) return *found;
  std::fprintf(stderr, "preset %s lacks a layer this test is about\n", name.c_str());
  std::abort();
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

std::string path_of_preset(const std::string& name) {
  return std::string(folder) + "/" + name + ".json";
}

Policy preset(const std::string& name) {
  auto policy = load_policy(path_of_preset(name));
  if (policy) return std::move(*policy);
  std::fprintf(stderr, "%s\n", policy.error().front().to_string().c_str());
  std::abort();
}

const std::map<std::string, Shortcoming>& shortcomings() {
  using enum OutcomeKind;
  static const std::string no_retry = "nothing here tries again";
  static const std::map<std::string, Shortcoming> all{
      {"envoy", {{rate_limited}, "5xx leaves the 429 to the caller"}},
      {"failsafe-go",
       {{breaker_open},
        "one failure opens the breaker for a minute, and both retries run into it"}},
      {"finagle", {{rate_limited, server_error}, "only what was never sent is sent again"}},
      {"gobreaker", {{rate_limited, server_error}, no_retry}},
      {"google-sre",
       {{throttled}, "calls under way are no accepts yet: the first ones are rejected"}},
      {"grpc-a6-new", {{server_error}, "a 500 is not UNAVAILABLE"}},
      {"grpc-a6-old", {{server_error}, "a 500 is not UNAVAILABLE"}},
      {"hystrix",
       {{rate_limited, server_error, timed_out, breaker_open}, "1 s is less than a call takes"}},
      {"litellm-router",
       {{breaker_open}, "a 429 cools a deployment, and two in a row leave none (litellm#7669)"}},
      {"opossum", {{rate_limited, server_error, timed_out}, "10 s cut long replies; " + no_retry}},
      {"polly-standard-handler", {{timed_out}, "10 s cut long replies, each time again"}},
      {"resilience4j-defaults", {{timed_out, breaker_open}, "1 s is less than a call takes"}},
  };
  return all;
}

RetryOptions retry_of(const std::string& name) {
  return layer_of<RetryOptions>(name);
}

BreakerOptions breaker_of(const std::string& name) {
  return layer_of<BreakerOptions>(name);
}

BudgetOptions budget_of(const std::string& name) {
  return preset(name).budgets.at(0).options;
}

Draws draws_at(double u) {
  constexpr std::uint64_t addresses = 1 << 18;
  static const DrawFamily family(1, Purpose::backoff_jitter, "presets");
  static std::map<double, std::uint64_t> known;
  const auto found = known.find(u);
  if (found != known.end()) return family.at(found->second);
  std::uint64_t nearest = 0;
  double least = 2;
  for (std::uint64_t call = 0; call < addresses; ++call) {
    const double distance = std::abs(static_cast<double>(family.at(call)()) * 0x1p-64 - u);
    if (distance >= least) continue;
    least = distance;
    nearest = call;
  }
  known[u] = nearest;
  return family.at(nearest);
}

std::vector<double> backoff_of(const RetryOptions& options, const std::vector<double>& u,
                               const Outcome& cause) {
  const BackoffOptions* wait = &options.wait;
  for (const SpecialWait& special : options.special_waits) {
    if (special.on.contains(cause)) wait = &special.wait;
  }
  BackoffState state;
  std::vector<double> waits;
  for (const double each : u) {
    Draws draws = draws_at(each);
    waits.push_back(static_cast<double>(next_backoff(*wait, state, draws).count()) * 1e-9);
  }
  return waits;
}

RetryDecision first_decision(const RetryOptions& options, const Outcome& cause, double u) {
  RetryState state{.attempts = 1};
  Draws draws = draws_at(u);
  return next_retry(options, state, cause, Instant{}, never, draws);
}

Outcome http_failure(std::uint16_t status) {
  using enum OutcomeKind;
  const auto kind = [&] {
    switch (status) {
      case 401:
        return authentication;
      case 402:
        return quota_exhausted;
      case 403:
        return permission;
      case 404:
        return not_found;
      case 429:
        return rate_limited;
      case 503:
      case 529:
        return overloaded;
      case 502:
      case 504:
      case 530:
        return bad_gateway;
      default:
        break;
    }
    if (status >= 520 && status <= 527) return bad_gateway;
    return status < 500 ? invalid_request : server_error;
  };
  return Outcome::failure(kind(), status);
}

Outcome with_hint(Outcome outcome, Duration hint) {
  outcome.retry_after = hint;
  return outcome;
}

bool BreakerBench::succeed(int calls) {
  return call(calls, Finding{});
}

bool BreakerBench::fail(int calls, const Outcome& outcome) {
  return call(calls, finding_of(breaker_.options(), outcome));
}

bool BreakerBench::call(int calls, const Finding& finding) {
  for (int i = 0; i < calls; ++i) {
    const auto permit = breaker_.acquire(now_);
    if (!permit) return false;
    breaker_.record(*permit, finding, now_);
  }
  return true;
}

}  // namespace brownout::conformance
