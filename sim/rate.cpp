#include "sim/rate.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "sim/expectation_value.hpp"

namespace brownout::sim {
namespace {

double seconds(Instant at) {
  return static_cast<double>(at.time_since_epoch().count()) * 1e-9;
}

// Rounds the wait, not the instant: the longer the run, the coarser a double that holds that.
Instant seconds_after(Instant from, double wait) {
  const double nanoseconds = std::ceil(wait * 1e9);
  if (!(nanoseconds < 9.2e18)) return never;
  return after(from, Duration{static_cast<std::int64_t>(nanoseconds)});
}

// How long it takes a rate that starts at `rate` and grows by `slope` per second to add up to
// `amount`; infinite when it falls to 0 before.
double time_for(double amount, double rate, double slope) {
  if (slope == 0) return rate > 0 ? amount / rate : std::numeric_limits<double>::infinity();
  const double square = rate * rate + 2 * slope * amount;
  if (square < 0) return std::numeric_limits<double>::infinity();
  // The stable form of (sqrt(square) - rate) / slope.
  return 2 * amount / (rate + std::sqrt(square));
}

// What someone who wrote `node` for a rate is likely to have meant.
std::string rate_note(const Node& node, std::string_view number, char first_of_unit) {
  const bool scalar = node.type == Node::Type::string || node.type == Node::Type::number;
  const std::string_view unit = first_of_unit == 'm' ? "min" : first_of_unit == 'h' ? "h" : "s";
  const bool known = std::string_view("smh").find(first_of_unit) != std::string_view::npos;
  if (!scalar || !known || !parse_decimal(number)) return "units: /s, /min, /h";
  return fmt::format("did you mean \"{}/{}\"?", number, unit);
}

// "20/s" to calls per second.
bool read_rate(const Node& node, Problems& problems, double& out) {
  constexpr double rate_max = 1e6;
  const std::string_view text = node.text;  // empty unless a string or a number
  const auto slash = text.find('/');
  const auto number = parse_decimal(text.substr(0, slash));
  const std::string_view unit = slash == text.npos ? "" : text.substr(slash + 1);
  const double period = unit == "s" ? 1 : unit == "min" ? 60 : unit == "h" ? 3600 : 0;
  if (node.type != Node::Type::string || !number || period == 0) {
    problems.add(node, "expected a rate such as \"20/s\"",
                 rate_note(node, text.substr(0, slash), unit.empty() ? 's' : unit.front()));
    return false;
  }
  out = static_cast<double>(number->numerator) / static_cast<double>(number->denominator) / period;
  if (out > rate_max) problems.add(node, "more than a million calls per second");
  return out <= rate_max;
}

}  // namespace

RateCurve RateCurve::constant(double per_second) {
  RateCurve curve;
  curve.points_ = {{0, per_second}};
  return curve;
}

Instant RateCurve::advance(Instant from, double amount) const {
  double at = seconds(from);
  double passed = 0;  // since `from`
  for (std::size_t i = 0; i < points_.size(); ++i) {
    const bool is_last = i + 1 == points_.size();
    if (!is_last && points_[i + 1].at <= at) continue;
    const Point& left = points_[i];
    const double slope =
        is_last ? 0 : (points_[i + 1].rate - left.rate) / (points_[i + 1].at - left.at);
    const double rate = left.rate + slope * (at > left.at ? at - left.at : 0);
    const double needed = time_for(amount, rate, slope);
    const double available =
        is_last ? std::numeric_limits<double>::infinity() : points_[i + 1].at - at;
    if (needed <= available) return seconds_after(from, passed + needed);
    amount -= (rate + slope * available / 2) * available;
    at = points_[i + 1].at;
    passed += available;
    if (amount < 0) amount = 0;
  }
  return never;
}

std::string RateCurve::to_string() const {
  const auto rate = [](double value) { return fmt::format("{:.6g}/s", value); };
  if (points_.size() == 1) return rate(points_.front().rate);
  return rate(points_.front().rate) + " to " + rate(points_.back().rate);
}

bool read_rate_curve(const Node& node, Duration duration, Problems& problems, RateCurve& out) {
  const std::size_t before = problems.size();
  if (node.type != Node::Type::object) {
    double rate = 0;
    if (!read_rate(node, problems, rate)) return false;
    if (rate == 0) problems.add(node, "no calls would arrive");
    out = RateCurve::constant(rate);
    return problems.size() == before;
  }
  ObjectReader object(node, problems);
  const Node* steps = object.optional("steps");
  const Node* ramp = object.optional("ramp");
  object.finish();
  if (problems.size() != before) return false;
  if ((steps == nullptr) == (ramp == nullptr)) {
    problems.add(node, "expected a rate such as \"20/s\", { \"steps\": … } or { \"ramp\": … }");
    return false;
  }
  out.points_.clear();
  bool any = false;
  read_array(steps != nullptr ? *steps : *ramp, problems, [&](const Node& item) {
    Duration at{};
    RateCurve::Point point;
    if (item.type != Node::Type::array || item.items.size() != 2) {
      problems.add(item, "expected a point such as [\"1h\", \"50/s\"]");
      return;
    }
    if (!read_duration(item.items[0], problems, at, Duration{0}, duration)) return;
    if (!read_rate(item.items[1], problems, point.rate)) return;
    point.at = static_cast<double>(at.count()) * 1e-9;
    any |= point.rate > 0;
    if (!out.points_.empty()) {
      if (point.at <= out.points_.back().at) {
        problems.add(item.items[0], "points must be in order of time");
        return;
      }
      if (steps != nullptr) out.points_.push_back({point.at, out.points_.back().rate});
    }
    if (out.points_.empty() && point.at > 0) out.points_.push_back({0, point.rate});
    out.points_.push_back(point);
  });
  if (out.points_.empty()) out.points_.push_back({0, 0});
  if (!any && problems.size() == before) problems.add(node, "no calls would arrive");
  return problems.size() == before;
}

}  // namespace brownout::sim
