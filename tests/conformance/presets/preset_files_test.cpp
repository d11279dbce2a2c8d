// Every preset as a file: it loads, says where it comes from, and flies.

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "engine/core/document.hpp"
#include "tests/conformance/presets/presets.hpp"
#include "tests/sim/bundled.hpp"

namespace brownout::conformance {
namespace {

std::string text_of(const std::string& name, std::string_view key) {
  const auto document = Document::load(path_of_preset(name));
  if (!document) return {};
  const Node* node = (*document)->root().find(key);
  return node == nullptr ? std::string{} : node->text;
}

TEST(PresetFiles, AreTheLibrariesPeopleRun) {
  EXPECT_EQ(preset_names(), (std::vector<std::string>{"anthropic-python", "anthropic-ts",
                                                      "aws-2026",         "aws-standard",
                                                      "cockatiel",        "envoy",
                                                      "failsafe-go",      "finagle",
                                                      "gobreaker",        "google-sre",
                                                      "grpc-a6-new",      "grpc-a6-old",
                                                      "hystrix",          "langchain-js",
                                                      "langchain-py",     "litellm-router",
                                                      "openai-node",      "openai-python",
                                                      "opossum",          "polly-standard-handler",
                                                      "portkey",          "resilience4j-defaults",
                                                      "vercel-ai"}));
}

TEST(PresetFiles, SayWhereTheyComeFromAndWhatTheyLack) {
  static const std::regex year(R"(20[12][0-9])");
  for (const std::string& name : preset_names()) {
    const Policy policy = preset(name);
    EXPECT_EQ(policy.name, name) << "called as its file";
    EXPECT_TRUE(std::regex_search(text_of(name, "source"), year)) << name;
    EXPECT_NE(policy.description.find("Not reproduced: "), std::string::npos) << name;
  }
}

TEST(PresetFiles, LeadToThePrimaryModelOfAnyScenario) {
  for (const std::string& name : preset_names()) {
    const Policy policy = preset(name);
    ASSERT_FALSE(policy.routes().empty()) << name;
    EXPECT_EQ(policy.routes().front()->role, "primary") << name;
  }
}

std::set<OutcomeKind> failures_of(const sim::CallStats& calls) {
  std::set<OutcomeKind> failures;
  for (std::size_t i = 0; i < outcome_kind_count; ++i) {
    if (calls.failed_as[i] != 0) failures.insert(static_cast<OutcomeKind>(i));
  }
  return failures;
}

// Whoever has no shortcoming answers every call.
TEST(PresetFiles, FlyThroughAnOrdinaryDay) {
  const sim::Scenario healthy = sim::testing::thinned_scenario("healthy");
  for (const std::string& name : preset_names()) {
    const sim::RunResult result = sim::testing::fly(healthy, preset(name));
    const sim::CallStats& calls = result.total;
    const auto known = shortcomings().find(name);
    EXPECT_EQ(result.unfinished_calls, 0U) << name;
    EXPECT_EQ(failures_of(calls),
              known == shortcomings().end() ? std::set<OutcomeKind>{} : known->second.failures)
        << name;
  }
}

}  // namespace
}  // namespace brownout::conformance
