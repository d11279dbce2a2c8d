#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "reports/html/outcome_marks.hpp"
#include "reports/html/sections.hpp"
#include "reports/text/numbers.hpp"

namespace brownout::reports::html {
namespace {

using sim::CallStats;

std::string marked(OutcomeKind kind) {
  const OutcomeMark mark = mark_of(kind);
  return fmt::format("<span class=\"mark {}\" aria-hidden=\"true\">{}</span> {}", mark.tone,
                     mark.letter, to_string(kind));
}

// Attempts and failed calls by outcome, the most frequent first.
std::string counts(const CallStats& total) {
  std::vector<OutcomeKind> kinds;
  const auto weight = [&](OutcomeKind kind) {
    const auto i = static_cast<std::size_t>(kind);
    return std::max(total.attempts_as[i], total.failed_as[i]);
  };
  for (std::size_t i = 0; i < outcome_kind_count; ++i) {
    if (weight(static_cast<OutcomeKind>(i)) > 0) kinds.push_back(static_cast<OutcomeKind>(i));
  }
  std::ranges::stable_sort(kinds, std::greater{}, weight);
  Table table("Attempts and failed calls by outcome",
              {"outcome", "#attempts", "#of all", "#calls that failed so", "#of all"});
  for (const OutcomeKind kind : kinds) {
    const auto i = static_cast<std::size_t>(kind);
    table.row(marked(kind), grouped(total.attempts_as[i]),
              percent(total.attempts_as[i], total.attempts), grouped(total.failed_as[i]),
              percent(total.failed_as[i], total.calls));
  }
  return table.html();
}

std::string ends(const CallStats& total) {
  Table table("Calls by how they ended", {"end", "#calls", "#of all"});
  for (std::size_t i = 0; i < call_end_count; ++i) {
    table.row(std::string(to_string(static_cast<CallEnd>(i))), grouped(total.ended[i]),
              percent(total.ended[i], total.calls));
  }
  return table.html();
}

// Its number; a link where the call was kept.
std::string call_number(const RunView& view, CallId call) {
  const auto& samples = view.run.samples;
  if (std::ranges::find(samples, call, &sim::SampledCall::call) == samples.end()) {
    return grouped(call);
  }
  return fmt::format("<a href=\"#{}-call-{}\">{}</a>", view.id, call, grouped(call));
}

std::string errors(const RunView& view) {
  if (view.run.errors.empty()) {
    const auto& ended = view.run.total.attempts_as;
    const bool any = std::ranges::any_of(ended.begin() + 1, ended.end(),
                                         [](std::uint64_t attempts) { return attempts > 0; });
    return any ? "<p>No details are kept of served runs.</p>\n" : "<p>No attempt failed.</p>\n";
  }
  Table table("Failed attempts that look alike",
              {"#count", "outcome", "#status", "route", "first at", "in call"});
  for (const sim::AttemptError& error : view.run.errors) {
    table.row(grouped(error.count), marked(error.outcome),
              error.status == 0 ? "none" : std::to_string(error.status),
              error.route < view.run.routes.size() ? escaped(view.run.routes[error.route]) : "-",
              clock_time(error.first_at), call_number(view, error.first_call));
  }
  return table.html();
}

// "3.00%" of what was matched.
std::string asked(const sim::FaultResult& fault) {
  if (fault.matched == 0) return "-";
  return fmt::format("{:.2f}%", static_cast<double>(fault.asked_billionths) * 1e-7 /
                                    static_cast<double>(fault.matched));
}

std::string faults(const sim::RunResult& run) {
  if (run.faults.empty()) return "<p>No faults were asked for.</p>\n";
  Table table("Faults, as asked for and as injected",
              {"phase", "fault", "#asked", "#injected", "#requests"});
  for (const sim::FaultResult& fault : run.faults) {
    table.row(escaped(fault.phase), escaped(fault.fault), asked(fault),
              percent(fault.injected, fault.matched),
              fmt::format("{} of {}", grouped(fault.injected), grouped(fault.matched)));
  }
  return table.html();
}

void phase_row(Table& table, const std::string& name, const std::string& from,
               const CallStats& stats) {
  const auto share = [&](CallEnd end) { return percent(stats.ended_as(end), stats.calls); };
  table.row(name, from, grouped(stats.calls), share(CallEnd::success), share(CallEnd::cached),
            share(CallEnd::degraded), share(CallEnd::failed), attempts_per_call(stats),
            quantile(stats.success_latency, 500), quantile(stats.success_latency, 990));
}

std::string phases(const sim::RunResult& run) {
  Table table("Phases", {"phase", "#from", "#calls", "#ok", "#cached", "#degraded", "#failed",
                         "#attempts per call", "#p50", "#p99"});
  for (const sim::PhaseResult& phase : run.phases) {
    const std::string name = escaped(phase.name) + (is_faulted(run, phase) ? " (faults)" : "");
    phase_row(table, name, time_of(phase.begins), phase.stats);
  }
  phase_row(table, "<b>total</b>", "", run.total);
  return table.html();
}

std::string routes(const sim::RunResult& run) {
  if (run.routes.empty()) return {};
  Table table("Routes", {"route", "asks", "#attempts", "#calls served", "#of all"});
  const auto at = [](const std::vector<std::uint64_t>& counts, std::size_t i) {
    return i < counts.size() ? counts[i] : 0;
  };
  for (std::size_t i = 0; i < run.routes.size(); ++i) {
    const std::uint64_t served = at(run.total.served_by_route, i);
    table.row(escaped(run.routes[i]),
              i < run.route_targets.size() ? escaped(run.route_targets[i]) : "-",
              grouped(at(run.total.attempts_by_route, i)), grouped(served),
              percent(served, run.total.calls));
  }
  return table.html();
}

}  // namespace

std::string outcomes(const RunView& view) {
  return section(view, "outcomes", "Outcomes and errors",
                 "Every attempt by how it ended; below, failures of the same kind counted once, "
                 "with the first of them.",
                 "<div class=\"columns\">\n" + ends(view.run.total) + counts(view.run.total) +
                     "</div>\n" + errors(view));
}

std::string what_ran(const RunView& view) {
  return section(view, "what-ran", "What ran",
                 "The pipeline with its effective settings, the faults with what was asked for "
                 "and what the draws made of it, and the phases.",
                 fmt::format("<pre class=\"pipeline\" tabindex=\"0\">{}</pre>\n",
                             escaped(view.run.policy_description)) +
                     faults(view.run) + phases(view.run) + routes(view.run));
}

}  // namespace brownout::reports::html
