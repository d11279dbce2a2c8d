#include "tests/docs/page.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

namespace brownout::docs {
namespace {

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(' ') - begin + 1));
}

// What "<!-- this -->" says; empty for other lines.
std::string comment_of(const std::string& line) {
  if (!line.starts_with("<!-- ") || !line.ends_with(" -->")) return {};
  return line.substr(5, line.size() - 9);
}

std::vector<std::string> cells_of(std::string_view row) {
  std::vector<std::string> cells;
  row.remove_prefix(1);
  for (std::size_t end = row.find('|'); end != std::string_view::npos; end = row.find('|')) {
    cells.push_back(trimmed(row.substr(0, end)));
    row.remove_prefix(end + 1);
  }
  return cells;
}

}  // namespace

Page::Page(std::string path) : path_(std::move(path)) {
  std::ifstream file(path_);
  EXPECT_TRUE(file) << path_;
  std::ostringstream text;
  text << file.rdbuf();
  text_ = text.str();
}

std::vector<std::string> Page::lines() const {
  std::vector<std::string> lines;
  std::istringstream stream(text_);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<Block> Page::blocks() const {
  const auto all = lines();
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].starts_with("```")) continue;
    Block block{all[i].substr(3), i == 0 ? std::string{} : comment_of(all[i - 1]), {}, i + 1};
    for (++i; i < all.size() && all[i] != "```"; ++i) block.text += all[i] + "\n";
    blocks.push_back(std::move(block));
  }
  return blocks;
}

std::vector<OptionsTable> Page::options() const {
  const auto all = lines();
  std::vector<OptionsTable> tables;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string comment = comment_of(all[i]);
    if (!comment.starts_with("options: ")) continue;
    OptionsTable table{comment.substr(9), {}};
    for (std::size_t row = i + 3; row < all.size() && all[row].starts_with("|"); ++row) {
      table.rows.push_back(cells_of(all[row]));
    }
    tables.push_back(std::move(table));
  }
  return tables;
}

std::vector<std::string> Page::headings() const {
  std::vector<std::string> found;
  for (const std::string& line : lines()) {
    if (line.starts_with("## ")) found.push_back(line.substr(3));
  }
  return found;
}

void Page::replace(std::size_t line, const std::string& text) {
  const auto all = lines();
  std::string changed;
  std::size_t i = 0;
  for (; i < line; ++i) changed += all[i] + "\n";
  changed += text;
  while (i < all.size() && all[i] != "```") ++i;
  for (; i < all.size(); ++i) changed += all[i] + "\n";
  text_ = changed;
}

void Page::replace_from(const std::string& mark, const std::string& text) {
  text_.erase(text_.find(mark) + mark.size());
  text_ += text;
}

void Page::save() const {
  std::ofstream file(path_, std::ios::binary);
  file << text_;
  EXPECT_TRUE(file.flush()) << path_;
}

std::vector<Page> policy_pages() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator("docs/policies")) {
    const auto name = entry.path().filename();
    if (entry.path().extension() != ".md" || name == "guide.md" || name == "presets.md") continue;
    paths.push_back(entry.path().generic_string());
  }
  std::ranges::sort(paths);
  std::vector<Page> pages;
  for (std::string& path : paths) pages.emplace_back(std::move(path));
  return pages;
}

bool updating() {
  const char* update = std::getenv("UPDATE_GOLDEN");
  return update != nullptr && std::string_view(update) == "1";
}

}  // namespace brownout::docs
