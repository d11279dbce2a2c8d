// What a policy file says of a breaker is what its options become, and what describe() tells. What
// is refused, and how, is in tests/corpus.

#include "engine/policy/breaker_options.hpp"

#include <gtest/gtest.h>

#include <string>

#include "engine/policy_file/describe_breaker.hpp"
#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using Jitter = OpenTimeOptions::Jitter;
using Kind = CloseRule::Kind;
using Reset = OpenTimeOptions::Reset;

BreakerOptions breaker_of(const std::string& options) {
  const Policy policy = policy_of(R"([ { "breaker": { )" + options + " } } ]");
  return std::get<BreakerOptions>(policy.pipeline.front());
}

TEST(BreakerFile, SaysNothingMeansTheDefaults) {
  EXPECT_EQ(breaker_of(""), BreakerOptions{});
}

TEST(BreakerFile, ReadsTheRulesOfTheWindow) {
  const BreakerOptions options = breaker_of(R"(
      "consecutive_failures": 7, "window": { "calls": 50 }, "minimum_calls": 10,
      "failure_rate": 0.25, "failures_in_window": 12, "require_both": true,
      "slow_call": "30s", "slow_call_rate": 0.8, "comparison": ">", "evaluate": "results",
      "trip_on": [ "quota_exhausted" ])");
  EXPECT_EQ(options.consecutive_failures, 7U);
  EXPECT_EQ(options.window_calls, 50U);
  EXPECT_EQ(options.window_time, 0s);
  EXPECT_EQ(options.minimum_calls, 10U);
  EXPECT_EQ(options.failure_per_mille, 250U);
  EXPECT_EQ(options.failures_in_window, 12U);
  EXPECT_TRUE(options.require_both);
  EXPECT_EQ(options.slow_call, 30s);
  EXPECT_EQ(options.slow_per_mille, 800U);
  EXPECT_EQ(options.comparison, BreakerOptions::Comparison::above);
  EXPECT_EQ(options.evaluate, BreakerOptions::Evaluate::results);
  EXPECT_EQ(options.trip_on.to_string(), "quota_exhausted");
}

TEST(BreakerFile, AWindowTurnsTheRowOffUnlessItIsNamedToo) {
  EXPECT_EQ(breaker_of(R"("window": { "time": "30s" }, "failure_rate": 0.5)").consecutive_failures,
            0U);
  EXPECT_EQ(breaker_of(R"("window": { "time": "30s" }, "failure_rate": 0.5)").window_time, 30s);
}

TEST(BreakerFile, ReadsAnOpenTime) {
  const BreakerOptions options = breaker_of(R"("open_for": { "from": "5s", "factor": 2,
      "max": "5m", "jitter": "equal", "reset": { "step": "10s" },
      "retry_after": { "min": "2s", "max": "1m" } })");
  EXPECT_EQ(options.open_for, 5s);
  EXPECT_EQ(options.open_time.factor_per_mille, 2000U);
  EXPECT_EQ(options.open_time.max, 5min);
  EXPECT_EQ(options.open_time.jitter, Jitter::equal);
  EXPECT_EQ(options.open_time.reset, Reset::step);
  EXPECT_EQ(options.open_time.reset_every, 10s);
  EXPECT_TRUE(options.open_time.obey_retry_after);
  EXPECT_EQ(options.open_time.hint_min, 2s);
  EXPECT_EQ(options.open_time.hint_max, 1min);

  const auto open_time = [](const std::string& rest) {
    return breaker_of(R"("open_for": { "factor": 2, )" + rest + " }").open_time;
  };
  EXPECT_EQ(open_time(R"("jitter": "full")").jitter, Jitter::full);
  EXPECT_EQ(open_time(R"("reset": { "after": "1m" })").reset, Reset::after);
  EXPECT_EQ(open_time(R"("reset": "on_close")").reset, Reset::on_close);
  const auto spread = open_time(R"("jitter": { "proportional": { "from": 1, "to": 1.5 } })");
  EXPECT_EQ(spread.jitter, Jitter::proportional);
  EXPECT_EQ(spread.spread_low_per_mille, 1000U);
  EXPECT_EQ(spread.spread_high_per_mille, 1500U);
  EXPECT_EQ(breaker_of(R"("open_for": "7s")").open_for, 7s);
}

TEST(BreakerFile, ReadsHowHalfOpenIsDecided) {
  const auto m_of_n = breaker_of(R"("half_open": { "m_of_n": { "successes": 3, "of": 5 } })");
  EXPECT_EQ(m_of_n.close_rule.kind, Kind::m_of_n);
  EXPECT_EQ(m_of_n.close_rule.successes, 3U);
  EXPECT_EQ(m_of_n.close_rule.calls, 5U);
  const auto ratio =
      breaker_of(R"("half_open": { "ratio": { "calls": 20, "failure_rate": 0.1 } }, "probes": 20)");
  EXPECT_EQ(ratio.close_rule.kind, Kind::ratio);
  EXPECT_EQ(ratio.close_rule.calls, 20U);
  EXPECT_EQ(ratio.close_rule.failure_per_mille, 100U);
  EXPECT_EQ(ratio.probes, 20U);
  const auto ramp = breaker_of(R"("half_open": { "ramp": { "over": "2m", "from": 0.05 } })");
  EXPECT_EQ(ramp.close_rule.kind, Kind::ramp);
  EXPECT_EQ(ramp.close_rule.ramp, 2min);
  EXPECT_EQ(ramp.close_rule.ramp_from_per_mille, 50U);
  EXPECT_EQ(ramp.probes, 100U) << "one at a time would be no ramp";
  EXPECT_EQ(breaker_of(R"("half_open": "none")").close_rule.kind, Kind::none);
  EXPECT_EQ(breaker_of(R"("neutral_probes": "never")").neutral_probes, 0U);
  EXPECT_EQ(breaker_of(R"("neutral_probes": 3)").neutral_probes, 3U);
}

TEST(BreakerFile, ReadsModeAndScope) {
  EXPECT_EQ(breaker_of(R"("mode": "forced_open")").mode, Breaker::Mode::forced_open);
  EXPECT_EQ(breaker_of(R"("mode": "disabled")").mode, Breaker::Mode::disabled);
  EXPECT_EQ(breaker_of(R"("mode": "metrics_only")").mode, Breaker::Mode::metrics_only);
  EXPECT_EQ(breaker_of(R"("scope": "provider")").scope, BreakerOptions::Scope::provider);
  const auto by_key = breaker_of(R"("scope": "key", "keys": 9)");
  EXPECT_EQ(by_key.scope, BreakerOptions::Scope::key);
  EXPECT_EQ(by_key.keys, 9U);
}

TEST(BreakerDescription, TellsEveryRuleThatIsOn) {
  EXPECT_EQ(describe(breaker_of(R"(
                "mode": "metrics_only", "scope": "provider", "consecutive_failures": 5,
                "window": { "time": "30s" }, "minimum_calls": 5, "failure_rate": 0.2,
                "slow_call": "10s", "slow_call_rate": 0.875, "comparison": ">",
                "trip_on": [ "quota_exhausted" ], "failures": [ "server_error" ],
                "open_for": { "from": "5s", "factor": 2, "max": "5m", "jitter": "equal",
                              "reset": { "after": "1m" }, "retry_after": {} },
                "half_open": { "ratio": { "calls": 10 } }, "probes": 10)")),
            "refuses nothing; by itself it opens after 5 failures in a row or more than 20% "
            "failures of the last 30s, from 5 calls on or more than 87.5% calls slower than 10s of "
            "the last 30s, from 5 calls on or quota_exhausted for 5s, times 2 each time up to 5m "
            "until closed for 1m, equal jitter (or retry-after, 1s to 5m), then probes 10 at a "
            "time, each for at most 1m, closes below 50% failures of 10; one for the provider; "
            "failures: server_error");
  EXPECT_EQ(describe(breaker_of(R"(
                "scope": "key", "window": { "calls": 10 }, "failure_rate": 0.5,
                "failures_in_window": 3, "require_both": true, "minimum_calls": 3,
                "failures": [ "server_error" ], "half_open": "none")")),
            "opens after 50% failures of the last 10 calls, from 3 calls on and 3 failures in the "
            "last 10 calls for 1m, then closes; one for each of 64 keys; failures: server_error");
}

}  // namespace
}  // namespace brownout::testing
