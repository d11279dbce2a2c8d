// Whole runs with the policies that limit: each does in a world what it is there for.

#include <gtest/gtest.h>

#include <string>

#include "tests/sim/bundled.hpp"

namespace brownout::sim {
namespace {

using namespace std::chrono_literals;
using testing::fly;
using testing::Lab;
using enum OutcomeKind;

std::uint64_t attempts_as(const RunResult& result, OutcomeKind kind) {
  return result.total.attempts_as[static_cast<std::size_t>(kind)];
}
std::uint64_t failed_as(const RunResult& result, OutcomeKind kind) {
  return result.total.failed_as[static_cast<std::size_t>(kind)];
}

// A key with 30,000 tokens a minute and calls for half as much again.
TEST(RateLimitInARun, KeepsTheTierOneKeyFreeOfRateLimits) {
  const Scenario world = testing::bundled_scenario("incidents/tpm-30k");
  const auto policy = [](const std::string& limit) {
    return testing::branching_policy(R"([{ "fallback": { "on": [ "any" ], "routes": [
        { "name": "gpt-4", "to": "openai/gpt-4", "pipeline": [)" +
                                     limit + R"({ "timeout": { "attempt": "45s" } } ] },
        { "name": "backup", "to": "anthropic/claude", "pipeline": [] } ] } }])");
  };
  const RunResult without = fly(world, policy(""));
  EXPECT_GT(attempts_as(without, rate_limited), 100U);

  const RunResult with = fly(world, policy(R"({ "rate_limit": {
      "tokens_per_minute": 29000, "count": "asked", "max_wait": "5s" } },)"));
  EXPECT_EQ(attempts_as(with, rate_limited), 0U);
  EXPECT_EQ(with.total.ended_as(CallEnd::failed), 0U) << "who is refused here goes to the backup";
  EXPECT_GT(with.total.served_by_route[0] * 100, without.total.served_by_route[0] * 95)
      << "the quota is used as well as before";
}

// Nothing is configured: the limit is what the answers tell.
TEST(RateLimitInARun, LearnsTheLimitFromTheProvidersAnswers) {
  Lab lab;
  lab.duration = "10m";
  lab.arrivals = R"({"constant": "2/s"})";
  lab.model = R"("ttft": "100ms", "inter_token": "10ms", "limits": {"rpm": 60})";
  const RunResult without = fly(lab, "[]");
  const RunResult with = fly(lab, R"([{ "rate_limit": { "max_wait": "1s" } }])");
  EXPECT_GT(attempts_as(without, rate_limited), 500U);
  EXPECT_LT(attempts_as(with, rate_limited), 10U);
  EXPECT_GT(failed_as(with, client_rate_limited), 400U);
  EXPECT_GT(with.total.served_by_route[0] + 20, without.total.served_by_route[0]);
}

// Two places that answer 5 calls a second each, and calls that come in no order.
TEST(BulkheadInARun, NeverSendsMoreThanTheProviderHasPlacesFor) {
  Lab lab;
  lab.duration = "10m";
  lab.arrivals = R"({"poisson": "6/s"})";
  lab.model = R"("ttft": "100ms", "inter_token": "10ms",
                 "limits": {"concurrent": 2, "when_full": "refuse"})";
  const RunResult without = fly(lab, "[]");
  const RunResult with = fly(lab, R"([{ "bulkhead": { "max_concurrent": 2, "max_queued": 50 } }])");
  EXPECT_GT(attempts_as(without, overloaded), 500U);
  EXPECT_EQ(attempts_as(with, overloaded), 0U);
  EXPECT_EQ(with.total.ended_as(CallEnd::success), with.total.calls);
}

// Ten places of 200 ms: 50 calls a second; asked for are 100.
TEST(AdaptiveConcurrencyInARun, FindsOutHowManyCallsTheProviderTakes) {
  Lab lab;
  lab.duration = "5m";
  lab.arrivals = R"({"poisson": "100/s"})";
  lab.model = R"("ttft": "100ms", "inter_token": "10ms",
                 "limits": {"concurrent": 10, "when_full": "refuse"})";
  const RunResult without = fly(lab, "[]");
  const RunResult with = fly(lab, R"([{ "adaptive_concurrency": { "max_queued": 10 } }])");
  EXPECT_GT(attempts_as(without, overloaded) * 10, without.total.attempts * 4);
  EXPECT_LT(attempts_as(with, overloaded) * 7, with.total.attempts);
  EXPECT_GT(with.total.ended_as(CallEnd::success) * 10,
            without.total.ended_as(CallEnd::success) * 8);
}

// An outage of ten minutes.
TEST(ThrottleInARun, SpendsLittleOnAProviderThatRefusesAllAndFindsBack) {
  Lab lab;
  lab.duration = "40m";
  lab.arrivals = R"({"poisson": "10/s"})";
  lab.timeline = R"([{"phase": "before", "until": "10m"},
      {"phase": "outage", "until": "20m", "faults": [{"on": "lab/*", "error": "overloaded"}]},
      {"phase": "back", "until": "30m"}, {"phase": "after", "until": "40m"}])";
  const RunResult result = fly(lab, R"([{ "throttle": { "allowance": 10 } }])");
  const auto throttled_in = [&](std::size_t phase) {
    return result.phases[phase].stats.failed_as[static_cast<std::size_t>(throttled)];
  };
  EXPECT_EQ(throttled_in(0), 0U);
  EXPECT_LT(result.phases[1].stats.attempts * 3, result.phases[1].stats.calls);
  EXPECT_GT(throttled_in(2), 0U) << "accepts have to return first";
  EXPECT_EQ(throttled_in(3), 0U);
  EXPECT_EQ(result.phases[3].stats.ended_as(CallEnd::success), result.phases[3].stats.calls);
}

TEST(TokenLimitInARun, FailsOrReducesWhatIsTooLong) {
  Lab lab;
  lab.duration = "10m";
  const RunResult failed = fly(lab, R"([{ "token_limit": { "window": 105, "reserve": 10 } }])");
  EXPECT_EQ(failed.total.attempts, 0U);
  EXPECT_EQ(failed_as(failed, context_length), failed.total.calls);
  EXPECT_EQ(failed.total.rejected, failed.total.calls);

  lab.workload = R"(, "max_tokens": 50)";
  const RunResult reduced = fly(lab, R"([{ "token_limit": { "window": 105, "reserve": 5,
                                                             "on_too_long": "reduce" } }])");
  EXPECT_EQ(reduced.total.ended_as(CallEnd::success), reduced.total.calls);
  EXPECT_EQ(reduced.total.billed_tokens, reduced.total.calls * 105) << "100 and the 5 of room";
}

}  // namespace
}  // namespace brownout::sim
