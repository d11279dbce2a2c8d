// docs/policies/presets.md: what stands below its mark is written from the files. UPDATE_GOLDEN=1
// writes it; look at the difference before committing it.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "engine/core/document.hpp"
#include "tests/conformance/presets/presets.hpp"
#include "tests/sim/bundled.hpp"

namespace brownout::conformance {
namespace {

constexpr const char* page_path = "docs/policies/presets.md";
constexpr std::string_view mark = "<!-- From here on a test writes this page from the files. -->\n";

std::string source_of(const std::string& name) {
  const auto document = Document::load(path_of_preset(name));
  return (*document)->root().find("source")->text;
}

// What describe() says of the layers of this kind on the first route, without the kind's name.
std::vector<std::string> lines_of(const std::string& name, std::string_view kind) {
  std::istringstream text(describe(preset(name)));
  std::vector<std::string> lines;
  int routes = 0;
  for (std::string line; std::getline(text, line);) {
    line.erase(0, line.find_first_not_of(' '));
    routes += line.starts_with("route ");
    if (routes > 1) break;
    const std::string prefix = std::string(kind) + ": ";
    if (line.starts_with(prefix)) lines.push_back(line.substr(prefix.size()));
  }
  return lines;
}

std::string joined(const std::vector<std::string>& parts) {
  return parts.empty() ? "–" : fmt::format("{}", fmt::join(parts, "; "));
}

struct RetryCells {
  std::string attempts = "1";
  std::string wait = "–";
  std::string rest = "–";  // hints and budget
};

// "3 attempts, wait exponential …, retry-after …, budget quota, on …"
RetryCells retry_cells(const std::string& name) {
  const std::vector<std::string> lines = lines_of(name, "retry");
  if (lines.empty()) return {};
  const std::string& line = lines.front();
  const auto attempts = line.find(" attempts, wait ");
  const auto wait = attempts + std::string_view(" attempts, wait ").size();
  const auto on = line.find(", on ", wait);
  const auto rest = std::min({on, line.find(", retry-after", wait), line.find(", at least", wait),
                              line.find(", budget", wait)});
  RetryCells cells{line.substr(0, attempts), line.substr(wait, rest - wait), "–"};
  if (rest != on) cells.rest = line.substr(rest + 2, on - rest - 2);
  return cells;
}

std::string row(const std::string& name) {
  const RetryCells retry = retry_cells(name);
  std::vector<std::string> breakers = lines_of(name, "breaker");
  for (std::string& breaker : breakers) breaker.erase(breaker.find("; failures"));
  std::vector<std::string> timeouts;
  for (std::string line : lines_of(name, "timeout")) timeouts.push_back(line);
  std::vector<std::string> limits;
  for (const char* kind : {"bulkhead", "rate_limit", "throttle"}) {
    for (const std::string& line : lines_of(name, kind)) {
      limits.push_back(std::string(kind) + " " + line);
    }
  }
  return fmt::format("| [{0}](#{0}) | {1} | {2} | {3} | {4} | {5} | {6} |\n", name, retry.attempts,
                     retry.wait, retry.rest, joined(breakers), joined(timeouts), joined(limits));
}

std::string section(const std::string& name) {
  const Policy policy = preset(name);
  constexpr std::string_view split = " Not reproduced: ";
  const auto at = policy.description.find(split);
  std::string lacks = policy.description.substr(at + split.size());
  return fmt::format("\n## {}\n\nSource: {}.\n\n{}\n\n**Not reproduced:** {}\n\n```text\n{}```\n",
                     name, source_of(name), policy.description.substr(0, at), lacks,
                     describe(policy));
}

// The ordinary day as the page tells of it.
std::string ordinary_day() {
  const sim::Scenario healthy = sim::testing::thinned_scenario("healthy");
  std::string text = "\n| preset | calls answered | what is missing |\n|---|---|---|\n";
  std::uint64_t all = 0;
  for (const auto& [name, shortcoming] : shortcomings()) {
    const sim::CallStats calls = sim::testing::fly(healthy, preset(name)).total;
    std::vector<std::string_view> failures;
    for (const OutcomeKind kind : shortcoming.failures) failures.push_back(to_string(kind));
    all = calls.calls;
    text += fmt::format("| {} | {} | {}: {} |\n", name, all - calls.ended_as(CallEnd::failed),
                        fmt::join(failures, ", "), shortcoming.why);
  }
  return fmt::format(
             "\nOf {} calls of an ordinary day (`healthy` with a call a second: 0.3 % server "
             "errors "
             "and 0.5 % rate limits) the other presets answer all, and these\n",
             all) +
         text;
}

std::string generated() {
  std::string text =
      ordinary_day() +
      "\n| preset | attempts | waits | retry-after, budget | breaker | timeouts | limits |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const std::string& name : preset_names()) text += row(name);
  for (const std::string& name : preset_names()) text += section(name);
  return text;
}

TEST(PresetPage, IsWhatTheFilesSay) {
  const std::string page = sim::testing::file_text(page_path);
  const auto at = page.find(mark);
  ASSERT_NE(at, std::string::npos);
  const std::string by_hand = page.substr(0, at + mark.size());
  const std::string whole = by_hand + generated();
  const char* update = std::getenv("UPDATE_GOLDEN");
  if (update != nullptr && std::string_view(update) == "1") {
    std::ofstream file(page_path, std::ios::binary);
    file << whole;
    ASSERT_TRUE(file.flush());
    return;
  }
  EXPECT_TRUE(page == whole) << page_path << " differs; UPDATE_GOLDEN=1 writes it";
}

}  // namespace
}  // namespace brownout::conformance
