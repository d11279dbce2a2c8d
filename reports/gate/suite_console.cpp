#include "reports/gate/suite_console.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "reports/gate/failure_text.hpp"

namespace brownout::reports {
namespace {

using sim::Verdict;

constexpr std::size_t notes_shown = 10;

std::string paint(const SuiteConsoleOptions& options, std::string_view code,
                  std::string_view text) {
  return options.color ? fmt::format("\033[{}m{}\033[0m", code, text) : std::string(text);
}

std::string word(Verdict verdict, const SuiteConsoleOptions& options) {
  switch (verdict) {
    case Verdict::passed:
      return paint(options, "32", "PASS");
    case Verdict::failed:
      return paint(options, "31;1", "FAIL");
    case Verdict::undecided:
      return paint(options, "33", "NO VERDICT");
  }
  return {};
}

// Colours have no width.
std::string padded_word(Verdict verdict, const SuiteConsoleOptions& options) {
  constexpr std::size_t width = std::string_view("NO VERDICT").size();
  const std::size_t plain = word(verdict, {}).size();
  return word(verdict, options) + std::string(width - plain, ' ');
}

std::string columns(std::string_view seeds, std::string_view margin, std::string_view availability,
                    std::string_view attempts, std::string_view p99, std::string_view simulated) {
  return fmt::format("{:>9}  {:>7}  {:<18} {:<14} {:<16} {:>9}\n", seeds, margin, availability,
                     attempts, p99, simulated);
}

// Of the expectation and seed where least was left.
std::string worst_margin(const Suite& suite) {
  std::optional<double> worst;
  for (const SeedRun& run : suite.runs) {
    for (const SeedFinding& finding : run.findings) {
      if (finding.margin) worst = std::min(worst.value_or(*finding.margin), *finding.margin);
    }
  }
  if (!worst) return "-";
  return *worst < 0 ? "missed" : fmt::format("{:.0f}%", 100 * *worst);
}

std::string indented(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += "  " + std::string(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string changes_of(const SuiteChange& suite, const SuiteConsoleOptions& options) {
  constexpr std::pair<Change, std::string_view> told[] = {
      {Change::worse, "31;1"}, {Change::unclear, "33"}, {Change::improved, "32"}};
  std::string text;
  for (const auto& [wanted, code] : told) {
    for (const MeasureChange& measure : suite.measures) {
      if (measure.change != wanted) continue;
      const std::string_view sentence = measure.sentence;
      const std::size_t judgement = sentence.rfind(": ") + 2;
      text += fmt::format("    {}{}\n", sentence.substr(0, judgement),
                          paint(options, code, sentence.substr(judgement)));
    }
  }
  return text.empty() ? "" : fmt::format("  {}\n{}", suite.scenario, text);
}

std::string notes_of(const BaselineReview& review) {
  std::vector<std::string> notes = review.notes;
  for (const SuiteChange& suite : review.suites) {
    if (!suite.why_not.empty()) {
      notes.push_back(fmt::format("{} was not compared: {}", suite.scenario, suite.why_not));
    }
    for (const std::string& note : suite.notes) notes.push_back(suite.scenario + ": " + note);
  }
  std::string text;
  for (std::size_t i = 0; i < notes.size() && i < notes_shown; ++i) {
    text += fmt::format("  note: {}\n", notes[i]);
  }
  if (notes.size() > notes_shown) {
    text += fmt::format("  note: and {} more like these\n", notes.size() - notes_shown);
  }
  return text;
}

std::string review_clause(const std::vector<Suite>& suites, const BaselineReview& review) {
  if (review.compared() == 0) return "; nothing could be compared with the baseline";
  const std::size_t identical =
      static_cast<std::size_t>(std::ranges::count(review.suites, true, &SuiteChange::identical));
  if (identical == suites.size()) return "; every run is the baseline's to the last call";
  std::string text = fmt::format("; against the baseline {} worse, {} improved, {} not clear",
                                 review.count(Change::worse), review.count(Change::improved),
                                 review.count(Change::unclear));
  const std::size_t left = suites.size() - review.compared();
  if (left > 0) text += fmt::format(", {} not compared", left);
  return text;
}

}  // namespace

std::string console_suite_head(const SuiteConsoleOptions& options) {
  return fmt::format("  {:<10}  {:<{}} ", "", "scenario", options.name_width) +
         columns("seeds", "margin", "availability", "attempts/call", "p99", "simulated");
}

std::string console_suite_line(const Suite& suite, const SuiteConsoleOptions& options) {
  return fmt::format("  {}  {:<{}} ", padded_word(suite.verdict(), options), suite.scenario,
                     options.name_width) +
         columns(fmt::format("{}/{}", suite.count(Verdict::passed), suite.planned),
                 worst_margin(suite), format_range(suite, "availability"),
                 format_range(suite, "attempts_per_call"), format_range(suite, "latency.p99"),
                 format_duration_short(suite.simulated()));
}

std::string console_failures(const std::vector<Suite>& suites, const SuiteConsoleOptions& options) {
  std::string text;
  std::vector<const Suite*> not_begun;
  for (const Suite& suite : suites) {
    if (suite.runs.empty()) {
      not_begun.push_back(&suite);
      continue;
    }
    for (const Failure& failure : failures_of(suite)) {
      text += fmt::format("\n{} {}\n  {}\n{}", word(failure.verdict, options), suite.scenario,
                          headline(suite, failure), indented(details(suite, failure)));
    }
    const std::string open = unfinished(suite);
    if (open.empty()) continue;
    text += fmt::format("\n{} {}\n{}", word(Verdict::undecided, options), suite.scenario,
                        indented(open));
  }
  if (!not_begun.empty()) {
    text += fmt::format("\n{} {} of {} scenarios were not begun: {}\n",
                        word(Verdict::undecided, options), not_begun.size(), suites.size(),
                        not_begun.front()->cut_short);
  }
  return text;
}

std::string console_review(const BaselineReview& review, const SuiteConsoleOptions& options) {
  std::string found;
  for (const SuiteChange& suite : review.suites) found += changes_of(suite, options);
  found += notes_of(review);
  return found.empty() ? "" : "\ncompared with the baseline\n" + found;
}

std::string console_suites_verdict(const std::vector<Suite>& suites, const BaselineReview* review,
                                   const SuiteConsoleOptions& options) {
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::size_t runs = 0;
  for (const Suite& suite : suites) {
    passed += suite.verdict() == Verdict::passed ? 1 : 0;
    failed += suite.verdict() == Verdict::failed ? 1 : 0;
    runs += suite.runs.size();
  }
  const std::size_t undecided = suites.size() - passed - failed;
  std::string text = fmt::format(
      "{}: {} of {} scenarios passed, {} failed, {} without a verdict, in {} runs",
      word(verdict_of(suites, review), options), passed, suites.size(), failed, undecided, runs);
  if (review != nullptr) text += review_clause(suites, *review);
  return text + "\n";
}

}  // namespace brownout::reports
