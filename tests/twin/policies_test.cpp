// Policies with several attempts under way, memories and queues: what they do over HTTP is what
// they do in the simulator, and what they cut is cut on the wire.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/twin/twins.hpp"

namespace brownout::twin {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using sim::testing::branching_policy;
using sim::testing::policy;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr const char* every_2s = R"({"constant": "30/min"})";

std::uint64_t closed_by_client(const Twin& twin) {
  return static_cast<std::uint64_t>(std::ranges::count_if(twin.journal, [](const auto& line) {
    return line.find(R"("closed_by":"client")") != std::string::npos;
  }));
}

std::uint64_t cancelled(const Twin& twin) {
  return twin.over_http.result.total.attempts_as[static_cast<std::size_t>(OutcomeKind::cancelled)];
}

// A phase of 2 s for each of the faults, and so for each call: they come at 2 s, 4 s, …
std::string phases(const std::vector<std::string>& faults) {
  std::string text;
  for (std::size_t i = 0; i < faults.size(); ++i) {
    text += fmt::format(R"({}{{"phase": "p{}", "until": "{}s", "faults": [{}]}})",
                        i == 0 ? "[" : ", ", i, 2 * i + 3, faults[i]);
  }
  return text + "]";
}

Policy hedging(const char* further = "") {
  return policy(fmt::format(R"([{{"hedge": {{"delay": "500ms"{}}}}}])", further));
}

// 0 s  the first copy hangs
// 0.5  a hedge is sent
// 0.7  it answers, and the first copy is cut
TEST(HedgesOverHttp, ALoserThatHangsIsCutOnTheWire) {
  Lab lab = quiet_lab();
  lab.duration = "11s";
  lab.arrivals = every_2s;
  lab.timeline = phases(std::vector<std::string>(5, R"({"on": "*", "hang": true, "first": 1})"));
  const Twin twin = twin_of(lab, hedging());
  expect_identical(twin);
  EXPECT_EQ(twin.over_http.result.total.hedges, twin.comparison.both);
  EXPECT_EQ(cancelled(twin), twin.comparison.both);
  EXPECT_EQ(closed_by_client(twin), twin.comparison.both);
}

// 0 s  the first copy begins
// 0.5  a hedge is sent
// 1.0  the first copy has a token for the caller, so the hedge is cut
TEST(HedgesOverHttp, TheFirstTokenOfAStreamCutsTheLoserOnTheWire) {
  Lab lab = quiet_lab();
  lab.duration = "10s";
  lab.arrivals = every_2s;
  lab.model = R"("ttft": "1s", "inter_token": "20ms")";
  lab.workload = R"(, "stream": 1)";
  const Twin twin = twin_of(lab, hedging());
  expect_identical(twin);
  EXPECT_EQ(twin.over_http.result.total.ended_as(CallEnd::success), twin.comparison.both);
  EXPECT_EQ(twin.over_http.result.total.hedges, twin.comparison.both);
  EXPECT_EQ(closed_by_client(twin), twin.comparison.both);
}

// The tokens come from 0.1 s to 2.1 s, and callers leave at 1 s: the stream is cut, not read on.
TEST(CallersOverHttp, ACallerWhoLeavesCutsTheStreamOnTheWire) {
  Lab lab = quiet_lab();
  lab.duration = "10s";
  lab.arrivals = every_2s;
  lab.model = R"("ttft": "100ms", "inter_token": "200ms")";
  lab.workload = R"(, "stream": 1, "cancel": {"share": 1, "after": "1s"})";
  const Twin twin = twin_of(lab, policy(R"([{"retry": {}}])"));
  expect_identical(twin);
  EXPECT_EQ(cancelled(twin), twin.comparison.both);
  EXPECT_EQ(closed_by_client(twin), twin.comparison.both);
}

TEST(HedgesOverHttp, FailuresAndTheBudgetGoTheSameWay) {
  Lab lab = quiet_lab();
  lab.duration = "16s";
  lab.arrivals = every_2s;
  lab.faults = R"([{"on": "*", "sequence": ["server_error", "success", "overloaded",
      "server_error", "success", "context_length", "bad_gateway", "server_error"]}])";
  const Twin twin = twin_of(lab, hedging(R"(, "budget": {"percent": 0, "burst": 3})"));
  expect_identical(twin);
  EXPECT_EQ(twin.over_http.result.total.hedges, 3U);
  EXPECT_EQ(twin.over_http.calls.at(0).sequence, "main server_error, main success = success");
}

// Two vendors, whose streams and errors look different.
sim::Scenario two_vendors(const std::vector<std::string>& faults, const char* stream) {
  return loaded(sim::parse_scenario(
      "vendors.json",
      fmt::format(R"({{"kind": "scenario", "version": 1, "name": "vendors", "duration": "{}s",
      "roles": {{"primary": "openai/gpt-4", "secondary": "anthropic/claude"}},
      "providers": {{
          "openai": {{"dialect": "openai", "models": {{
              "gpt-4": {{"ttft": "100ms", "inter_token": "10ms"}}}}}},
          "anthropic": {{"dialect": "anthropic", "models": {{
              "claude": {{"ttft": "100ms", "inter_token": "10ms"}}}}}}}},
      "timeline": {},
      "workload": {{"arrivals": {}, "input_tokens": 100, "output_tokens": 11, "stream": {}}}}})",
                  2 * faults.size() + 1, phases(faults), every_2s, stream)));
}

// The idle limits are noticed a second after the last token, a second before the next call.
TEST(VendorsOverHttp, AFallbackBetweenDialectsGoesTheSameWay) {
  const std::vector<std::string> faults{
      "",
      R"({"on": "openai/*", "error": "overloaded"})",
      R"({"on": "openai/*", "error": "server_error", "at": {"frames": 3}})",
      R"({"on": "openai/*", "error": "rate_limited", "retry_after": "20s"})",
      R"({"on": "openai/*", "wire": "stall", "at": {"frames": 3}})",
      R"({"on": "openai/*", "wire": "reset", "at": {"frames": 3}})",
      R"({"on": "openai/*", "error": "overloaded"},
         {"on": "anthropic/*", "error": "overloaded", "at": {"frames": 3}})",
      R"({"on": "openai/*", "outage": true}, {"on": "anthropic/*", "error": "rate_limited"})",
      R"({"on": "openai/*", "error": "context_length"})",
      R"({"on": "openai/*", "wire": "html"}, {"on": "anthropic/*", "wire": "close"})",
      R"({"on": "openai/*", "error": "authentication"},
         {"on": "anthropic/*", "error": "stream_truncated", "after_share": 0.5})",
  };
  const Policy vendors = branching_policy(R"([{"fallback": {"routes": [
      {"name": "first", "to": "openai/gpt-4",
       "pipeline": [{"timeout": {"idle": "600ms", "attempt": "900ms"}}]},
      {"name": "second", "to": "anthropic/claude",
       "pipeline": [{"timeout": {"idle": "600ms", "attempt": "900ms"}}]}]}}])");
  for (const char* stream : {"0", "1"}) {
    const Twin twin = twin_of(two_vendors(faults, stream), vendors);
    expect_identical(twin);
    EXPECT_EQ(twin.comparison.both, faults.size());
    const auto& served = twin.over_http.result.total.served_by_route;
    EXPECT_GE(served.at(0), 1U);
    EXPECT_GE(served.at(1), 2U) << "nobody was served by the other vendor";
    EXPECT_GE(twin.over_http.result.total.ended_as(CallEnd::failed), 2U);
  }
}

// The outage is from 3 s to 19 s. The breaker opens at the third failure, at 8 s; its first probe,
// at 14 s, fails, and the next, at 20 s, finds the provider well again.
TEST(BreakersOverHttp, ProbesThatFailAndSucceedComeAtTheSameCalls) {
  Lab lab = quiet_lab();
  lab.duration = "30s";
  lab.arrivals = every_2s;
  lab.timeline = R"([{"phase": "well", "until": "3s"},
      {"phase": "outage", "until": "19s", "faults": [{"on": "*", "error": "server_error"}]},
      {"phase": "well_again", "until": "30s"}])";
  const Twin twin = twin_of(lab, policy(R"([
      {"breaker": {"consecutive_failures": 3, "open_for": "5s"}}])"));
  expect_identical(twin);
  const sim::BreakerResult& breaker = twin.over_http.result.breakers.at(0);
  EXPECT_EQ(breaker.openings, 2U);
  EXPECT_EQ(breaker.transitions.size(), 5U) << "open, half open, open, half open, closed";
  EXPECT_EQ(breaker.final_state, BreakerState::closed);
}

TEST(RetriesOverHttp, ABudgetRunsOutAtTheSameCall) {
  Lab lab = quiet_lab();
  lab.duration = "12s";
  lab.arrivals = every_2s;
  lab.faults = R"([{"on": "*", "error": "server_error"}])";
  const Policy frugal = loaded(parse_policy("policy.json", R"({"kind": "policy", "version": 1,
      "name": "frugal", "to": "lab/model", "budgets": {"retries": {"quota": {"capacity": 20}}},
      "pipeline": [{"retry": {"max_attempts": 3, "wait": {"fixed": "200ms"},
                              "budget": "retries"}}]})"));
  const Twin twin = twin_of(lab, frugal);
  expect_identical(twin);
  EXPECT_EQ(twin.over_http.result.total.attempts, twin.comparison.both + 4)
      << "20 tokens are 4 retries";
}

// One prompt, asked every 2 s from 2 s on, and answered at 7 s: two calls share that answer, and
// two find it.
TEST(CachesOverHttp, SharedAndStoredRepliesAnswerTheSameCalls) {
  Lab lab = quiet_lab();
  lab.duration = "12s";
  lab.arrivals = every_2s;
  lab.model = R"("ttft": "4900ms", "inter_token": "10ms")";
  lab.workload = R"(, "prompts": {"distinct": 1})";
  const Twin twin = twin_of(lab, policy(R"([{"cache": {"single_flight": true}}, {"retry": {}}])"));
  expect_identical(twin);
  EXPECT_EQ(twin.over_http.result.total.attempts, 1U);
  EXPECT_EQ(twin.over_http.result.total.shared, 2U);
  EXPECT_EQ(twin.over_http.result.total.ended_as(CallEnd::cached), 2U);
}

// A call every 3 s from 3 s on, and each takes 5 s. With patience the calls at 6 s and 9 s wait for
// a place, and that at 12 s finds the line full. With little those at 6 s and 12 s leave the line.
TEST(BulkheadsOverHttp, CallsWaitLeaveAndAreRefusedTheSameWay) {
  Lab lab = quiet_lab();
  lab.duration = "14s";
  lab.arrivals = R"({"constant": "20/min"})";
  lab.model = R"("ttft": "4900ms", "inter_token": "10ms")";
  for (const char* patience : {"30s", "1s"}) {
    const Twin twin = twin_of(lab, policy(fmt::format(R"([{{"bulkhead": {{"max_concurrent": 1,
        "max_queued": 1, "max_wait": "{}"}}}}])",
                                                      patience)));
    expect_identical(twin);
    EXPECT_GE(twin.over_http.result.total.rejected, 1U);
  }
}

}  // namespace
}  // namespace brownout::twin
