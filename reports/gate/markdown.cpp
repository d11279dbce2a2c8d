#include "reports/gate/markdown.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "reports/gate/failure_text.hpp"
#include "reports/text/numbers.hpp"
#include "reports/text/plain_text.hpp"

namespace brownout::reports {
namespace {

using sim::Verdict;

// Letters that mean something to Markdown, to HTML or to GitHub's reading of it.
constexpr std::string_view special = "&<>\"'|`*_[]()~#@\\$!{}:";

// One line of text, in <code> so that @name calls nobody.
std::string code(std::string_view text) {
  std::string out = "<code>";
  for (const char letter : clean(text)) {
    if (letter == '\n' || letter == '\r' || letter == '\t') {
      out += ' ';
    } else if (special.find(letter) != special.npos) {
      out += fmt::format("&#{};", int{letter});
    } else {
      out += letter;
    }
  }
  return out + "</code>";
}

// Lines of text. The fence is longer than any in the text, so nothing in it can end the block.
std::string block(std::string_view text) {
  const std::string lines = clean(text);
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char letter : lines) {
    run = letter == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(std::max<std::size_t>(3, longest + 1), '`');
  return fence + "text\n" + lines + (lines.ends_with('\n') ? "" : "\n") + fence + "\n";
}

std::string_view mark(Verdict verdict) {
  switch (verdict) {
    case Verdict::passed:
      return "✅ pass";
    case Verdict::failed:
      return "❌ **FAIL**";
    case Verdict::undecided:
      return "❔ **NO VERDICT**";
  }
  return {};
}

std::string row(const Suite& suite) {
  const bool simulated = suite.stage == sim::RunStage::sim;
  return fmt::format(
      "| {} | {}{} | {} of {} | {} | {} | {} | {} |\n", mark(suite.verdict()), code(suite.scenario),
      simulated ? "" : ", " + stage_of(suite.stage, suite.speed), suite.count(Verdict::passed),
      suite.planned, format_range(suite, "availability"), format_range(suite, "attempts_per_call"),
      format_range(suite, "latency.p99"), format_duration_short(suite.simulated()));
}

std::string failure_part(const Suite& suite, const Failure& failure) {
  return fmt::format(
      "\n**{}** {}\n\n{}\n\n{}", failure.verdict == Verdict::failed ? "FAIL" : "NO VERDICT",
      code(suite.scenario), code(headline(suite, failure)), block(details(suite, failure)));
}

std::string unfinished_part(const Suite& suite) {
  const std::string text = unfinished(suite);
  if (text.empty()) return {};
  return fmt::format("\n**NO VERDICT** {}\n\n{}", code(suite.scenario), block(text));
}

std::string pace_part(const Suite& suite) {
  const auto behind = std::ranges::find_if(
      suite.runs, [](const SeedRun& run) { return !run.could_not_follow.empty(); });
  if (behind == suite.runs.end()) return {};
  return fmt::format("\n{}: {}\n", code(suite.scenario), code(behind->could_not_follow));
}

// Pieces of a text that must not grow beyond a limit: whole ones only, so that no table row or
// code block is cut in two.
class Limited {
 public:
  explicit Limited(std::size_t most) : most_(most - room_for_notice) {}

  void add(const std::string& piece) {
    if (left_out_ > 0 || text_.size() + piece.size() > most_) {
      ++left_out_;
    } else {
      text_ += piece;
    }
  }
  std::string take() {
    if (left_out_ > 0) {
      text_ += fmt::format(
          "\n*{} parts of this summary are left out, because it would be too long to be shown.*\n",
          left_out_);
    }
    return std::move(text_);
  }

 private:
  static constexpr std::size_t room_for_notice = 200;

  std::size_t most_;
  std::size_t left_out_ = 0;
  std::string text_;
};

std::string title(const std::vector<Suite>& suites, const BaselineReview* review) {
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::size_t undecided = 0;
  for (const Suite& suite : suites) {
    const Verdict verdict = suite.verdict();
    ++(verdict == Verdict::passed ? passed : verdict == Verdict::failed ? failed : undecided);
  }
  std::string text = "## brownout: ";
  text += suites.empty() ? "nothing was run"
                         : fmt::format("{} with policy {}", mark(verdict_of(suites, review)),
                                       code(suites.front().policy));
  text += fmt::format("\n\n{} passed, {} failed, {} without a verdict", passed, failed, undecided);
  if (review != nullptr) {
    text +=
        fmt::format("; {} of {} compared with the baseline: {} worse, {} improved, {} not clear",
                    review->compared(), suites.size(), review->count(Change::worse),
                    review->count(Change::improved), review->count(Change::unclear));
  }
  return text + "\n\n";
}

void add_review(const BaselineReview& review, Limited& text) {
  text.add("\n### Compared with the baseline\n\n");
  for (const Change wanted : {Change::worse, Change::unclear, Change::improved}) {
    for (const SuiteChange& suite : review.suites) {
      for (const MeasureChange& measure : suite.measures) {
        if (measure.change != wanted) continue;
        text.add(fmt::format("- {} {}\n", code(suite.scenario), code(measure.sentence)));
      }
    }
  }
  for (const SuiteChange& suite : review.suites) {
    if (!suite.why_not.empty()) {
      text.add(fmt::format("- {} was not compared: {}\n", code(suite.scenario), suite.why_not));
    }
    for (const std::string& note : suite.notes) {
      text.add(fmt::format("- {}: {}\n", code(suite.scenario), code(note)));
    }
  }
  for (const std::string& note : review.notes) text.add(fmt::format("- {}\n", code(note)));
}

}  // namespace

std::string to_markdown(const std::vector<Suite>& suites, const MarkdownOptions& options) {
  Limited text(options.bytes_max);
  text.add(title(suites, options.review));
  text.add(
      "| | scenario | seeds passed | availability | attempts per call | p99 | simulated |\n"
      "|---|---|---|---|---|---|---|\n");
  for (const Suite& suite : suites) text.add(row(suite));
  for (const Suite& suite : suites) {
    for (const Failure& failure : failures_of(suite)) text.add(failure_part(suite, failure));
    text.add(unfinished_part(suite));
    text.add(pace_part(suite));
  }
  if (options.review != nullptr) add_review(*options.review, text);
  return text.take();
}

std::string to_markdown(const std::vector<sim::RunResult>& runs) {
  return to_markdown(suites_of(runs));
}

}  // namespace brownout::reports
