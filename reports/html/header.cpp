#include <fmt/format.h>

#include <algorithm>

#include "reports/html/sections.hpp"
#include "reports/result/margin.hpp"
#include "reports/result/why.hpp"
#include "reports/text/numbers.hpp"

namespace brownout::reports::html {
namespace {

using sim::CallStats;
using sim::ExpectationResult;
using sim::Verdict;

std::string fact(std::string_view name, const std::string& html) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, html);
}

// Text with the address it begins with, if it does, as a link.
std::string linked(const std::string& text) {
  if (!text.starts_with("https://") && !text.starts_with("http://")) return escaped(text);
  const std::string url = text.substr(0, text.find_first_of(" \t\n"));
  return fmt::format("<a href=\"{0}\" rel=\"noreferrer\">{0}</a>{1}", escaped(url),
                     escaped(text.substr(url.size())));
}

std::string replay(const RunView& view) {
  if (view.run.replay.empty()) return {};
  return fmt::format(
      "<div class=\"replay\"><span class=\"label\" id=\"{0}-replay-label\">Run it again</span>"
      "<code id=\"{0}-replay\" tabindex=\"0\" aria-labelledby=\"{0}-replay-label\">{1}</code>"
      "<button type=\"button\" class=\"copy\" data-copies=\"{0}-replay\">Copy</button>"
      "<span class=\"copied\" role=\"status\"></span></div>\n",
      view.id, escaped(view.run.replay));
}

std::string met(const sim::RunResult& run) {
  if (run.expectations.empty()) return "nothing was expected";
  const auto passed =
      std::ranges::count(run.expectations, Verdict::passed, &ExpectationResult::verdict);
  return fmt::format("{} of {} expectations met", passed, run.expectations.size());
}

std::string place_of(const ExpectationResult& expectation) {
  if (expectation.place.line == 0) return {};
  return fmt::format("<span class=\"place\">{}:{}</span>", escaped(expectation.place.path),
                     expectation.place.line);
}

std::string where(const RunView& view, const ExpectationResult& expectation) {
  const auto& phases = view.run.phases;
  const auto phase = std::ranges::find(phases, expectation.phase, &sim::PhaseResult::name);
  if (phase == phases.end()) {
    return fmt::format("<a href=\"#{}-panels\">the whole run</a>", view.id);
  }
  return fmt::format("<a href=\"#{}-panels\" data-phase=\"{}\">phase {}</a>, {} to {}{}", view.id,
                     phase - phases.begin(), escaped(phase->name), clock_time(phase->begins),
                     clock_time(phase->ends), is_faulted(view.run, *phase) ? ", with faults" : "");
}

std::string failure(const RunView& view, const ExpectationResult& expectation) {
  const bool failed = expectation.verdict == Verdict::failed;
  std::string html = fmt::format(
      "<article class=\"failure {}\">\n<h3>{} <code>{}</code></h3>\n<dl>\n",
      failed ? "bad" : "unsure", badge(expectation.verdict), escaped(expectation.expression));
  const std::string by_how_much = failed ? margin(expectation) : "";
  html += fact("got", fmt::format("<strong>{}</strong>{}{}", escaped(expectation.actual),
                                  by_how_much.empty() ? "" : " · ", escaped(by_how_much)));
  html += fact("where", where(view, expectation));
  html += fact("why", escaped(why(view.run, expectation)));
  if (expectation.place.line != 0) html += fact("written at", place_of(expectation));
  return html + "</dl>\n</article>\n";
}

// A bar of how much of what was allowed is left.
std::string margin_cell(const ExpectationResult& expectation) {
  std::string html = escaped(margin(expectation));
  const auto left = margin_left(expectation);
  if (!left || expectation.verdict != Verdict::passed) return html;
  const bool is_near = *left < 0.1;
  const double shown = std::clamp(*left, 0.0, 1.0);
  html += fmt::format(
      "<svg class=\"margin{}\" aria-hidden=\"true\"><rect width=\"100%\" height=\"6\"/>"
      "<rect class=\"left\" width=\"{:.0f}%\" height=\"6\"/></svg>",
      is_near ? " near" : "", 100 * shown);
  if (is_near) html += "<span class=\"near\">close</span>";
  return html;
}

std::string tile(std::string_view name, const std::string& value, std::string_view note = {}) {
  std::string html = fmt::format("<div class=\"tile\"><dt>{}</dt><dd>{}", name, escaped(value));
  if (!note.empty()) html += fmt::format("<small>{}</small>", escaped(note));
  return html + "</dd></div>\n";
}

std::string openings(const sim::RunResult& run) {
  std::uint64_t sum = 0;
  for (const sim::BreakerResult& breaker : run.breakers) sum += breaker.openings;
  return run.breakers.empty() ? "-" : grouped(sum);
}

// The longest that an expectation found.
std::optional<Duration> time_to_recover(const sim::RunResult& run) {
  std::optional<Duration> longest;
  for (const ExpectationResult& expectation : run.expectations) {
    if (expectation.metric != "time_to_recover" || !expectation.value) continue;
    const Duration found{expectation.value->numerator / expectation.value->denominator};
    if (!longest || found > *longest) longest = found;
  }
  return longest;
}

}  // namespace

std::string header(const RunView& view) {
  const sim::RunResult& run = view.run;
  const bool is_simulated = run.stage == sim::RunStage::sim;
  std::string html = fmt::format(
      "<header>\n<p class=\"verdict\">{} <span>{}{}{}</span></p>\n<h1 id=\"{}-title\">{}</h1>\n",
      badge(run.verdict()), met(run),
      run.end == sim::RunEnd::completed ? "" : fmt::format("; {}", to_string(run.end)),
      is_simulated ? "" : "; " + stage_of(run.stage, run.speed), view.id, escaped(run.scenario));
  if (!run.could_not_follow.empty()) {
    html += fmt::format("<pre class=\"diagnosis\">{}</pre>\n", escaped(run.could_not_follow));
  }
  if (!run.scenario_description.empty()) {
    html += fmt::format("<p class=\"description\">{}</p>\n", escaped(run.scenario_description));
  }
  html += replay(view);
  if (!run.diagnosis.empty()) {
    html += fmt::format("<pre class=\"diagnosis\">{}</pre>\n", escaped(run.diagnosis));
  }
  html += "<dl class=\"facts\">\n";
  html += fact("policy", fmt::format("{} <span class=\"place\">{}</span>", escaped(run.policy),
                                     escaped(run.policy_path)));
  html +=
      fact("scenario", fmt::format("<span class=\"place\">{}</span>", escaped(run.scenario_path)));
  html += fact("seed", std::to_string(run.seed));
  if (is_simulated) {
    html += fact("digest", fmt::format("<code>{}</code>", sim::format_digest(run.semantic_digest)));
    html +=
        fact("simulated", fmt::format("{}, {} events", time_of(run.ended), grouped(run.events)));
  } else {
    html += fact("flown", fmt::format("{} of the scenario, {}; no two such runs are alike",
                                      time_of(run.ended), stage_of(run.stage, run.speed)));
  }
  if (!run.scenario_source.empty()) html += fact("source", linked(run.scenario_source));
  return html + "</dl>\n</header>\n";
}

std::string failures(const RunView& view) {
  std::string html;
  std::size_t count = 0;
  for (const ExpectationResult& expectation : view.run.expectations) {
    if (expectation.verdict == Verdict::passed) continue;
    html += failure(view, expectation);
    ++count;
  }
  if (count == 0) return {};
  return section(view, "failures", "What was not met",
                 "The reasons are what the run counted, by fixed rules; <em>where</em> leads to "
                 "that part of the panels.",
                 html);
}

std::string expectations(const RunView& view) {
  if (view.run.expectations.empty()) {
    return section(view, "expectations", "Expectations", "", "<p>Nothing was expected.</p>\n");
  }
  Table table("", {"verdict", "expected", "got", "margin", "written at"});
  for (const ExpectationResult& expectation : view.run.expectations) {
    table.row(badge(expectation.verdict),
              fmt::format("<code>{}</code>", escaped(expectation.expression)),
              escaped(expectation.actual), margin_cell(expectation), place_of(expectation));
  }
  return section(view, "expectations", "Expectations",
                 "What the scenario claims, what the run found, and how much of what is allowed "
                 "was left: near misses are marked.",
                 table.html());
}

std::string tiles(const RunView& view) {
  const sim::RunResult& run = view.run;
  const CallStats& total = run.total;
  const std::uint64_t available =
      total.ended_as(CallEnd::success) + total.ended_as(CallEnd::cached);
  std::string html = "<dl class=\"tiles\">\n";
  html += tile("calls", grouped(total.calls),
               run.unfinished_calls == 0 ? "" : grouped(run.unfinished_calls) + " unfinished");
  html += tile("availability", percent(available, total.calls), "live or cached");
  html += tile("answered", percent(available + total.ended_as(CallEnd::degraded), total.calls),
               "degraded replies too");
  html += tile("attempts per call", attempts_per_call(total), grouped(total.attempts) + " in all");
  html += tile("latency p50", quantile(total.success_latency, 500));
  html += tile("latency p99", quantile(total.success_latency, 990));
  html += tile("latency max", quantile(total.success_latency, 1000));
  html += tile("first token p99", quantile(total.first_token, 990), "of streams");
  html += tile("tokens wasted", grouped(total.wasted_tokens),
               percent(total.wasted_tokens, total.billed_tokens) + " of those billed");
  html += tile("cost", run.has_prices ? dollars(total.cost_nanodollars()) : "no prices");
  html += tile("breakers opened", openings(run), run.breakers.empty() ? "no breakers" : "times");
  if (const auto recovered = time_to_recover(run)) {
    html += tile("time to recover", format_duration_short(*recovered));
  }
  return html + "</dl>\n";
}

}  // namespace brownout::reports::html
