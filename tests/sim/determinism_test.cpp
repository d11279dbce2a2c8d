// A run is a function of its inputs, and every part of it of its own draws only.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <utility>

#include "tests/sim/bundled.hpp"

namespace brownout::sim {
namespace {

using testing::EventList;
using testing::fly;
using testing::Lab;

struct Digests {
  std::uint64_t semantic = 0;
  std::uint64_t schedule = 0;
  bool operator==(const Digests&) const = default;
};

Digests digests(const Scenario& scenario, const RunOptions& options = {}) {
  const RunResult result =
      fly(scenario, testing::loaded(load_policy(scenario.policy_path)), options);
  EXPECT_EQ(result.end, RunEnd::completed);
  return {result.semantic_digest, result.schedule_digest};
}

void expect_determined_by_its_seed(const Scenario& scenario) {
  const Digests first = digests(scenario);
  EXPECT_EQ(digests(scenario, testing::seeded(scenario.seed)), first) << scenario.name;
  const Digests other = digests(scenario, testing::seeded(scenario.seed + 1));
  EXPECT_NE(other.semantic, first.semantic) << scenario.name;
  EXPECT_NE(other.schedule, first.schedule) << scenario.name;
}

TEST(Determinism, TheSameSeedGivesTheSameRunAndAnotherSeedAnotherOne) {
  expect_determined_by_its_seed(testing::bundled_scenario("incidents/tpm-30k"));
  for (const char* name :
       {"healthy", "incidents/openai-control-plane-collapse", "incidents/dns-30s-stall"}) {
    expect_determined_by_its_seed(testing::thinned_scenario(name));
  }
}

TEST(DeterminismAtLength, TheSameSeedGivesTheSameRunAndAnotherSeedAnotherOne) {
  for (const char* name :
       {"healthy", "incidents/openai-control-plane-collapse", "incidents/dns-30s-stall"}) {
    expect_determined_by_its_seed(testing::bundled_scenario(name));
  }
}

TEST(Determinism, NoThreadIsLeftBehind) {
  digests(testing::bundled_scenario("incidents/tpm-30k"));
  std::ifstream status("/proc/self/status");
  ASSERT_TRUE(status);
  std::string line;
  while (std::getline(status, line) && !line.starts_with("Threads:")) {
  }
  EXPECT_EQ(line, "Threads:\t1");
}

// What became of each attempt at lab/other, and how long it took.
using Attempts = std::map<std::pair<CallId, std::uint32_t>, std::pair<OutcomeKind, Duration>>;

Attempts attempts_at_other(const std::string& fault_on_model) {
  Lab lab;
  lab.model = R"("ttft": {"lognormal": {"median": "1s", "sigma": 0.5}}, "inter_token": "10ms")";
  lab.other = lab.model;
  lab.network = R"({"exponential": {"mean": "20ms"}})";
  lab.arrivals = R"({"poisson": "1/s"})";
  lab.output_tokens = R"({"exponential": {"mean": 100}})";
  lab.faults = R"([{"on": "lab/other", "error": "server_error", "share": 0.3},
                   {"on": "lab/other", "latency": {"add": {"exponential": {"mean": "1s"}}}},
)" + fault_on_model +
               "]";
  EventList events;
  fly(testing::scenario(lab), testing::branching_policy(R"([{"fallback": {"routes": [
      {"name": "main", "to": "lab/model", "pipeline": []},
      {"name": "backup", "to": "lab/other", "pipeline": [
          {"retry": {"max_attempts": 2, "wait": {"fixed": "1s"}}}]}]}}])"),
      testing::heard_by(events));
  Attempts attempts;
  for (const auto& attempt : events.attempts) {
    if (attempt.event.route != 1) continue;
    // The first attempt of a call was at lab/model.
    attempts[{attempt.event.call, attempt.event.number - 1}] = {
        attempt.outcome.kind, attempt.event.ended - attempt.event.started};
  }
  return attempts;
}

TEST(Determinism, ChangingAFaultOfOneModelLeavesTheDrawsOfAnotherAlone) {
  const Attempts before =
      attempts_at_other(R"({"on": "lab/model", "error": "server_error", "share": 0.5})");
  const Attempts after =
      attempts_at_other(R"({"on": "lab/model", "error": "overloaded", "share": 0.2},
                           {"on": "lab/model", "hang": true, "share": 0},
                           {"on": "lab/model", "outage": true, "share": 0.4},
                           {"on": "lab/model", "latency": {"multiply": 3}, "share": 0.5})");
  int compared = 0;
  for (const auto& [address, attempt] : before) {
    const auto found = after.find(address);
    if (found == after.end()) continue;
    ++compared;
    EXPECT_EQ(found->second, attempt) << "call " << address.first << ", attempt " << address.second;
  }
  EXPECT_GT(compared, 1000);
  EXPECT_NE(after.size(), before.size());
}

TEST(Determinism, TwoPoliciesMeetTheSameCalls) {
  Lab lab;
  lab.arrivals = R"({"poisson": "1/s"})";
  lab.faults = R"([{"on": "*", "error": "server_error", "share": 0.5}])";
  EventList plain;
  EventList resilient;
  fly(lab, "[]", testing::heard_by(plain));
  fly(lab, R"([{"retry": {"max_attempts": 5}}, {"breaker": {"consecutive_failures": 3}}])",
      testing::heard_by(resilient));
  ASSERT_EQ(plain.calls.size(), resilient.calls.size());
  std::map<CallId, Instant> arrivals;
  for (const auto& call : plain.calls) arrivals[call.event.call] = call.event.started;
  for (const auto& call : resilient.calls) EXPECT_EQ(arrivals[call.event.call], call.event.started);
}

}  // namespace
}  // namespace brownout::sim
