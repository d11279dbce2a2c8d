#include "reports/html/comparison_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <vector>

#include "reports/html/markup.hpp"
#include "reports/html/page.hpp"
#include "reports/text/numbers.hpp"

namespace brownout::reports {
namespace {

using namespace html;
using sim::CallStats;

std::uint64_t available(const CallStats& stats) {
  return stats.ended_as(CallEnd::success) + stats.ended_as(CallEnd::cached);
}

// Rounded down, so that it is never 100 when something failed.
std::string share(double part) {
  return fmt::format("{:.2f}%", std::floor(10'000 * part) / 100);
}

std::string share(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  return share(static_cast<double>(part) / static_cast<double>(whole));
}

// What a cell can show. The first is shown until another is chosen.
struct CellMetric {
  std::string_view id;
  std::string_view label;
  std::string (*text)(const Cell&);
};

constexpr std::array cell_metrics{
    CellMetric{"availability", "availability",
               [](const Cell& cell) { return share(available(cell.total), cell.total.calls); }},
    CellMetric{
        "in-faults", "availability while there were faults",
        [](const Cell& cell) { return share(available(cell.in_faults), cell.in_faults.calls); }},
    CellMetric{"answered", "answered",
               [](const Cell& cell) {
                 return share(available(cell.total) + cell.total.ended_as(CallEnd::degraded),
                              cell.total.calls);
               }},
    CellMetric{"p50", "latency p50",
               [](const Cell& cell) { return quantile(cell.total.success_latency, 500); }},
    CellMetric{"p99", "latency p99",
               [](const Cell& cell) { return quantile(cell.total.success_latency, 990); }},
    CellMetric{"load", "attempts per call",
               [](const Cell& cell) { return attempts_per_call(cell.total); }},
    CellMetric{"cost", "$ per 1,000 calls",
               [](const Cell& cell) {
                 if (!cell.has_prices || cell.total.calls == 0) return std::string("-");
                 return fmt::format("{:.2f}",
                                    1e-6 * static_cast<double>(cell.total.cost_nanodollars()) /
                                        static_cast<double>(cell.total.calls));
               }},
    CellMetric{
        "wasted", "tokens wasted",
        [](const Cell& cell) { return share(cell.total.wasted_tokens, cell.total.billed_tokens); }},
};

// A bar of `part` of its room, with the number beside it.
std::string bar(double part, std::string_view tone, std::string_view text) {
  return fmt::format(
      "<svg class=\"bar {}\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" "
      "aria-hidden=\"true\"><rect width=\"{:.1f}\" height=\"10\"/></svg> {}",
      tone, 100 * std::clamp(part, 0.0, 1.0), text);
}

std::vector<PolicyScore> most_available_first(const Comparison& comparison) {
  std::vector<PolicyScore> scores = comparison.scores;
  std::ranges::stable_sort(scores, std::greater{}, &PolicyScore::availability);
  return scores;
}

std::string scores_table(const Comparison& comparison) {
  double most_dollars = 0;
  double most_attempts = 0;
  for (const PolicyScore& score : comparison.scores) {
    most_dollars = std::max(most_dollars, score.dollars_per_1000.value_or(0));
    most_attempts = std::max(most_attempts, score.attempts_per_call);
  }
  Table table("Policies over all scenarios, each scenario counting alike",
              {"policy", "#passed", "#availability", "#answered", "#worst", "in",
               "#attempts per call", "#$ per 1,000 calls", "#tokens wasted"});
  for (const PolicyScore& score : most_available_first(comparison)) {
    const double dollars = score.dollars_per_1000.value_or(0);
    table.row(
        escaped(score.policy) + (score.on_frontier ? " <b title=\"on the frontier\">★</b>" : ""),
        fmt::format("{} of {}", score.passed, score.scenarios),
        bar(score.availability, "ok", share(score.availability)), share(score.answered),
        share(score.worst_availability), escaped(score.worst_scenario),
        bar(most_attempts > 0 ? score.attempts_per_call / most_attempts : 0, "warn",
            fmt::format("{:.2f}", score.attempts_per_call)),
        score.dollars_per_1000 ? bar(most_dollars > 0 ? dollars / most_dollars : 0, "dim",
                                     fmt::format("{:.2f}", dollars))
                               : "-",
        share(score.wasted_share));
  }
  return table.html();
}

// The plot's room, in units of its view box.
constexpr double left = 70;
constexpr double right = 760;
constexpr double top = 16;
constexpr double bottom = 300;

// A scale that begins and ends at round numbers.
struct Scale {
  double low = 0;
  double high = 1;
  double step = 1;

  static Scale around(double low, double high) {
    const double span = std::max(high - low, 1e-6);
    double step = 1e-9;
    while (span / step > 6) {
      for (const double factor : {2.0, 2.5, 2.0}) {
        if (span / step > 6) step *= factor;
      }
    }
    return {std::floor(low / step) * step, std::ceil(high / step) * step, step};
  }
  double at(double value, double from, double to) const {
    return from + (value - low) / (high - low) * (to - from);
  }
};

std::string axes(const Scale& cost, const Scale& availability) {
  std::string svg;
  for (double value = cost.low; value <= cost.high + cost.step / 2; value += cost.step) {
    const double x = cost.at(value, left, right);
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>"
        "<text x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\">${4:.2f}</text>\n",
        x, top, bottom, bottom + 16, value);
  }
  for (double value = availability.low; value <= availability.high + availability.step / 2;
       value += availability.step) {
    const double y = availability.at(value, bottom, top);
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5:.1f}%</text>\n",
        left, right, y, left - 6, y + 4, 100 * value);
  }
  return svg +
         fmt::format(
             "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">dollars per 1,000 calls</text>\n",
             (left + right) / 2, bottom + 34);
}

// Where names stand already, so that none is written over another.
class Labels {
 public:
  /// The text at (x, y), or nothing where it does not fit: the point's title says it too.
  std::string place(double x, double y, const std::string& text) {
    const double width = 6.6 * static_cast<double>(text.size());
    for (const auto& [before, drop] : {std::pair{false, 0}, {true, 0}, {false, 13}, {true, -13}}) {
      const Box box{before ? x - 9 - width : x + 9, y + drop, width};
      const bool inside = box.x >= left && box.x + box.width <= right;
      const auto overlaps = [&](const Box& other) {
        return std::abs(other.y - box.y) < 12 && box.x < other.x + other.width &&
               other.x < box.x + box.width;
      };
      if (!inside || std::ranges::any_of(taken_, overlaps)) continue;
      taken_.push_back(box);
      return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\"{}>{}</text>", before ? x - 9 : x + 9,
                         y + 4 + drop, before ? " text-anchor=\"end\"" : "", escaped(text));
    }
    return "";
  }

 private:
  struct Box {
    double x;
    double y;
    double width;
  };
  std::vector<Box> taken_;
};

std::string point(const PolicyScore& score, double x, double y, Labels& labels) {
  const std::string shape =
      score.on_frontier ? fmt::format("<path d=\"M{:.1f} {:.1f}l6 6l-6 6l-6 -6z\"/>", x, y - 6)
                        : fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\"/>", x, y);
  return fmt::format(
      "<g class=\"{}\" tabindex=\"0\"><title>{}: {} available, ${:.2f} per 1,000 calls, {:.2f} "
      "attempts per call</title>{}{}</g>\n",
      score.on_frontier ? "best" : "rest", escaped(score.policy), share(score.availability),
      *score.dollars_per_1000, score.attempts_per_call, shape, labels.place(x, y, score.policy));
}

// Points of policies, the most available first; those on the frontier are joined.
std::string points(const Comparison& comparison, const Scale& cost, const Scale& availability) {
  std::string line;
  std::string dots;
  Labels labels;
  for (const bool best : {true, false}) {
    for (const PolicyScore& score : most_available_first(comparison)) {
      if (!score.dollars_per_1000 || score.on_frontier != best) continue;
      const double x = cost.at(*score.dollars_per_1000, left, right);
      const double y = availability.at(score.availability, bottom, top);
      if (best) line += fmt::format("{}{:.1f},{:.1f}", line.empty() ? "" : " ", x, y);
      dots += point(score, x, y, labels);
    }
  }
  return fmt::format("<polyline class=\"frontier\" points=\"{}\"/>\n", line) + dots;
}

std::string trade_off(const Comparison& comparison) {
  double cheapest = 1e300;
  double dearest = 0;
  double least = 1;
  double most = 0;
  for (const PolicyScore& score : comparison.scores) {
    if (!score.dollars_per_1000) continue;
    cheapest = std::min(cheapest, *score.dollars_per_1000);
    dearest = std::max(dearest, *score.dollars_per_1000);
    least = std::min(least, score.availability);
    most = std::max(most, score.availability);
  }
  if (dearest < cheapest) return "<p>No scenario gives prices: there is nothing to weigh.</p>\n";
  const Scale cost = Scale::around(cheapest, dearest);
  const Scale availability = Scale::around(least, most);
  return fmt::format(
             "<div class=\"scroll\" tabindex=\"0\"><svg class=\"trade-off\" viewBox=\"0 0 780 "
             "340\" "
             "role=\"img\" aria-label=\"Availability against cost\">\n") +
         axes(cost, availability) + points(comparison, cost, availability) + "</svg></div>\n";
}

std::string_view tone(const Cell& cell) {
  switch (cell.verdict()) {
    case sim::Verdict::passed:
      return "passed";
    case sim::Verdict::failed:
      return "failed";
    case sim::Verdict::undecided:
      return "undecided";
  }
  return "";
}

std::string_view mark(const Cell& cell) {
  switch (cell.verdict()) {
    case sim::Verdict::passed:
      return "";
    case sim::Verdict::failed:
      return " <b>!</b>";
    case sim::Verdict::undecided:
      return " <b>?</b>";
  }
  return "";
}

std::string matrix_cell(const Comparison& comparison, std::size_t scenario, std::size_t policy) {
  const Cell& cell = comparison.cell(scenario, policy);
  if (!cell.refused.empty()) {
    return fmt::format("<td class=\"refused\" title=\"{}\">-</td>", escaped(cell.refused));
  }
  if (cell.runs == 0) return "<td></td>";
  std::string values;
  for (const CellMetric& metric : cell_metrics) {
    values += fmt::format("<span class=\"{}\">{}</span>", metric.id, metric.text(cell));
  }
  values += mark(cell);
  const std::string hover = fmt::format("{} in {}: {} of {} passed. {}",
                                        comparison.policies[policy], comparison.scenarios[scenario],
                                        cell.passed, count_of(cell.runs, "run"), cell.replay);
  if (cell.report.empty()) {
    return fmt::format("<td class=\"{}\" title=\"{}\">{}</td>", tone(cell), escaped(hover), values);
  }
  return fmt::format("<td class=\"{}\"><a href=\"{}\" title=\"{}\">{}</a></td>", tone(cell),
                     escaped(cell.report), escaped(hover), values);
}

std::string matrix(const Comparison& comparison) {
  std::string html = "<fieldset class=\"choice\"><legend>Show</legend>\n";
  for (const CellMetric& metric : cell_metrics) {
    html +=
        fmt::format("<label><input type=\"radio\" name=\"metric\" value=\"{}\"{}> {}</label>\n",
                    metric.id, &metric == &cell_metrics.front() ? " checked" : "", metric.label);
  }
  html +=
      "</fieldset>\n<div class=\"scroll\" tabindex=\"0\"><table class=\"matrix\">\n<thead><tr>"
      "<th scope=\"col\">scenario</th>";
  for (const std::string& policy : comparison.policies) {
    html += fmt::format("<th scope=\"col\"><span>{}</span></th>", escaped(policy));
  }
  html += "</tr></thead>\n<tbody>\n";
  for (std::size_t scenario = 0; scenario < comparison.scenarios.size(); ++scenario) {
    html += fmt::format("<tr><th scope=\"row\">{}</th>", escaped(comparison.scenarios[scenario]));
    for (std::size_t policy = 0; policy < comparison.policies.size(); ++policy) {
      html += matrix_cell(comparison, scenario, policy);
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string comparison_page(const Comparison& comparison) {
  const std::size_t policies = comparison.policies.size();
  const std::string title = fmt::format(
      "{} against {}", policies == 1 ? "1 policy" : fmt::format("{} policies", policies),
      count_of(comparison.scenarios.size(), "scenario"));
  std::string content = fmt::format(
      "<main class=\"comparison\">\n<header><h1>{}</h1>\n<p class=\"about\">Every policy was flown "
      "through every scenario with the same seeds. ★ marks the frontier: nobody is at least as "
      "available for less money.</p></header>\n",
      title);
  content +=
      "<section><h2>Cost against availability</h2>\n" + trade_off(comparison) +
      "</section>\n<section><h2>Policies</h2>\n" + scores_table(comparison) +
      "</section>\n<section><h2>Every scenario</h2>\n<p>Shares are rounded down. ! an "
      "expectation was not met, ? one could not be decided, - the policy cannot be flown there."
      "</p>\n" +
      matrix(comparison) + "</section>\n</main>\n<footer>brownout.</footer>\n";
  return page({.title = title,
               .styles = {"report.css", "comparison.css"},
               .scripts = {},
               .content = std::move(content)});
}

}  // namespace brownout::reports
