#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "reports/html/sections.hpp"
#include "reports/text/numbers.hpp"

namespace brownout::reports::html {
namespace {

using Json = nlohmann::ordered_json;
using Values = std::vector<std::int64_t>;

// A line of a panel. Tones and dashes differ, so that lines differ without color.
struct Line {
  std::string label;
  std::string_view tone;
  std::string_view dash;
  Values values;
  bool drawn = true;  // otherwise told in the legend only
};

struct Panel {
  std::string_view name;
  std::string_view title;
  std::string_view sentence;
  std::string_view unit;     // how panels.js writes values: "time", "rate", "number", "percent"
  std::int64_t divisor = 1;  // of values, to come to seconds, calls per second, …
  bool has_log = false;
  bool stacked = false;
  std::vector<Line> lines;
};

constexpr std::int64_t no_data = -1;

Values values_of(const sim::RunResult& run, std::string_view metric, std::string_view of = {}) {
  const sim::Series* series = run.timeline.find(metric, of);
  return series == nullptr ? Values{} : series->values;
}

bool is_all_zero(const Values& values) {
  return std::ranges::all_of(values, [](std::int64_t value) { return value <= 0; });
}

Values scaled(Values values, std::int64_t multiply, std::int64_t divide) {
  __extension__ using Wide = __int128;
  for (std::int64_t& value : values) {
    if (value < 0) continue;
    value = static_cast<std::int64_t>(Wide{value} * multiply / divide);
  }
  return values;
}

void add(Panel& panel, Line line) {
  if (!is_all_zero(line.values)) panel.lines.push_back(std::move(line));
}

Panel latency(const sim::RunResult& run) {
  Panel panel{"latency",
              "Latency",
              "How long successful calls took, retries and waits included, by when they arrived; "
              "dashed, how long until their first token.",
              "time",
              1'000'000,
              true,
              false,
              {}};
  // Microseconds are more than anybody sees.
  const auto quantiles = [&](std::string_view metric, std::string_view of) {
    return scaled(values_of(run, metric, of), 1, 1000);
  };
  add(panel, {"p50", "blue", "", quantiles("latency", "p50")});
  add(panel, {"p90", "teal", "", quantiles("latency", "p90")});
  add(panel, {"p99", "amber", "", quantiles("latency", "p99")});
  add(panel, {"max", "red", "", quantiles("latency", "max")});
  add(panel, {"first token p50", "blue", "4 3", quantiles("first_token", "p50")});
  add(panel, {"first token p99", "amber", "4 3", quantiles("first_token", "p99")});
  return panel;
}

Panel outcomes_panel(const sim::RunResult& run) {
  Panel panel{"outcomes",
              "Calls per second by how they ended",
              "Counted where they arrived, stacked; failed ones are hatched, and told by outcome "
              "under the pointer.",
              "rate",
              1000,
              false,
              true,
              {}};
  const auto rate = [&](std::string_view metric, std::string_view of) {
    return scaled(values_of(run, metric, of), 1'000'000'000'000, run.timeline.width.count());
  };
  panel.lines.push_back({"success", "blue", "", rate("ended", "success")});
  add(panel, {"cached", "teal", "", rate("ended", "cached")});
  add(panel, {"degraded", "amber", "", rate("ended", "degraded")});
  add(panel, {"failed", "red", "", rate("ended", "failed")});
  for (const sim::Series& series : run.timeline.series) {
    if (series.metric == "failed")
      add(panel, {series.of, "", "", rate("failed", series.of), false});
  }
  return panel;
}

Panel amplification(const sim::RunResult& run) {
  Panel panel{"attempts",
              "Attempts per call",
              "Attempts that began for each call that arrived: above 1 the policy multiplies the "
              "load, below 1 it answers without asking.",
              "number",
              1000,
              false,
              false,
              {}};
  const Values calls = values_of(run, "calls");
  const auto per_call = [&](std::string_view metric) {
    Values values = values_of(run, metric);
    for (std::size_t i = 0; i < values.size() && i < calls.size(); ++i) {
      values[i] = calls[i] == 0 ? no_data : values[i] * 1000 / calls[i];
    }
    return values;
  };
  panel.lines.push_back({"attempts", "blue", "", per_call("attempts")});
  add(panel, {"failed attempts", "red", "6 3", per_call("failed_attempts")});
  return panel;
}

Panel policy_work(const sim::RunResult& run) {
  Panel panel{"work",
              "What the policy did, per second",
              "Calls it turned away, waits it began before an attempt, copies it sent to race a "
              "slow one.",
              "rate",
              1000,
              false,
              false,
              {}};
  const auto rate = [&](std::string_view metric) {
    return scaled(values_of(run, metric), 1'000'000'000'000, run.timeline.width.count());
  };
  add(panel, {"refusals", "red", "", rate("rejected")});
  add(panel, {"waits", "amber", "6 3", rate("waits")});
  add(panel, {"hedges", "violet", "2 2", rate("hedges")});
  return panel;
}

Panel in_flight(const sim::RunResult& run) {
  Panel panel{"in-flight",
              "In flight",
              "Calls and attempts under way at once, on average, and requests that queue at a "
              "provider.",
              "number",
              1000,
              false,
              false,
              {}};
  panel.lines.push_back({"calls", "blue", "", values_of(run, "in_flight", "calls")});
  panel.lines.push_back({"attempts", "amber", "6 3", values_of(run, "in_flight", "attempts")});
  for (const sim::Series& series : run.timeline.series) {
    if (series.metric != "queue") continue;
    add(panel, {"queue " + series.of, "violet", "2 2", scaled(series.values, 1000, 1)});
  }
  return panel;
}

// The least share of `full` a level came to, in hundredths of a percent.
Values shares_of_full(const sim::Series& series) {
  return scaled(series.values, 10'000, std::max<std::int64_t>(*series.full, 1));
}

Panel quotas(const sim::RunResult& run) {
  Panel panel{"quota",
              "Quota left",
              "What providers would still admit, in percent of their limits; at 0 they answer "
              "with 429. Limits that stayed full are left out.",
              "percent",
              100,
              false,
              false,
              {}};
  constexpr std::array<std::string_view, 5> tones{"blue", "amber", "violet", "teal", "red"};
  constexpr std::array<std::string_view, 3> dashes{"", "6 3", "2 2"};
  std::size_t number = 0;
  for (const sim::Series& series : run.timeline.series) {
    if (series.metric != "quota" || !series.full) continue;
    Values shares = shares_of_full(series);
    const bool stayed_full =
        std::ranges::all_of(shares, [](std::int64_t share) { return share < 0 || share >= 9'900; });
    if (stayed_full) continue;
    panel.lines.push_back({series.of, tones[number % tones.size()],
                           dashes[number / tones.size() % dashes.size()], std::move(shares)});
    ++number;
  }
  return panel;
}

Panel budgets(const sim::RunResult& run) {
  Panel panel{"budget",
              "Retry budget",
              "What is left of each budget; a retry or hedge takes one from it, and there is none "
              "at 0.",
              "number",
              1000,
              false,
              false,
              {}};
  constexpr std::array<std::string_view, 3> tones{"blue", "amber", "violet"};
  std::size_t number = 0;
  for (const sim::Series& series : run.timeline.series) {
    if (series.metric != "budget") continue;
    panel.lines.push_back({series.of.empty() ? "budget" : series.of, tones[number % tones.size()],
                           number % 2 == 0 ? "" : "6 3", series.values});
    ++number;
  }
  return panel;
}

std::vector<Panel> panels_of(const sim::RunResult& run) {
  std::vector<Panel> panels;
  if (run.timeline.buckets == 0) return panels;
  for (auto* const make :
       {latency, outcomes_panel, amplification, in_flight, policy_work, quotas, budgets}) {
    Panel panel = make(run);
    if (!panel.lines.empty()) panels.push_back(std::move(panel));
  }
  return panels;
}

std::string legend(const Panel& panel) {
  std::string html = "<ul class=\"legend\">\n";
  for (const Line& line : panel.lines) {
    const std::string swatch =
        line.drawn ? fmt::format(
                         "<svg class=\"swatch {}\" aria-hidden=\"true\"><line x2=\"22\" "
                         "y1=\"6\" y2=\"6\"{}/></svg>",
                         line.tone,
                         line.dash.empty() ? std::string()
                                           : fmt::format(" stroke-dasharray=\"{}\"", line.dash))
                   : std::string();
    const bool is_switch = line.drawn && !panel.stacked;
    html +=
        fmt::format("<li{}>{}{}{} <output></output>{}</li>\n", line.drawn ? "" : " class=\"kind\"",
                    is_switch ? "<button type=\"button\" aria-pressed=\"true\">" : "", swatch,
                    escaped(line.label), is_switch ? "</button>" : "");
  }
  return html + "</ul>\n";
}

std::string frame(const RunView& view, const Panel& panel) {
  std::string html = fmt::format(
      "<figure class=\"panel\" id=\"{0}-panel-{1}\" data-panel=\"{1}\">\n"
      "<figcaption><h3>{2}</h3>",
      view.id, panel.name, panel.title);
  if (panel.has_log) {
    html += "<button type=\"button\" class=\"log\" aria-pressed=\"false\">log scale</button>";
  }
  html += fmt::format("<p>{}</p></figcaption>\n", panel.sentence);
  html += legend(panel);
  html += fmt::format(
      "<div class=\"plot\" tabindex=\"0\" role=\"group\" aria-label=\"{}. Arrow keys move the "
      "cursor, plus and minus zoom, 0 resets.\"></div>\n"
      "<details class=\"numbers\"><summary>These numbers as a table</summary></details>\n"
      "</figure>\n",
      panel.title);
  return html;
}

std::string controls(const RunView& view) {
  return fmt::format(
      "<div class=\"controls\"><button type=\"button\" class=\"reset\" disabled>Reset zoom"
      "</button><span class=\"range\" role=\"status\">{} to {}</span>"
      "<span class=\"keys\">Drag to zoom, double-click or <kbd>0</kbd> to reset; <kbd>←</kbd> "
      "<kbd>→</kbd> move, <kbd>+</kbd> <kbd>−</kbd> zoom.</span>"
      "<span class=\"shades\"><span class=\"shade\"></span> phase "
      "<span class=\"shade faulted\"></span> phase with faults</span></div>\n",
      clock_time(Instant{}), clock_time(Instant{axis_end(view.run)}));
}

}  // namespace

std::string panels(const RunView& view) {
  const std::vector<Panel> panels = panels_of(view.run);
  const bool is_simulated = view.run.stage == sim::RunStage::sim;
  std::string html = panels.empty() ? "<p>No timeline was kept of this run.</p>\n" : controls(view);
  if (!panels.empty()) html += "<div class=\"panels\">\n";
  for (const Panel& panel : panels) html += frame(view, panel);
  if (!panels.empty()) html += "</div>\n";
  html += strips(view);
  return section(view, "panels", "Over time",
                 panels.empty() ? std::string()
                                : fmt::format("{} time since the start of the scenario, in "
                                              "steps of {}. All panels share their axis.",
                                              is_simulated ? "Virtual" : "Scenario",
                                              format_duration_short(view.run.timeline.width)),
                 html);
}

Json panel_data(const RunView& view) {
  const sim::RunResult& run = view.run;
  const auto milliseconds = [](Duration time) { return time / std::chrono::milliseconds{1}; };
  Json json = {{"id", view.id},
               {"bucket_us", run.timeline.width / std::chrono::microseconds{1}},
               {"end_ms", milliseconds(axis_end(run))}};
  json["phases"] = Json::array();
  for (const sim::PhaseResult& phase : run.phases) {
    json["phases"].push_back({{"name", phase.name},
                              {"from_ms", milliseconds(phase.begins - Instant{})},
                              {"to_ms", milliseconds(phase.ends - Instant{})},
                              {"faulted", is_faulted(run, phase)}});
  }
  json["panels"] = Json::array();
  for (const Panel& panel : panels_of(run)) {
    Json lines = Json::array();
    for (const Line& line : panel.lines) {
      lines.push_back({{"label", line.label},
                       {"tone", line.tone},
                       {"dash", line.dash},
                       {"drawn", line.drawn},
                       {"values", line.values}});
    }
    json["panels"].push_back({{"name", panel.name},
                              {"unit", panel.unit},
                              {"divisor", panel.divisor},
                              {"stacked", panel.stacked},
                              {"lines", std::move(lines)}});
  }
  return json;
}

}  // namespace brownout::reports::html
