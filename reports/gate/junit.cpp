#include "reports/gate/junit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "reports/gate/failure_text.hpp"
#include "reports/text/plain_text.hpp"

namespace brownout::reports {
namespace {

using sim::Verdict;

constexpr std::size_t digests_shown = 100;

// Attributes lose line ends and tabs unless these are written as references.
std::string escaped(std::string_view text, bool in_attribute) {
  std::string out;
  for (const char letter : clean(text)) {
    const bool white = letter == '\t' || letter == '\n' || letter == '\r';
    if (letter == '&' || letter == '<' || letter == '>' || letter == '"' || letter == '\r' ||
        (white && in_attribute)) {
      out += fmt::format("&#{};", int{letter});
    } else {
      out += letter;
    }
  }
  return out;
}

std::string attribute(std::string_view name, std::string_view value) {
  return fmt::format(" {}=\"{}\"", name, escaped(value, true));
}

// "scenarios/incidents/x.json" as "scenarios.incidents.x": what viewers make a tree of.
std::string class_name(const Suite& suite) {
  std::string path = suite.scenario_path.empty() ? suite.scenario : suite.scenario_path;
  if (path.ends_with(".json")) path.resize(path.size() - 5);
  std::string name;
  std::string part;
  const auto end_part = [&] {
    if (!part.empty() && part != "." && part != "..") {
      std::ranges::replace(part, '.', '_');
      name += (name.empty() ? "" : ".") + part;
    }
    part.clear();
  };
  for (const char letter : path) {
    if (letter == '/') {
      end_part();
    } else {
      part += letter;
    }
  }
  end_part();
  return name;
}

struct Case {
  std::string name;
  std::optional<std::string> failure;  // the message
  std::optional<std::string> error;
  std::optional<std::string> skipped;
  std::string text;
  sim::Place place;
  std::string_view type = "expectation";
};

std::vector<Case> cases_of(const Suite& suite, const SuiteChange* change) {
  std::vector<Case> cases;
  const std::vector<std::string> names = stable_names(suite.expectations);
  for (std::size_t i = 0; i < names.size(); ++i) {
    cases.push_back({names[i], {}, {}, {}, {}, suite.expectations[i].place, "expectation"});
  }
  for (const Failure& failure : failures_of(suite)) {
    Case& bad = cases[failure.expectation];
    (failure.verdict == Verdict::failed ? bad.failure : bad.error) = headline(suite, failure);
    bad.text = details(suite, failure);
    if (failure.verdict != Verdict::failed) bad.type = "no verdict";
  }
  const std::string open = unfinished(suite);
  if (suite.expectations.empty() || !open.empty()) {
    Case completes{"completes", {}, {}, {}, open, {suite.scenario_path, 0, 0, 0}, "no verdict"};
    if (!open.empty()) completes.error = open.substr(0, open.find('\n'));
    cases.push_back(std::move(completes));
  }
  if (change != nullptr) {
    Case baseline{"as good as the baseline",      {},          {}, {}, {},
                  {suite.scenario_path, 0, 0, 0}, "regression"};
    for (const MeasureChange& measure : change->measures) {
      if (measure.change != Change::worse) continue;
      if (!baseline.failure) baseline.failure = measure.sentence;
      baseline.text += measure.sentence + "\n";
    }
    if (!change->why_not.empty()) baseline.skipped = "not compared: " + change->why_not;
    cases.push_back(std::move(baseline));
  }
  return cases;
}

std::string property(std::string_view name, std::string_view value) {
  return fmt::format("      <property{}{}/>\n", attribute("name", name), attribute("value", value));
}

std::string properties(const Suite& suite, const SuiteChange* change, const JunitOptions& options) {
  std::vector<std::uint64_t> seeds;
  std::string digests;
  for (const SeedRun& run : suite.runs) {
    seeds.push_back(run.seed);
    if (seeds.size() > digests_shown) continue;
    digests += (digests.empty() ? "" : " ") + sim::format_digest(run.semantic_digest);
  }
  if (seeds.size() > digests_shown) digests += " …";
  std::string text = "    <properties>\n";
  if (!options.version.empty()) text += property("brownout.version", options.version);
  text += property("scenario", suite.scenario);
  text += property("scenario.digest", sim::format_digest(suite.scenario_digest));
  text += property("policy", suite.policy);
  text += property("policy.path", suite.policy_path);
  text += property("policy.digest", sim::format_digest(suite.policy_digest));
  text += property("seeds", format_seeds(seeds));
  text += property("stage", to_string(suite.stage));
  if (suite.stage == sim::RunStage::sim) {
    text += property("digests", digests);
  } else {
    text += property("speed", fmt::format("{}", suite.speed));
    const auto behind = std::ranges::find_if(
        suite.runs, [](const SeedRun& run) { return !run.could_not_follow.empty(); });
    if (behind != suite.runs.end()) text += property("could_not_follow", behind->could_not_follow);
  }
  text += property("simulated_seconds",
                   fmt::format("{:.3f}", static_cast<double>(suite.simulated().count()) * 1e-9));
  if (change != nullptr) {
    text += property("baseline", change->why_not.empty()
                                     ? fmt::format("compared on {} seeds", change->pairs)
                                     : "not compared: " + change->why_not);
  }
  return text + "    </properties>\n";
}

std::string time_attribute(std::optional<Duration> time, std::size_t among) {
  if (!time) return {};
  return fmt::format(" time=\"{:.6f}\"",
                     static_cast<double>(time->count()) * 1e-9 / static_cast<double>(among));
}

std::string case_element(const Case& one, const std::string& class_of, const std::string& time) {
  std::string text = "    <testcase" + attribute("name", one.name) +
                     attribute("classname", class_of) + attribute("file", one.place.path);
  if (one.place.line > 0) text += attribute("line", std::to_string(one.place.line));
  text += time;
  if (one.skipped) {
    return text + fmt::format(">\n      <skipped{}/>\n    </testcase>\n",
                              attribute("message", *one.skipped));
  }
  if (!one.failure && !one.error) return text + "/>\n";
  const bool failed = one.failure.has_value();
  return text + fmt::format(">\n      <{0}{1}{2}>{3}</{0}>\n    </testcase>\n",
                            failed ? "failure" : "error",
                            attribute("message", failed ? *one.failure : *one.error),
                            attribute("type", one.type), escaped(one.text, false));
}

struct Counts {
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t errors = 0;
  std::size_t skipped = 0;

  void add(const Counts& other) {
    tests += other.tests;
    failures += other.failures;
    errors += other.errors;
    skipped += other.skipped;
  }
  std::string attributes() const {
    return fmt::format(R"( tests="{}" failures="{}" errors="{}" skipped="{}")", tests, failures,
                       errors, skipped);
  }
};

Counts counts_of(const std::vector<Case>& cases) {
  Counts counts;
  counts.tests = cases.size();
  for (const Case& one : cases) {
    if (one.failure) ++counts.failures;
    if (!one.failure && one.error) ++counts.errors;
    if (one.skipped) ++counts.skipped;
  }
  return counts;
}

}  // namespace

std::string to_junit(const std::vector<Suite>& suites, const JunitOptions& options) {
  Counts all;
  std::optional<Duration> time;
  std::string text;
  for (std::size_t i = 0; i < suites.size(); ++i) {
    const Suite& suite = suites[i];
    const SuiteChange* const change =
        options.review != nullptr ? &options.review->suites[i] : nullptr;
    const std::vector<Case> cases = cases_of(suite, change);
    const Counts counts = counts_of(cases);
    all.add(counts);
    if (suite.real_time) time = time.value_or(Duration{}) + *suite.real_time;
    text += "  <testsuite" +
            attribute("name", fmt::format("{} with policy {}{}", suite.scenario_path, suite.policy,
                                          suite.stage == sim::RunStage::sim ? "" : " over HTTP")) +
            counts.attributes() + time_attribute(suite.real_time, 1) + ">\n" +
            properties(suite, change, options);
    const std::string share = time_attribute(suite.real_time, cases.size());
    for (const Case& one : cases) text += case_element(one, class_name(suite), share);
    text += "  </testsuite>\n";
  }
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"brownout\"" +
         all.attributes() + time_attribute(time, 1) + ">\n" + text + "</testsuites>\n";
}

std::string to_junit(const std::vector<sim::RunResult>& runs) {
  return to_junit(suites_of(runs));
}

}  // namespace brownout::reports
