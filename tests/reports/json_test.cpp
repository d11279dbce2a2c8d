#include "reports/json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "tests/reports/results.hpp"
#include "tests/support/golden.hpp"

namespace brownout::reports {
namespace {

using namespace testing;
using Json = nlohmann::json;

Json run_of(const RunResult& result) {
  return Json::parse(to_json({result}))["runs"][0];
}

std::set<std::string> keys(const Json& object) {
  std::set<std::string> result;
  for (const auto& [key, value] : object.items()) result.insert(key);
  return result;
}

TEST(JsonReport, IsADocumentOfRuns) {
  const std::string text = to_json({passing(), failing()});
  EXPECT_TRUE(text.ends_with("}\n"));
  const Json document = Json::parse(text);
  EXPECT_EQ(keys(document), (std::set<std::string>{"kind", "schema_version", "runs"}));
  EXPECT_EQ(document["kind"], "result");
  EXPECT_EQ(document["schema_version"], 1);
  EXPECT_EQ(document["runs"].size(), 2U);
  EXPECT_EQ(Json::parse(to_json({}))["runs"], Json::array());
}

TEST(JsonReport, EveryFieldIsThereEvenWhenEmpty) {
  const std::set<std::string> run{"scenario",
                                  "scenario_path",
                                  "policy",
                                  "policy_path",
                                  "policy_description",
                                  "seed",
                                  "verdict",
                                  "end",
                                  "diagnosis",
                                  "unfinished_calls",
                                  "scenario_ends_ns",
                                  "ended_ns",
                                  "semantic_digest",
                                  "schedule_digest",
                                  "expectations",
                                  "routes",
                                  "total",
                                  "phases",
                                  "breakers",
                                  "faults"};
  const std::set<std::string> stats{"calls",
                                    "success",
                                    "cached",
                                    "degraded",
                                    "failed",
                                    "failed_as",
                                    "hedges",
                                    "shared",
                                    "rejected",
                                    "rejected_by_breaker",
                                    "served_by_route",
                                    "attempts",
                                    "attempts_as",
                                    "attempts_by_route",
                                    "billed_tokens",
                                    "wasted_tokens",
                                    "cost_nanodollars",
                                    "latency"};
  for (const RunResult& result : {passing(), failing(), undecided(), deadlocked()}) {
    const Json json = run_of(result);
    EXPECT_EQ(keys(json), run);
    EXPECT_EQ(keys(json["total"]), stats);
    EXPECT_EQ(keys(json["phases"][1]["stats"]), stats);
    EXPECT_EQ(keys(json["total"]["latency"]),
              (std::set<std::string>{"success", "failed", "other"}));
    EXPECT_TRUE(json["faults"].is_array());
  }
}

TEST(JsonReport, NumbersAreWhatTheRunCounted) {
  const Json json = run_of(passing());
  EXPECT_EQ(json["verdict"], "passed");
  EXPECT_EQ(json["end"], "completed");
  EXPECT_EQ(json["seed"], 42);
  EXPECT_EQ(json["scenario_ends_ns"], 7'200'000'000'000);
  EXPECT_EQ(json["ended_ns"], 7'203'000'000'000);
  EXPECT_EQ(json["semantic_digest"], "0123456789abcdef");
  EXPECT_EQ(json["schedule_digest"], "fedcba9876543210");
  EXPECT_EQ(json["routes"], Json::parse(R"([{"name": "main", "target": "openai/gpt-4"},
      {"name": "backup", "target": "anthropic/claude"}])"));
  EXPECT_EQ(json["total"]["calls"], 155'000);
  EXPECT_EQ(json["total"]["served_by_route"], Json::parse(R"({"main": 120000, "backup": 30000})"));
  EXPECT_EQ(json["phases"][1]["stats"]["success"], 30'000);
  EXPECT_EQ(json["phases"][1]["begins_ns"], 3'600'000'000'000);
  const Json& latency = json["phases"][0]["stats"]["latency"];
  EXPECT_EQ(latency["success"]["count"], 120'000);
  EXPECT_EQ(latency["success"]["mean_ns"], 800'000'000);
  EXPECT_EQ(latency["success"]["p999_ns"], 800'000'000);
  EXPECT_EQ(latency["failed"], Json::parse(R"({"count": 0})"));
  EXPECT_EQ(json["faults"][0], Json::parse(R"({"phase": "late",
      "fault": "server_error on openai/*, share 0.97", "matched": 1000, "injected": 971,
      "asked_billionths": 970000000000})"));
  EXPECT_EQ(json["breakers"][0]["opened"], 8);
  EXPECT_EQ(json["breakers"][0]["transitions"].size(), 24U);
  EXPECT_EQ(json["breakers"][1]["final_state"], "open");
}

TEST(JsonReport, FailuresNameTheirKinds) {
  const Json json = run_of(failing());
  EXPECT_EQ(json["verdict"], "failed");
  EXPECT_EQ(json["total"]["failed_as"], Json::parse(R"({"timed_out": 50, "server_error": 149})"));
  EXPECT_EQ(json["total"]["rejected_by_breaker"], Json::parse(R"({"main": 20, "backup": 0})"));
  EXPECT_EQ(json["expectations"][2], Json::parse(R"({"expression": "latency.p99 during late <= 5s",
      "actual": "no such calls", "verdict": "undecided"})"));
}

TEST(JsonReport, ADeadlockSaysWhatItIs) {
  const Json json = run_of(deadlocked());
  EXPECT_EQ(json["verdict"], "undecided");
  EXPECT_EQ(json["end"], "deadlock");
  EXPECT_EQ(json["unfinished_calls"], 1);
  EXPECT_NE(json["diagnosis"].get<std::string>().find("call 2 has had no answer"),
            std::string::npos);
}

TEST(JsonReport, TheSameResultGivesTheSameBytes) {
  EXPECT_EQ(to_json({failing()}), to_json({failing()}));
  brownout::testing::expect_golden("result.json", to_json({failing(), deadlocked()}));
}

TEST(JsonReport, BytesThatAreNoTextDoNotBreakIt) {
  RunResult result = passing();
  result.scenario_path =
      "scen\xFF"
      "arios/\"x\"\n.json";
  EXPECT_EQ(run_of(result)["scenario_path"], "scen\uFFFDarios/\"x\"\n.json");
}

}  // namespace
}  // namespace brownout::reports
