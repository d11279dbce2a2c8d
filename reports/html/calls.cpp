#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "reports/html/outcome_marks.hpp"
#include "reports/html/sections.hpp"
#include "reports/text/numbers.hpp"

namespace brownout::reports::html {
namespace {

using sim::SampledAttempt;
using sim::SampledCall;

// Shares of the axis, of which a letter needs the first.
constexpr int letter_per_mille = 16;
constexpr int narrow_per_mille = 60;  // letters of narrower boxes are hidden on small screens

struct Kind {
  std::string_view name;
  std::string_view title;
  bool SampledCall::*kept;
};
constexpr Kind kinds[] = {{"failed", "Failed", &SampledCall::is_failed},
                          {"slowest", "Slowest", &SampledCall::is_slowest},
                          {"random", "Random", &SampledCall::is_random}};

std::string route_name(const sim::RunResult& run, RouteId route) {
  return route < run.routes.size() ? run.routes[route] : "no route";
}

std::string after_start(const SampledCall& call, Instant at) {
  return "+" + format_duration_short(at - call.started);
}

std::string attempt_title(const sim::RunResult& run, const SampledCall& call,
                          const SampledAttempt& attempt) {
  std::string text =
      fmt::format("attempt {}{} to {}: {}", attempt.number, attempt.hedge ? " (hedge)" : "",
                  route_name(run, attempt.route), to_string(attempt.outcome));
  if (attempt.status != 0) text += fmt::format(" ({})", attempt.status);
  text += fmt::format(", {} for {}", after_start(call, attempt.started),
                      format_duration_short(attempt.ended - attempt.started));
  if (attempt.first_output != never) {
    text += fmt::format(", first token {}", after_start(call, attempt.first_output));
  }
  if (attempt.retry_after) {
    text += fmt::format(", retry after {}", format_duration_short(*attempt.retry_after));
  }
  if (attempt.input_tokens + attempt.output_tokens > 0) {
    text += fmt::format(", billed {} tokens in and {} out", attempt.input_tokens,
                        attempt.output_tokens);
  }
  return text;
}

// One row: everything along an axis that begins with the call.
class Row {
 public:
  Row(const sim::RunResult& run, const SampledCall& call, Duration axis)
      : run_(run), call_(call), axis_(axis) {}

  std::string svg() {
    for (const sim::SampledWait& wait : call_.waits) draw(wait);
    for (std::size_t i = 0; i < call_.attempts.size(); ++i) draw(i);
    for (const sim::SampledRejection& rejection : call_.rejections) draw(rejection);
    return fmt::format("<svg class=\"{}\">{}</svg>", has_hedges() ? "two" : "one", shapes_);
  }

 private:
  bool has_hedges() const { return std::ranges::any_of(call_.attempts, &SampledAttempt::hedge); }
  std::string x(Instant at) const { return along(at - call_.started, axis_); }
  std::int64_t per_mille(Duration time) const { return time / (axis_ / 1000 + Duration{1}); }

  void draw(const sim::SampledWait& wait) {
    const std::string title =
        fmt::format("wait for {}{}, {} for {}", to_string(wait.reason),
                    wait.route == no_route ? "" : " on " + route_name(run_, wait.route),
                    after_start(call_, wait.from), format_duration_short(wait.until - wait.from));
    shapes_ += fmt::format(
        "<line class=\"wait\" x1=\"{}\" x2=\"{}\" y1=\"9\" y2=\"9\"><title>{}"
        "</title></line>",
        x(wait.from), x(wait.until), escaped(title));
  }

  void draw(std::size_t i) {
    const SampledAttempt& attempt = call_.attempts[i];
    const OutcomeMark mark = mark_of(attempt.outcome);
    const std::string title = attempt_title(run_, call_, attempt);
    const Duration length = attempt.ended - attempt.started;
    const int top = attempt.hedge ? 20 : 2;
    shapes_ += fmt::format(
        "<g class=\"{}\"><title>{}</title><rect x=\"{}\" width=\"{}\" "
        "y=\"{}\" height=\"14\"/>",
        mark.tone, escaped(title), x(attempt.started), along(length, axis_), top);
    if (attempt.first_output != never) {
      shapes_ += fmt::format("<line class=\"tick\" x1=\"{0}\" x2=\"{0}\" y1=\"{1}\" y2=\"{2}\"/>",
                             x(attempt.first_output), top, top + 14);
    }
    shapes_ += letter(i, mark.letter, top + 11);
    shapes_ += "</g>";
  }

  // In its box, or behind one that is too narrow if nothing begins there.
  std::string letter(std::size_t i, char letter, int baseline) const {
    const SampledAttempt& attempt = call_.attempts[i];
    const std::int64_t width = per_mille(attempt.ended - attempt.started);
    if (width >= letter_per_mille) {
      return fmt::format("<text x=\"{}\" dx=\"3\" y=\"{}\"{}>{}</text>", x(attempt.started),
                         baseline, width < narrow_per_mille ? " class=\"s\"" : "", letter);
    }
    for (const SampledAttempt& other : call_.attempts) {
      if (other.hedge != attempt.hedge || other.started < attempt.ended) continue;
      if (per_mille(other.started - attempt.ended) < letter_per_mille) return {};
    }
    return fmt::format("<text x=\"{}\" dx=\"3\" y=\"{}\" class=\"o\">{}</text>", x(attempt.ended),
                       baseline, letter);
  }

  void draw(const sim::SampledRejection& rejection) {
    const bool by_breaker = rejection.breaker < run_.breakers.size();
    const std::string title = fmt::format(
        "refused: {}{}, {}", to_string(rejection.outcome),
        by_breaker ? " by breaker " + run_.breakers[rejection.breaker].name : std::string(),
        after_start(call_, rejection.at));
    shapes_ += fmt::format(
        "<svg class=\"refusal\" x=\"{}\"><title>{}</title><path d=\"M-4 0h8l-4 "
        "7z\"/></svg>",
        x(rejection.at), escaped(title));
  }

  const sim::RunResult& run_;
  const SampledCall& call_;
  Duration axis_;
  std::string shapes_;
};

// The shortest round step of which the axis has at most six.
Duration step_of(Duration axis) {
  using namespace std::chrono_literals;
  const auto fits = [axis](Duration step) { return axis / step < 6; };
  for (Duration decade = 1us; decade < 1s; decade *= 10) {
    for (const int step : {1, 2, 5}) {
      if (fits(decade * step)) return decade * step;
    }
  }
  for (const Duration step :
       std::initializer_list<Duration>{1s, 2s, 5s, 10s, 15s, 30s, 1min, 2min, 5min, 10min, 15min,
                                       30min, 1h, 2h, 6h, 12h, 24h}) {
    if (fits(step)) return step;
  }
  return axis / 6 + 1ns;
}

std::string grid(Duration axis) {
  std::string html = "<svg class=\"grid\" aria-hidden=\"true\">";
  const Duration step = step_of(axis);
  for (Duration at{0}; at < axis; at += step) {
    html += fmt::format(
        "<line x1=\"{0}\" x2=\"{0}\" y2=\"100%\"/><text x=\"{0}\" dx=\"3\" "
        "y=\"11\">{1}</text>",
        along(at, axis), format_duration_short(at));
  }
  return html + "</svg>\n";
}

std::string row_label(const sim::RunResult& run, const SampledCall& call) {
  const std::string end = call.end == CallEnd::failed ? std::string(to_string(call.outcome))
                                                      : std::string(to_string(call.end));
  std::string text = fmt::format(
      "<b>{}</b> <span>{}</span> <span>{}</span> <span class=\"{}\">{}</span>", grouped(call.call),
      clock_time(call.started), format_duration_short(call.ended - call.started),
      call.end == CallEnd::failed ? "failed" : "fine", end);
  if (call.end == CallEnd::success && call.route < run.routes.size()) {
    text += fmt::format(" <span>{}</span>", escaped(run.routes[call.route]));
  }
  return text;
}

// "200 of 4,321 failed calls shown".
std::string shown(const sim::RunResult& run, std::string_view kind, std::size_t count) {
  const std::uint64_t failed = run.total.ended_as(CallEnd::failed);
  if (kind == "failed") {
    return fmt::format("{} of {} shown", grouped(count), count_of(failed, "failed call"));
  }
  if (kind == "slowest") {
    return fmt::format("the {} slowest of {} shown", grouped(count),
                       count_of(run.total.calls - failed, "answered call"));
  }
  return fmt::format("{} of {} shown, drawn by their number", grouped(count),
                     count_of(run.total.calls, "call"));
}

// A call that was kept for several reasons is led to where it stands first. `told` grows.
std::string id_of(const RunView& view, const SampledCall& call, std::set<CallId>& told) {
  if (!told.insert(call.call).second) return {};
  return fmt::format(" id=\"{}-call-{}\"", view.id, call.call);
}

std::string group(const RunView& view, const Kind& kind, std::set<CallId>& told) {
  std::vector<const SampledCall*> kept;
  Duration axis{1000};
  for (const SampledCall& call : view.run.samples) {
    if (!(call.*kind.kept)) continue;
    kept.push_back(&call);
    axis = std::max(axis, call.ended - call.started);
  }
  if (kept.empty()) return {};
  if (kind.kept == &SampledCall::is_slowest) {
    std::ranges::stable_sort(kept, std::greater{},
                             [](const SampledCall* call) { return call->ended - call->started; });
  }
  std::string html = fmt::format(
      "<div class=\"calls\" data-kind=\"{0}\" id=\"{1}-calls-{0}\">\n<h3>{2}</h3>"
      "<p class=\"about\">{3}.</p>\n<div class=\"rows\">{4}<ol>\n",
      kind.name, view.id, kind.title, shown(view.run, kind.name, kept.size()), grid(axis));
  bool first = true;
  for (const SampledCall* call : kept) {
    html += fmt::format("<li{} tabindex=\"{}\"><div class=\"who\">{}</div>{}</li>\n",
                        id_of(view, *call, told), first ? 0 : -1, row_label(view.run, *call),
                        Row(view.run, *call, axis).svg());
    first = false;
  }
  return html + "</ol></div>\n</div>\n";
}

std::string legend(const sim::RunResult& run) {
  std::set<OutcomeKind> used;
  bool has_waits = false;
  bool has_refusals = false;
  for (const SampledCall& call : run.samples) {
    for (const SampledAttempt& attempt : call.attempts) used.insert(attempt.outcome);
    has_waits |= !call.waits.empty();
    has_refusals |= !call.rejections.empty();
  }
  std::string html = legend_of(used);
  html.erase(html.rfind("</ul>"));
  if (has_waits) {
    html +=
        "<li><svg class=\"swatch\" aria-hidden=\"true\"><line class=\"wait\" x2=\"22\" "
        "y1=\"6\" y2=\"6\"/></svg> wait</li>\n";
  }
  if (has_refusals) {
    html +=
        "<li><svg class=\"swatch refusal\" aria-hidden=\"true\"><path d=\"M6 2h8l-4 7z\"/>"
        "</svg> refused by our own policy</li>\n";
  }
  return html +
         "<li><svg class=\"swatch\" aria-hidden=\"true\"><rect class=\"ok\" width=\"20\" "
         "height=\"12\"/><line class=\"tick\" x1=\"9\" x2=\"9\" y2=\"12\"/></svg> first "
         "token</li></ul>\n";
}

}  // namespace

std::string calls(const RunView& view) {
  if (view.run.samples.empty()) {
    return section(view, "calls", "Sampled calls", "", "<p>No calls were kept of this run.</p>\n");
  }
  std::string groups;
  std::string filter = "<div class=\"filter\" role=\"group\" aria-label=\"Which calls\">";
  std::set<CallId> told;
  for (const Kind& kind : kinds) {
    const std::string html = group(view, kind, told);
    if (html.empty()) continue;
    groups += html;
    filter += fmt::format(
        "<button type=\"button\" aria-pressed=\"false\" data-kind=\"{}\">{}"
        "</button>",
        kind.name, kind.title);
  }
  return section(view, "calls", "Sampled calls",
                 "A row per call, from its start: a box per attempt, its letter the outcome; "
                 "hedges are on a second line. Up and down move between calls and tell their "
                 "story.",
                 filter + "</div>\n" + legend(view.run) + groups);
}

}  // namespace brownout::reports::html
