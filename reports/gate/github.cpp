#include "reports/gate/github.hpp"

#include <fmt/format.h>

#include "reports/gate/failure_text.hpp"
#include "reports/text/plain_text.hpp"

namespace brownout::reports {
namespace {

constexpr std::size_t annotations_max = 9;

// As the runner unescapes: github.com/actions/toolkit, packages/core/src/command.ts.
std::string escaped(std::string_view text, std::string_view letters) {
  std::string out;
  for (const char letter : clean(text)) {
    if (letters.find(letter) == letters.npos) {
      out += letter;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(letter));
    }
  }
  return out;
}

std::string message(std::string_view text) {
  return escaped(text, "%\r\n");
}

std::string property(std::string_view text) {
  return escaped(text, "%\r\n:,");
}

std::string error(const sim::Place& place, const std::string& title, const std::string& text) {
  std::string command = "::error file=" + property(place.path);
  if (place.line > 0) {
    command +=
        fmt::format(",line={},col={},endColumn={}", place.line, place.column, place.end_column);
  }
  return command + ",title=" + property(title) + "::" + message(text) + "\n";
}

void add_failures(const Suite& suite, sim::Verdict wanted, std::vector<std::string>& errors) {
  for (const Failure& failure : failures_of(suite)) {
    if (failure.verdict != wanted) continue;
    const bool failed = wanted == sim::Verdict::failed;
    errors.push_back(error(suite.expectations[failure.expectation].place,
                           suite.scenario + (failed ? ": not met" : ": no verdict"),
                           headline(suite, failure) + "\n" + details(suite, failure)));
  }
}

}  // namespace

std::string to_github(const std::vector<Suite>& suites, const BaselineReview* review) {
  std::vector<std::string> errors;
  for (const Suite& suite : suites) add_failures(suite, sim::Verdict::failed, errors);
  for (std::size_t i = 0; review != nullptr && i < suites.size(); ++i) {
    const SuiteChange& change = review->suites[i];
    std::string worse;
    for (const MeasureChange& measure : change.measures) {
      if (measure.change == Change::worse) worse += measure.sentence + "\n";
    }
    if (worse.empty()) continue;
    errors.push_back(error({suites[i].scenario_path, 1, 1, 2},
                           suites[i].scenario + ": worse than the baseline", worse));
  }
  for (const Suite& suite : suites) {
    add_failures(suite, sim::Verdict::undecided, errors);
    const std::string open = unfinished(suite);
    if (open.empty()) continue;
    errors.push_back(error({suite.scenario_path, 1, 1, 2}, suite.scenario + ": no verdict", open));
  }
  std::string text;
  for (std::size_t i = 0; i < errors.size(); ++i) {
    if (i == annotations_max && errors.size() > annotations_max + 1) {
      return text +
             fmt::format("::error title=brownout::{} more in the job summary\n", errors.size() - i);
    }
    text += errors[i];
  }
  return text;
}

}  // namespace brownout::reports
