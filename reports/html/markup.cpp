#include "reports/html/markup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "reports/text/json_text.hpp"

namespace brownout::reports::html {

std::string escaped(std::string_view text) {
  constexpr std::pair<char, std::string_view> entities[] = {
      {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
  std::string html;
  for (const char letter : valid_utf8(text)) {
    const auto* const entity = std::ranges::find(entities, letter, [](auto& e) { return e.first; });
    const auto byte = static_cast<unsigned char>(letter);
    const bool is_control = (byte < 0x20 && letter != '\n' && letter != '\t') || byte == 0x7F;
    if (entity != std::end(entities)) {
      html += entity->second;
    } else if (is_control) {
      html += "\xEF\xBF\xBD";
    } else {
      html += letter;
    }
  }
  return html;
}

std::string along(Duration part, Duration whole) {
  __extension__ using Wide = __int128;
  const auto inside = std::clamp(part, Duration{0}, whole);
  const auto hundredths = static_cast<int>(Wide{inside.count()} * 10'000 / whole.count());
  std::string text = std::to_string(hundredths / 100);
  if (hundredths % 100 != 0) {
    text += fmt::format(".{:02}", hundredths % 100);
    if (text.back() == '0') text.pop_back();
  }
  return text + "%";
}

std::string badge(sim::Verdict verdict) {
  switch (verdict) {
    case sim::Verdict::passed:
      return R"(<span class="badge ok"><span aria-hidden="true">✓</span> PASS</span>)";
    case sim::Verdict::failed:
      return R"(<span class="badge bad"><span aria-hidden="true">✗</span> FAIL</span>)";
    case sim::Verdict::undecided:
      return R"(<span class="badge unsure"><span aria-hidden="true">?</span> NO VERDICT</span>)";
  }
  return {};
}

Table::Table(std::string_view caption, std::initializer_list<std::string_view> columns) {
  if (!caption.empty()) head_ = fmt::format("<caption>{}</caption>\n", escaped(caption));
  head_ += "<thead><tr>";
  for (std::string_view column : columns) {
    const bool is_number = column.starts_with('#');
    if (is_number) column.remove_prefix(1);
    numeric_ += is_number ? 'y' : 'n';
    head_ += fmt::format("<th scope=\"col\"{}>{}</th>", is_number ? " class=\"n\"" : "",
                         escaped(column));
  }
  head_ += "</tr></thead>\n";
}

void Table::cell(std::string_view html, std::size_t column) {
  const bool is_number = column < numeric_.size() && numeric_[column] == 'y';
  rows_ += is_number ? "<td class=\"n\">" : "<td>";
  rows_ += html;
  rows_ += "</td>";
}

std::string Table::html() const {
  return "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"table\"><table>" +
         head_ + "<tbody>\n" + rows_ + "</tbody></table></div>\n";
}

Duration axis_end(const sim::RunResult& run) {
  const Duration kept = run.timeline.width * static_cast<std::int64_t>(run.timeline.buckets);
  return std::max({run.scenario_ends - Instant{}, kept, Duration{1'000'000}});
}

bool is_faulted(const sim::RunResult& run, const sim::PhaseResult& phase) {
  return std::ranges::find(run.faults, phase.name, &sim::FaultResult::phase) != run.faults.end();
}

std::string section(const RunView& view, std::string_view name, std::string_view title,
                    std::string_view sentence, std::string_view content) {
  std::string html = fmt::format(
      "<section id=\"{0}-{1}\" aria-labelledby=\"{0}-{1}-title\">\n"
      "<h2 id=\"{0}-{1}-title\">{2}</h2>\n",
      view.id, name, title);
  if (!sentence.empty()) html += fmt::format("<p class=\"about\">{}</p>\n", sentence);
  html += content;
  return html + "</section>\n";
}

}  // namespace brownout::reports::html
