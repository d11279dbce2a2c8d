#include "reports/console.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "reports/text/numbers.hpp"

namespace brownout::reports {
namespace {

using sim::CallStats;
using sim::RunResult;
using sim::Verdict;

constexpr std::size_t transitions_shown = 12;

struct Style {
  bool color;

  std::string paint(std::string_view code, std::string_view text) const {
    return color ? fmt::format("\033[{}m{}\033[0m", code, text) : std::string(text);
  }
  std::string verdict(Verdict verdict, bool of_run) const {
    switch (verdict) {
      case Verdict::passed:
        return paint("32", of_run ? "PASS" : "ok  ");
      case Verdict::failed:
        return paint("31;1", "FAIL");
      case Verdict::undecided:
        return paint("33", of_run ? "NO VERDICT" : "??  ");
    }
    return {};
  }
};

std::string stats_row(std::string_view name, std::string_view from, const CallStats& stats) {
  return fmt::format(
      "  {:<16} {:>7} {:>9} {:>8} {:>8} {:>8} {:>8}  {:>8}  {:>7} {:>7}\n", name, from,
      grouped(stats.calls), percent(stats.ended_as(CallEnd::success), stats.calls),
      percent(stats.ended_as(CallEnd::cached), stats.calls),
      percent(stats.ended_as(CallEnd::degraded), stats.calls),
      percent(stats.ended_as(CallEnd::failed), stats.calls), attempts_per_call(stats),
      quantile(stats.success_latency, 500), quantile(stats.success_latency, 990));
}

std::string phase_table(const RunResult& result) {
  std::string text =
      fmt::format("  {:<16} {:>7} {:>9} {:>8} {:>8} {:>8} {:>8}  {:>8}  {:>7} {:>7}\n", "phase",
                  "from", "calls", "ok", "cached", "degraded", "failed", "att/call", "p50", "p99");
  for (const sim::PhaseResult& phase : result.phases) {
    text += stats_row(phase.name, time_of(phase.begins), phase.stats);
  }
  return text + stats_row("total", "", result.total);
}

template <class Names>
std::string counted(const Names& names, std::string_view empty) {
  std::string text;
  for (const auto& [name, count] : names) {
    if (count == 0) continue;
    if (!text.empty()) text += ", ";
    text += fmt::format("{} {}", name, grouped(count));
  }
  return text.empty() ? std::string(empty) : text;
}

using Counts = std::vector<std::pair<std::string, std::uint64_t>>;

Counts by_kind(const std::array<std::uint64_t, outcome_kind_count>& counts) {
  Counts named;
  for (std::size_t i = 1; i < counts.size(); ++i) {
    named.emplace_back(to_string(static_cast<OutcomeKind>(i)), counts[i]);
  }
  std::ranges::stable_sort(named, std::greater{}, &Counts::value_type::second);
  return named;
}

std::string served(const RunResult& result) {
  Counts counts;
  for (std::size_t i = 0; i < result.routes.size(); ++i) {
    counts.emplace_back(fmt::format("{} ({})", result.routes[i], result.route_targets[i]),
                        result.total.served_by_route[i]);
  }
  counts.emplace_back("cache", result.total.ended_as(CallEnd::cached));
  counts.emplace_back("default reply", result.total.ended_as(CallEnd::degraded));
  std::string text = counted(counts, "nobody");
  if (result.total.shared > 0) {
    text += fmt::format("; {} of them shared another call's reply", grouped(result.total.shared));
  }
  return text;
}

std::string breaker_lines(const sim::BreakerResult& breaker) {
  std::string text = fmt::format("  breaker {}: ", breaker.name);
  if (breaker.transition_count == 0) return text + "closed throughout\n";
  text += fmt::format("{}, ends {}\n", opened(breaker.openings), to_string(breaker.final_state));
  const std::size_t count = breaker.transitions.size();
  for (std::size_t i = 0; i < count; ++i) {
    // A long life is shown by its beginning and its end.
    if (count > transitions_shown && i == transitions_shown / 2) {
      const std::size_t skipped = count - transitions_shown;
      text += fmt::format("    {:12}  {} transitions more\n", "…",
                          grouped(skipped + (breaker.transition_count - count)));
      i += skipped;
    }
    text += fmt::format("    {}  {}\n", clock_time(breaker.transitions[i].at),
                        to_string(breaker.transitions[i].to));
  }
  return text;
}

std::string cost(const RunResult& result) {
  if (!result.has_prices) return "unknown (the scenario gives no prices)";
  return dollars(result.total.cost_nanodollars());
}

std::string expectation_lines(const RunResult& result, const Style& style) {
  std::size_t width = 0;
  for (const auto& expectation : result.expectations) {
    width = std::max(width, expectation.expression.size());
  }
  std::string text;
  for (const auto& expectation : result.expectations) {
    text += fmt::format("  {}  {:<{}}  {}\n", style.verdict(expectation.verdict, false),
                        expectation.expression, width, expectation.actual);
  }
  return text;
}

std::string failure_lines(const RunResult& result, const Style& style) {
  std::string text;
  for (const auto& expectation : result.expectations) {
    if (expectation.verdict == Verdict::passed) continue;
    const bool failed = expectation.verdict == Verdict::failed;
    text += fmt::format("{}: {}{}\n{}", style.verdict(expectation.verdict, true),
                        failed ? "expectation not met, found " : "could not be decided, ",
                        expectation.actual, expectation.excerpt);
  }
  return text;
}

}  // namespace

std::string console_verdict(const RunResult& result, const ConsoleOptions& options) {
  const Style style{options.color};
  const auto met =
      std::ranges::count(result.expectations, Verdict::passed, &sim::ExpectationResult::verdict);
  std::string text = fmt::format("{}  {}  with policy {}", style.verdict(result.verdict(), true),
                                 result.scenario, result.policy);
  // Nobody should take it for a run that can be repeated to the last event.
  if (result.stage != sim::RunStage::sim) text += ", " + stage_of(result.stage, result.speed);
  text += ": ";
  if (result.end != sim::RunEnd::completed) text += fmt::format("{}; ", to_string(result.end));
  if (result.expectations.empty()) return text + "nothing was expected\n";
  return text + fmt::format("{} of {} expectations met\n", met, result.expectations.size());
}

std::string console_summary(const RunResult& result, const ConsoleOptions& options) {
  const Style style{options.color};
  std::string text = console_verdict(result, options);
  if (!result.expectations.empty()) text += "\n" + expectation_lines(result, style);
  text += "\n" + phase_table(result) + "\n";
  text += "  served by: " + served(result) + "\n";
  text += "  failed calls: " + counted(by_kind(result.total.failed_as), "none") + "\n";
  if (result.unfinished_calls > 0) {
    text += fmt::format("  unfinished calls, in none of these numbers: {}\n",
                        grouped(result.unfinished_calls));
  }
  text += "  failed attempts: " + counted(by_kind(result.total.attempts_as), "none") + "\n";
  text +=
      fmt::format("  tokens billed {}, wasted {}; cost {}\n", grouped(result.total.billed_tokens),
                  grouped(result.total.wasted_tokens), cost(result));
  for (const auto& breaker : result.breakers) text += breaker_lines(breaker);
  if (!result.diagnosis.empty()) {
    text += "\n";
    if (result.end == sim::RunEnd::deadlock) {
      text += fmt::format("deadlock at {}: ", time_of(result.ended));
    }
    text += result.diagnosis;
    if (!text.ends_with('\n')) text += '\n';
  }
  if (!result.could_not_follow.empty()) text += "\n" + result.could_not_follow + "\n";
  const std::string failures = failure_lines(result, style);
  if (!failures.empty()) {
    text += "\n" + failures;
    if (!options.replay.empty()) text += "replay: " + options.replay + "\n";
  }
  text += fmt::format("\n  seed {}", result.seed);
  // What was done in real time has none.
  if (result.semantic_digest != 0) {
    text += fmt::format("   digest {}", sim::format_digest(result.semantic_digest));
  }
  return text + "\n";
}

std::string console_speed(const RunResult& result, Duration real_time) {
  const double seconds = static_cast<double>(real_time.count()) * 1e-9;
  const std::string events =
      result.events < 100'000 ? grouped(result.events)
                              : fmt::format("{:.1f} M", static_cast<double>(result.events) * 1e-6);
  return fmt::format("  {} simulated in {:.2f} s ({} events)\n", time_of(result.ended), seconds,
                     events);
}

}  // namespace brownout::reports
