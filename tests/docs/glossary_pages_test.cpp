// The tables of docs/reference, held against the glossary: a row for every entry, with its
// sentence. UPDATE_GOLDEN=1 writes the table of words.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "reports/glossary/glossary.hpp"
#include "tests/docs/page.hpp"

namespace brownout::docs {
namespace {

using reports::Entry;
using reports::EntryKind;

std::vector<std::string> cells_of(const std::string& row) {
  std::vector<std::string> cells;
  static const std::regex cell(R"(\| ([^|]*?) *(?=\|))");
  for (std::sregex_iterator match(row.begin(), row.end(), cell), end; match != end; ++match) {
    cells.push_back((*match)[1]);
  }
  return cells;
}

// The cells of every row below the header that begins with `header`.
std::vector<std::vector<std::string>> table_of(const Page& page, const std::string& header) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream text(page.text());
  std::string line;
  while (std::getline(text, line) && !line.starts_with(header)) {
  }
  std::getline(text, line);
  while (std::getline(text, line) && line.starts_with("|")) rows.push_back(cells_of(line));
  EXPECT_FALSE(rows.empty()) << page.path() << " has no table " << header;
  return rows;
}

// "`breaker(ROUTE).state at TIME`" names breaker.state, "`latency.PART`, …" latency, "4" itself.
std::string name_of(const std::string& cell) {
  static const std::regex form(R"(`?(\w+)(?:\(\w+\))?(\.[a-z]+)?)");
  std::smatch match;
  EXPECT_TRUE(std::regex_search(cell, match, form)) << cell;
  return match[1].str() + match[2].str();
}

struct Table {
  std::string page;
  std::string header;
  EntryKind kind;
  std::size_t meaning;  // the column of the sentence
};

void expect_sentences(const Table& table) {
  std::map<std::string, std::string> rows;
  for (const auto& cells : table_of(Page(table.page), table.header)) {
    ASSERT_GT(cells.size(), table.meaning);
    rows[name_of(cells.front())] = cells[table.meaning];
  }
  for (const Entry& entry : reports::glossary()) {
    // The page is about failures.
    if (entry.kind != table.kind) continue;
    if (entry.kind == EntryKind::outcome && entry.name == "success") continue;
    const auto row = rows.find(std::string(entry.name));
    ASSERT_NE(row, rows.end()) << table.page << " has no row for " << entry.name;
    EXPECT_EQ(row->second, entry.sentence) << table.page << ", " << entry.name;
    rows.erase(row);
  }
  for (const auto& [name, sentence] : rows)
    ADD_FAILURE() << table.page << " has a row for " << name;
}

TEST(GlossaryPages, MetricsMeanThere) {
  expect_sentences({"docs/reference/expectations.md", "| metric |", EntryKind::metric, 2});
}

TEST(GlossaryPages, OutcomesMeanThere) {
  expect_sentences({"docs/reference/outcomes.md", "| outcome |", EntryKind::outcome, 3});
}

TEST(GlossaryPages, EndsOfCallsMeanThere) {
  expect_sentences({"docs/reference/outcomes.md", "| end |", EntryKind::call_end, 1});
}

TEST(GlossaryPages, ExitCodesMeanThere) {
  expect_sentences({"docs/reference/exit-codes.md", "| code |", EntryKind::exit_code, 1});
}

std::string table_of_words() {
  std::string table = "| word | meaning | more |\n|---|---|---|\n";
  for (const Entry& entry : reports::glossary()) {
    if (entry.kind != EntryKind::word) continue;
    std::string also;
    for (const std::string_view name : entry.also) {
      if (!name.empty()) also += (also.empty() ? "" : ", ") + std::string(name);
    }
    table += "| **" + std::string(entry.name) + "**" + (also.empty() ? "" : " (" + also + ")") +
             " | " + std::string(entry.sentence) + " | " + std::string(entry.text) +
             (entry.text.empty() ? "|\n" : " |\n");
  }
  return table;
}

TEST(GlossaryPages, WordsMeanThere) {
  const std::string mark = "<!-- words -->\n";
  Page page("docs/reference/words.md");
  const auto begin = page.text().find(mark);
  ASSERT_NE(begin, std::string::npos);
  const std::string table = page.text().substr(begin + mark.size());
  if (updating()) {
    page.replace_from(mark, table_of_words());
    page.save();
    return;
  }
  EXPECT_EQ(table, table_of_words());
}

}  // namespace
}  // namespace brownout::docs
