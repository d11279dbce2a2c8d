#include "reports/result/margin.hpp"

#include <fmt/format.h>

#include <cmath>

#include "reports/text/numbers.hpp"

namespace brownout::reports {
namespace {

using sim::ExpectationResult;
using sim::Quantity;

double number(const Quantity& quantity) {
  return static_cast<double>(quantity.numerator) / static_cast<double>(quantity.denominator);
}

// Without zeros at the end: "0.5%", "1%".
std::string short_percent(double share) {
  std::string text = fmt::format("{:.3f}", 100 * share);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text + "%";
}

std::string told(double value, const std::string& unit) {
  if (unit == "share") return short_percent(value);
  if (unit == "duration") return format_duration_short(Duration{std::llround(value)});
  if (unit == "dollars") return fmt::format("${:.2f}", value);
  if (unit == "count") return grouped(static_cast<std::uint64_t>(std::llround(value)));
  return fmt::format("{:.2f}", value);
}

bool is_upper(const ExpectationResult& e) {
  return e.comparison == "<=" || e.comparison == "<";
}

bool is_lower(const ExpectationResult& e) {
  return e.comparison == ">=" || e.comparison == ">";
}

// A limit and what of it was used.
struct Use {
  double used = 0;
  double allowed = 0;
};

// Of a share that is to be high, the rest is what may be used.
std::optional<Use> use_of(const ExpectationResult& e) {
  if (!e.value) return std::nullopt;
  const double value = number(*e.value);
  const double threshold = number(e.threshold);
  if (is_upper(e)) return Use{value, threshold};
  if (is_lower(e) && e.unit == "share") return Use{1 - value, 1 - threshold};
  return std::nullopt;
}

// "18% left", "36% over", "nothing left".
std::string judged(double left) {
  const double share = std::abs(left);
  if (share < 0.0005) return "nothing left";
  const std::string text =
      share < 0.1 ? fmt::format("{:.1f}%", 100 * share)
      : share < 10
          ? fmt::format("{:.0f}%", 100 * share)
          : fmt::format("{} times", grouped(static_cast<std::uint64_t>(std::llround(share))));
  return text + (left > 0 ? " left" : " over");
}

}  // namespace

std::optional<double> margin_left(const ExpectationResult& expectation) {
  if (const auto use = use_of(expectation)) {
    if (use->allowed <= 0) return std::nullopt;
    return (use->allowed - use->used) / use->allowed;
  }
  if (!expectation.value || !is_lower(expectation)) return std::nullopt;
  const double threshold = number(expectation.threshold);
  if (threshold <= 0) return std::nullopt;
  return (number(*expectation.value) - threshold) / threshold;
}

std::string margin(const ExpectationResult& expectation) {
  if (!expectation.value || expectation.unit == "state") return {};
  const std::string& unit = expectation.unit;
  const double value = number(*expectation.value);
  const double threshold = number(expectation.threshold);
  const std::optional<double> left = margin_left(expectation);
  if (expectation.comparison == "==") return value == threshold ? "exactly that" : "";
  if (expectation.comparison == "!=") return {};
  if (const auto use = use_of(expectation)) {
    const std::string what = is_upper(expectation) ? "" : " missing";
    std::string text =
        fmt::format("{}{} of {} allowed", told(use->used, unit), what, told(use->allowed, unit));
    return left ? text + ", " + judged(*left) : text;
  }
  if (value < threshold) {
    return fmt::format("{} below the {} wanted", told(threshold - value, unit),
                       told(threshold, unit));
  }
  return fmt::format("{} above the {} wanted", told(value - threshold, unit),
                     told(threshold, unit));
}

}  // namespace brownout::reports
