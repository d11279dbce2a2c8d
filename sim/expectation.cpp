#include "sim/expectation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/core/check.hpp"
#include "engine/core/document_text.hpp"
#include "sim/expectation_value.hpp"

namespace brownout::sim {
namespace {

enum class Unit : std::uint8_t { share, count, number, duration, state, dollars };
enum class Argument : std::uint8_t {
  none,
  route,
  optional_route,
  breaker,
  optional_breaker,
  optional_outcome,
  optional_calls,
  route_or_source
};

struct MetricFacts {
  std::string_view name;  // with its fixed part: "breaker.opened"
  Metric metric;
  Argument argument;
  Unit unit;
  bool by_phase;
};

constexpr std::array metric_facts{
    MetricFacts{"availability", Metric::availability, Argument::none, Unit::share, true},
    MetricFacts{"answered", Metric::answered, Argument::none, Unit::share, true},
    MetricFacts{"calls", Metric::calls, Argument::none, Unit::count, true},
    MetricFacts{"failed", Metric::failed, Argument::optional_outcome, Unit::count, true},
    MetricFacts{"share", Metric::share, Argument::route_or_source, Unit::share, true},
    MetricFacts{"latency", Metric::latency, Argument::optional_calls, Unit::duration, true},
    MetricFacts{"attempts", Metric::attempts, Argument::optional_route, Unit::count, true},
    MetricFacts{"attempts_per_call", Metric::attempts_per_call, Argument::none, Unit::number, true},
    MetricFacts{"breaker.opened", Metric::breaker_opened, Argument::breaker, Unit::count, true},
    MetricFacts{"breaker.state", Metric::breaker_state, Argument::breaker, Unit::state, false},
    MetricFacts{"time_to_open", Metric::time_to_open, Argument::route, Unit::duration, false},
    MetricFacts{"time_to_recover", Metric::time_to_recover, Argument::route, Unit::duration, false},
    MetricFacts{"rejected", Metric::rejected, Argument::optional_breaker, Unit::count, true},
    MetricFacts{"hedges", Metric::hedges, Argument::none, Unit::count, true},
    MetricFacts{"wasted_tokens", Metric::wasted_tokens, Argument::none, Unit::count, true},
    MetricFacts{"cost", Metric::cost, Argument::none, Unit::dollars, true},
    MetricFacts{"waits", Metric::waits, Argument::none, Unit::count, true},
    MetricFacts{"wait", Metric::wait, Argument::none, Unit::duration, true},
    MetricFacts{"hinted", Metric::hinted, Argument::none, Unit::count, true},
    MetricFacts{"retry_after", Metric::retry_after, Argument::none, Unit::duration, true},
    MetricFacts{"max_in_flight", Metric::max_in_flight, Argument::route, Unit::count, true},
};

const std::vector<std::string_view> latency_parts{"p50",  "p90",  "p95", "p99",
                                                  "p999", "mean", "min", "max"};
const std::vector<std::string_view> latency_calls{"success", "failed", "other", "all"};
const std::vector<std::string_view> comparisons{"<", "<=", "==", "!=", ">=", ">"};
const std::vector<std::string_view> states{"closed", "open", "half_open"};

const MetricFacts* find_facts(std::string_view name) {
  for (const MetricFacts& facts : metric_facts) {
    if (facts.name == name) return &facts;
  }
  return nullptr;
}

const MetricFacts& facts_of(Metric metric) {
  const auto found = std::ranges::find(metric_facts, metric, &MetricFacts::metric);
  BROWNOUT_CHECK(found != metric_facts.end());
  return *found;
}

std::vector<std::string_view> metric_names() {
  std::vector<std::string_view> names;
  for (const MetricFacts& facts : metric_facts) {
    names.push_back(facts.name.substr(0, facts.name.find('.')));
  }
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

// "<prefix>p50, <prefix>p90, …".
std::string listed(const std::vector<std::string_view>& words, std::string_view prefix) {
  std::string text;
  for (const std::string_view word : words) {
    text += fmt::format("{}{}{}", text.empty() ? "" : ", ", prefix, word);
  }
  return text;
}

// Reads one expression; every position is an offset into the text between the quotes.
class ExpectationReader {
 public:
  ExpectationReader(const Node& node, Problems& problems, Expectation& out)
      : node_(node), problems_(problems), out_(out), text_(out.text) {}

  bool read(const std::vector<std::string>& phases, Duration duration);

 private:
  struct Word {
    std::string_view text;
    std::size_t begin = 0;
  };

  bool read_metric();
  bool read_argument(Word argument);
  bool read_part(Word part);
  bool read_qualifiers(const std::vector<std::string>& phases, Duration duration);
  bool read_comparison();
  bool read_threshold();
  bool read_percentage(Word word);

  Word next_word();
  Word peek();
  bool refuse(Word where, std::string message, std::string note = {});
  Span span_of(Word word) const;

  const Node& node_;
  Problems& problems_;
  Expectation& out_;
  std::string_view text_;
  std::size_t position_ = 0;
  const MetricFacts* facts_ = nullptr;
};

ExpectationReader::Word ExpectationReader::next_word() {
  while (position_ < text_.size() && text_[position_] == ' ') ++position_;
  const std::size_t begin = position_;
  while (position_ < text_.size() && text_[position_] != ' ') ++position_;
  return {text_.substr(begin, position_ - begin), begin};
}

ExpectationReader::Word ExpectationReader::peek() {
  const std::size_t before = position_;
  const Word word = next_word();
  position_ = before;
  return word;
}

Span ExpectationReader::span_of(Word word) const {
  // Escapes would shift the offsets: point at the whole string then.
  if (node_.span.end - node_.span.begin != text_.size() + 2) return node_.span;
  const auto begin = static_cast<std::uint32_t>(node_.span.begin + 1 + word.begin);
  const auto size = std::max<std::size_t>(1, word.text.size());
  return {begin, static_cast<std::uint32_t>(begin + size)};
}

bool ExpectationReader::refuse(Word where, std::string message, std::string note) {
  problems_.add(*node_.document, span_of(where), std::move(message), std::move(note));
  return false;
}

bool ExpectationReader::read(const std::vector<std::string>& phases, Duration duration) {
  if (!read_metric() || !read_qualifiers(phases, duration)) return false;
  if (!read_comparison() || !read_threshold()) return false;
  const Word rest = next_word();
  if (!rest.text.empty()) return refuse(rest, "nothing can follow the value");
  return true;
}

// "latency(all).p99": a name, an argument, a part.
bool ExpectationReader::read_metric() {
  const Word word = next_word();
  const auto open = word.text.find('(');
  const auto close = word.text.rfind(')');
  const bool has_argument = open != word.text.npos;
  if (has_argument && (close == word.text.npos || close < open)) {
    return refuse(word, "a bracket is not closed");
  }
  const auto dot = word.text.find('.', has_argument ? close : 0);
  Word part;
  if (dot != word.text.npos) part = {word.text.substr(dot + 1), word.begin + dot + 1};
  const Word name{word.text.substr(0, has_argument ? open : dot), word.begin};
  if (const auto sign = word.text.find_first_of("<>=!"); sign != word.text.npos) {
    return refuse({word.text.substr(sign), word.begin + sign},
                  "a comparison stands between two spaces");
  }
  if (has_argument && close == open + 1) {
    return refuse({word.text.substr(open, 2), word.begin + open}, "nothing between the brackets");
  }
  if (has_argument && close + 1 != word.text.size() && dot != close + 1) {
    return refuse({word.text.substr(close + 1), word.begin + close + 1},
                  "only a part, as in .p99, can follow the brackets");
  }
  if (dot != word.text.npos && part.text.empty()) {
    return refuse({".", word.begin + dot}, "a part is missing after the point");
  }

  if (name.text == "breaker") {
    facts_ = find_facts("breaker." + std::string(part.text));
    if (facts_ == nullptr) {
      return refuse(
          part.text.empty() ? word : part,
          part.text.empty() ? "what of the breaker?" : "a breaker has no " + quoted(part.text),
          expected_one_of(part.text, {"opened", "state"}));
    }
    part = {};
  } else if (name.text.find('.') == name.text.npos) {
    facts_ = find_facts(name.text);
  }
  if (facts_ == nullptr) {
    return refuse(name, "unknown metric " + quoted(name.text),
                  name.text.starts_with("breaker.")
                      ? "the route comes first, as in breaker(main).opened"
                      : expected_one_of(name.text, metric_names()));
  }
  out_.metric = facts_->metric;
  Word argument{{}, name.begin + name.text.size()};
  if (has_argument)
    argument = {word.text.substr(open + 1, close - open - 1), word.begin + open + 1};
  return read_argument(argument) && read_part(part);
}

bool ExpectationReader::read_argument(Word argument) {
  out_.argument = std::string(argument.text);
  out_.argument_span = span_of(argument);
  const bool given = !argument.text.empty();
  const std::string name(facts_->name.substr(0, facts_->name.find('.')));
  switch (facts_->argument) {
    case Argument::none:
      return !given || refuse(argument, "\"" + name + "\" takes no argument");
    case Argument::route:
    case Argument::breaker:
      return given ||
             refuse({name, argument.begin - name.size()}, brownout::quoted(name) + " needs a route",
                    "as in " + name + "(main)" + std::string(facts_->name.substr(name.size())));
    case Argument::route_or_source:
      return given || refuse({name, argument.begin - name.size()}, "whose share?",
                             "expected a route, cache or default, as in share(main)");
    case Argument::optional_breaker:
    case Argument::optional_route:
      return true;
    case Argument::optional_outcome: {
      const auto outcome = parse_outcome_kind(argument.text);
      if (!given || (outcome && *outcome != OutcomeKind::success)) return true;
      std::vector<std::string_view> kinds;
      for (std::size_t i = 1; i < outcome_kind_count; ++i) {
        kinds.push_back(to_string(static_cast<OutcomeKind>(i)));
      }
      return refuse(argument, quoted(argument.text) + " is no outcome a call can fail with",
                    expected_one_of(argument.text, kinds));
    }
    case Argument::optional_calls:
      if (!given || std::ranges::find(latency_calls, argument.text) != latency_calls.end()) {
        return true;
      }
      return refuse(argument, "no latency is kept of \"" + out_.argument + "\" calls",
                    expected_one_of(argument.text, latency_calls));
  }
  return false;
}

bool ExpectationReader::read_part(Word part) {
  out_.part = std::string(part.text);
  const bool has_parts = facts_->metric == Metric::latency || facts_->metric == Metric::wait ||
                         facts_->metric == Metric::retry_after;
  if (!has_parts) {
    return part.text.empty() || refuse(part, "\"" + std::string(facts_->name) + "\" has no parts");
  }
  if (std::ranges::find(latency_parts, part.text) != latency_parts.end()) return true;
  if (part.text.empty()) {
    return refuse({".", position_}, "which " + std::string(facts_->name) + "?",
                  "add one of: " + listed(latency_parts, "."));
  }
  return refuse(part, "a " + std::string(facts_->name) + " has no " + quoted(part.text),
                expected_one_of(part.text, latency_parts));
}

bool ExpectationReader::read_qualifiers(const std::vector<std::string>& phases, Duration duration) {
  if (peek().text == "during") {
    const Word during = next_word();
    const Word phase = next_word();
    if (!facts_->by_phase) {
      return refuse(during, "\"" + std::string(facts_->name) + "\" is not kept by phase");
    }
    if (std::ranges::find(phases, phase.text) == phases.end()) {
      const std::vector<std::string_view> names(phases.begin(), phases.end());
      return refuse(phase, "there is no phase \"" + std::string(phase.text) + "\"",
                    expected_one_of(phase.text, names));
    }
    out_.phase = std::string(phase.text);
  }
  const bool needs_time = facts_->metric == Metric::breaker_state;
  const Word at = peek();
  if (at.text != "at") {
    return !needs_time ||
           refuse(at, "a state is that of an instant", "as in breaker(main).state at 1h == open");
  }
  next_word();
  const Word time = next_word();
  if (!needs_time) return refuse(at, "only breaker(…).state is judged at an instant");
  const auto instant = parse_duration(time.text);
  if (!instant)
    return refuse(time, quoted(time.text) + " is not a time", "expected one such as 1h30m");
  if (*instant > duration) {
    return refuse(time, quoted(time.text) + " is after the end of the scenario",
                  "it ends at " + format_duration(duration));
  }
  out_.at = Instant{} + *instant;
  return true;
}

bool ExpectationReader::read_comparison() {
  const Word word = next_word();
  const auto found = std::ranges::find(comparisons, word.text);
  if (found == comparisons.end()) {
    return refuse(
        word, word.text.empty() ? "expected a comparison" : quoted(word.text) + " is no comparison",
        expected_one_of("", comparisons));
  }
  out_.comparison = static_cast<Comparison>(found - comparisons.begin());
  const bool equality =
      out_.comparison == Comparison::equal || out_.comparison == Comparison::not_equal;
  if (facts_->unit == Unit::state && !equality) {
    return refuse(word, "states have no order", "expected == or !=");
  }
  return true;
}

bool ExpectationReader::read_threshold() {
  const Word word = next_word();
  if (word.text.empty()) return refuse(word, "the value to compare with is missing");
  switch (facts_->unit) {
    case Unit::state: {
      const auto found = std::ranges::find(states, word.text);
      if (found == states.end()) {
        return refuse(word, "a breaker is never \"" + std::string(word.text) + "\"",
                      expected_one_of(word.text, states));
      }
      out_.state = static_cast<BreakerState>(found - states.begin());
      return true;
    }
    case Unit::duration: {
      const auto duration = parse_duration(word.text);
      if (!duration) {
        const bool bare = parse_decimal(word.text).has_value();
        return refuse(word, quoted(word.text) + " is not a duration",
                      bare ? fmt::format("did you mean {0}s or {0}ms?", word.text)
                           : "expected one such as 2.5s");
      }
      out_.threshold = {duration->count(), 1};
      return true;
    }
    case Unit::share:
      return read_percentage(word);
    case Unit::count:
    case Unit::number:
    case Unit::dollars: {
      const auto number = parse_decimal(word.text, 15);
      if (!number) {
        return refuse(word, quoted(word.text) + " is not a number",
                      "expected one such as 1.2, of at most nine digits before the point");
      }
      out_.threshold = *number;
      return true;
    }
  }
  return false;
}

bool ExpectationReader::read_percentage(Word word) {
  const auto number = parse_decimal(word.text.substr(0, word.text.size() - 1));
  if (!word.text.ends_with('%') || !number) {
    const bool bare = parse_decimal(word.text).has_value();
    return refuse(
        word, quoted(word.text) + " is not a percentage",
        bare ? "a share is written with its sign, as in 99.5%" : "expected one such as 99.5%");
  }
  out_.threshold = {number->numerator, number->denominator * 100};
  if (out_.threshold.numerator > out_.threshold.denominator) {
    return refuse(word, "no share is more than 100%");
  }
  return true;
}

// What the argument of an expectation may be with these routes and breakers; nothing where it names
// none of them.
std::vector<std::string_view> arguments_known(const Expectation& expectation,
                                              const std::vector<std::string>& routes,
                                              const std::vector<std::string>& breakers) {
  const Argument kind = facts_of(expectation.metric).argument;
  const bool names_route = kind == Argument::route || kind == Argument::optional_route ||
                           kind == Argument::breaker || kind == Argument::optional_breaker ||
                           kind == Argument::route_or_source;
  if (!names_route || expectation.argument.empty()) return {};
  std::vector<std::string_view> known(routes.begin(), routes.end());
  if (kind == Argument::route_or_source) {
    known.push_back("cache");
    known.push_back("default");
    return known;
  }
  for (const std::string& breaker : breakers) {
    if (std::ranges::find(known, breaker) == known.end()) known.push_back(breaker);
  }
  return known;
}

}  // namespace

std::string_view to_string(Metric metric) {
  return facts_of(metric).name;
}

std::string_view to_string(Comparison comparison) {
  return comparisons[static_cast<std::size_t>(comparison)];
}

std::string_view unit_of(Metric metric) {
  switch (facts_of(metric).unit) {
    case Unit::share:
      return "share";
    case Unit::count:
      return "count";
    case Unit::number:
      return "number";
    case Unit::duration:
      return "duration";
    case Unit::state:
      return "state";
    case Unit::dollars:
      return "dollars";
  }
  return "";
}

std::vector<std::string_view> metric_spellings() {
  std::vector<std::string_view> names;
  for (const MetricFacts& facts : metric_facts) names.push_back(facts.name);
  return names;
}

bool read_expectation(const Node& node, const std::vector<std::string>& phases, Duration duration,
                      Problems& problems, Expectation& out) {
  out.span = node.span;
  if (!read_string(node, problems, out.text)) return false;
  out.excerpt = node.document->excerpt(node.span, {});
  const auto begin = node.document->position(node.span.begin);
  const auto end = node.document->position(node.span.end);
  out.place = {node.document->name(), begin.line, begin.column, end.column};
  return ExpectationReader(node, problems, out).read(phases, duration);
}

bool applies(const Expectation& expectation, const std::vector<std::string>& routes,
             const std::vector<std::string>& breakers) {
  const auto known = arguments_known(expectation, routes, breakers);
  return known.empty() || std::ranges::find(known, expectation.argument) != known.end();
}

void refuse_route(const Expectation& expectation, const Document& scenario,
                  const std::vector<std::string>& routes, const std::vector<std::string>& breakers,
                  Problems& problems) {
  problems.add(
      scenario, expectation.argument_span,
      "the policy has no route \"" + expectation.argument + "\"",
      expected_one_of(expectation.argument, arguments_known(expectation, routes, breakers)));
}

}  // namespace brownout::sim
