#include "reports/gate/measure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "engine/core/time.hpp"

namespace brownout::reports {
namespace {

using sim::CallStats;
using sim::Quantity;

struct Kind {
  std::string_view metric;
  Better better = Better::neither;
  double floor = 0;           // what is noise, in the unit's scale
  double floor_per_call = 0;  // the same, for each call of a run
};

// Metrics that are not here say what happened, not how well: how often a breaker opened, who
// answered.
constexpr std::array kinds{
    Kind{"availability", Better::higher},      Kind{"answered", Better::higher},
    Kind{"failed", Better::lower, 0, 0.001},   Kind{"latency", Better::lower, 0.010},
    Kind{"attempts", Better::lower, 0, 0.005}, Kind{"attempts_per_call", Better::lower, 0.005},
    Kind{"time_to_recover", Better::lower, 1}, Kind{"wasted_tokens", Better::lower, 0, 1},
    Kind{"cost", Better::lower, 0.01},
};

const Kind& kind_of(const Measure& measure) {
  static constexpr Kind unknown;
  const auto found = std::ranges::find(kinds, measure.metric, &Kind::metric);
  return found == kinds.end() ? unknown : *found;
}

Reading count(std::uint64_t number) {
  return {Reading::State::number, {static_cast<std::int64_t>(number), 1}};
}

Reading ratio(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return {};
  return {Reading::State::number,
          {static_cast<std::int64_t>(part), static_cast<std::int64_t>(whole)}};
}

Reading quantile(const sim::Histogram& latency, std::uint32_t per_mille) {
  if (latency.count() == 0) return {};
  return {Reading::State::number, {latency.quantile(per_mille).count(), 1}};
}

// What every run is measured by.
struct Always {
  const char* name;
  const char* metric;
  const char* unit;
  Reading (*read)(const CallStats& stats);
};

std::uint64_t live(const CallStats& stats) {
  return stats.ended_as(CallEnd::success) + stats.ended_as(CallEnd::cached);
}

constexpr Always always[] = {
    {"calls", "calls", "count", [](const CallStats& s) { return count(s.calls); }},
    {"availability", "availability", "share",
     [](const CallStats& s) { return ratio(live(s), s.calls); }},
    {"answered", "answered", "share",
     [](const CallStats& s) { return ratio(live(s) + s.ended_as(CallEnd::degraded), s.calls); }},
    {"failed", "failed", "count",
     [](const CallStats& s) { return count(s.ended_as(CallEnd::failed)); }},
    {"attempts_per_call", "attempts_per_call", "number",
     [](const CallStats& s) { return ratio(s.attempts, s.calls); }},
    {"latency.p50", "latency", "duration",
     [](const CallStats& s) { return quantile(s.success_latency, 500); }},
    {"latency.p99", "latency", "duration",
     [](const CallStats& s) { return quantile(s.success_latency, 990); }},
    {"wasted_tokens", "wasted_tokens", "count",
     [](const CallStats& s) { return count(s.wasted_tokens); }},
    {"cost", "cost", "dollars",
     [](const CallStats& s) {
       constexpr std::int64_t nano = 1'000'000'000;
       return Reading{Reading::State::number,
                      {static_cast<std::int64_t>(s.cost_nanodollars()), nano}};
     }},
};

Reading reading_of(const sim::ExpectationResult& expectation) {
  if (!expectation.value) return {};
  // How the judge says that a time has no end.
  if (expectation.unit == "duration" &&
      expectation.value->numerator == std::numeric_limits<std::int64_t>::max()) {
    return {Reading::State::never, {}};
  }
  return {Reading::State::number, *expectation.value};
}

std::string grouped(double value) {
  std::string digits = fmt::format("{:.0f}", value);
  const std::size_t first = digits.starts_with('-') ? 1 : 0;
  for (std::size_t i = digits.size(); i > first + 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string duration_text(double seconds) {
  return format_duration_short(Duration{static_cast<std::int64_t>(std::round(seconds * 1e9))});
}

std::string magnitude(double value, const Measure& measure) {
  if (measure.unit == "share") return fmt::format("{:.2f}", 100 * value);
  if (measure.unit == "duration") return duration_text(value);
  if (measure.unit == "number") return fmt::format("{:.3f}", value);
  if (measure.unit == "dollars") return fmt::format("${:.2f}", value);
  // Means of counts have fractions, which matter where the counts are small.
  return value < 10 && value != std::round(value) ? fmt::format("{:.1f}", value) : grouped(value);
}

}  // namespace

bool Reading::operator==(const Reading& other) const {
  __extension__ using Wide = __int128;
  if (state != other.state) return false;
  return state != State::number || Wide{value.numerator} * other.value.denominator ==
                                       Wide{other.value.numerator} * value.denominator;
}

Better better(const Measure& measure) {
  return kind_of(measure).better;
}

std::string claim_of(const sim::ExpectationResult& expectation) {
  const std::string& text = expectation.expression;
  const auto end = expectation.comparison.empty() ? std::string::npos
                                                  : text.rfind(" " + expectation.comparison + " ");
  std::string claim = text.substr(0, end);
  while (claim.ends_with(' ')) claim.pop_back();
  return claim;
}

std::vector<std::string> names_always_measured() {
  std::vector<std::string> names;
  for (const Always& one : always) names.emplace_back(one.name);
  return names;
}

std::vector<Measure> measures_of(const sim::RunResult& run) {
  std::vector<Measure> measures;
  for (const Always& one : always) {
    if (run.has_prices || std::string_view(one.metric) != "cost") {
      measures.push_back({one.name, one.metric, one.unit});
    }
  }
  for (const sim::ExpectationResult& expectation : run.expectations) {
    if (expectation.unit.empty() || expectation.unit == "state") continue;
    const std::string claim = claim_of(expectation);
    if (std::ranges::find(measures, claim, &Measure::name) != measures.end()) continue;
    measures.push_back({claim, expectation.metric, expectation.unit});
  }
  return measures;
}

std::vector<Reading> readings_of(const sim::RunResult& run, const std::vector<Measure>& measures) {
  std::vector<Reading> readings;
  for (const Measure& measure : measures) {
    const auto built_in =
        std::ranges::find_if(always, [&](const Always& one) { return measure.name == one.name; });
    const auto expected = std::ranges::find(run.expectations, measure.name, &claim_of);
    if (built_in != std::end(always)) {
      readings.push_back(built_in->read(run.total));
    } else {
      readings.push_back(expected != run.expectations.end() ? reading_of(*expected) : Reading{});
    }
  }
  return readings;
}

double to_double(const Reading& reading, const Measure& measure) {
  const double value =
      static_cast<double>(reading.value.numerator) / static_cast<double>(reading.value.denominator);
  return measure.unit == "duration" ? value * 1e-9 : value;
}

std::string format_value(double value, const Measure& measure) {
  return magnitude(value, measure) + (measure.unit == "share" ? "%" : "");
}

std::string format(const Reading& reading, const Measure& measure) {
  switch (reading.state) {
    case Reading::State::none:
      return "-";
    case Reading::State::never:
      return "never";
    case Reading::State::number:
      return format_value(to_double(reading, measure), measure);
  }
  return {};
}

std::string format_bound(double difference, const Measure& measure) {
  return (difference < 0 ? "-" : "+") + magnitude(std::abs(difference), measure);
}

std::string format_difference(double difference, const Measure& measure) {
  return format_bound(difference, measure) + (measure.unit == "share" ? " points" : "");
}

double tolerance(const Measure& measure, double relative, double before, double calls) {
  if (measure.unit == "share") return relative / 10;
  const Kind& kind = kind_of(measure);
  return std::max({relative * std::abs(before), kind.floor, kind.floor_per_call * calls});
}

}  // namespace brownout::reports
