#include "reports/glossary/glossary.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "cli/exit_code.hpp"
#include "engine/core/outcome.hpp"
#include "sim/expectation.hpp"
#include "tests/support/golden.hpp"

namespace brownout::reports {
namespace {

std::vector<std::string> names_of(EntryKind kind) {
  std::vector<std::string> names;
  for (const Entry& entry : glossary()) {
    if (entry.kind == kind) names.emplace_back(entry.name);
  }
  return names;
}

std::set<std::string> set_of(EntryKind kind) {
  const auto names = names_of(kind);
  return {names.begin(), names.end()};
}

bool explains(std::string_view text, EntryKind kind) {
  const auto found = find_entries(text);
  return std::ranges::any_of(found, [&](const Entry* entry) { return entry->kind == kind; });
}

std::vector<std::string> found_for(std::string_view text) {
  std::vector<std::string> names;
  for (const Entry* entry : find_entries(text)) names.emplace_back(entry->name);
  return names;
}

// --- nothing is missing --------------------------------------------------------------------------

TEST(Glossary, HasEveryMetricOfExpectationsAndNoOther) {
  const auto spellings = sim::metric_spellings();
  EXPECT_GE(spellings.size(), 21U);
  EXPECT_EQ(set_of(EntryKind::metric), std::set<std::string>(spellings.begin(), spellings.end()));
}

TEST(Glossary, HasEveryOutcomeByNumber) {
  std::vector<std::string> kinds;
  for (std::size_t i = 0; i < outcome_kind_count; ++i) {
    kinds.emplace_back(to_string(static_cast<OutcomeKind>(i)));
  }
  EXPECT_EQ(names_of(EntryKind::outcome), kinds);
}

TEST(Glossary, HasEveryClassAndBothBlames) {
  const std::set<std::string> classes{std::string(to_string(ErrorClass::retryable)),
                                      std::string(to_string(ErrorClass::non_retryable)),
                                      std::string(to_string(ErrorClass::critical))};
  EXPECT_EQ(set_of(EntryKind::error_class), classes);
  EXPECT_TRUE(explains("blame", EntryKind::word));
  EXPECT_TRUE(explains("neutral", EntryKind::word));
}

TEST(Glossary, HasEveryEndOfACall) {
  std::vector<std::string> ends;
  for (std::size_t i = 0; i < call_end_count; ++i) {
    ends.emplace_back(to_string(static_cast<CallEnd>(i)));
  }
  EXPECT_EQ(names_of(EntryKind::call_end), ends);
}

TEST(Glossary, HasEveryExitCodeInOrder) {
  std::set<int> codes;
  for (const cli::ExitCode code : cli::exit_codes) codes.insert(static_cast<int>(code));
  std::vector<std::string> expected;
  for (const int code : codes) expected.push_back(std::to_string(code));
  EXPECT_EQ(names_of(EntryKind::exit_code), expected);
}

// Fails to compile when an exit code is added and not listed.
TEST(Glossary, ListsEveryExitCodeThereIs) {
  for (const cli::ExitCode code : cli::exit_codes) {
    switch (code) {
      case cli::ExitCode::passed:
      case cli::ExitCode::failed:
      case cli::ExitCode::invalid:
      case cli::ExitCode::nothing_ran:
      case cli::ExitCode::undecided:
      case cli::ExitCode::environment:
      case cli::ExitCode::internal:
      case cli::ExitCode::interrupted:
        continue;
    }
    ADD_FAILURE();
  }
  EXPECT_EQ(cli::exit_codes.size(), 8U);
}

TEST(Glossary, HasTheWordsOfAReport) {
  for (std::size_t i = 0; i < breaker_state_count; ++i) {
    EXPECT_TRUE(explains(to_string(static_cast<BreakerState>(i)), EntryKind::word)) << i;
  }
  for (const sim::RunEnd end : {sim::RunEnd::completed, sim::RunEnd::deadlock,
                                sim::RunEnd::livelock, sim::RunEnd::interrupted}) {
    EXPECT_TRUE(explains(sim::to_string(end), EntryKind::word)) << sim::to_string(end);
  }
  for (const sim::Verdict verdict :
       {sim::Verdict::passed, sim::Verdict::failed, sim::Verdict::undecided}) {
    EXPECT_FALSE(find_entries(sim::to_string(verdict)).empty()) << sim::to_string(verdict);
  }
  for (const char* word : {"attempts per call",
                           "hedge",
                           "half-open",
                           "retry budget",
                           "wasted tokens",
                           "goodput",
                           "phase",
                           "fault share",
                           "in flight",
                           "quota left",
                           "digest",
                           "seed",
                           "margin",
                           "p50",
                           "p90",
                           "p95",
                           "p99",
                           "p999",
                           "time to first token",
                           "served by",
                           "failed calls",
                           "att/call",
                           "degraded",
                           "replay",
                           "verdict",
                           "429",
                           "529"}) {
    EXPECT_FALSE(find_entries(word).empty()) << word;
  }
}

// --- every entry can be printed anywhere ---------------------------------------------------------

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char letter) { return letter >= ' ' && letter <= '~'; }) &&
         text.find_first_of("`<*|\\") == text.npos && !text.starts_with(' ') &&
         !text.ends_with(' ') && text.find("  ") == text.npos;
}

TEST(Glossary, ASentenceIsOneAndStandsAlone) {
  for (const Entry& entry : glossary()) {
    const std::string_view sentence = entry.sentence;
    EXPECT_TRUE(is_plain(sentence)) << entry.name;
    EXPECT_TRUE(sentence.ends_with('.')) << entry.name;
    EXPECT_EQ(sentence.find(". "), sentence.npos) << entry.name;
    EXPECT_TRUE((sentence.front() >= 'A' && sentence.front() <= 'Z') || sentence.starts_with("16"))
        << entry.name;
    EXPECT_LE(sentence.size(), 110U) << entry.name;
  }
}

TEST(Glossary, MoreTextIsPlainToo) {
  for (const Entry& entry : glossary()) {
    const std::string_view text = entry.text;
    if (text.empty()) continue;
    EXPECT_TRUE(is_plain(text)) << entry.name;
    EXPECT_TRUE(text.ends_with('.')) << entry.name;
  }
}

TEST(Glossary, MetricsHaveTheUnitsOfTheirExpectationsAndNothingElseHasOne) {
  std::map<std::string_view, std::string_view> units;
  for (std::size_t i = 0; i < sim::metric_spellings().size(); ++i) {
    const auto metric = static_cast<sim::Metric>(i);
    units[sim::to_string(metric)] = sim::unit_of(metric);
  }
  EXPECT_EQ(units.size(), sim::metric_spellings().size());
  for (const Entry& entry : glossary()) {
    EXPECT_EQ(entry.unit, entry.kind == EntryKind::metric ? units.at(entry.name) : "")
        << entry.name;
  }
}

TEST(Glossary, EveryReferenceLeadsToAnotherEntry) {
  for (const Entry& entry : glossary()) {
    for (const std::string_view name : entry.see_also) {
      if (name.empty()) continue;
      const auto found = find_entries(name);
      ASSERT_FALSE(found.empty()) << entry.name << " refers to " << name;
      EXPECT_TRUE(found.size() > 1 || found.front() != &entry) << entry.name;
    }
  }
}

TEST(Glossary, NamesWithinAKindAreUnique) {
  std::set<std::pair<EntryKind, std::string>> seen;
  for (const Entry& entry : glossary()) {
    EXPECT_TRUE(seen.emplace(entry.kind, entry.name).second) << entry.name;
    for (const std::string_view other : entry.also) {
      if (other.empty()) continue;
      EXPECT_TRUE(seen.emplace(entry.kind, other).second) << entry.name << ": " << other;
    }
  }
}

TEST(Glossary, WordsAreInOrder) {
  auto words = names_of(EntryKind::word);
  for (std::string& word : words) {
    std::ranges::transform(word, word.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  }
  EXPECT_TRUE(std::ranges::is_sorted(words));
}

// --- finding -------------------------------------------------------------------------------------

TEST(Glossary, FindsEveryEntryByEachOfItsNamesHoweverItIsWritten) {
  for (const Entry& entry : glossary()) {
    std::vector<std::string_view> names{entry.name};
    std::ranges::copy_if(entry.also, std::back_inserter(names),
                         [](std::string_view name) { return !name.empty(); });
    for (const std::string_view name : names) {
      std::string shouted(name);
      std::string dashed(name);
      for (char& letter : shouted) {
        letter = letter == '_' ? ' ' : static_cast<char>(std::toupper(letter));
      }
      std::ranges::replace(dashed, ' ', '-');
      std::ranges::replace(dashed, '_', '-');
      for (const std::string& way : {std::string(name), shouted, dashed}) {
        const auto found = find_entries(way);
        EXPECT_NE(std::ranges::find(found, &entry), found.end()) << way;
      }
    }
  }
}

TEST(Glossary, FindsAMetricAsAnExpectationHasIt) {
  const std::vector<std::string> opened{"breaker.opened"};
  EXPECT_EQ(found_for("breaker(gpt-4).opened"), opened);
  EXPECT_EQ(found_for("breaker(gpt-4).opened during outage >= 1"), opened);
  EXPECT_EQ(found_for("breaker(gpt-4).state at 2h != closed"),
            std::vector<std::string>{"breaker.state"});
  EXPECT_EQ(found_for("latency.p99"), std::vector<std::string>{"latency"});
  EXPECT_EQ(found_for("latency(all).p99 <= 5s"), std::vector<std::string>{"latency"});
  EXPECT_EQ(found_for("availability >= 99%"), std::vector<std::string>{"availability"});
  EXPECT_EQ(found_for("share(main) == 1%"), std::vector<std::string>{"share"});
}

TEST(Glossary, FindsTheOutcomeInAMetricsBrackets) {
  EXPECT_EQ(found_for("failed(rate_limited) == 0"),
            (std::vector<std::string>{"failed", "rate_limited"}));
}

TEST(Glossary, FindsAnExitCodeByItsNumber) {
  for (const char* text : {"4", "exit-code 4", "exit code 4", "EXIT_CODE_4", "exit 4", "code 4"}) {
    const auto found = find_entries(text);
    ASSERT_EQ(found.size(), 1U) << text;
    EXPECT_EQ(found.front()->kind, EntryKind::exit_code);
    EXPECT_EQ(found.front()->name, "4");
  }
}

TEST(Glossary, FindsNothingForWhatIsNoName) {
  for (const char* text : {"", " ", "-", "exit-code 6", "exit-code latency", "latncy", "()", ")(",
                           "p98", "breaker.latency", "(latency)", "."}) {
    EXPECT_TRUE(find_entries(text).empty()) << text;
  }
}

TEST(Glossary, SuggestsTheNearestName) {
  EXPECT_EQ(nearest_entry("latncy"), "latency");
  EXPECT_EQ(nearest_entry("rate_limted"), "rate_limited");
  EXPECT_EQ(nearest_entry("half-opne"), "half-open");
  EXPECT_EQ(nearest_entry("xyzzy"), std::nullopt);
}

// --- printing ------------------------------------------------------------------------------------

TEST(Glossary, NoLineIsWiderThanATerminal) {
  std::string all = list_entries();
  for (const Entry& entry : glossary()) all += explain(entry);
  std::size_t begin = 0;
  for (auto end = all.find('\n'); end != all.npos; end = all.find('\n', begin)) {
    EXPECT_LE(end - begin, 80U) << all.substr(begin, end - begin);
    begin = end + 1;
  }
  EXPECT_EQ(begin, all.size());
}

TEST(Glossary, ReadsAsTheGoldenFileDoes) {
  std::string text = list_entries();
  for (const char* name : {"latency.p99", "failed", "overloaded", "critical", "4", "half-open",
                           "wasted_tokens", "success", "429"}) {
    for (const Entry* entry : find_entries(name)) text += "\n" + explain(*entry);
  }
  testing::expect_golden("explain.txt", text);
}

}  // namespace
}  // namespace brownout::reports
