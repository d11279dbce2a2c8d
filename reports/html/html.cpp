#include "reports/html/html.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <span>

#include "engine/core/check.hpp"
#include "reports/embedded.hpp"
#include "reports/html/sections.hpp"
#include "reports/json_text.hpp"
#include "reports/numbers.hpp"

namespace brownout::embedded {
std::span<const File> report_assets();
}

namespace brownout::reports {
namespace {

using namespace html;
using Json = nlohmann::ordered_json;
using sim::RunResult;

std::string_view asset(std::string_view name) {
  const auto bytes = embedded::find(embedded::report_assets(), name);
  BROWNOUT_CHECK(bytes.has_value());
  return *bytes;
}

// Bytes in hexadecimal digits, in base 64.
std::string base64_of_hex(std::string_view hex) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < hex.size(); i += 6) {
    const std::string_view part = hex.substr(i, 6);  // three bytes, four digits
    std::uint32_t bits = 0;
    std::from_chars(part.data(), part.data() + part.size(), bits, 16);
    bits <<= 4 * (6 - part.size());
    for (std::size_t digit = 0; digit < 4; ++digit) {
      const bool is_padding = digit > part.size() / 2;
      text += is_padding ? '=' : digits[(bits >> (18 - 6 * digit)) & 63];
    }
  }
  return text;
}

// What the page lets run, by what it is: "'sha256-…'".
std::string hash_of(std::string_view name) {
  const std::string_view hashes = asset("hashes.txt");
  const std::size_t end = hashes.find(fmt::format(" {}\n", name));
  BROWNOUT_CHECK(end != std::string_view::npos && end >= 64);
  return fmt::format("'sha256-{}'", base64_of_hex(hashes.substr(end - 64, 64)));
}

constexpr std::array<std::string_view, 2> styles{"uPlot.min.css", "report.css"};
constexpr std::array<std::string_view, 2> scripts{"uPlot.iife.min.js", "report.js"};

std::string head(const std::vector<RunResult>& runs) {
  const std::string title = runs.size() == 1
                                ? fmt::format("{}: {} with {}", to_string(runs[0].verdict()),
                                              runs[0].scenario, runs[0].policy)
                                : fmt::format("{} runs", runs.size());
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {} "
      "{}; style-src {} {}; img-src data:; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n<title>{} - brownout</title>\n",
      hash_of(scripts[0]), hash_of(scripts[1]), hash_of(styles[0]), hash_of(styles[1]),
      escaped(title));
  for (const std::string_view style : styles) {
    html += fmt::format("<style>{}</style>\n", asset(style));
  }
  return html + "</head>\n";
}

std::string index(const std::vector<RunResult>& runs) {
  Table table("", {"verdict", "scenario", "policy", "#seed", "#calls", "#availability",
                   "#attempts per call", "#p99", "#met"});
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunResult& run = runs[i];
    const auto met = std::ranges::count(run.expectations, sim::Verdict::passed,
                                        &sim::ExpectationResult::verdict);
    table.row(badge(run.verdict()),
              fmt::format("<a href=\"#run-{}\">{}</a>", i + 1, escaped(run.scenario)),
              escaped(run.policy), std::to_string(run.seed), grouped(run.total.calls),
              percent(run.total.ended_as(CallEnd::success) + run.total.ended_as(CallEnd::cached),
                      run.total.calls),
              attempts_per_call(run.total), quantile(run.total.success_latency, 990),
              fmt::format("{} of {}", met, run.expectations.size()));
  }
  std::array<std::size_t, 3> verdicts{};
  for (const RunResult& run : runs) ++verdicts[static_cast<std::size_t>(run.verdict())];
  return fmt::format(
             "<header class=\"index\" id=\"runs\">\n<h1>{}</h1>\n<p class=\"about\">{} passed, {} "
             "failed, {} without a verdict. Choose one to see it below.</p>\n",
             count_of(runs.size(), "run"), verdicts[0], verdicts[1], verdicts[2]) +
         table.html() + "</header>\n";
}

std::string contents(const RunView& view, bool has_failures) {
  std::string html = "<nav aria-label=\"Parts of this run\">";
  for (const auto& [name, title] :
       std::initializer_list<std::pair<const char*, const char*>>{{"failures", "Not met"},
                                                                  {"expectations", "Expectations"},
                                                                  {"panels", "Over time"},
                                                                  {"calls", "Calls"},
                                                                  {"distribution", "Distribution"},
                                                                  {"outcomes", "Outcomes"},
                                                                  {"what-ran", "What ran"},
                                                                  {"glossary", "Glossary"}}) {
    if (std::string_view(name) == "failures" && !has_failures) continue;
    html += fmt::format("<a href=\"#{}-{}\">{}</a>", view.id, name, title);
  }
  return html + "</nav>\n";
}

std::string run_page(const RunView& view, bool is_only) {
  std::string html =
      fmt::format("<article class=\"run\" id=\"{0}\" aria-labelledby=\"{0}-title\">\n", view.id);
  if (!is_only) html += "<p class=\"back\"><a href=\"#runs\">All runs</a></p>\n";
  html += header(view, is_only ? 1 : 2);
  const std::string not_met = failures(view);
  html += contents(view, !not_met.empty());
  html += not_met;
  html += tiles(view);
  html += expectations(view);
  html += panels(view);
  html += calls(view);
  html += distribution(view);
  html += outcomes(view);
  html += what_ran(view);
  html += glossary_section(view);
  return html + "</article>\n";
}

}  // namespace

std::string to_html(const std::vector<RunResult>& runs) {
  std::string html = head(runs);
  html += "<body>\n<main>\n";
  if (runs.size() != 1) html += index(runs);
  Json data = Json::array();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunView view{runs[i], fmt::format("run-{}", i + 1)};
    html += run_page(view, runs.size() == 1);
    data.push_back(panel_data(view));
  }
  html += "</main>\n<footer>brownout. Panels are drawn by uPlot.</footer>\n";
  html +=
      fmt::format("<script type=\"application/json\" id=\"data\">{}</script>\n", for_script(data));
  html += fmt::format("<!-- uPlot:\n{}-->\n", asset("LICENSE"));
  for (const std::string_view script : scripts) {
    html += fmt::format("<script>{}</script>\n", asset(script));
  }
  return html + "</body>\n</html>\n";
}

}  // namespace brownout::reports
