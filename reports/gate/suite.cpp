#include "reports/gate/suite.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/core/check.hpp"
#include "reports/result/margin.hpp"
#include "reports/result/why.hpp"

namespace brownout::reports {
namespace {

using sim::Verdict;

Verdict worse(Verdict a, Verdict b) {
  if (a == Verdict::failed || b == Verdict::failed) return Verdict::failed;
  return a == Verdict::undecided || b == Verdict::undecided ? Verdict::undecided : Verdict::passed;
}

void begin(Suite& suite, const sim::RunResult& run) {
  suite.scenario = run.scenario;
  suite.scenario_path = run.scenario_path;
  suite.scenario_digest = run.scenario_digest;
  suite.policy = run.policy;
  suite.policy_path = run.policy_path;
  suite.policy_digest = run.policy_digest;
  suite.stage = run.stage;
  suite.speed = run.speed;
  suite.expectations = run.expectations;
  suite.measures = measures_of(run);
}

bool less(const Reading& a, const Reading& b, const Measure& measure) {
  if (a.state != b.state) return a.state < b.state;  // "never" is longer than any time
  return a.is_number() && to_double(a, measure) < to_double(b, measure);
}

}  // namespace

Verdict Suite::verdict() const {
  Verdict verdict = runs.size() < planned || runs.empty() ? Verdict::undecided : Verdict::passed;
  for (const SeedRun& run : runs) verdict = worse(verdict, run.verdict);
  return verdict;
}

std::size_t Suite::count(Verdict verdict) const {
  return static_cast<std::size_t>(std::ranges::count(runs, verdict, &SeedRun::verdict));
}

Duration Suite::simulated() const {
  Duration sum{};
  for (const SeedRun& run : runs) sum += run.simulated;
  return sum;
}

Tally tally(const Suite& suite, std::size_t expectation) {
  Tally found;
  for (const SeedRun& run : suite.runs) {
    const Verdict verdict = run.findings[expectation].verdict;
    found.verdict = worse(found.verdict, verdict);
    if (verdict == Verdict::failed) found.failed.push_back(&run);
    if (verdict == Verdict::undecided) found.undecided.push_back(&run);
  }
  return found;
}

void add_run(Suite& suite, const sim::RunResult& run) {
  if (suite.runs.empty()) begin(suite, run);
  BROWNOUT_CHECK(suite.stage == run.stage && suite.speed == run.speed);
  SeedRun& added = suite.runs.emplace_back();
  added.seed = run.seed;
  added.verdict = run.verdict();
  added.end = run.end;
  added.diagnosis = run.diagnosis;
  added.could_not_follow = run.could_not_follow;
  added.simulated = run.ended - Instant{};
  added.semantic_digest = run.semantic_digest;
  added.replay = run.replay;
  for (std::size_t i = 0; i < suite.expectations.size(); ++i) {
    SeedFinding& finding = added.findings.emplace_back();
    if (i >= run.expectations.size()) continue;
    finding.verdict = run.expectations[i].verdict;
    finding.actual = run.expectations[i].actual;
    finding.margin = margin_left(run.expectations[i]);
    const bool is_first =
        finding.verdict == Verdict::failed &&
        std::ranges::none_of(suite.runs, [&](const SeedRun& earlier) {
          return &earlier != &added && earlier.findings[i].verdict == Verdict::failed;
        });
    if (is_first) finding.why = why(run, run.expectations[i]);
  }
  added.readings = readings_of(run, suite.measures);
  suite.planned = std::max(suite.planned, suite.runs.size());
}

std::vector<Suite> suites_of(const std::vector<sim::RunResult>& runs) {
  std::vector<Suite> suites;
  for (const sim::RunResult& run : runs) {
    auto suite = std::ranges::find_if(suites, [&](const Suite& one) {
      return one.scenario_path == run.scenario_path && one.scenario == run.scenario &&
             one.policy_path == run.policy_path && one.policy == run.policy &&
             one.stage == run.stage && one.speed == run.speed;
    });
    if (suite == suites.end()) suite = suites.emplace(suites.end());
    add_run(*suite, run);
  }
  return suites;
}

Range range_of(const Suite& suite, std::string_view measure) {
  Range range;
  const auto column = std::ranges::find(suite.measures, measure, &Measure::name);
  if (column == suite.measures.end()) return range;
  const auto index = static_cast<std::size_t>(column - suite.measures.begin());
  bool first = true;
  for (const SeedRun& run : suite.runs) {
    const Reading& reading = run.readings[index];
    if (run.end != sim::RunEnd::completed || reading.state == Reading::State::none) continue;
    if (first || less(reading, range.least, *column)) range.least = reading;
    if (first || less(range.greatest, reading, *column)) range.greatest = reading;
    first = false;
  }
  return range;
}

std::string format_range(const Suite& suite, std::string_view measure) {
  const auto column = std::ranges::find(suite.measures, measure, &Measure::name);
  if (column == suite.measures.end()) return "-";
  const Range range = range_of(suite, measure);
  const std::string least = format(range.least, *column);
  const std::string greatest = format(range.greatest, *column);
  return least == greatest ? least : least + ".." + greatest;
}

std::string format_seeds(const std::vector<std::uint64_t>& seeds, std::size_t most) {
  std::string text;
  std::size_t parts = 0;
  for (std::size_t i = 0; i < seeds.size();) {
    if (parts++ == most) return text + fmt::format(" and {} more", seeds.size() - i);
    std::size_t last = i;
    while (last + 1 < seeds.size() && seeds[last + 1] == seeds[last] + 1) ++last;
    if (last == i + 1) last = i;  // two in a row are no row
    text += (text.empty() ? "" : ", ") + std::to_string(seeds[i]);
    if (last > i) text += ".." + std::to_string(seeds[last]);
    i = last + 1;
  }
  return text;
}

std::vector<std::string> stable_names(const std::vector<sim::ExpectationResult>& expectations) {
  std::vector<std::string> claims;
  std::vector<std::string> names;
  for (const sim::ExpectationResult& expectation : expectations) {
    const std::string& claim = claims.emplace_back(claim_of(expectation));
    const auto nth = std::ranges::count(claims, claim);
    names.push_back(nth == 1 ? claim : fmt::format("{} ({})", claim, nth));
  }
  return names;
}

}  // namespace brownout::reports
