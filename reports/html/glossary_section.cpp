#include <fmt/format.h>

#include "reports/glossary/glossary.hpp"
#include "reports/html/sections.hpp"

namespace brownout::reports::html {
namespace {

// Of outcomes, those that some attempt or call had; of everything else, all a page may show.
bool is_on_page(const Entry& entry, const sim::CallStats& stats) {
  switch (entry.kind) {
    case EntryKind::outcome: {
      const auto kind = static_cast<std::size_t>(*parse_outcome_kind(entry.name));
      return stats.attempts_as[kind] > 0 || stats.failed_as[kind] > 0;
    }
    case EntryKind::exit_code:
      return false;
    case EntryKind::metric:
    case EntryKind::error_class:
    case EntryKind::call_end:
    case EntryKind::word:
      return true;
  }
  return false;
}

}  // namespace

std::string glossary_section(const RunView& view) {
  std::string html = "<details><summary>What the words mean</summary>\n";
  for (const EntryKind kind : entry_kinds()) {
    std::string words;
    for (const Entry& entry : glossary()) {
      if (entry.kind != kind || !is_on_page(entry, view.run.total)) continue;
      words +=
          fmt::format("<dt>{}</dt><dd>{}</dd>\n", escaped(entry.name), escaped(entry.sentence));
    }
    if (words.empty()) continue;
    html += fmt::format("<h3>{}</h3>\n<dl class=\"words\">\n{}</dl>\n", heading(kind), words);
  }
  return section(view, "glossary", "Glossary", "", html + "</details>\n");
}

}  // namespace brownout::reports::html
