// The bug museum: scenarios/museum has a scenario for every bug of the list C01 to C80 that an
// engine can have. Its policy passes it; whatever has the bug, a preset or an imitation, fails.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/sim/bundled.hpp"
#include "tests/support/golden.hpp"

namespace brownout::sim {
namespace {

using Json = nlohmann::json;

constexpr int entries = 80;
const std::string museum = "scenarios/museum/";

Json json_of(const std::string& path) {
  return Json::parse(testing::file_text(path));
}

// By number: "C01" to "scenarios/museum/C01-neutral-probe.json".
std::map<std::string, std::string> scenario_paths() {
  std::map<std::string, std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(museum)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with('C')) continue;
    const bool first = paths.emplace(name.substr(0, 3), museum + name).second;
    EXPECT_TRUE(first) << name << " has a number that is taken";
  }
  return paths;
}

struct Split {
  std::string before;
  std::string after;
};

Split split_at(const std::string& text, const std::string& separator) {
  const auto at = text.find(separator);
  EXPECT_NE(at, std::string::npos) << "no \"" << separator << "\" in: " << text;
  if (at == std::string::npos) return {text, ""};
  return {text.substr(0, at), text.substr(at + separator.size())};
}

std::string link(const std::string& path) {
  const std::string name = std::filesystem::path(path).stem().string();
  return "[" + name + "](../" + path + ")";
}

// "presets" are what people run; a policy of the museum imitates a bug nobody ships as a policy.
std::string failures_line(const Json& failing) {
  std::string presets;
  std::string imitations;
  for (const Json& run : failing) {
    const std::string path = run.at("policy");
    std::string& list = path.starts_with(museum) ? imitations : presets;
    list += (list.empty() ? "" : ", ") + link(path);
  }
  std::string line;
  if (!presets.empty()) line += " Fails with the preset " + presets + ".";
  if (!imitations.empty()) line += " Fails with " + imitations + ".";
  return line;
}

std::string section(const std::string& number, const std::string& path, const Json& failing) {
  const Json scenario = json_of(path);
  const Split said = split_at(scenario.at("description"), " Here: ");
  const Split source = split_at(scenario.at("source"), ": ");
  return "### " + number + " · " + source.before + "\n\n" + said.before + " (" + source.after +
         ")\n\n**This engine:** " + said.after + "\n\nScenario " + link(path) + "." +
         failures_line(failing) + "\n\n";
}

std::string left_out_section(const std::string& number, const Json& entry) {
  std::string text = "### " + number + " · " + entry.at("system").get<std::string>() + "\n\n" +
                     entry.at("wrong").get<std::string>() + " (" +
                     entry.at("source").get<std::string>() + ")\n\n**No scenario:** " +
                     entry.at("reason").get<std::string>();
  if (entry.contains("test")) {
    const Split test = split_at(entry.at("test"), ": ");
    text += " Test `" + test.after + "` in `" + test.before + "`.";
  }
  return text + "\n\n";
}

TEST(Museum, EveryScenarioIsPassedByItsPolicy) {
  for (const auto& [number, path] : scenario_paths()) {
    const Scenario scenario = testing::loaded(load_scenario(path));
    ASSERT_FALSE(scenario.expectations.empty()) << path;
    EXPECT_EQ(museum + scenario.name + ".json", path);
    const Policy policy = testing::loaded(load_policy(scenario.policy_path));
    const RunResult result = testing::fly(scenario, policy);
    EXPECT_EQ(result.end, RunEnd::completed) << path << '\n' << result.diagnosis;
    EXPECT_LE(result.total.calls, 5000U) << path << " is no small scenario any more";
    for (const ExpectationResult& expectation : result.expectations) {
      EXPECT_EQ(expectation.verdict, Verdict::passed)
          << path << ": " << expectation.expression << ", found " << expectation.actual;
    }
  }
}

TEST(Museum, WhateverHasTheBugFailsWhatTheScenarioExpects) {
  const auto paths = scenario_paths();
  const Json failing = json_of(museum + "failing.json");
  for (const auto& [number, runs] : failing.items()) {
    ASSERT_TRUE(paths.contains(number)) << number;
    const Scenario scenario = testing::loaded(load_scenario(paths.at(number)));
    for (const Json& run : runs) {
      const std::string policy = run.at("policy");
      const RunResult result = testing::fly(scenario, testing::loaded(load_policy(policy)));
      EXPECT_EQ(result.verdict(), Verdict::failed) << number << " with " << policy;
      std::vector<std::string> failed;
      for (const ExpectationResult& expectation : result.expectations) {
        if (expectation.verdict == Verdict::failed) failed.push_back(expectation.expression);
      }
      EXPECT_THAT(failed, ::testing::IsSupersetOf(run.at("expect").get<std::vector<std::string>>()))
          << number << " with " << policy;
    }
  }
}

TEST(Museum, EveryScenarioHasAPolicyThatFailsIt) {
  const Json failing = json_of(museum + "failing.json");
  for (const auto& [number, path] : scenario_paths()) {
    EXPECT_TRUE(failing.contains(number)) << path << " has not been shown to be able to fail";
  }
}

TEST(Museum, EveryEntryHasAScenarioOrAReasonAndATestThatExists) {
  const auto paths = scenario_paths();
  const Json left_out = json_of(museum + "left-out.json");
  for (int i = 1; i <= entries; ++i) {
    const std::string number = (i < 10 ? "C0" : "C") + std::to_string(i);
    EXPECT_NE(paths.contains(number), left_out.contains(number)) << number;
  }
  for (const auto& [number, entry] : left_out.items()) {
    EXPECT_FALSE(entry.at("reason").get<std::string>().empty()) << number;
    if (!entry.contains("test")) continue;
    const Split test = split_at(entry.at("test"), ": ");
    EXPECT_THAT(testing::file_text(test.before), ::testing::HasSubstr(", " + test.after)) << number;
  }
}

TEST(Museum, EveryPolicyIsFlownBySomebody) {
  std::string used = testing::file_text(museum + "failing.json");
  for (const auto& [number, path] : scenario_paths()) {
    used += json_of(path).at("policy").get<std::string>();
  }
  for (const auto& entry : std::filesystem::directory_iterator(museum + "policies")) {
    EXPECT_THAT(used, ::testing::HasSubstr("policies/" + entry.path().filename().string()));
  }
}

// UPDATE_GOLDEN=1 writes the page.
TEST(Museum, ThePageIsWhatTheFilesSay) {
  const auto paths = scenario_paths();
  const Json failing = json_of(museum + "failing.json");
  const Json left_out = json_of(museum + "left-out.json");
  std::string page = testing::file_text(museum + "page-head.md");
  for (int i = 1; i <= entries; ++i) {
    const std::string number = (i < 10 ? "C0" : "C") + std::to_string(i);
    if (paths.contains(number)) {
      page += section(number, paths.at(number), failing.value(number, Json::array()));
    } else if (left_out.contains(number)) {
      page += left_out_section(number, left_out.at(number));
    }
  }
  page.pop_back();
  brownout::testing::expect_golden("../../docs/museum.md", page);
}

}  // namespace
}  // namespace brownout::sim
