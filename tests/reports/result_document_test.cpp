#include "reports/result/result_document.hpp"

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
                                  "scenario_description",
                                  "scenario_source",
                                  "scenario_digest",
                                  "policy",
                                  "policy_path",
                                  "policy_description",
                                  "policy_digest",
                                  "seed",
                                  "stage",
                                  "speed",
                                  "could_not_follow",
                                  "replay",
                                  "starts_at_unix_ns",
                                  "events",
                                  "has_prices",
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
                                  "faults",
                                  "errors",
                                  "timeline",
                                  "samples"};
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
                                    "in_flight_max_by_route",
                                    "waits",
                                    "wait",
                                    "hinted",
                                    "retry_after",
                                    "latency",
                                    "first_token"};
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

TEST(JsonReport, SaysWhereARunWasFlown) {
  EXPECT_EQ(run_of(passing())["stage"], "sim");
  EXPECT_EQ(run_of(passing())["speed"], Json());
  EXPECT_EQ(run_of(over_http(passing()))["stage"], "http");
  EXPECT_EQ(run_of(over_http(passing()))["speed"].dump(), "5");
  EXPECT_EQ(run_of(over_http(passing(), 0.25))["speed"].dump(), "0.25");
}

TEST(JsonReport, SaysThatTheMachineCouldNotFollow) {
  RunResult run = over_http(passing());
  EXPECT_EQ(run_of(run)["could_not_follow"], "");
  run.could_not_follow = "this machine could not follow";
  EXPECT_EQ(run_of(run)["could_not_follow"], run.could_not_follow);
  const auto read = from_json("some.json", to_json({run}));
  ASSERT_TRUE(read) << read.error()[0].message;
  EXPECT_EQ((*read)[0].could_not_follow, run.could_not_follow);
}

TEST(JsonReport, AResultOlderThanTheStageWasSimulated) {
  Json old = Json::parse(to_json({failing()}));
  old["runs"][0].erase("stage");
  old["runs"][0].erase("speed");
  const auto read = from_json("some.json", old.dump());
  ASSERT_TRUE(read) << read.error()[0].message;
  EXPECT_EQ(to_json(*read), to_json({failing()}));
}

TEST(JsonReport, FailuresNameTheirKinds) {
  const Json json = run_of(failing());
  EXPECT_EQ(json["verdict"], "failed");
  EXPECT_EQ(json["total"]["failed_as"], Json::parse(R"({"timed_out": 50, "server_error": 149})"));
  EXPECT_EQ(json["total"]["rejected_by_breaker"], Json::parse(R"({"main": 20, "backup": 0})"));
  EXPECT_EQ(json["expectations"][0]["value"], Json::parse("[900, 1100]"));
  EXPECT_EQ(json["expectations"][0]["threshold"], Json::parse("[99, 100]"));
  EXPECT_EQ(json["expectations"][2]["verdict"], "undecided");
  EXPECT_EQ(json["expectations"][2]["value"], Json());
}

TEST(JsonReport, AKeptCallHasItsWholeStory) {
  const Json call = run_of(failing())["samples"][0];
  EXPECT_EQ(call["kept_as"], Json::parse(R"(["failed", "random"])"));
  EXPECT_EQ(call["route"], Json());
  EXPECT_EQ(call["attempts"][0]["retry_after_ns"], 20'000'000'000);
  EXPECT_EQ(call["attempts"][0]["first_output_ns"], Json());
  EXPECT_EQ(call["attempts"][1]["route"], "backup");
  EXPECT_EQ(call["waits"][0]["reason"], "retry");
  EXPECT_EQ(call["rejections"][0]["breaker"], "main");
  EXPECT_EQ(call["rejections"][1]["breaker"], Json());
}

TEST(JsonReport, ReadAgainItGivesTheSameText) {
  for (const RunResult& result : {passing(), failing(), undecided(), deadlocked(),
                                  over_http(failing()), over_http(passing(), 0.25)}) {
    const std::string text = to_json({result, result});
    const auto read = from_json("result.json", text);
    ASSERT_TRUE(read) << read.error()[0].message;
    EXPECT_EQ(to_json(*read), text);
  }
}

// Everything a file may be instead, and what is said about it.
TEST(JsonReport, WhatIsNoResultIsRefusedWithAReason) {
  const auto complaint = [](const std::string& text) {
    const auto read = from_json("some.json", text);
    return read ? "" : read.error()[0].message;
  };
  EXPECT_EQ(complaint("{"),
            "some.json is not JSON: parse error at line 1, column 2: syntax error while parsing "
            "object key - unexpected end of input; expected string literal");
  EXPECT_EQ(complaint("[]"), "some.json is not a result document: it has no \"kind\"");
  EXPECT_EQ(complaint(R"({"kind": "policy"})"),
            "some.json is not a result document: its kind is \"policy\"");
  EXPECT_EQ(complaint(R"({"kind": "scenario"})"),
            "some.json is not a result document: its kind is \"scenario\"; run it with --json to "
            "make one");
  EXPECT_EQ(complaint(R"({"kind": "result"})"), "some.json lacks \"schema_version\"");
  EXPECT_EQ(complaint(R"({"kind": "result", "schema_version": 7})"),
            "some.json is not a result document: its schema_version is 7, this program reads 1");
  EXPECT_EQ(complaint(R"({"kind": "result", "schema_version": 1, "runs": [{}]})"),
            "some.json.runs[0] lacks \"scenario\"");
}

// A field that is gone or of another type is told by its path, whichever it is.
TEST(JsonReport, EveryBrokenFieldIsToldByItsPath) {
  const Json whole = Json::parse(to_json({failing()}));
  int broken = 0;
  const Json fields = whole.flatten();
  for (const auto& [pointer, value] : fields.items()) {
    if (!pointer.starts_with("/runs/0/") || value.is_null()) continue;
    Json changed = whole;
    changed[Json::json_pointer(pointer)] = value.is_boolean() ? Json("yes") : Json(true);
    const auto read = from_json("some.json", changed.dump());
    if (read && pointer.find("_ns") != std::string::npos) continue;  // derived from the buckets
    ASSERT_FALSE(read) << pointer;
    EXPECT_TRUE(read.error()[0].message.starts_with("some.json.runs[0].")) << pointer;
    ++broken;
  }
  EXPECT_GT(broken, 100);
}

TEST(JsonReport, AVerdictThatItsExpectationsDoNotLeadToIsRefused) {
  Json changed = Json::parse(to_json({failing()}));
  changed["runs"][0]["verdict"] = "passed";
  const auto read = from_json("some.json", changed.dump());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error()[0].message,
            "some.json.runs[0].verdict is not the verdict its expectations lead to");
}

TEST(JsonReport, WhatWouldForgeALineOrDivideByNothingIsRefused) {
  const auto complaint = [](const char* pointer, const Json& value) {
    Json changed = Json::parse(to_json({failing()}));
    changed["runs"][0][Json::json_pointer(pointer)] = value;
    const auto read = from_json("some.json", changed.dump());
    return read ? "" : read.error()[0].message;
  };
  EXPECT_EQ(complaint("/scenario", "a\nPASS  b"),
            "some.json.runs[0].scenario is not a line of text");
  EXPECT_EQ(complaint("/policy", "\x1B[2J"), "some.json.runs[0].policy is not a line of text");
  EXPECT_EQ(complaint("/speed", 2),
            "some.json.runs[0].speed is not null, and a simulated clock has no speed");
  EXPECT_EQ(complaint("/stage", "moon"), "some.json.runs[0].stage is not a word known there");
  EXPECT_EQ(complaint("/timeline/bucket_ns", 0),
            "some.json.runs[0].timeline.bucket_ns is not the width of a bucket");
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
