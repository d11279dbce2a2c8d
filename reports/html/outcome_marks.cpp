#include "reports/html/outcome_marks.hpp"

#include <fmt/format.h>

namespace brownout::reports::html {

OutcomeMark mark_of(OutcomeKind kind) {
  // By number: the first letter of a telling word, or of the nearest that is free.
  constexpr std::string_view letters = "SRDLQYOEGCTMXAPNWFIBKZHUV";
  static_assert(letters.size() == outcome_kind_count);
  const char letter = letters[static_cast<std::size_t>(kind)];
  if (kind == OutcomeKind::success) return {letter, "ok"};
  if (kind == OutcomeKind::cancelled) return {letter, "dim"};
  return {letter, classify(kind) == ErrorClass::retryable ? "warn" : "bad"};
}

std::string legend_of(const std::set<OutcomeKind>& kinds) {
  std::string html = "<ul class=\"marks\">\n";
  for (const OutcomeKind kind : kinds) {
    const OutcomeMark mark = mark_of(kind);
    html += fmt::format("<li><span class=\"mark {}\">{}</span> {}</li>\n", mark.tone, mark.letter,
                        to_string(kind));
  }
  return html + "</ul>\n";
}

}  // namespace brownout::reports::html
