// The scenario library: scenarios/incidents has what happened at providers or is documented there,
// scenarios/drills what is made up. docs/incidents.md has a row for each; its sources and measured
// columns are the files' and a run's. UPDATE_GOLDEN=1 writes these three cells and leaves the rest.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/bundled.hpp"
#include "tests/support/golden.hpp"

namespace brownout::sim {
namespace {

constexpr const char* page_path = "docs/incidents.md";
constexpr std::uint64_t calls_max = 50'000;
// Pinned at their length by digest_test.cpp.
const std::set<std::string> large = {"scenarios/incidents/openai-control-plane-collapse.json",
                                     "scenarios/incidents/dns-30s-stall.json"};

std::vector<std::string> files_in(const std::vector<std::string>& folders) {
  std::set<std::string> paths;
  for (const std::string& folder : folders) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".json") paths.insert(entry.path().string());
    }
  }
  return {paths.begin(), paths.end()};
}

std::vector<std::string> scenario_paths() {
  return files_in({"scenarios/incidents", "scenarios/drills"});
}

std::string text_of(const std::string& path, const std::string& key) {
  return nlohmann::json::parse(testing::file_text(path)).value(key, std::string());
}

// "| a | b |" to {"a", "b"}.
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::size_t begin = 2;
  for (auto end = line.find(" |", begin); end != line.npos; end = line.find(" |", begin)) {
    cells.push_back(line.substr(begin, end - begin));
    begin = end + 3;
  }
  return cells;
}

std::string line_of(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += " " + cell + " |";
  return line;
}

// Columns of the page's tables.
enum Column : std::size_t { link, happened, source, tests, availability, attempts, columns };

bool is_row(const std::string& line) {
  return line.starts_with("| [");
}

std::string path_in(const std::string& cell) {
  const auto begin = cell.find("](../") + 5;
  return cell.substr(begin, cell.size() - 1 - begin);
}

std::map<std::string, std::vector<std::string>> rows() {
  std::map<std::string, std::vector<std::string>> rows;
  std::istringstream page(testing::file_text(page_path));
  for (std::string line; std::getline(page, line);) {
    if (!is_row(line)) continue;
    const auto cells = cells_of(line);
    EXPECT_EQ(cells.size(), columns) << line;
    if (cells.size() != columns) continue;
    EXPECT_TRUE(rows.emplace(path_in(cells[link]), cells).second) << "twice: " << line;
  }
  return rows;
}

std::string source_cell(const std::string& path) {
  const std::string said = text_of(path, "source");
  return said.empty() ? "a drill" : said;
}

const std::map<std::string, RunResult>& flights() {
  static const std::map<std::string, RunResult> results = [] {
    std::map<std::string, RunResult> flown;
    for (const std::string& path : scenario_paths()) {
      const Scenario scenario = testing::loaded(load_scenario(path));
      const Policy policy = testing::loaded(load_policy(scenario.policy_path));
      flown.emplace(path, testing::fly(scenario, policy));
    }
    return flown;
  }();
  return results;
}

// Rounded down: 100 % means all.
std::string availability_cell(const CallStats& stats) {
  const std::uint64_t available =
      stats.ended_as(CallEnd::success) + stats.ended_as(CallEnd::cached);
  const std::uint64_t hundredths = available * 10'000 / stats.calls;
  return fmt::format("{}.{:02} %", hundredths / 100, hundredths % 100);
}

std::string attempts_cell(const CallStats& stats) {
  const std::uint64_t hundredths = (stats.attempts * 100 + stats.calls / 2) / stats.calls;
  return fmt::format("{}.{:02}", hundredths / 100, hundredths % 100);
}

TEST(Library, EveryScenarioNamesItsSourceOrSaysThatItIsADrill) {
  for (const std::string& path : scenario_paths()) {
    const std::string description = text_of(path, "description");
    EXPECT_FALSE(description.empty()) << path;
    if (!text_of(path, "source").empty()) continue;
    EXPECT_THAT(path, ::testing::StartsWith("scenarios/drills/"));
    EXPECT_THAT(description, ::testing::StartsWith("A drill: ")) << path;
  }
}

TEST(Library, EveryScenarioHasThreeRolesAndFliesWithRecommended) {
  for (const std::string& path : scenario_paths()) {
    const Scenario scenario = testing::loaded(load_scenario(path));
    for (const char* role : {"primary", "secondary", "independent"}) {
      EXPECT_NE(scenario.role(role), nullptr) << path << " has no " << role;
    }
    EXPECT_EQ(scenario.policy_path, "scenarios/policies/recommended.json") << path;
    EXPECT_FALSE(scenario.expectations.empty()) << path;
  }
}

TEST(Library, EveryBundledPolicyFliesInEveryScenario) {
  std::vector<std::pair<std::string, Policy>> policies;
  for (const auto& path : files_in({"scenarios/policies", "scenarios/policies/presets"})) {
    policies.emplace_back(path, testing::loaded(load_policy(path)));
  }
  for (const std::string& path : scenario_paths()) {
    const Scenario scenario = testing::loaded(load_scenario(path));
    for (const auto& [policy_path, policy] : policies) {
      const auto bound = bind(scenario, policy, {});
      EXPECT_TRUE(bound) << policy_path << ": " << bound.error().front().to_string();
    }
  }
}

TEST(Library, ThePageHasARowForEveryScenarioWithItsNameAndSource) {
  const auto page = rows();
  for (const std::string& path : scenario_paths()) {
    ASSERT_TRUE(page.contains(path)) << page_path << " has no row for " << path;
    const auto& row = page.at(path);
    EXPECT_EQ(row[link], fmt::format("[{}](../{})", text_of(path, "name"), path));
    EXPECT_EQ(row[source], source_cell(path)) << "UPDATE_GOLDEN=1 writes it";
    EXPECT_FALSE(row[happened].empty()) << path;
    EXPECT_FALSE(row[tests].empty()) << path;
  }
  EXPECT_EQ(page.size(), scenario_paths().size()) << "a row leads nowhere";
}

TEST(LibraryAtLength, RecommendedMeetsWhatEveryScenarioExpects) {
  for (const auto& [path, result] : flights()) {
    for (const ExpectationResult& expectation : result.expectations) {
      EXPECT_EQ(expectation.verdict, Verdict::passed)
          << path << ": " << expectation.expression << ", found " << expectation.actual;
    }
  }
}

// Under the rules of digest_test.cpp.
TEST(LibraryAtLength, DigestsArePinned) {
  std::string digests;
  for (const auto& [path, result] : flights()) {
    digests += fmt::format("{}  {}\n", format_digest(result.semantic_digest), path);
  }
  brownout::testing::expect_golden("library-digests.txt", digests);
}

TEST(LibraryAtLength, ScenariosAreSmallButForTwo) {
  for (const auto& [path, result] : flights()) {
    if (large.contains(path)) continue;
    EXPECT_LT(result.total.calls, calls_max) << path;
  }
}

TEST(LibraryAtLength, ThePageTellsWhatRecommendedReaches) {
  const std::string page = testing::file_text(page_path);
  std::istringstream lines(page);
  std::string fresh;
  for (std::string line; std::getline(lines, line);) {
    auto cells = is_row(line) ? cells_of(line) : std::vector<std::string>();
    if (cells.size() == columns && flights().contains(path_in(cells[link]))) {
      const CallStats& stats = flights().at(path_in(cells[link])).total;
      cells[source] = source_cell(path_in(cells[link]));
      cells[availability] = availability_cell(stats);
      cells[attempts] = attempts_cell(stats);
      line = line_of(cells);
    }
    fresh += line + "\n";
  }
  const char* update = std::getenv("UPDATE_GOLDEN");
  if (update != nullptr && std::string_view(update) == "1") {
    std::ofstream file(page_path, std::ios::binary);
    file << fresh;
    ASSERT_TRUE(file.flush()) << "cannot write " << page_path;
    return;
  }
  EXPECT_EQ(page, fresh) << page_path << " differs; UPDATE_GOLDEN=1 writes it";
}

}  // namespace
}  // namespace brownout::sim
