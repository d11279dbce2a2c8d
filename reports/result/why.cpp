#include "reports/result/why.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "reports/text/numbers.hpp"

namespace brownout::reports {
namespace {

using sim::BreakerResult;
using sim::CallStats;
using sim::ExpectationResult;
using sim::RunResult;

constexpr std::size_t clauses_max = 4;
constexpr std::size_t kinds_max = 3;

// What an expectation looks at: the calls of a phase, or all.
struct Scope {
  const RunResult& result;
  const ExpectationResult& expectation;
  const CallStats& calls;
  Instant begins;
  Instant ends;
};

Scope scope_of(const RunResult& result, const ExpectationResult& expectation) {
  for (const sim::PhaseResult& phase : result.phases) {
    if (phase.name != expectation.phase) continue;
    return {result, expectation, phase.stats, phase.begins, phase.ends};
  }
  return {result, expectation, result.total, Instant{}, result.ended};
}

// "900 server_error, 100 timed_out and 3 others".
std::string kinds(const std::array<std::uint64_t, outcome_kind_count>& counts) {
  std::vector<std::pair<std::uint64_t, std::string_view>> sorted;
  for (std::size_t i = 1; i < counts.size(); ++i) {
    if (counts[i] > 0) sorted.emplace_back(counts[i], to_string(static_cast<OutcomeKind>(i)));
  }
  std::ranges::stable_sort(sorted, std::greater{}, [](const auto& entry) { return entry.first; });
  std::string text;
  std::uint64_t others = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i >= kinds_max) {
      others += sorted[i].first;
      continue;
    }
    if (i > 0) text += ", ";
    text += fmt::format("{} {}", grouped(sorted[i].first), sorted[i].second);
  }
  if (others > 0) text += fmt::format(" and {} others", grouped(others));
  return text;
}

std::string failed_calls(const Scope& scope) {
  const std::uint64_t failed = scope.calls.ended_as(CallEnd::failed);
  if (failed == 0) return {};
  return fmt::format("{} of {} failed ({}): {}", grouped(failed),
                     count_of(scope.calls.calls, "call"), percent(failed, scope.calls.calls),
                     kinds(scope.calls.failed_as));
}

std::string degraded_calls(const Scope& scope) {
  const std::uint64_t degraded = scope.calls.ended_as(CallEnd::degraded);
  if (degraded == 0) return {};
  return fmt::format("{} of {} got a default or stale reply ({})", grouped(degraded),
                     count_of(scope.calls.calls, "call"), percent(degraded, scope.calls.calls));
}

// Of failed and degraded calls, those first of which there are more.
std::string most_misses(const Scope& scope) {
  const bool degraded =
      scope.calls.ended_as(CallEnd::degraded) > scope.calls.ended_as(CallEnd::failed);
  return degraded ? degraded_calls(scope) : failed_calls(scope);
}

std::string other_misses(const Scope& scope) {
  const std::uint64_t degraded = scope.calls.ended_as(CallEnd::degraded);
  const std::uint64_t failed = scope.calls.ended_as(CallEnd::failed);
  // A handful among many explains nothing.
  if (std::min(degraded, failed) * 100 < std::max(degraded, failed)) return {};
  return degraded > failed ? failed_calls(scope) : degraded_calls(scope);
}

std::string failed_attempts(const Scope& scope) {
  const auto& as = scope.calls.attempts_as;
  std::uint64_t failed = 0;
  for (std::size_t i = 1; i < as.size(); ++i) failed += as[i];
  if (failed == 0) return {};
  return fmt::format("{} of {} did not succeed: {}", grouped(failed),
                     count_of(scope.calls.attempts, "attempt"), kinds(as));
}

std::string retries(const Scope& scope) {
  const CallStats& calls = scope.calls;
  if (calls.attempts <= calls.calls || calls.calls == 0) return {};
  std::string text = attempts_per_call(calls) + " attempts per call";
  if (calls.hedges > 0) text += fmt::format(", {} among them", count_of(calls.hedges, "hedge"));
  return text;
}

// What a breaker did within the scope.
struct BreakerLife {
  std::uint64_t openings = 0;
  Instant first_opening = never;
  Duration open{0};
};

BreakerLife life_of(const BreakerResult& breaker, const Scope& scope) {
  BreakerLife life;
  BreakerState state = BreakerState::closed;
  Instant since{};
  const auto pass = [&](Instant until) {
    const Instant from = std::max(since, scope.begins);
    const Instant to = std::min(until, scope.ends);
    if (state == BreakerState::open && from < to) life.open += to - from;
  };
  for (const sim::BreakerTransition& change : breaker.transitions) {
    pass(change.at);
    state = change.to;
    since = change.at;
    if (state != BreakerState::open || since < scope.begins || since >= scope.ends) continue;
    if (life.openings++ == 0) life.first_opening = since;
  }
  pass(scope.ends);
  return life;
}

std::string breaker_clause(const BreakerResult& breaker, const Scope& scope) {
  std::string text = "breaker " + breaker.name + " ";
  if (breaker.transition_count > breaker.transitions.size()) {
    return text + opened(breaker.openings) + " in the whole run";
  }
  const BreakerLife life = life_of(breaker, scope);
  if (life.openings == 0 && life.open == Duration{0}) return text + "never opened";
  if (life.openings == 0) {
    text += "was open already, for ";
  } else {
    text += opened(life.openings);
    text += fmt::format("{}{} and was open for ", life.openings == 1 ? " at " : ", first at ",
                        clock_time(life.first_opening));
  }
  return text + format_duration_short(life.open);
}

// The breaker that is asked about; of all others those that opened.
std::string breakers(const Scope& scope) {
  std::string text;
  for (const BreakerResult& breaker : scope.result.breakers) {
    const std::string& about = scope.expectation.argument;
    const bool is_meant = breaker.name == about;
    const bool any_meant = std::ranges::find(scope.result.breakers, about, &BreakerResult::name) !=
                           scope.result.breakers.end();
    if (any_meant ? !is_meant : breaker.transition_count == 0) continue;
    if (!text.empty()) text += ", ";
    text += breaker_clause(breaker, scope);
  }
  if (text.empty() && !scope.result.breakers.empty()) return "no breaker opened";
  return text;
}

// For what depends on when a breaker closed for good.
std::string last_state(const Scope& scope) {
  for (const BreakerResult& breaker : scope.result.breakers) {
    if (breaker.name != scope.expectation.argument || breaker.transitions.empty()) continue;
    return fmt::format("its last change, at {}, was to {}",
                       clock_time(breaker.transitions.back().at), to_string(breaker.final_state));
  }
  return {};
}

std::string refusals(const Scope& scope) {
  if (scope.calls.rejected == 0) return {};
  std::string by;
  const auto& counts = scope.calls.rejected_by_breaker;
  for (std::size_t i = 0; i < counts.size() && i < scope.result.breakers.size(); ++i) {
    if (counts[i] == 0) continue;
    by += fmt::format("{}{} by breaker {}", by.empty() ? ": " : ", ", grouped(counts[i]),
                      scope.result.breakers[i].name);
  }
  return count_of(scope.calls.rejected, "call") + " met a refusal of our own" + by;
}

std::string waits(const Scope& scope) {
  if (scope.calls.waits == 0) return {};
  std::string text = count_of(scope.calls.waits, "wait") + " before an attempt";
  if (scope.calls.wait.count() == 0) return text;
  const sim::Histogram& wait = scope.calls.wait;
  return text + fmt::format(", {} on average and {} at most", format_duration_short(wait.mean()),
                            format_duration_short(wait.max()));
}

// The quota that was empty most often.
std::string quota(const Scope& scope) {
  const sim::Timeline& timeline = scope.result.timeline;
  const sim::Series* worst = nullptr;
  std::size_t most = 0;
  std::size_t buckets = 0;
  for (const sim::Series& series : timeline.series) {
    if (series.metric != "quota" || !series.full) continue;
    std::size_t empty = 0;
    std::size_t within = 0;
    for (std::size_t i = 0; i < series.values.size(); ++i) {
      const Instant at = Instant{} + timeline.width * static_cast<std::int64_t>(i);
      if (series.values[i] < 0 || at < scope.begins || at >= scope.ends) continue;
      ++within;
      // The next request may need more than a twentieth.
      if (series.values[i] * 20 < *series.full) ++empty;
    }
    if (empty <= most) continue;
    worst = &series;
    most = empty;
    buckets = within;
  }
  if (worst == nullptr) return {};
  return fmt::format("less than 5% of quota {} was left {} of the time", worst->of,
                     percent(most, buckets));
}

std::string served_by(const Scope& scope) {
  std::string text;
  const auto add = [&](std::string_view name, std::uint64_t calls) {
    if (calls == 0) return;
    text +=
        fmt::format("{}{} {}", text.empty() ? "" : ", ", name, percent(calls, scope.calls.calls));
  };
  for (std::size_t i = 0; i < scope.result.routes.size(); ++i) {
    if (i < scope.calls.served_by_route.size()) {
      add(scope.result.routes[i], scope.calls.served_by_route[i]);
    }
  }
  add("cache", scope.calls.ended_as(CallEnd::cached));
  add("default reply", scope.calls.ended_as(CallEnd::degraded));
  add("nobody", scope.calls.ended_as(CallEnd::failed));
  return text.empty() ? text : "calls were served by: " + text;
}

std::string latencies(const Scope& scope) {
  const CallStats& calls = scope.calls;
  std::string text;
  if (calls.success_latency.count() > 0) {
    text += fmt::format("successful calls took {} at the median and {} at most",
                        quantile(calls.success_latency, 500),
                        format_duration_short(calls.success_latency.max()));
  }
  if (calls.failed_latency.count() > 0) {
    text += fmt::format("{}failed ones {} at the median", text.empty() ? "" : ", ",
                        quantile(calls.failed_latency, 500));
  }
  return text;
}

using Rule = std::string (*)(const Scope&);

// What to look at for a metric, the most telling first.
const std::vector<Rule>& rules_for(const std::string& metric) {
  static const std::map<std::string, std::vector<Rule>, std::less<>> rules{
      {"failed", {failed_calls, failed_attempts, quota, retries, breakers, refusals, waits}},
      {"share", {served_by, failed_attempts, breakers, refusals}},
      {"latency", {failed_attempts, retries, waits, quota, latencies, breakers}},
      {"wait", {failed_attempts, waits, quota, retries}},
      {"waits", {failed_attempts, waits, quota, retries}},
      {"attempts", {failed_attempts, retries, breakers, waits}},
      {"attempts_per_call", {failed_attempts, retries, breakers, waits}},
      {"hedges", {retries, latencies, failed_attempts}},
      {"max_in_flight", {retries, latencies, waits, breakers}},
      {"cost", {failed_attempts, retries, served_by}},
      {"wasted_tokens", {failed_attempts, retries}},
      {"breaker.opened", {breakers, failed_attempts, refusals}},
      {"breaker.state", {breakers, last_state, failed_attempts}},
      {"time_to_open", {breakers, failed_attempts, served_by}},
      {"time_to_recover", {breakers, last_state, failed_attempts}},
      {"rejected", {refusals, breakers, failed_attempts, quota}},
  };
  static const std::vector<Rule> others{most_misses, other_misses, failed_attempts, quota,
                                        retries,     breakers,     refusals,        waits};
  const auto found = rules.find(metric);
  return found == rules.end() ? others : found->second;
}

}  // namespace

std::string why(const RunResult& result, const ExpectationResult& expectation) {
  if (result.end != sim::RunEnd::completed && expectation.verdict == sim::Verdict::undecided) {
    return fmt::format("the run {} at {}, {} unfinished", sim::how_it_ended(result.end),
                       clock_time(result.ended), count_of(result.unfinished_calls, "call"));
  }
  const Scope scope = scope_of(result, expectation);
  if (scope.calls.calls == 0) {
    return expectation.phase.empty() ? "no call arrived" : "no call arrived in that phase";
  }
  std::string text;
  std::size_t clauses = 0;
  for (const Rule rule : rules_for(expectation.metric)) {
    if (clauses == clauses_max) break;
    const std::string clause = rule(scope);
    if (clause.empty()) continue;
    if (clauses++ > 0) text += "; ";
    text += clause;
  }
  return text.empty() ? "nothing failed, waited or was refused" : text;
}

}  // namespace brownout::reports
