// The comparison as text: for terminals, for Markdown and for programs.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/comparison/comparison.hpp"
#include "reports/text/json_text.hpp"

namespace brownout::reports {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t columns = 100;
constexpr std::size_t cell_width = 8;

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double availability(const Cell& cell) {
  const auto& stats = cell.total;
  return share(stats.ended_as(CallEnd::success) + stats.ended_as(CallEnd::cached), stats.calls);
}

// Rounded down, so that it is never 100 when something failed; nor 0 when something did not.
std::string percent(double part) {
  const double tenths = std::floor(1000 * part);
  return tenths == 0 && part > 0 ? "<0.1" : fmt::format("{:.1f}", tenths / 10);
}

// "99.9 !": the mark says that an expectation was not met, "?" that one could not be decided.
std::string cell_text(const Cell& cell) {
  if (!cell.refused.empty()) return "-";
  if (cell.runs == 0) return "";
  if (cell.total.calls == 0) return "none ?";
  const char* mark = cell.failed > 0 ? " !" : cell.undecided > 0 ? " ?" : "  ";
  return percent(availability(cell)) + mark;
}

std::string dollars(const PolicyScore& score) {
  return score.dollars_per_1000 ? fmt::format("{:.2f}", *score.dollars_per_1000) : "-";
}

std::string paint(bool color, const Cell& cell, const std::string& text) {
  if (!color || cell.runs == 0) return text;
  const char* code = cell.failed > 0 ? "31" : cell.undecided > 0 ? "33" : "32";
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

// Policies stand over their columns by number; their names are in the list of scores.
std::string matrix(const Comparison& comparison, std::size_t first, std::size_t last,
                   std::size_t name_width, bool color) {
  std::string text = fmt::format("  {:<{}}", "scenario", name_width);
  for (std::size_t policy = first; policy < last; ++policy) {
    text += fmt::format("{:>{}}", fmt::format("[{}]  ", policy + 1), cell_width);
  }
  text.erase(text.find_last_not_of(' ') + 1);
  text += '\n';
  for (std::size_t scenario = 0; scenario < comparison.scenarios.size(); ++scenario) {
    text += fmt::format("  {:<{}}", comparison.scenarios[scenario], name_width);
    for (std::size_t policy = first; policy < last; ++policy) {
      const Cell& cell = comparison.cell(scenario, policy);
      text += paint(color, cell, fmt::format("{:>{}}", cell_text(cell), cell_width));
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

std::string scores(const Comparison& comparison) {
  std::size_t width = 6;
  for (const std::string& policy : comparison.policies) width = std::max(width, policy.size());
  std::string text =
      fmt::format("  {:>4} {:<{}} {:>7} {:>6} {:>8} {:>6} {:>8} {:>7} {:>7}\n", "", "policy", width,
                  "passed", "avail", "answered", "worst", "att/call", "$/1000", "wasted");
  for (std::size_t i = 0; i < comparison.scores.size(); ++i) {
    const PolicyScore& score = comparison.scores[i];
    text += fmt::format("  {:>4} {:<{}} {:>7} {:>6} {:>8} {:>6} {:>8.2f} {:>7} {:>7}{}\n",
                        fmt::format("[{}]", i + 1), score.policy, width,
                        fmt::format("{}/{}", score.passed, score.scenarios),
                        percent(score.availability), percent(score.answered),
                        percent(score.worst_availability), score.attempts_per_call, dollars(score),
                        percent(score.wasted_share), score.on_frontier ? " *" : "");
  }
  return text;
}

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char letter : text) {
    if (letter == '|' || letter == '\\' || letter == '`' || letter == '*' || letter == '_' ||
        letter == '[' || letter == '<' || letter == '&') {
      safe += '\\';
    }
    safe += letter == '\n' ? ' ' : letter;
  }
  return safe;
}

std::string row(const std::vector<std::string>& cells) {
  std::string text = "|";
  for (const std::string& cell : cells) text += " " + cell + " |";
  return text + "\n";
}

std::string rule(std::size_t cells) {
  std::string text = "|---|";
  for (std::size_t i = 1; i < cells; ++i) text += "---:|";
  return text + "\n";
}

Json stats_json(const sim::CallStats& stats) {
  Json json{{"calls", stats.calls}, {"attempts", stats.attempts}};
  for (std::size_t i = 0; i < call_end_count; ++i) {
    json[std::string(to_string(static_cast<CallEnd>(i)))] = stats.ended[i];
  }
  json["billed_tokens"] = stats.billed_tokens;
  json["wasted_tokens"] = stats.wasted_tokens;
  json["cost_nanodollars"] = stats.cost_nanodollars();
  if (stats.success_latency.count() > 0) {
    json["latency_p50_ns"] = stats.success_latency.quantile(500).count();
    json["latency_p99_ns"] = stats.success_latency.quantile(990).count();
  }
  return json;
}

Json cell_json(const Comparison& comparison, std::size_t scenario, std::size_t policy) {
  const Cell& cell = comparison.cell(scenario, policy);
  Json json{{"scenario", comparison.scenarios[scenario]}, {"policy", comparison.policies[policy]}};
  if (!cell.refused.empty()) {
    json["refused"] = cell.refused;
    return json;
  }
  json["runs"] = cell.runs;
  json["passed"] = cell.passed;
  json["failed"] = cell.failed;
  json["undecided"] = cell.undecided;
  json["total"] = stats_json(cell.total);
  json["in_faults"] = stats_json(cell.in_faults);
  json["replay"] = cell.replay;
  return json;
}

}  // namespace

std::string console_comparison(const Comparison& comparison, bool color) {
  std::size_t name_width = 8;
  for (const std::string& name : comparison.scenarios) {
    name_width = std::max(name_width, name.size());
  }
  const std::size_t room = std::max(cell_width, columns - std::min(columns, name_width + 2));
  const std::size_t abreast = std::max<std::size_t>(1, room / cell_width);
  std::string text =
      "  availability in %, rounded down; ! an expectation was not met, ? could not be decided;\n"
      "  - could not be flown\n";
  for (std::size_t first = 0; first < comparison.policies.size(); first += abreast) {
    const std::size_t last = std::min(first + abreast, comparison.policies.size());
    text += "\n" + matrix(comparison, first, last, name_width, color);
  }
  text += "\n" + scores(comparison);
  return text + "\n  * nobody is at least as available for less money\n";
}

std::string markdown_comparison(const Comparison& comparison) {
  std::string text = row({"policy", "passed", "available", "answered", "worst", "in",
                          "attempts per call", "$ per 1,000 calls", "tokens wasted"});
  text += rule(9);
  for (const PolicyScore& score : comparison.scores) {
    text += row({escaped(score.policy) + (score.on_frontier ? " ★" : ""),
                 fmt::format("{} of {}", score.passed, score.scenarios),
                 percent(score.availability) + " %", percent(score.answered) + " %",
                 percent(score.worst_availability) + " %", escaped(score.worst_scenario),
                 fmt::format("{:.2f}", score.attempts_per_call), dollars(score),
                 percent(score.wasted_share) + " %"});
  }
  text += "\n★ nobody is at least as available for less money.\n\n";
  std::vector<std::string> head{"availability, %"};
  for (const std::string& policy : comparison.policies) head.push_back(escaped(policy));
  text += row(head) + rule(head.size());
  for (std::size_t scenario = 0; scenario < comparison.scenarios.size(); ++scenario) {
    std::vector<std::string> cells{escaped(comparison.scenarios[scenario])};
    for (std::size_t policy = 0; policy < comparison.policies.size(); ++policy) {
      cells.push_back(cell_text(comparison.cell(scenario, policy)));
    }
    text += row(cells);
  }
  return text +
         "\n! an expectation was not met; ? one could not be decided; - could not be flown.\n";
}

std::string json_comparison(const Comparison& comparison) {
  Json json{{"kind", "comparison"}, {"schema_version", 1}};
  json["policies"] = comparison.policies;
  json["scenarios"] = comparison.scenarios;
  json["cells"] = Json::array();
  for (std::size_t scenario = 0; scenario < comparison.scenarios.size(); ++scenario) {
    for (std::size_t policy = 0; policy < comparison.policies.size(); ++policy) {
      json["cells"].push_back(cell_json(comparison, scenario, policy));
    }
  }
  return pretty(json);
}

}  // namespace brownout::reports
