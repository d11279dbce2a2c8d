// What the pages of docs/policies claim: snippets load, sequences of numbers are what the machines
// say, outputs are what the program prints. UPDATE_GOLDEN=1 writes the last two.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <vector>

#include "engine/policy_file/policy_traps.hpp"
#include "reports/console.hpp"
#include "sim/run.hpp"
#include "tests/docs/page.hpp"
#include "tests/docs/worked.hpp"

namespace brownout::docs {
namespace {

const std::vector<std::string> skeleton{"About",    "State",          "Options",
                                        "Events",   "Worked numbers", "A good and a bad run",
                                        "Patterns", "Anti-patterns",  "What it costs",
                                        "Sources"};

bool is_index(const Page& page) {
  return page.path().ends_with("README.md");
}

TEST(PolicyPages, AllHaveOneSkeleton) {
  for (const Page& page : policy_pages()) {
    if (is_index(page)) continue;
    EXPECT_EQ(page.headings(), skeleton) << page.path();
  }
}

// A whole policy as it stands; a pipeline, a layer or the keys around a pipeline in the smallest
// policy that holds them.
Result<Policy> load_snippet(const Block& block) {
  const std::string head = R"({"kind":"policy","version":1,"name":"snippet",)";
  if (block.text.find("\"kind\"") != std::string::npos) return parse_policy("snippet", block.text);
  const auto document = Document::parse("snippet", block.text);
  if (!document) return tl::unexpected(document.error());
  const Node& root = (*document)->root();
  std::string rest = "\"pipeline\":";
  if (root.type == Node::Type::array) {
    rest += block.text;
  } else if (root.find("pipeline") != nullptr) {
    const auto brace = block.text.find('{');
    rest = block.text.substr(brace + 1, block.text.rfind('}') - brace - 1);
  } else {
    rest += "[" + block.text + R"(,{"timeout":{"attempt":"30s"}}])";
    if (root.find("fallback") != nullptr || root.find("timeout") != nullptr) {
      rest = "\"pipeline\":[" + block.text + "]";
    }
  }
  const bool leads = rest.find("\"fallback\"") == std::string::npos;
  return parse_policy("snippet", head + (leads ? R"("to":"openai/gpt-4",)" : "") + rest + "}");
}

TEST(PolicyPages, SnippetsLoadAndWarnOfWhatThePageSays) {
  std::size_t snippets = 0;
  for (const Page& page : policy_pages()) {
    for (const Block& block : page.blocks()) {
      if (block.language != "json") continue;
      const std::string where = page.path() + ":" + std::to_string(block.line);
      const auto policy = load_snippet(block);
      if (block.check.starts_with("refused: ")) {
        ASSERT_FALSE(policy) << where;
        EXPECT_EQ(policy.error().front().message, block.check.substr(9)) << where;
        continue;
      }
      ASSERT_TRUE(policy) << where << "\n" << policy.error().front().to_string();
      std::vector<std::string> traps;
      for (const Error& trap : find_traps(*policy).take()) traps.push_back(trap.message);
      if (!traps.empty()) {
        EXPECT_NE(page.text().find("> *" + traps.front() + "*: "), std::string::npos) << where;
      }
      const bool warns = block.check.starts_with("warns: ");
      EXPECT_EQ(traps, warns ? std::vector{block.check.substr(7)} : std::vector<std::string>{})
          << where;
      ++snippets;
    }
  }
  EXPECT_GE(snippets, 15U);
}

// The words of a trap are in its table only, so they are read where they stand.
TEST(PolicyPages, EveryTrapIsNamed) {
  std::string all;
  for (const Page& page : policy_pages()) all += page.text();
  const Page source("engine/policy_file/policy_traps.cpp");
  static const std::regex trap(R"re(Trap\{"\w+", "\w+",\s*"([^"]+)")re");
  std::size_t traps = 0;
  const std::string& text = source.text();
  for (std::sregex_iterator match(text.begin(), text.end(), trap), end; match != end; ++match) {
    EXPECT_NE(all.find("> *" + (*match)[1].str() + "*: "), std::string::npos) << (*match)[1];
    ++traps;
  }
  EXPECT_GE(traps, 14U);
}

TEST(PolicyPages, WorkedNumbersAreWhatTheMachinesSay) {
  std::map<std::string, int> worked;
  for (Page& page : policy_pages()) {
    for (const Block& block : page.blocks()) {
      if (!block.check.starts_with("check: ")) continue;
      const std::string text = work_out(block.check.substr(7));
      EXPECT_EQ(block.language, "text") << page.path();
      worked[page.path()] += 1;
      if (updating()) {
        for (const Block& now : page.blocks()) {
          if (now.check == block.check) page.replace(now.line, text);
        }
      } else {
        EXPECT_EQ(block.text, text) << page.path() << ":" << block.line;
      }
    }
    if (updating()) page.save();
    if (is_index(page)) continue;
    EXPECT_GE(worked[page.path()], 1) << page.path() << " works nothing out";
  }
}

// "brownout run SCENARIO --policy POLICY", without options.
struct Flight {
  std::string scenario;
  std::string policy;
};

Flight flight_of(const std::string& command) {
  static const std::regex form(R"(brownout run (\S+) --policy (\S+))");
  std::smatch match;
  EXPECT_TRUE(std::regex_match(command, match, form)) << command;
  return {match[1], match[2]};
}

sim::RunResult fly(const Flight& flight) {
  const auto scenario = sim::load_scenario(flight.scenario);
  const auto policy = load_policy(flight.policy);
  EXPECT_TRUE(scenario) << flight.scenario;
  EXPECT_TRUE(policy) << flight.policy;
  const auto bound = sim::bind(*scenario, *policy, {});
  EXPECT_TRUE(bound);
  return sim::run(*scenario, *policy, *bound, {});
}

// The verdict, the expectations, the table, what failed and the bill: what a page shows of an
// output.
std::string excerpt(const std::string& summary) {
  return summary.substr(0, summary.find('\n', summary.find("  tokens billed")) + 1);
}

TEST(PolicyPages, OutputsAreReal) {
  for (Page& page : policy_pages()) {
    std::size_t passed = 0;
    std::size_t failed = 0;
    for (const Block& block : page.blocks()) {
      if (!block.check.starts_with("output: ")) continue;
      const std::string command = block.check.substr(8);
      const std::string text =
          "$ " + command + "\n" + excerpt(reports::console_summary(fly(flight_of(command)), {}));
      passed += text.find("\nPASS  ") != std::string::npos ? 1 : 0;
      failed += text.find("\nFAIL  ") != std::string::npos ? 1 : 0;
      if (updating()) {
        for (const Block& now : page.blocks()) {
          if (now.check == block.check) page.replace(now.line, text);
        }
      } else {
        EXPECT_EQ(block.text, text) << page.path() << ":" << block.line;
      }
    }
    if (updating()) page.save();
    if (is_index(page)) continue;
    EXPECT_EQ(passed, 1U) << page.path() << " shows a run that passes";
    EXPECT_EQ(failed, 1U) << page.path() << " shows a run that fails";
  }
}

TEST(PolicyPages, LinksLeadSomewhereAndTheIndexToAll) {
  std::string index;
  for (const Page& page : policy_pages()) {
    if (is_index(page)) index = page.text();
    static const std::regex link(R"(\]\(([^)#:]+)[^):]*\))");
    const std::string& text = page.text();
    for (std::sregex_iterator match(text.begin(), text.end(), link), end; match != end; ++match) {
      const std::string target = "docs/policies/" + (*match)[1].str();
      EXPECT_TRUE(std::filesystem::exists(target)) << page.path() << " links to " << (*match)[1];
    }
  }
  for (const Page& page : policy_pages()) {
    const std::string name = std::filesystem::path(page.path()).filename().string();
    if (is_index(page)) continue;
    EXPECT_NE(index.find("](" + name + ")"), std::string::npos) << "the index lacks " << name;
  }
}

TEST(PolicyPages, ExamplesAreAllShown) {
  std::string all;
  for (const Page& page : policy_pages()) all += page.text();
  for (const auto& file : std::filesystem::directory_iterator("docs/policies/examples")) {
    EXPECT_NE(all.find(file.path().generic_string()), std::string::npos) << file.path();
  }
}

}  // namespace
}  // namespace brownout::docs
