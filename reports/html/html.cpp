#include "reports/html/html.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "reports/html/page.hpp"
#include "reports/html/sections.hpp"
#include "reports/text/json_text.hpp"
#include "reports/text/numbers.hpp"

namespace brownout::reports {
namespace {

using namespace html;
using Json = nlohmann::ordered_json;
using sim::RunResult;

// ", over HTTP in real time"; nothing of simulated runs.
std::string stage_note(const RunResult& run) {
  return run.stage == sim::RunStage::sim ? "" : ", " + stage_of(run.stage, run.speed);
}

std::string title_of(const std::vector<RunResult>& runs) {
  if (runs.size() != 1) return count_of(runs.size(), "run");
  return fmt::format("{}: {} with policy {}{}", to_string(runs[0].verdict()), runs[0].scenario,
                     runs[0].policy, stage_note(runs[0]));
}

std::string index(const std::vector<RunResult>& runs) {
  Table table("", {"verdict", "scenario", "policy", "#seed", "#calls", "#availability",
                   "#attempts per call", "#p99", "#met"});
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunResult& run = runs[i];
    const auto met = std::ranges::count(run.expectations, sim::Verdict::passed,
                                        &sim::ExpectationResult::verdict);
    table.row(
        badge(run.verdict()),
        fmt::format("<a href=\"#run-{}\">{}</a>{}", i + 1, escaped(run.scenario), stage_note(run)),
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
  html += header(view);
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
  std::string content = "<main>\n";
  if (runs.size() != 1) content += index(runs);
  Json data = Json::array();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunView view{runs[i], fmt::format("run-{}", i + 1)};
    content += run_page(view, runs.size() == 1);
    data.push_back(panel_data(view));
  }
  content += "</main>\n<footer>brownout. Panels are drawn by uPlot.</footer>\n";
  content +=
      fmt::format("<script type=\"application/json\" id=\"data\">{}</script>\n", for_script(data));
  content += fmt::format("<!-- uPlot:\n{}-->\n", asset("LICENSE"));
  return page({.title = title_of(runs),
               .styles = {"uPlot.min.css", "report.css"},
               .scripts = {"uPlot.iife.min.js", "panels.js", "report.js"},
               .content = std::move(content)});
}

}  // namespace brownout::reports
