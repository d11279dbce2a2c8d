// The other stage, against the simulator.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "mockserver/wire_fault.hpp"
#include "tests/twin/twins.hpp"

namespace brownout::twin {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::HasSubstr;

// The same provider, but of another dialect.
sim::Scenario anthropic(const Lab& lab) {
  std::string text = sim::testing::scenario_json(lab);
  const std::string_view openai = "openai";
  text.replace(text.find(openai), openai.size(), "anthropic");
  return loaded(sim::parse_scenario("lab.json", text));
}

// One client that comes back 2 s after each answer. Calls 2 to 4 fail twice each; the breaker opens
// at the third failure of a call in a row, refuses the next call, 2 s later, and lets the one after
// that, 4 s later, through as a probe.
TEST(HttpStage, OneClientMeetsScriptedFaultsAsInTheSimulator) {
  Lab lab = quiet_lab();
  lab.duration = "30s";
  lab.arrivals = R"({"clients": {"count": 1, "think_time": "2s"}})";
  lab.faults = R"([{"on": "*", "sequence": ["success", "server_error", "success",
      "rate_limited", "success", "server_error", "overloaded", "server_error", "server_error",
      "server_error", "server_error"]}])";
  const Twin twin = twin_of(lab, sim::testing::policy(R"([
      {"breaker": {"consecutive_failures": 2, "open_for": "3s"}},
      {"retry": {"max_attempts": 2, "wait": {"fixed": "300ms"}}}])"));
  expect_identical(twin);
  EXPECT_GE(twin.over_http.result.breakers.at(0).openings, 1U) << "the scenario has no breaker";
  EXPECT_GT(twin.over_http.result.total.attempts, twin.over_http.result.total.calls);
  EXPECT_EQ(twin.flight.requests, twin.over_http.result.total.attempts);
}

TEST(HttpStage, DrawsOfManyClientsAreTheSimulatorsWhateverTheirOrder) {
  Lab lab = quiet_lab();
  lab.duration = "10s";
  lab.arrivals = R"({"poisson": "20/s"})";
  lab.workload = R"(, "stream": 0.5)";
  lab.faults = R"([{"on": "*", "error": "server_error", "share": 0.3},
                   {"on": "*", "error": "rate_limited", "share": 0.1}])";
  const Twin twin = twin_of(lab, sim::testing::policy(R"([
      {"retry": {"max_attempts": 3, "wait": {"exponential": {"multiplier": "100ms",
                                              "max": "1s", "jitter": "full"}}}}])"));
  expect_identical(twin);
  const auto& here = twin.simulated.result.faults;
  const auto& there = twin.over_http.result.faults;
  ASSERT_EQ(here.size(), there.size());
  for (std::size_t i = 0; i < here.size(); ++i) EXPECT_EQ(here[i].injected, there[i].injected);
}

TEST(HttpStage, AFallbackGoesTheSameWay) {
  Lab lab = quiet_lab();
  lab.duration = "6s";
  lab.faults = R"([{"on": "lab/model", "error": "overloaded", "share": 1}])";
  const Twin twin = twin_of(lab, sim::testing::branching_policy(R"([{"fallback": {"routes": [
      {"name": "first", "to": "lab/model", "pipeline": []},
      {"name": "second", "to": "lab/other", "pipeline": []}]}}])"));
  expect_identical(twin);
  EXPECT_THAT(twin.over_http.calls.at(0).sequence,
              HasSubstr("first overloaded, second success = success"));
}

// Request n meets the nth word. What breaks off silently is noticed by the limits, which are a
// second away from everything else.
Lab every_wire_word(const char* stream) {
  Lab lab = quiet_lab();
  lab.duration = "12s";
  lab.arrivals = R"({"constant": "2/s"})";
  lab.workload = fmt::format(R"(, "stream": {})", stream);
  lab.faults.clear();
  std::size_t n = 0;
  for (const std::string_view word : mock::wire_words()) {
    lab.faults += fmt::format(R"({}{{"on": "*", "wire": "{}", "first": {}}})", n == 0 ? "[" : ", ",
                              word, n + 1);
    ++n;
  }
  lab.faults += "]";
  return lab;
}

TEST(HttpStage, EveryWireWordMeansWhatTheSimulatorSays) {
  const Policy limits = sim::testing::policy(R"([
      {"timeout": {"attempt": "4s", "first_token": "2s", "idle": "2s"}}])");
  for (const char* stream : {"0", "1"}) {
    const Lab lab = every_wire_word(stream);
    for (const Twin& twin : {twin_of(lab, limits), twin_of(anthropic(lab), limits)}) {
      expect_identical(twin);
      EXPECT_GT(twin.comparison.both, mock::wire_words().size()) << "not every word had a call";
      EXPECT_GT(twin.over_http.result.total.ended_as(CallEnd::failed), 5U);
      EXPECT_GT(twin.over_http.result.total.ended_as(CallEnd::success), 5U);
    }
  }
}

// The hint is told in the scenario's time: a client that lives five times as fast comes back after
// 2 s of it, and finds the outage over.
TEST(HttpStage, HintsAreToldInTheTimeThatTheEngineLivesIn) {
  Lab lab = quiet_lab();
  lab.duration = "12s";
  lab.arrivals = R"({"clients": {"count": 1, "think_time": "2s"}})";
  lab.faults = R"([{"on": "*", "error": "rate_limited", "retry_after": "2s", "first": 1}])";
  const Twin twin = twin_of(
      lab, sim::testing::policy(R"([{"retry": {"max_attempts": 2, "wait": {"fixed": "1ms"}}}])"));
  expect_identical(twin);
  EXPECT_GE(twin.over_http.calls.at(0).took, 2s);
  EXPECT_LT(twin.over_http.calls.at(0).took, 5s);
}

TEST(HttpStage, JudgesExpectationsOnWhatHappenedThere) {
  Lab lab = quiet_lab();
  lab.duration = "3s";
  lab.faults = R"([{"on": "*", "error": "server_error", "share": 1}])";
  lab.expect = R"(["availability >= 99%"])";
  const sim::RunResult result =
      fly_over_http(sim::testing::scenario(lab), sim::testing::policy("[]"), {}).result;
  EXPECT_EQ(result.verdict(), sim::Verdict::failed);
  EXPECT_EQ(result.end, sim::RunEnd::completed);
}

// 10 min after the last arrival, the call that began then is given up: 6 ms of real time.
TEST(HttpStage, ACallThatNeverEndsIsADeadlock) {
  Lab lab = quiet_lab();
  lab.duration = "30s";
  lab.arrivals = R"({"clients": {"count": 1, "think_time": "1s"}})";
  lab.faults = R"([{"on": "*", "hang": true, "share": 1}])";
  HttpOptions options;
  options.speed = 10'000;
  const sim::RunResult result =
      fly_over_http(sim::testing::scenario(lab), sim::testing::policy("[]"), options).result;
  EXPECT_EQ(result.end, sim::RunEnd::deadlock);
  EXPECT_EQ(result.unfinished_calls, 1U);
}

TEST(HttpStage, AnInterruptEndsIt) {
  std::atomic<bool> interrupt = true;
  const sim::Scenario scenario = sim::testing::scenario(quiet_lab());
  const Policy policy = sim::testing::policy("[]");
  HttpOptions options;
  options.interrupt = &interrupt;
  const HttpFlight flight =
      loaded(fly(scenario, policy, loaded(sim::bind(scenario, policy, {})), options));
  EXPECT_EQ(flight.result.end, sim::RunEnd::interrupted);
}

TEST(HttpStage, MeasuresTheMachinesNoise) {
  const sim::Histogram noise = loaded(measure_noise(1, nullptr));
  EXPECT_GT(noise.count(), 10U);
  EXPECT_GT(noise.max(), 0ns);
}

}  // namespace
}  // namespace brownout::twin
