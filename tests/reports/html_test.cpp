#include "reports/html/html.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>

#include "reports/glossary/glossary.hpp"
#include "reports/html/markup.hpp"
#include "reports/html/outcome_marks.hpp"
#include "reports/result/result_document.hpp"
#include "tests/reports/pages.hpp"
#include "tests/reports/results.hpp"
#include "tests/support/golden.hpp"

namespace brownout::reports {
namespace {

using namespace testing;

std::string page_of(const RunResult& result) {
  return without_assets(to_html({result}));
}

bool has(const std::string& page, const std::string& text) {
  return page.find(text) != std::string::npos;
}

std::size_t count(const std::string& page, const std::string& text) {
  std::size_t found = 0;
  for (auto at = page.find(text); at != page.npos; at = page.find(text, at + 1)) ++found;
  return found;
}

nlohmann::json data_of(const std::string& page) {
  const std::string begin = "<script type=\"application/json\" id=\"data\">";
  const auto from = page.find(begin) + begin.size();
  return nlohmann::json::parse(page.substr(from, page.find("</script>", from) - from));
}

TEST(HtmlReport, IsReviewedAsAFile) {
  brownout::testing::expect_golden("report.html", without_assets(to_html({failing()})));
}

TEST(HtmlReport, TheSameResultGivesTheSameBytes) {
  EXPECT_EQ(to_html({failing(), passing()}), to_html({failing(), passing()}));
}

TEST(HtmlReport, OfAResultReadBackIsTheSame) {
  RunResult strange = failing();
  strange.scenario = "caf\xC3\xA9 \xFF";
  for (const RunResult& result : {passing(), failing(), undecided(), deadlocked(), strange}) {
    const auto read = from_json("result.json", to_json({result}));
    ASSERT_TRUE(read) << read.error()[0].message;
    EXPECT_EQ(to_html(*read), to_html({result}));
  }
}

TEST(HtmlReport, HasEverySection) {
  const std::string page = page_of(failing());
  for (const std::string name : {"failures", "expectations", "panels", "calls", "distribution",
                                 "outcomes", "what-ran", "glossary"}) {
    EXPECT_TRUE(has(page, "<section id=\"run-1-" + name + "\"")) << name;
    EXPECT_TRUE(has(page, "<a href=\"#run-1-" + name + "\"")) << name;
  }
  EXPECT_FALSE(has(page_of(passing()), "run-1-failures"));
}

TEST(HtmlReport, ExplainsItsWordsAndTheOutcomesThatCameAbout) {
  const std::string page = page_of(failing());
  const std::string words = page.substr(page.find("<section id=\"run-1-glossary\""));
  const auto row_of = [](const Entry& entry) {
    return "<dt>" + html::escaped(entry.name) + "</dt><dd>" + html::escaped(entry.sentence);
  };
  for (const Entry& entry : glossary()) {
    const bool came_about = entry.kind != EntryKind::outcome || entry.name == "success" ||
                            entry.name == "server_error" || entry.name == "timed_out";
    EXPECT_EQ(has(words, row_of(entry)), came_about && entry.kind != EntryKind::exit_code)
        << entry.name;
  }
}

TEST(HtmlReport, OfNothingIsStillAPage) {
  EXPECT_TRUE(has(without_assets(to_html({})), "<h1>0 runs</h1>"));
  const std::string page = page_of(undecided());
  EXPECT_TRUE(has(page, "No timeline was kept"));
  EXPECT_TRUE(has(page, "No calls were kept"));
  EXPECT_TRUE(has(page, "NO VERDICT"));
}

TEST(HtmlReport, SeveralRunsHaveAnIndex) {
  const std::string page = without_assets(to_html({passing(), failing()}));
  EXPECT_TRUE(has(page, "1 passed, 1 failed, 0 without a verdict"));
  EXPECT_TRUE(has(page, "<a href=\"#run-2\">by-hand</a>"));
  EXPECT_TRUE(has(page, "<article class=\"run\" id=\"run-2\""));
  EXPECT_EQ(data_of(page).size(), 2U);
  EXPECT_FALSE(has(page_of(passing()), "#runs")) << "one run needs no index";
}

TEST(HtmlReport, SaysWhenARunWasFlownOverHttp) {
  const std::string page = without_assets(to_html({passing(), over_http(passing())}));
  EXPECT_TRUE(has(page, "<a href=\"#run-2\">by-hand</a>, over HTTP, 5 times as fast"));
  const std::string alone = page_of(over_http(passing(), 1));
  EXPECT_TRUE(has(alone, "expectations met; over HTTP in real time</span>"));
  EXPECT_TRUE(has(alone, "with policy two-routes, over HTTP in real time - brownout</title>"));
  EXPECT_TRUE(has(alone, "<dt>flown</dt>"));
  EXPECT_FALSE(has(alone, "<dt>simulated</dt>"));
  EXPECT_FALSE(has(alone, "<dt>digest</dt><dd><code>")) << "it has none";
  EXPECT_FALSE(has(page_of(passing()), "over HTTP"));
  RunResult detailed = passing();
  add_detail(detailed);
  EXPECT_TRUE(has(page_of(detailed), "Virtual time since the start"));
  EXPECT_TRUE(has(page_of(over_http(detailed)), "Scenario time since the start"));
}

TEST(HtmlReport, SaysThatTheMachineCouldNotFollow) {
  RunResult run = over_http(passing());
  EXPECT_FALSE(has(page_of(run), "could not follow"));
  run.could_not_follow = "this machine could not follow: <late>";
  EXPECT_TRUE(has(page_of(run), "this machine could not follow: &lt;late&gt;"));
}

TEST(HtmlReport, SaysThatNoDetailsAreKeptOfServedRuns) {
  RunResult result = over_http(passing());
  result.errors.clear();
  result.total.attempts_as = {};
  EXPECT_TRUE(has(page_of(result), "No attempt failed."));
  result.total.attempts_as[static_cast<std::size_t>(OutcomeKind::server_error)] = 1;
  EXPECT_FALSE(has(page_of(result), "No attempt failed."));
  EXPECT_TRUE(has(page_of(result), "No details are kept of served runs."));
}

TEST(HtmlReport, AFailureSaysExpectedGotWhereAndWhy) {
  RunResult result = failing();
  result.expectations[0].phase = "late";
  const std::string page = page_of(result);
  EXPECT_TRUE(has(page, "<code>availability &gt;= 99%</code>"));
  EXPECT_TRUE(has(page, "<strong>81.818%</strong> · 18.182% missing of 1% allowed"));
  EXPECT_TRUE(has(page, "<a href=\"#run-1-panels\" data-phase=\"1\">phase late</a>"));
  EXPECT_TRUE(has(page, "149 server_error, 50 timed_out"));
  EXPECT_TRUE(has(page, "scenarios/by-hand.json:9"));
}

TEST(HtmlReport, FaultsAreToldAsAskedAndAsInjected) {
  EXPECT_TRUE(has(page_of(passing()),
                  "<td>server_error on openai/*, share 0.97</td><td class=\"n\">97.00%</td>"
                  "<td class=\"n\">97.10%</td><td class=\"n\">971 of 1,000</td>"));
}

TEST(HtmlReport, ADeadlockShowsItsDiagnosis) {
  const std::string page = page_of(deadlocked());
  EXPECT_TRUE(has(page, "0 of 1 expectations met; deadlock"));
  EXPECT_TRUE(has(page, "<pre class=\"diagnosis\">nothing is left to happen"));
}

// The name, and everything else a scenario, a policy or a reply may bring along.
TEST(HtmlReport, TextOfOthersStaysText) {
  const std::string evil = "</script><img src=x onerror=\"alert('1')\">&amp;";
  RunResult result = failing();
  for (std::string* text :
       {&result.scenario, &result.scenario_path, &result.scenario_description, &result.policy,
        &result.scenario_source, &result.policy_path, &result.policy_description, &result.replay,
        &result.diagnosis, &result.routes[0], &result.route_targets[0], &result.phases[0].name,
        &result.breakers[0].name, &result.expectations[0].expression,
        &result.expectations[0].actual, &result.expectations[0].place.path,
        &result.timeline.series[2].of}) {
    *text = evil;
  }
  result.scenario_source = "https://example.com/\"onclick=\"x " + evil;
  result.faults.push_back({evil, evil, 1, 1, 1});
  const std::string page = page_of(result);
  EXPECT_FALSE(has(page, "<img"));
  EXPECT_FALSE(has(page, "\"onclick"));
  EXPECT_EQ(count(page, "</script>"), 4U) << "the data's, uPlot's and our two";
  EXPECT_TRUE(has(page,
                  "&lt;/script&gt;&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;"
                  "&amp;amp;"));
  EXPECT_EQ(data_of(page)[0]["phases"][0]["name"], evil);
}

TEST(HtmlReport, OnlyAddressesOfTheWebBecomeLinks) {
  RunResult result = passing();
  result.scenario_source = "javascript:alert(1)";
  EXPECT_FALSE(has(page_of(result), "href=\"javascript"));
  result.scenario_source = "https://example.com/a (of 2024)";
  EXPECT_TRUE(has(page_of(result),
                  "<a href=\"https://example.com/a\" rel=\"noreferrer\">"
                  "https://example.com/a</a> (of 2024)"));
}

TEST(HtmlReport, AsksForNothing) {
  const std::string page = to_html({failing()});
  EXPECT_TRUE(has(page, "default-src 'none'"));
  static const std::regex asking(R"re((?:src|srcset|action|poster)\s*=\s*["'])re");
  EXPECT_FALSE(std::regex_search(without_assets(page), asking));
  static const std::regex link(R"re(<link[^>]+href="([^"]*)")re");
  const std::string bare = without_assets(page);
  for (std::sregex_iterator match(bare.begin(), bare.end(), link), end; match != end; ++match) {
    EXPECT_EQ((*match)[1], "data:,");
  }
  EXPECT_TRUE(has(page, "Copyright (c) 2022 Leon Sorokin")) << "uPlot's license goes with it";
}

TEST(HtmlReport, IdsAreUniqueAndLinksLeadToThem) {
  const std::string page = without_assets(to_html({passing(), failing(), deadlocked()}));
  static const std::regex id(R"re( id="([^"]+)")re");
  std::set<std::string> ids;
  for (std::sregex_iterator match(page.begin(), page.end(), id), end; match != end; ++match) {
    EXPECT_TRUE(ids.insert((*match)[1]).second) << (*match)[1];
  }
  static const std::regex link(R"re((?:href="#|aria-labelledby="|data-copies=")([^"]+)")re");
  for (std::sregex_iterator match(page.begin(), page.end(), link), end; match != end; ++match) {
    EXPECT_TRUE(ids.contains((*match)[1])) << (*match)[1];
  }
}

TEST(HtmlPanels, HoldTheSeriesAsIntegers) {
  const nlohmann::json run = data_of(page_of(failing()))[0];
  EXPECT_EQ(run["bucket_us"], 3'600'000'000);
  EXPECT_EQ(run["end_ms"], 7'200'000);
  std::set<std::string> names;
  for (const auto& panel : run["panels"]) names.insert(panel["name"]);
  EXPECT_TRUE(names.contains("latency"));
  EXPECT_TRUE(names.contains("quota"));
  EXPECT_FALSE(names.contains("budget")) << "the run has none";
  const nlohmann::json& latency = run["panels"][0];
  EXPECT_EQ(latency["lines"][0]["values"], nlohmann::json::parse("[1000000, -1]")) << "in us";
}

TEST(HtmlStrips, HeightIsTheState) {
  const std::string page = page_of(failing());
  EXPECT_TRUE(has(page,
                  "<path class=\"open\" d=\"M3660000 24v-24h3540000v24z\"><title>open, "
                  "01:01:00.000 to 02:00:00.000 (59m00s)</title></path>"));
  EXPECT_TRUE(has(page, "<path class=\"closed\" d=\"M0 24v-4h3660000v4z\">"));
}

// 3,000 changes in a run of two hours, the first 2,000 within ten seconds: a pixel is six.
TEST(HtmlStrips, ManyNarrowStatesAreDrawnAsOneAndSaidToBe) {
  RunResult result = failing();
  result.breakers[0] = {"main", 0, {}, 0, {}};
  for (int i = 0; i < 1500; ++i) {
    const Duration at = i < 1000 ? i * 10ms : 1h + i * 1s;
    sim::testing::add_transition(result, 0, at, BreakerState::open);
    sim::testing::add_transition(result, 0, at + 5ms, BreakerState::closed);
  }
  const std::string page = page_of(result);
  EXPECT_TRUE(has(page, "3,000 changes: what is narrower than a pixel is drawn as one"));
  EXPECT_LT(count(page, "<path class=\"many\""), 200U);
  EXPECT_GT(count(page, "<path class=\"many\""), 0U);
  EXPECT_LT(page.size(), 150'000U);
}

TEST(HtmlStrips, WhatWasNotKeptIsUnknown) {
  RunResult result = failing();
  sim::testing::add_transition(result, 0, 90min, BreakerState::closed);
  result.breakers[0].transition_count += 5;
  EXPECT_TRUE(has(page_of(result), "<path class=\"unknown\" d=\"M3660000 0v24h1740000v-24z\">"));
}

TEST(HtmlCalls, ARowTellsEverythingThatHappened) {
  const std::string page = page_of(failing());
  EXPECT_TRUE(has(page, "1 of 199 failed calls shown"));
  EXPECT_TRUE(has(page,
                  "<title>attempt 1 to main: rate_limited (429), +0s for 2s, retry after "
                  "20s</title>"));
  EXPECT_TRUE(has(page,
                  "<title>attempt 2 (hedge) to backup: timed_out (200), +22s for 23s, first "
                  "token +23s, billed 800 tokens in and 12 out</title>"));
  EXPECT_TRUE(has(page, "<title>wait for retry on main, +2s for 20s</title>"));
  EXPECT_TRUE(has(page, "<title>refused: breaker_open by breaker main, +22s</title>"));
  EXPECT_TRUE(has(page, "<title>refused: bulkhead_full, +22s</title>"));
}

TEST(HtmlCalls, AnErrorLeadsToTheFirstCallThatHadItIfItWasKept) {
  RunResult result = failing();
  result.errors[1].first_call = 18;
  const std::string page = page_of(result);
  EXPECT_TRUE(has(page, "<li id=\"run-1-call-17\" tabindex=\"0\">"));
  EXPECT_TRUE(has(page, "<a href=\"#run-1-call-17\">17</a>"));
  EXPECT_TRUE(has(page, "<td>18</td>")) << "it was not kept";
}

TEST(HtmlMarks, EveryOutcomeHasALetterOfItsOwn) {
  std::set<char> letters;
  for (std::size_t i = 0; i < outcome_kind_count; ++i) {
    EXPECT_TRUE(letters.insert(html::mark_of(static_cast<OutcomeKind>(i)).letter).second) << i;
  }
}

TEST(HtmlMarkup, EscapesWhatMeansSomething) {
  EXPECT_EQ(html::escaped("<a b='c'>\"&\"</a>"),
            "&lt;a b=&#39;c&#39;&gt;&quot;&amp;&quot;&lt;/a&gt;");
  EXPECT_EQ(html::escaped("caf\xC3\xA9\n\tx"), "caf\xC3\xA9\n\tx");
  EXPECT_EQ(html::escaped("\xFF\x01"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(HtmlMarkup, PlacesAlongAnAxisStayOnIt) {
  EXPECT_EQ(html::along(1s, 8s), "12.5%");
  EXPECT_EQ(html::along(2s, 8s), "25%");
  EXPECT_EQ(html::along(1s, 3s), "33.33%");
  EXPECT_EQ(html::along(1s, 1000s), "0.1%");
  EXPECT_EQ(html::along(9s, 8s), "100%");
  EXPECT_EQ(html::along(-1s, 8s), "0%");
}

}  // namespace
}  // namespace brownout::reports
