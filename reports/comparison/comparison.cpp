#include "reports/comparison/comparison.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout::reports {
namespace {

bool has_faults(const sim::RunResult& run, const sim::PhaseResult& phase) {
  return std::ranges::find(run.faults, phase.name, &sim::FaultResult::phase) != run.faults.end();
}

void count(const sim::RunResult& run, Cell& cell) {
  if (cell.runs == 0) cell.replay = run.replay;
  ++cell.runs;
  switch (run.verdict()) {
    case sim::Verdict::passed:
      ++cell.passed;
      break;
    case sim::Verdict::failed:
      ++cell.failed;
      break;
    case sim::Verdict::undecided:
      ++cell.undecided;
      break;
  }
  cell.has_prices = run.has_prices;
  cell.total.add(run.total);
  for (const sim::PhaseResult& phase : run.phases) {
    if (has_faults(run, phase)) cell.in_faults.add(phase.stats);
  }
}

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::uint64_t available(const sim::CallStats& stats) {
  return stats.ended_as(CallEnd::success) + stats.ended_as(CallEnd::cached);
}

PolicyScore score_of(const Comparison& comparison, std::size_t policy) {
  PolicyScore score;
  score.policy = comparison.policies[policy];
  double dollars = 0;
  std::uint64_t priced = 0;
  for (std::size_t scenario = 0; scenario < comparison.scenarios.size(); ++scenario) {
    const Cell& cell = comparison.cell(scenario, policy);
    if (cell.runs == 0 || cell.total.calls == 0) continue;
    ++score.scenarios;
    if (cell.passed == cell.runs) ++score.passed;
    const double availability = ratio(available(cell.total), cell.total.calls);
    const double attempts = ratio(cell.total.attempts, cell.total.calls);
    score.availability += availability;
    score.answered +=
        ratio(available(cell.total) + cell.total.ended_as(CallEnd::degraded), cell.total.calls);
    score.attempts_per_call += attempts;
    score.worst_attempts_per_call = std::max(score.worst_attempts_per_call, attempts);
    score.wasted_share += ratio(cell.total.wasted_tokens, cell.total.billed_tokens);
    if (score.worst_scenario.empty() || availability < score.worst_availability) {
      score.worst_availability = availability;
      score.worst_scenario = comparison.scenarios[scenario];
    }
    if (!cell.has_prices) continue;
    ++priced;
    dollars += 1e-6 * ratio(cell.total.cost_nanodollars(), cell.total.calls);
  }
  const auto flown = static_cast<double>(std::max<std::uint64_t>(1, score.scenarios));
  score.availability /= flown;
  score.answered /= flown;
  score.attempts_per_call /= flown;
  score.wasted_share /= flown;
  if (priced > 0) score.dollars_per_1000 = dollars / static_cast<double>(priced);
  return score;
}

// Not worse in both and better in one.
bool dominates(const PolicyScore& one, const PolicyScore& other) {
  const bool not_worse =
      one.availability >= other.availability && *one.dollars_per_1000 <= *other.dollars_per_1000;
  return not_worse &&
         (one.availability > other.availability || *one.dollars_per_1000 < *other.dollars_per_1000);
}

// Only means over the same scenarios can be compared.
void mark_frontier(std::vector<PolicyScore>& scores, std::size_t scenarios) {
  const auto counts = [&](const PolicyScore& score) {
    return score.scenarios == scenarios && score.dollars_per_1000.has_value();
  };
  for (PolicyScore& score : scores) {
    score.on_frontier =
        counts(score) && std::ranges::none_of(scores, [&](const PolicyScore& other) {
          return counts(other) && dominates(other, score);
        });
  }
}

}  // namespace

sim::Verdict Cell::verdict() const {
  if (failed > 0) return sim::Verdict::failed;
  return undecided > 0 ? sim::Verdict::undecided : sim::Verdict::passed;
}

ComparisonBuilder::ComparisonBuilder(std::vector<std::string> policies,
                                     std::vector<std::string> scenarios)
    : comparison_{std::move(policies), std::move(scenarios), {}, {}} {
  comparison_.cells.resize(comparison_.policies.size() * comparison_.scenarios.size());
}

Cell& ComparisonBuilder::cell(std::size_t scenario, std::size_t policy) {
  BROWNOUT_CHECK(policy < comparison_.policies.size());
  BROWNOUT_CHECK(scenario < comparison_.scenarios.size());
  return comparison_.cells[scenario * comparison_.policies.size() + policy];
}

void ComparisonBuilder::add(std::size_t scenario, std::size_t policy, const sim::RunResult& run) {
  BROWNOUT_CHECK(run.stage == sim::RunStage::sim);
  count(run, cell(scenario, policy));
}

void ComparisonBuilder::refuse(std::size_t scenario, std::size_t policy, std::string reason) {
  cell(scenario, policy).refused = std::move(reason);
}

void ComparisonBuilder::link(std::size_t scenario, std::size_t policy, std::string report) {
  cell(scenario, policy).report = std::move(report);
}

Comparison ComparisonBuilder::finish() {
  for (std::size_t policy = 0; policy < comparison_.policies.size(); ++policy) {
    comparison_.scores.push_back(score_of(comparison_, policy));
  }
  mark_frontier(comparison_.scores, comparison_.scenarios.size());
  return std::move(comparison_);
}

}  // namespace brownout::reports
