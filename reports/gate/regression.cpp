#include "reports/gate/regression.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "engine/core/check.hpp"
#include "reports/gate/paired.hpp"
#include "reports/text/numbers.hpp"

namespace brownout::reports {
namespace {

// What a measure was and is, on the seeds both sides have.
struct Pairs {
  std::vector<double> before;
  std::vector<double> after;
  std::size_t all = 0;  // pairs, with those that have no number
  std::size_t equal = 0;
  std::size_t never_before = 0;
  std::size_t never_after = 0;
  std::size_t none_before = 0;
  std::size_t none_after = 0;
};

using SeedPair = std::pair<const BaselineRun*, const SeedRun*>;

Pairs pairs_of(const std::vector<SeedPair>& seeds, std::size_t old_column, std::size_t new_column,
               const Measure& measure) {
  Pairs pairs;
  for (const auto& [old_run, new_run] : seeds) {
    const Reading& before = old_run->readings[old_column];
    const Reading& after = new_run->readings[new_column];
    ++pairs.all;
    pairs.equal += before == after ? 1 : 0;
    pairs.never_before += before.state == Reading::State::never ? 1 : 0;
    pairs.never_after += after.state == Reading::State::never ? 1 : 0;
    pairs.none_before += before.state == Reading::State::none ? 1 : 0;
    pairs.none_after += after.state == Reading::State::none ? 1 : 0;
    if (!before.is_number() || !after.is_number()) continue;
    pairs.before.push_back(to_double(before, measure));
    pairs.after.push_back(to_double(after, measure));
  }
  return pairs;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::string seeds_text(std::size_t seeds) {
  return seeds == 1 ? "1 seed" : fmt::format("{} seeds", seeds);
}

// Of differences where more is worse.
Change judged(const PairedDifference& harm, double tolerated) {
  const double low = harm.interval ? harm.interval->low : harm.smallest;
  const double high = harm.interval ? harm.interval->high : harm.largest;
  if (low > tolerated) return Change::worse;
  if (high < -tolerated) return Change::improved;
  return std::abs(harm.mean) > tolerated ? Change::unclear : Change::same;
}

class Judge {
 public:
  Judge(const Measure& measure, const Pairs& pairs, const Tolerances& tolerances, double calls)
      : measure_(measure), pairs_(pairs), tolerances_(tolerances), calls_(calls) {}

  MeasureChange judge() const {
    if (pairs_.equal == pairs_.all) return told(Change::same, same_sentence());
    if (pairs_.never_before != pairs_.never_after) return endless();
    if (pairs_.before.empty()) {
      return told(Change::unclear, fmt::format("no seed has a value on both sides ({} of {} "
                                               "without one, before {})",
                                               pairs_.none_after, pairs_.all, pairs_.none_before));
    }
    return of_numbers();
  }

 private:
  MeasureChange told(Change change, const std::string& what) const {
    return {measure_, change, fmt::format("{} {}: {}", measure_.name, what, to_string(change))};
  }

  std::string same_sentence() const {
    const std::string value =
        pairs_.after.size() == pairs_.all ? format_value(mean(pairs_.after), measure_) + ", " : "";
    return fmt::format("{}equal on every one of {}", value, seeds_text(pairs_.all));
  }

  MeasureChange endless() const {
    const Change change =
        pairs_.never_after > pairs_.never_before ? Change::worse : Change::improved;
    return told(better(measure_) == Better::neither ? Change::differs : change,
                fmt::format("never ends on {} of {}, before on {}", pairs_.never_after,
                            seeds_text(pairs_.all), pairs_.never_before));
  }

  MeasureChange of_numbers() const {
    std::vector<double> differences;
    for (std::size_t i = 0; i < pairs_.before.size(); ++i) {
      differences.push_back(pairs_.after[i] - pairs_.before[i]);
    }
    const PairedDifference difference = paired_difference(differences);
    const std::string sentence =
        fmt::format("{} → {} ({})", format_value(mean(pairs_.before), measure_),
                    format_value(mean(pairs_.after), measure_), in_brackets(difference));
    if (better(measure_) == Better::neither) return told(Change::differs, sentence);
    if (better(measure_) == Better::higher) {
      for (double& one : differences) one = -one;
    }
    const double tolerated = tolerances_.of(measure_, mean(pairs_.before), calls_);
    return told(judged(paired_difference(differences), tolerated), sentence);
  }

  std::string in_brackets(const PairedDifference& difference) const {
    std::string text = format_difference(difference.mean, measure_);
    if (difference.interval) {
      text += fmt::format(
          ", 95% interval {} to {} over {}", format_bound(difference.interval->low, measure_),
          format_bound(difference.interval->high, measure_), seeds_text(difference.pairs));
    } else if (difference.pairs == 1) {
      text += " on 1 seed";
    } else {
      text += fmt::format(", {} to {} on {}", format_bound(difference.smallest, measure_),
                          format_bound(difference.largest, measure_), seeds_text(difference.pairs));
    }
    const std::size_t without = pairs_.all - pairs_.before.size();
    if (without > 0) text += fmt::format("; {} without a value", seeds_text(without));
    return text;
  }

  const Measure& measure_;
  const Pairs& pairs_;
  const Tolerances& tolerances_;
  double calls_;
};

std::optional<std::size_t> column(const std::vector<std::string>& names, const std::string& name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

std::vector<SeedPair> seed_pairs(const BaselineScenario& before, const Suite& suite) {
  std::vector<SeedPair> pairs;
  for (const SeedRun& run : suite.runs) {
    const auto old = std::ranges::lower_bound(before.runs, run.seed, {}, &BaselineRun::seed);
    const bool known = old != before.runs.end() && old->seed == run.seed;
    if (known && run.end == sim::RunEnd::completed) pairs.emplace_back(&*old, &run);
  }
  return pairs;
}

void note_what_is_missing(const BaselineScenario& before, const Suite& suite, SuiteChange& change) {
  std::vector<std::uint64_t> unknown;
  for (const SeedRun& run : suite.runs) {
    const auto old = std::ranges::lower_bound(before.runs, run.seed, {}, &BaselineRun::seed);
    if (old == before.runs.end() || old->seed != run.seed) unknown.push_back(run.seed);
  }
  if (!unknown.empty()) {
    change.notes.push_back("the baseline does not have seed " + format_seeds(unknown));
  }
  for (const Measure& measure : suite.measures) {
    if (column(before.measures, measure.name)) continue;
    change.notes.push_back("the baseline does not have " + measure.name);
  }
  for (const std::string& name : before.measures) {
    if (std::ranges::find(suite.measures, name, &Measure::name) != suite.measures.end()) continue;
    change.notes.push_back("only the baseline has " + name);
  }
}

std::string not_run_note(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 3;
  const auto last = names.begin() + static_cast<std::ptrdiff_t>(std::min(shown, names.size()));
  std::string text =
      fmt::format("the baseline has more than was run: {}", fmt::join(names.begin(), last, ", "));
  if (names.size() > shown) text += fmt::format(" and {} others", names.size() - shown);
  return text;
}

double mean_calls(const Suite& suite) {
  const Range range = range_of(suite, "calls");
  const Measure calls{"calls", "calls", "count"};
  if (!range.least.is_number()) return 0;
  return (to_double(range.least, calls) + to_double(range.greatest, calls)) / 2;
}

SuiteChange compare_suite(const BaselineScenario* before, const Suite& suite,
                          const Tolerances& tolerances) {
  SuiteChange change;
  change.scenario = suite.scenario;
  change.scenario_path = suite.scenario_path;
  if (suite.runs.empty()) {
    change.why_not = "it was not run";
    return change;
  }
  if (suite.stage != sim::RunStage::sim) {
    change.why_not = "it was flown " + stage_of(suite.stage, suite.speed) +
                     ", and the baseline is of simulated runs";
    return change;
  }
  if (before == nullptr) {
    change.why_not = "the baseline does not have it";
    return change;
  }
  if (before->digest != suite.scenario_digest) {
    change.why_not =
        "the scenario's file has changed since the baseline (--update-baseline accepts it)";
    return change;
  }
  const std::vector<SeedPair> pairs = seed_pairs(*before, suite);
  change.pairs = pairs.size();
  if (pairs.empty()) {
    change.why_not = "no seed was run that the baseline has";
    return change;
  }
  note_what_is_missing(*before, suite, change);
  change.identical = std::ranges::all_of(pairs, [](const SeedPair& pair) {
    return pair.first->semantic_digest == pair.second->semantic_digest;
  });
  const double calls = mean_calls(suite);
  bool is_judged = false;
  for (std::size_t i = 0; i < suite.measures.size(); ++i) {
    const Measure& measure = suite.measures[i];
    const auto old = column(before->measures, measure.name);
    if (!old) continue;
    const Pairs found = pairs_of(pairs, *old, i, measure);
    is_judged |= !found.before.empty() || found.never_before + found.never_after > 0;
    change.measures.push_back(Judge(measure, found, tolerances, calls).judge());
  }
  if (!is_judged) {
    change.pairs = 0;
    change.measures.clear();
    change.why_not = "the baseline has no value that could be compared";
  }
  return change;
}

}  // namespace

double Tolerances::of(const Measure& measure, double before, double calls) const {
  const auto found = special.find(measure.name);
  if (found == special.end()) return tolerance(measure, relative, before, calls);
  return measure.unit == "share" ? found->second : found->second * std::abs(before);
}

std::string_view to_string(Change change) {
  switch (change) {
    case Change::same:
      return "same";
    case Change::improved:
      return "improved";
    case Change::worse:
      return "worse";
    case Change::unclear:
      return "not clear";
    case Change::differs:
      return "differs";
  }
  BROWNOUT_UNREACHABLE("a change has a name");
}

std::size_t BaselineReview::compared() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(suites, [](const SuiteChange& suite) { return suite.pairs > 0; }));
}

std::size_t BaselineReview::count(Change change) const {
  std::size_t found = 0;
  for (const SuiteChange& suite : suites) {
    found += static_cast<std::size_t>(
        std::ranges::count(suite.measures, change, &MeasureChange::change));
  }
  return found;
}

sim::Verdict BaselineReview::verdict() const {
  if (count(Change::worse) > 0) return sim::Verdict::failed;
  return compared() > 0 ? sim::Verdict::passed : sim::Verdict::undecided;
}

BaselineReview compare_with(const Baseline& baseline, const std::vector<Suite>& suites,
                            const Tolerances& tolerances) {
  BaselineReview review;
  for (const Suite& suite : suites) {
    review.suites.push_back(compare_suite(baseline.find(suite.scenario), suite, tolerances));
  }
  if (!suites.empty() && suites.front().policy != baseline.policy) {
    review.notes.push_back(fmt::format("the baseline is of policy {}", baseline.policy));
  }
  std::vector<std::string> not_run;
  for (const BaselineScenario& scenario : baseline.scenarios) {
    if (std::ranges::find(suites, scenario.name, &Suite::scenario) != suites.end()) continue;
    not_run.push_back(scenario.name);
  }
  if (!not_run.empty()) review.notes.push_back(not_run_note(not_run));
  return review;
}

sim::Verdict verdict_of(const std::vector<Suite>& suites, const BaselineReview* review) {
  const auto any = [&](sim::Verdict verdict) {
    return (review != nullptr && review->verdict() == verdict) ||
           std::ranges::any_of(suites,
                               [&](const Suite& suite) { return suite.verdict() == verdict; });
  };
  if (any(sim::Verdict::failed)) return sim::Verdict::failed;
  return any(sim::Verdict::undecided) ? sim::Verdict::undecided : sim::Verdict::passed;
}

}  // namespace brownout::reports
