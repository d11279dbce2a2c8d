#include <fmt/format.h>

#include "reports/html/sections.hpp"

namespace brownout::reports::html {
namespace {

struct Word {
  std::string_view name;
  std::string_view sentence;
};

constexpr Word words[] = {
    {"call", "What the user asked of the policy."},
    {"attempt", "One try of a call at a provider."},
};

}  // namespace

std::string glossary_section(const RunView& view) {
  std::string html = "<details><summary>What the words mean</summary>\n<dl class=\"words\">\n";
  for (const Word& word : words) {
    html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escaped(word.name), escaped(word.sentence));
  }
  return section(view, "glossary", "Glossary", "", html + "</dl></details>\n");
}

}  // namespace brownout::reports::html
