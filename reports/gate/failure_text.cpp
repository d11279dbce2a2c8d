#include "reports/gate/failure_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace brownout::reports {
namespace {

using sim::Verdict;

constexpr std::size_t values_shown = 10;

const SeedFinding& finding(const SeedRun& run, const Failure& failure) {
  return run.findings[failure.expectation];
}

std::string of_seeds(std::size_t some, const Suite& suite) {
  return suite.runs.size() == 1 ? fmt::format("with seed {}", suite.runs.front().seed)
                                : fmt::format("on {} of {} seeds", some, suite.runs.size());
}

// "seeds 7..9: found 81.818%": each value once, with the seeds that have it.
std::string findings_of(const Failure& failure) {
  std::vector<std::pair<std::string, std::vector<std::uint64_t>>> seeds_by_value;
  std::size_t others = 0;
  for (const SeedRun* run : failure.runs) {
    const std::string& actual = finding(*run, failure).actual;
    auto known =
        std::ranges::find(seeds_by_value, actual, &decltype(seeds_by_value)::value_type::first);
    if (known == seeds_by_value.end()) {
      if (seeds_by_value.size() == values_shown) {
        ++others;
        continue;
      }
      known = seeds_by_value.emplace(known, actual, std::vector<std::uint64_t>{});
    }
    known->second.push_back(run->seed);
  }
  std::string text;
  for (const auto& [value, seeds] : seeds_by_value) {
    text += fmt::format("{} {}: {}{}\n", seeds.size() == 1 ? "seed" : "seeds", format_seeds(seeds),
                        failure.verdict == Verdict::failed ? "found " : "", value);
  }
  if (others > 0) text += fmt::format("and other values with {} more seeds\n", others);
  return text;
}

}  // namespace

std::vector<Failure> failures_of(const Suite& suite) {
  std::vector<Failure> failures;
  for (std::size_t i = 0; i < suite.expectations.size(); ++i) {
    Tally found = tally(suite, i);
    if (found.verdict == Verdict::passed) continue;
    failures.push_back(
        {i, found.verdict,
         std::move(found.verdict == Verdict::failed ? found.failed : found.undecided)});
  }
  return failures;
}

std::string headline(const Suite& suite, const Failure& failure) {
  const std::string& first = finding(*failure.runs.front(), failure).actual;
  const bool alike = std::ranges::all_of(
      failure.runs, [&](const SeedRun* run) { return finding(*run, failure).actual == first; });
  const bool failed = failure.verdict == Verdict::failed;
  return fmt::format("{}: {} {}{}{}{}", suite.expectations[failure.expectation].expression,
                     failed ? "not met" : "could not be decided",
                     of_seeds(failure.runs.size(), suite), failed ? ", found " : ": ", first,
                     alike ? "" : " and others");
}

std::string details(const Suite& suite, const Failure& failure) {
  std::string text = findings_of(failure);
  const SeedRun& first = *failure.runs.front();
  if (!finding(first, failure).why.empty()) {
    text += fmt::format("why: {}\n", finding(first, failure).why);
  }
  if (!first.diagnosis.empty()) {
    text += first.diagnosis;
    if (!text.ends_with('\n')) text += '\n';
  }
  text += suite.expectations[failure.expectation].excerpt;
  if (!text.ends_with('\n')) text += '\n';
  if (!first.replay.empty()) text += fmt::format("replay: {}\n", first.replay);
  return text;
}

std::string unfinished(const Suite& suite) {
  std::string text;
  if (suite.runs.size() < suite.planned) {
    text += fmt::format("{} of {} seeds were not run: {}\n", suite.planned - suite.runs.size(),
                        suite.planned,
                        suite.cut_short.empty() ? "no reason is known" : suite.cut_short);
  }
  if (!suite.expectations.empty()) return text;
  for (const SeedRun& run : suite.runs) {
    if (run.end == sim::RunEnd::completed) continue;
    text += fmt::format("seed {}: the run {}\n", run.seed, sim::how_it_ended(run.end));
    if (!run.diagnosis.empty()) text += run.diagnosis;
    if (!text.ends_with('\n')) text += '\n';
    if (!run.replay.empty()) text += fmt::format("replay: {}\n", run.replay);
    break;  // the others are much like it
  }
  return text;
}

}  // namespace brownout::reports
