#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "reports/html/sections.hpp"
#include "reports/text/numbers.hpp"

namespace brownout::reports::html {
namespace {

struct Curve {
  std::string_view tone;  // a class of report.css; also which dash
  std::string_view label;
  sim::Histogram latency;
};

// A logarithmic axis from one power of ten, or its double or quintuple, to another.
struct Axis {
  double from;  // nanoseconds
  double to;

  // In hundredths of a percent of its length.
  int place(double value) const {
    const double share = std::log(value / from) / std::log(to / from);
    return static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * 10'000));
  }
};

// 1, 2, 5, 10, 20, … nanoseconds.
std::vector<double> marks() {
  std::vector<double> all;
  for (double decade = 1; decade < 1e18; decade *= 10) {
    for (const double step : {1, 2, 5}) all.push_back(decade * step);
  }
  return all;
}

Axis axis_of(const std::vector<Curve>& curves) {
  double least = 1e18;
  double most = 1;
  for (const Curve& curve : curves) {
    least = std::min(least, static_cast<double>(curve.latency.min().count()));
    most = std::max(most, static_cast<double>(curve.latency.max().count()));
  }
  Axis axis{1, 1e18};
  for (const double mark : marks()) {
    if (mark <= std::max(least, 1.0)) axis.from = mark;
    if (mark >= most && mark > axis.from) {
      axis.to = mark;
      break;
    }
  }
  return axis;
}

std::string path_of(const sim::Histogram& latency, const Axis& axis) {
  std::string path = fmt::format(
      "M{} 10000",
      axis.place(static_cast<double>(std::max<std::int64_t>(1, latency.min().count()))));
  std::uint64_t below = 0;
  int last_x = -1;
  for (const auto& [upper, count] : latency.buckets()) {
    below += count;
    const auto end =
        std::min(static_cast<double>(upper), static_cast<double>(latency.max().count()));
    const int x = axis.place(std::max(end, 1.0));
    const auto y = 10'000 - static_cast<int>(10'000 * static_cast<double>(below) /
                                             static_cast<double>(latency.count()));
    // What is closer than a fifth of a pixel is one point.
    if (x - last_x < 2 && below != latency.count()) continue;
    path += fmt::format("H{}V{}", x, y);
    last_x = x;
  }
  return path;
}

std::string percent_text(int hundredths) {
  return fmt::format("{}.{:02}%", hundredths / 100, hundredths % 100);
}

std::string plot(const std::vector<Curve>& curves) {
  const Axis axis = axis_of(curves);
  std::string svg =
      "<div class=\"cdf\"><svg role=\"img\" aria-label=\"Share of successful calls by latency; the "
      "same numbers are in the table\">\n<g class=\"grid\">";
  for (const double mark : marks()) {
    if (mark < axis.from || mark > axis.to) continue;
    const bool is_decade = std::log10(mark) - std::floor(std::log10(mark) + 1e-9) < 1e-6;
    const int x = axis.place(mark);
    const bool is_end = x > 9'500;
    svg += fmt::format(
        "<line x1=\"{0}\" x2=\"{0}\" y2=\"100%\"/><text x=\"{0}\" dx=\"{1}\" "
        "y=\"100%\" dy=\"-4\"{2}{3}>{4}</text>",
        percent_text(x), is_end ? -3 : 3, is_end ? " text-anchor=\"end\"" : "",
        is_decade ? "" : " class=\"minor\"", format_duration_short(Duration{std::llround(mark)}));
  }
  for (const int share : {50, 90, 99}) {
    svg += fmt::format(
        "<line class=\"level\" x2=\"100%\" y1=\"{0}%\" y2=\"{0}%\"/><text "
        "class=\"level\" x=\"2\" y=\"{0}%\" dy=\"{2}\">p{1}</text>",
        100 - share, share, share == 50 ? -3 : 12);
  }
  svg += "</g>\n<svg viewBox=\"0 0 10000 10000\" preserveAspectRatio=\"none\">\n";
  for (const Curve& curve : curves) {
    svg += fmt::format("<path class=\"curve {}\" d=\"{}\"/>\n", curve.tone,
                       path_of(curve.latency, axis));
  }
  return svg + "</svg></svg></div>\n";
}

}  // namespace

std::string distribution(const RunView& view) {
  Curve without{"blue", "phases without faults", {}};
  Curve with{"red", "phases with faults", {}};
  for (const sim::PhaseResult& phase : view.run.phases) {
    (is_faulted(view.run, phase) ? with : without).latency.add(phase.stats.success_latency);
  }
  std::vector<Curve> curves;
  for (Curve* curve : {&without, &with}) {
    if (curve->latency.count() > 0) curves.push_back(std::move(*curve));
  }
  if (curves.empty()) {
    return section(view, "distribution", "Latency distribution", "",
                   "<p>No call succeeded, so there is no distribution.</p>\n");
  }
  std::string html = "<ul class=\"legend\">\n";
  for (const Curve& curve : curves) {
    html += fmt::format(
        "<li><svg class=\"swatch\" aria-hidden=\"true\"><line class=\"curve {}\" "
        "x2=\"22\" y1=\"6\" y2=\"6\"/></svg> {}</li>\n",
        curve.tone, curve.label);
  }
  html += "</ul>\n" + plot(curves);
  Table table("Latency of successful calls",
              {"calls of", "#calls", "#min", "#p50", "#p90", "#p99", "#p99.9", "#max"});
  for (const Curve& curve : curves) {
    const sim::Histogram& latency = curve.latency;
    table.row(std::string(curve.label), grouped(latency.count()),
              format_duration_short(latency.min()), quantile(latency, 500), quantile(latency, 900),
              quantile(latency, 990), quantile(latency, 999), quantile(latency, 1000));
  }
  return section(view, "distribution", "Latency distribution",
                 "How many of the successful calls were answered within a time, on a logarithmic "
                 "axis: further left is faster.",
                 html + table.html());
}

}  // namespace brownout::reports::html
