// What each metric means on a finished run.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>

#include "engine/core/check.hpp"
#include "sim/expectation.hpp"
#include "sim/expectation_value.hpp"

namespace brownout::sim {
namespace {

// A metric's value, or why there is none.
struct Value {
  std::optional<Quantity> quantity;
  std::string text;

  static Value none(std::string reason) { return {std::nullopt, std::move(reason)}; }
  static Value count(std::uint64_t number) {
    return {Quantity{static_cast<std::int64_t>(number), 1}, std::to_string(number)};
  }
  static Value duration(Duration duration) {
    return {Quantity{duration.count(), 1}, format_duration_short(duration)};
  }
  static Value share(std::uint64_t part, std::uint64_t whole) {
    if (whole == 0) return none("no calls");
    const double percent = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
    return {Quantity{static_cast<std::int64_t>(part), static_cast<std::int64_t>(whole)},
            fmt::format("{:.3f}%", percent)};
  }
};

const CallStats& stats_of(const Expectation& expectation, const RunResult& result) {
  if (expectation.phase.empty()) return result.total;
  const auto found = std::ranges::find(result.phases, expectation.phase, &PhaseResult::name);
  BROWNOUT_CHECK(found != result.phases.end());
  return found->stats;
}

template <class Items, class Name>
std::optional<std::size_t> index_of(const Items& items, std::string_view wanted, Name name) {
  const auto found = std::ranges::find(items, wanted, name);
  if (found == items.end()) return std::nullopt;
  return static_cast<std::size_t>(found - items.begin());
}

std::uint64_t at_or_zero(const std::vector<std::uint64_t>& counts, std::optional<std::size_t> i) {
  return i && *i < counts.size() ? counts[*i] : 0;
}

const BreakerResult* breaker_of(const Expectation& expectation, const RunResult& result) {
  const auto i = index_of(result.breakers, expectation.argument, &BreakerResult::name);
  return i ? &result.breakers[*i] : nullptr;
}

// "p99", "mean", … of durations, or why there is none.
Value part_of(const Histogram& durations, const std::string& part, std::string reason) {
  if (durations.count() == 0) return Value::none(std::move(reason));
  if (part == "mean") return Value::duration(durations.mean());
  if (part == "min") return Value::duration(durations.min());
  if (part == "max") return Value::duration(durations.max());
  std::uint32_t digits = 0;
  std::from_chars(part.data() + 1, part.data() + part.size(), digits);
  return Value::duration(durations.quantile(digits < 100 ? digits * 10 : digits));
}

Value latency(const Expectation& expectation, const CallStats& stats) {
  Histogram calls;
  const std::string& which = expectation.argument;
  if (which.empty() || which == "success" || which == "all") calls.add(stats.success_latency);
  if (which == "failed" || which == "all") calls.add(stats.failed_latency);
  if (which == "other" || which == "all") calls.add(stats.other_latency);
  return part_of(calls, expectation.part, "no such calls");
}

Value max_in_flight(const Expectation& expectation, const RunResult& result,
                    const CallStats& stats) {
  const auto route = index_of(result.routes, expectation.argument, std::identity{});
  const auto& peaks = stats.in_flight_max_by_route;
  return Value::count(route && *route < peaks.size() ? peaks[*route] : 0);
}

Value attempts(const Expectation& expectation, const RunResult& result, const CallStats& stats) {
  if (expectation.argument.empty()) return Value::count(stats.attempts);
  return Value::count(at_or_zero(stats.attempts_by_route,
                                 index_of(result.routes, expectation.argument, std::identity{})));
}

Value share(const Expectation& expectation, const RunResult& result, const CallStats& stats) {
  if (expectation.argument == "cache") {
    return Value::share(stats.ended_as(CallEnd::cached), stats.calls);
  }
  if (expectation.argument == "default") {
    return Value::share(stats.ended_as(CallEnd::degraded), stats.calls);
  }
  const auto route = index_of(result.routes, expectation.argument, std::identity{});
  return Value::share(at_or_zero(stats.served_by_route, route), stats.calls);
}

Value openings(const Expectation& expectation, const RunResult& result) {
  const BreakerResult* breaker = breaker_of(expectation, result);
  if (breaker == nullptr) return Value::count(0);
  if (expectation.phase.empty()) return Value::count(breaker->openings);
  if (breaker->transition_count > breaker->transitions.size()) {
    return Value::none("too many transitions to tell phases apart");
  }
  const auto phase = std::ranges::find(result.phases, expectation.phase, &PhaseResult::name);
  const auto inside = [&](const BreakerTransition& transition) {
    return transition.to == BreakerState::open && transition.at >= phase->begins &&
           transition.at < phase->ends;
  };
  return Value::count(
      static_cast<std::uint64_t>(std::ranges::count_if(breaker->transitions, inside)));
}

Value time_to_open(const BreakerResult* breaker, const FaultWindow& window) {
  if (breaker == nullptr) return Value::none("the route has no breaker");
  if (window.begins == never) return Value::none("no fault can hit the route");
  // Of a long life the middle is not kept: the last transition may not be the next.
  const bool cut = breaker->transition_count > breaker->transitions.size();
  const std::size_t known = breaker->transitions.size() - (cut ? 1 : 0);
  for (std::size_t i = 0; i < known; ++i) {
    const BreakerTransition& transition = breaker->transitions[i];
    if (transition.to == BreakerState::open && transition.at >= window.begins) {
      return Value::duration(transition.at - window.begins);
    }
  }
  if (cut) return Value::none("too many transitions to tell");
  return Value::none("it never opened");
}

Value time_to_recover(const BreakerResult* breaker, const FaultWindow& window) {
  if (breaker == nullptr) return Value::none("the route has no breaker");
  if (window.begins == never) return Value::none("no fault can hit the route");
  if (breaker->transitions.empty()) return Value::duration(Duration{0});
  if (breaker->final_state != BreakerState::closed) {
    return {Quantity{std::numeric_limits<std::int64_t>::max(), 1}, "never"};
  }
  return Value::duration(std::max(Duration{0}, breaker->transitions.back().at - window.ends));
}

FaultWindow window_of(const Expectation& expectation, const RunResult& result,
                      const std::vector<FaultWindow>& windows) {
  // "main#2" and "main" are breakers of the same route; one outside all routes has no window.
  const std::string route = expectation.argument.substr(0, expectation.argument.find('#'));
  const auto i = index_of(result.routes, route, std::identity{});
  return i ? windows[*i] : FaultWindow{};
}

Value rejected(const Expectation& expectation, const RunResult& result, const CallStats& stats) {
  if (expectation.argument.empty()) return Value::count(stats.rejected);
  return Value::count(
      at_or_zero(stats.rejected_by_breaker,
                 index_of(result.breakers, expectation.argument, &BreakerResult::name)));
}

Value attempts_per_call(const CallStats& stats) {
  if (stats.calls == 0) return Value::none("no calls");
  const double ratio = static_cast<double>(stats.attempts) / static_cast<double>(stats.calls);
  return {
      Quantity{static_cast<std::int64_t>(stats.attempts), static_cast<std::int64_t>(stats.calls)},
      fmt::format("{:.3f}", ratio)};
}

Value cost(std::uint64_t nanodollars) {
  constexpr std::int64_t billion = 1'000'000'000;
  const std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  return {Quantity{static_cast<std::int64_t>(std::min(nanodollars, most)), billion},
          fmt::format("{:.2f}", static_cast<double>(nanodollars) * 1e-9)};
}

Value measure(const Expectation& expectation, const RunResult& result,
              const std::vector<FaultWindow>& windows) {
  const CallStats& stats = stats_of(expectation, result);
  const std::uint64_t live = stats.ended_as(CallEnd::success) + stats.ended_as(CallEnd::cached);
  switch (expectation.metric) {
    case Metric::availability:
      return Value::share(live, stats.calls);
    case Metric::answered:
      return Value::share(live + stats.ended_as(CallEnd::degraded), stats.calls);
    case Metric::calls:
      return Value::count(stats.calls);
    case Metric::failed:
      if (expectation.argument.empty()) return Value::count(stats.ended_as(CallEnd::failed));
      return Value::count(
          stats.failed_as[static_cast<std::size_t>(*parse_outcome_kind(expectation.argument))]);
    case Metric::share:
      return share(expectation, result, stats);
    case Metric::latency:
      return latency(expectation, stats);
    case Metric::attempts:
      return attempts(expectation, result, stats);
    case Metric::attempts_per_call:
      return attempts_per_call(stats);
    case Metric::breaker_opened:
      return openings(expectation, result);
    case Metric::time_to_open:
      return time_to_open(breaker_of(expectation, result), window_of(expectation, result, windows));
    case Metric::time_to_recover:
      return time_to_recover(breaker_of(expectation, result),
                             window_of(expectation, result, windows));
    case Metric::rejected:
      return rejected(expectation, result, stats);
    case Metric::hedges:
      return Value::count(stats.hedges);
    case Metric::wasted_tokens:
      return Value::count(stats.wasted_tokens);
    case Metric::cost:
      if (!result.has_prices) return Value::none("the scenario gives no prices");
      return cost(stats.cost_nanodollars());
    case Metric::waits:
      return Value::count(stats.waits);
    case Metric::wait:
      return part_of(stats.wait, expectation.part, "nobody waited");
    case Metric::hinted:
      return Value::count(stats.hinted);
    case Metric::retry_after:
      return part_of(stats.hint, expectation.part, "no failed call was told when to come back");
    case Metric::max_in_flight:
      return max_in_flight(expectation, result, stats);
    case Metric::breaker_state:
      break;
  }
  BROWNOUT_UNREACHABLE("breaker_state has no quantity");
}

ExpectationResult undecided(const Expectation& expectation) {
  ExpectationResult judged;
  judged.expression = expectation.text;
  judged.excerpt = expectation.excerpt;
  judged.place = expectation.place;
  judged.metric = to_string(expectation.metric);
  judged.argument = expectation.argument;
  judged.part = expectation.part;
  judged.phase = expectation.phase;
  judged.unit = unit_of(expectation.metric);
  judged.comparison = to_string(expectation.comparison);
  return judged;
}

ExpectationResult judge_state(const Expectation& expectation, const RunResult& result) {
  ExpectationResult judged = undecided(expectation);
  const BreakerResult* breaker = breaker_of(expectation, result);
  if (breaker == nullptr || breaker->transition_count > breaker->transitions.size()) {
    judged.actual =
        breaker == nullptr ? "the route has no breaker" : "too many transitions to tell";
    return judged;
  }
  BreakerState state = BreakerState::closed;
  for (const BreakerTransition& transition : breaker->transitions) {
    if (transition.at <= expectation.at) state = transition.to;
  }
  judged.actual = to_string(state);
  const bool equal = state == expectation.state;
  const bool met = (expectation.comparison == Comparison::equal) == equal;
  judged.verdict = met ? Verdict::passed : Verdict::failed;
  return judged;
}

}  // namespace

std::optional<Quantity> parse_decimal(std::string_view text, std::size_t whole_digits_max) {
  const auto point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction = point == text.npos ? "" : text.substr(point + 1);
  const std::size_t whole_max = point == text.npos ? whole_digits_max : 9;
  if (whole.empty() || whole.size() > whole_max || fraction.size() > 9) return std::nullopt;
  if (point != text.npos && fraction.empty()) return std::nullopt;
  Quantity quantity{0, 1};
  for (const std::string_view digits : {whole, fraction}) {
    for (const char digit : digits) {
      if (digit < '0' || digit > '9') return std::nullopt;
      quantity.numerator = quantity.numerator * 10 + (digit - '0');
    }
  }
  for (std::size_t i = 0; i < fraction.size(); ++i) quantity.denominator *= 10;
  return quantity;
}

bool compare(const Quantity& actual, Comparison comparison, const Quantity& threshold) {
  __extension__ using Wide = __int128;
  const Wide left = Wide{actual.numerator} * threshold.denominator;
  const Wide right = Wide{threshold.numerator} * actual.denominator;
  switch (comparison) {
    case Comparison::less:
      return left < right;
    case Comparison::less_equal:
      return left <= right;
    case Comparison::equal:
      return left == right;
    case Comparison::not_equal:
      return left != right;
    case Comparison::greater_equal:
      return left >= right;
    case Comparison::greater:
      return left > right;
  }
  return false;
}

ExpectationResult judge(const Expectation& expectation, const RunResult& result,
                        const std::vector<FaultWindow>& windows) {
  if (expectation.metric == Metric::breaker_state) return judge_state(expectation, result);
  const Value value = measure(expectation, result, windows);
  ExpectationResult judged = undecided(expectation);
  judged.actual = value.text;
  judged.threshold = expectation.threshold;
  judged.value = value.quantity;
  if (value.quantity) {
    const bool met = compare(*value.quantity, expectation.comparison, expectation.threshold);
    judged.verdict = met ? Verdict::passed : Verdict::failed;
  }
  return judged;
}

}  // namespace brownout::sim
