// What a gate found, in each form: JUnit, Markdown, annotations, console.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "reports/gate/baseline.hpp"
#include "reports/gate/github.hpp"
#include "reports/gate/junit.hpp"
#include "reports/gate/markdown.hpp"
#include "reports/gate/suite_console.hpp"
#include "reports/text/plain_text.hpp"
#include "tests/reports/suites.hpp"
#include "tests/support/golden.hpp"

namespace brownout::reports {
namespace {

using namespace testing;
using brownout::testing::expect_golden;

constexpr std::string_view hostile =
    "</script><img src=x onerror=alert(1)>|`a`|\n::error::x ]]> &amp; \x01\xFF @all";

// As mixed_suites(), but the steady one was better once, and "stuck" is new.
BaselineReview against_a_better_past() {
  std::vector<RunResult> runs;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) runs.push_back(steady(seed, 1000, 900ms));
  return compare_with(baseline_of(suites_of(runs)), mixed_suites(), {});
}

std::vector<Suite> hostile_suites() {
  RunResult run = failing();
  run.scenario = run.policy = run.replay = run.diagnosis = std::string(hostile);
  run.scenario_path = "scenarios/" + std::string(hostile) + ".json";
  for (sim::ExpectationResult& expectation : run.expectations) {
    expectation.expression += hostile;
    expectation.actual = expectation.excerpt = hostile;
    expectation.place.path = run.scenario_path;
  }
  return suites_of({run});
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t found = 0;
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++found;
  return found;
}

std::string whole_console(const std::vector<Suite>& suites, const BaselineReview* review) {
  const SuiteConsoleOptions options{.color = false, .name_width = 7};
  std::string text = console_suite_head(options);
  for (const Suite& suite : suites) text += console_suite_line(suite, options);
  text += console_failures(suites, options);
  if (review != nullptr) text += console_review(*review, options);
  return text + "\n" + console_suites_verdict(suites, review, options);
}

TEST(Findings, AsTheyArePrinted) {
  expect_golden("test-console.txt", whole_console(mixed_suites(), nullptr));
  const BaselineReview review = against_a_better_past();
  expect_golden("test-console-baseline.txt", whole_console(mixed_suites(), &review));
}

TEST(Findings, AsJunit) {
  const BaselineReview review = against_a_better_past();
  expect_golden("junit.xml", to_junit(mixed_suites(), {"0.1.0", &review}));
}

TEST(Findings, AsMarkdown) {
  const BaselineReview review = against_a_better_past();
  expect_golden("summary.md", to_markdown(mixed_suites(), {.review = &review}));
}

TEST(Findings, AsAnnotations) {
  const BaselineReview review = against_a_better_past();
  expect_golden("annotations.txt", to_github(mixed_suites(), &review));
}

// --- console -------------------------------------------------------------------------------------

TEST(SuiteConsole, TheLastLineIsTheVerdict) {
  const auto verdict = [](const std::vector<Suite>& suites, const BaselineReview* review) {
    const std::string text = console_suites_verdict(suites, review, {});
    return text.substr(0, text.find(':'));
  };
  const std::vector<Suite> good = suites_of({steady(1), steady(2)});
  EXPECT_EQ(verdict(good, nullptr), "PASS");
  EXPECT_EQ(verdict(mixed_suites(), nullptr), "FAIL");
  EXPECT_EQ(verdict(suites_of({deadlocked()}), nullptr), "NO VERDICT");
  const BaselineReview nothing = compare_with(baseline_of(suites_of({failing()})), good, {});
  EXPECT_EQ(verdict(good, &nothing), "NO VERDICT");
  const BaselineReview worse =
      compare_with(baseline_of(good), suites_of({steady(1, 990), steady(2, 990)}), {});
  EXPECT_EQ(verdict(good, &worse), "FAIL");
}

TEST(SuiteConsole, WhatPassedHasNoFailures) {
  EXPECT_EQ(console_failures(suites_of({steady(1)}), {}), "");
  const BaselineReview same =
      compare_with(baseline_of(suites_of({steady(1)})), suites_of({steady(1)}), {});
  EXPECT_EQ(console_review(same, {}), "");
}

TEST(SuiteConsole, ScenariosThatWereNotBegunAreOneLine) {
  std::vector<Suite> suites = suites_of({steady(1)});
  suites.resize(5);
  for (Suite& suite : suites) {
    suite.planned = 1;
    suite.cut_short = "interrupted";
  }
  EXPECT_EQ(console_failures(suites, {}),
            "\nNO VERDICT 4 of 5 scenarios were not begun: interrupted\n");
}

// --- JUnit ---------------------------------------------------------------------------------------

TEST(Junit, SeveralSeedsAreOneCaseThatFailsWithAnyOfThem) {
  const std::string text = to_junit(std::vector<RunResult>{steady(1), steady(2, 900), steady(3)});
  EXPECT_NE(text.find(R"(tests="1" failures="1" errors="0" skipped="0")"), text.npos);
  EXPECT_NE(text.find("seed 2: found 90.000%"), text.npos);
}

TEST(Junit, NamesDependOnNeitherSeedNorValue) {
  const auto cases = [](const std::vector<RunResult>& runs) {
    std::string names;
    const std::string text = to_junit(runs);
    for (auto at = text.find("<testcase"); at != text.npos; at = text.find("<testcase", at + 1)) {
      names += text.substr(at, text.find(" file=", at) - at) + "\n";
    }
    return names;
  };
  RunResult stricter = steady(5, 900);
  stricter.expectations[0].expression = "availability >= 99.99%";
  EXPECT_EQ(cases({steady(1)}), cases({stricter, steady(6)}));
  EXPECT_EQ(cases({steady(1)}),
            "<testcase name=\"availability\" classname=\"scenarios.incidents.steady\"\n");
}

TEST(Junit, NothingExpectedIsACaseOfItsOwn) {
  RunResult silent = steady(1);
  silent.expectations.clear();
  EXPECT_NE(to_junit({silent}).find(R"(name="completes")"), std::string::npos);
  EXPECT_NE(to_junit({silent}).find(R"(tests="1" failures="0" errors="0")"), std::string::npos);
  silent.end = sim::RunEnd::deadlock;
  EXPECT_NE(to_junit({silent}).find(R"(tests="1" failures="0" errors="1")"), std::string::npos);
}

TEST(Junit, SeedsThatWereNotRunAreAnError) {
  std::vector<Suite> suites = suites_of({steady(1)});
  suites[0].planned = 20;
  suites[0].cut_short = "interrupted";
  const std::string text = to_junit(suites);
  EXPECT_NE(text.find(R"(tests="2" failures="0" errors="1")"), text.npos);
  EXPECT_NE(text.find("19 of 20 seeds were not run: interrupted"), text.npos);
}

TEST(Junit, TimeIsRealOrAbsent) {
  std::vector<Suite> suites = suites_of({passing(), steady(1)});
  EXPECT_EQ(to_junit(suites).find(" time="), std::string::npos);
  suites[0].real_time = 3s;
  suites[1].real_time = 500ms;
  const std::string text = to_junit(suites);
  EXPECT_NE(text.find(R"(skipped="0" time="3.500000">)"), text.npos);
  EXPECT_EQ(count(text, R"( time="1.500000")"), 2U) << "two cases share three seconds";
}

TEST(Junit, ClassNamesAreThePath) {
  RunResult run = steady(1);
  run.scenario_path = "./../scenarios//gpt-3.5.json";
  EXPECT_NE(to_junit({run}).find(R"(classname="scenarios.gpt-3_5")"), std::string::npos);
}

TEST(Junit, WhateverIsInAScenarioStaysText) {
  const std::string text = to_junit(hostile_suites());
  EXPECT_EQ(text.find("<img"), text.npos);
  EXPECT_EQ(text.find("]]>"), text.npos);
  EXPECT_EQ(text.find('\x01'), text.npos);
  EXPECT_EQ(text.find('\xFF'), text.npos);
  EXPECT_NE(text.find("&#60;img"), text.npos);
  expect_golden("junit-hostile.xml", text);
}

TEST(PlainText, LosesWhatXmlForbids) {
  EXPECT_EQ(clean("a\tb\nc\r ü €"), "a\tb\nc\r ü €");
  EXPECT_EQ(clean(std::string_view("\0\x1B[31m\x7F", 7)), "��[31m�");
  EXPECT_EQ(clean("\xC3"), "�");
  EXPECT_EQ(clean("\xED\xA0\x80"), "���");  // half of a surrogate pair
  EXPECT_EQ(clean("\xEF\xBF\xBF"), "�");    // U+FFFF
}

// --- Markdown ------------------------------------------------------------------------------------

TEST(Markdown, WhateverIsInAScenarioStaysText) {
  const std::string text = to_markdown(hostile_suites());
  // Within the blocks it is as it was; outside of them nothing is left that means anything.
  std::string outside;
  bool inside = false;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    const std::string line = text.substr(begin, end - begin);
    if (line.starts_with("```")) {
      inside = !inside;
    } else if (!inside) {
      outside += line + "\n";
    }
    begin = end + 1;
  }
  EXPECT_FALSE(inside);
  EXPECT_EQ(outside.find("<img"), text.npos);
  EXPECT_EQ(outside.find("@all"), text.npos);
  EXPECT_EQ(outside.find('`'), text.npos);
  EXPECT_EQ(outside.find("::error"), text.npos);
  EXPECT_EQ(text.find('\x01'), text.npos);
  const std::size_t row = outside.find("\n| ❌");
  const std::string cells = outside.substr(row + 1, outside.find('\n', row + 1) - row - 1);
  EXPECT_EQ(std::ranges::count(cells, '|'), 8) << cells;
}

TEST(Markdown, ABlockEndsOnlyAtItsOwnFence) {
  RunResult run = failing();
  run.expectations[0].excerpt = "```\n# no headline\n````\n";
  const std::string text = to_markdown({run});
  EXPECT_NE(text.find("\n`````text\n"), text.npos);
}

TEST(Markdown, IsNeverLongerThanItMayBe) {
  std::vector<RunResult> runs;
  for (int i = 0; i < 300; ++i) {
    runs.push_back(failing());
    runs.back().scenario_path = "scenarios/" + std::to_string(i) + ".json";
  }
  const std::string whole = to_markdown(suites_of(runs));
  EXPECT_EQ(whole.find("left out"), whole.npos);
  for (const std::size_t most : {1'000U, 5'000U, 65'536U}) {
    const std::string text = to_markdown(suites_of(runs), {.bytes_max = most});
    EXPECT_LE(text.size(), most);
    EXPECT_NE(text.find("parts of this summary are left out"), text.npos);
    EXPECT_EQ(count(text, "```") % 2, 0U) << "no block is cut in two";
  }
  runs[0].diagnosis = std::string(2'000'000, 'x');
  EXPECT_LE(to_markdown(suites_of(runs)).size(), 1'000'000U);
}

// --- annotations ---------------------------------------------------------------------------------

TEST(Github, PointsToTheLineOfTheScenario) {
  const std::string text = to_github(suites_of({failing()}));
  EXPECT_TRUE(
      text.starts_with("::error file=scenarios/by-hand.json,line=9,col=5,endColumn=26,"
                       "title=by-hand%3A not met::availability >= 99%25: not met with"))
      << text;
  EXPECT_EQ(count(text, "\n"), 2U) << "one line for each, whatever it says";
}

TEST(Github, OfMoreThanTenNineAreTold) {
  std::vector<RunResult> runs;
  for (int i = 0; i < 5; ++i) {
    runs.push_back(failing());
    runs.back().scenario_path = std::to_string(i);
  }
  EXPECT_EQ(count(to_github(suites_of(runs)), "::error "), 10U);
  runs.push_back(failing());
  const std::string text = to_github(suites_of(runs));
  EXPECT_EQ(count(text, "::error "), 10U);
  EXPECT_TRUE(text.ends_with("::error title=brownout::3 more in the job summary\n")) << text;
}

TEST(Github, WhateverIsInAScenarioStaysText) {
  const std::string text = to_github(hostile_suites());
  EXPECT_EQ(count(text, "\n"), 2U);
  EXPECT_EQ(count(text, "\n::error::x"), 0U);
}

TEST(Github, SaysNothingOfAPass) {
  EXPECT_EQ(to_github(suites_of({passing(), steady(1)})), "");
}

}  // namespace
}  // namespace brownout::reports
