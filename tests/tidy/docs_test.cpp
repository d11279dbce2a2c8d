// What the documentation claims, held against the program.

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>
#include <string>

#include "engine/core/outcome.hpp"
#include "reports/console.hpp"
#include "sim/run.hpp"

namespace brownout {
namespace {

std::string read(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string name_of(Blame blame) {
  return blame == Blame::provider ? "provider" : "neutral";
}

TEST(Docs, TheOutcomeTableIsTheClassification) {
  const std::string text = read("docs/reference/outcomes.md");
  static const std::regex row(R"(\| `(\w+)` \| (\w+) \| (\w+) \|)");
  std::size_t rows = 0;
  for (std::sregex_iterator match(text.begin(), text.end(), row), end; match != end; ++match) {
    const auto kind = parse_outcome_kind((*match)[1].str());
    ASSERT_TRUE(kind) << (*match)[1];
    EXPECT_EQ((*match)[2].str(), to_string(classify(*kind))) << (*match)[1];
    EXPECT_EQ((*match)[3].str(), name_of(blame(*kind))) << (*match)[1];
    ++rows;
  }
  EXPECT_EQ(rows, outcome_kind_count - 1) << "a row for every failure";
}

// The text block behind the comment that promises it is real.
std::string readme_block(const std::string& readme) {
  const auto begin = readme.find("```text\n", readme.find("A test holds this block")) + 8;
  return readme.substr(begin, readme.find("```", begin) - begin);
}

TEST(Docs, TheReadmesOutputIsReal) {
  const auto scenario =
      sim::load_scenario("scenarios/incidents/openai-control-plane-collapse.json");
  ASSERT_TRUE(scenario);
  const auto policy = load_policy(scenario->policy_path);
  ASSERT_TRUE(policy);
  const auto bound = sim::bind(*scenario, *policy, {});
  ASSERT_TRUE(bound);
  const auto result = sim::run(*scenario, *policy, *bound, {});
  std::string block = readme_block(read("README.md"));
  // The last line tells how long it took on the machine it was written on.
  block.erase(block.rfind("  6h00m simulated in"));
  EXPECT_EQ(block, reports::console_summary(result, {}));
}

// Each listing of the guide is named after its file, and stands there word for word.
TEST(Docs, TheLibraryGuideShowsTheExamples) {
  const std::string guide = read("docs/guide/library.md");
  static const std::regex listing("<!-- (examples/[a-z_.]+) -->\n```cpp\n([^`]+)```");
  std::size_t listings = 0;
  for (std::sregex_iterator match(guide.begin(), guide.end(), listing), end; match != end;
       ++match) {
    EXPECT_NE(read((*match)[1]).find((*match)[2].str()), std::string::npos)
        << (*match)[1] << " does not say\n"
        << (*match)[2];
    ++listings;
  }
  std::size_t blocks = 0;
  for (auto at = guide.find("```cpp"); at != guide.npos; at = guide.find("```cpp", at + 1)) {
    ++blocks;
  }
  EXPECT_EQ(listings, blocks) << "every listing says where it is from";
  EXPECT_GT(listings, 0U);
}

TEST(Docs, LinksLeadSomewhere) {
  for (const char* page : {"README.md", "CONTRIBUTING.md"}) {
    const std::string text = read(page);
    static const std::regex link(R"(\]\(([^)#:]+)\))");
    for (std::sregex_iterator match(text.begin(), text.end(), link), end; match != end; ++match) {
      std::ifstream target((*match)[1].str());
      EXPECT_TRUE(target) << page << " links to " << (*match)[1];
    }
  }
}

}  // namespace
}  // namespace brownout
