#include "mockserver/distribution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/random/exponential_distribution.hpp>
#include <boost/random/normal_distribution.hpp>
#include <cmath>
#include <numbers>

#include "engine/core/check.hpp"

namespace brownout::mock {
namespace {

constexpr std::int64_t longest_parameter = Duration{std::chrono::hours{24 * 365}}.count();
constexpr std::int64_t largest_count = 1'000'000'000;
constexpr double share_tolerance = 1e-9;
constexpr double largest_sigma = 10;

std::int64_t to_integer(double value) {
  if (!(value > 0)) return 0;
  if (value >= static_cast<double>(Distribution::max_value)) return Distribution::max_value;
  return std::llround(value);
}

double standard_normal(Draws& draws) {
  return boost::random::normal_distribution<double>{}(draws);
}

// Moments feed every later draw_sum(). Cut to a millionth they are the same on every machine,
// whatever the last digits of its exp() and erf().
double to_millionth(double value) {
  return std::nearbyint(value * 0x1p20) * 0x1p-20;
}

// The moments of max(0, X) for a normal X.
struct ClampedNormal {
  double mean;
  double stddev;

  double above_zero() const { return std::erfc(-mean / stddev / std::numbers::sqrt2) / 2; }
  double density() const {
    const double z = mean / stddev;
    return std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  }
  double clamped_mean() const { return mean * above_zero() + stddev * density(); }
  double clamped_stddev() const {
    const double square =
        (mean * mean + stddev * stddev) * above_zero() + mean * stddev * density();
    const double m = clamped_mean();
    return std::sqrt(std::max(0.0, square - m * m));
  }
};

}  // namespace

Distribution Distribution::of(Unit unit, const Part& part) {
  BROWNOUT_CHECK(0 <= part.first && part.first <= max_value);
  BROWNOUT_CHECK(0 <= part.second && part.second <= max_value);
  Distribution result;
  result.unit_ = unit;
  result.parts_.push_back(part);
  result.set_moments();
  return result;
}

Distribution Distribution::constant(Unit unit, std::int64_t value) {
  return of(unit, {.shape = Shape::constant, .first = value});
}

Distribution Distribution::uniform(Unit unit, Range range) {
  BROWNOUT_CHECK(range.min <= range.max);
  return of(unit, {.shape = Shape::uniform, .first = range.min, .second = range.max});
}

Distribution Distribution::normal(Unit unit, Moments moments) {
  return of(unit, {.shape = Shape::normal, .first = moments.mean, .second = moments.stddev});
}

Distribution Distribution::lognormal(Unit unit, std::int64_t median, double sigma) {
  BROWNOUT_CHECK(sigma >= 0 && sigma <= largest_sigma);
  return of(unit, {.shape = Shape::lognormal, .first = median, .sigma = sigma});
}

Distribution Distribution::exponential(Unit unit, std::int64_t mean) {
  return of(unit, {.shape = Shape::exponential, .first = mean});
}

Distribution Distribution::mixture(const std::vector<Weighted>& parts) {
  Distribution result;
  for (const auto& [share, distribution] : parts) {
    BROWNOUT_CHECK(share >= 0 && share <= 1);
    BROWNOUT_CHECK(distribution.unit_ == parts.front().second.unit_);
    const std::vector<Part> zero(1);
    for (Part part : distribution.parts_.empty() ? zero : distribution.parts_) {
      part.share *= share;
      result.parts_.push_back(part);
    }
  }
  BROWNOUT_CHECK(!result.parts_.empty());
  result.unit_ = parts.front().second.unit_;
  double sum = 0;
  for (Part& part : result.parts_) {
    sum += part.share;
    part.up_to = sum < 1 ? static_cast<std::uint64_t>(sum * 0x1p64) : ~std::uint64_t{0};
  }
  BROWNOUT_CHECK(std::abs(sum - 1) <= 2 * share_tolerance);
  result.parts_.back().up_to = ~std::uint64_t{0};
  result.set_moments();
  return result;
}

std::int64_t Distribution::draw(Draws& draws) const {
  if (parts_.size() == 1) return draw_part(parts_.front(), draws);
  if (parts_.empty()) return 0;
  const std::uint64_t word = draws();
  auto part = parts_.begin();
  while (word > part->up_to) ++part;
  return draw_part(*part, draws);
}

std::int64_t Distribution::draw_part(const Part& part, Draws& draws) {
  const double first = static_cast<double>(part.first);
  switch (part.shape) {
    case Shape::constant:
      return part.first;
    case Shape::uniform: {
      const auto width = static_cast<std::uint64_t>(part.second - part.first);
      return part.first + static_cast<std::int64_t>(draws.below(width + 1));
    }
    case Shape::normal:
      return to_integer(first + static_cast<double>(part.second) * standard_normal(draws));
    case Shape::lognormal:
      return to_integer(first * std::exp(part.sigma * standard_normal(draws)));
    case Shape::exponential:
      return to_integer(first * boost::random::exponential_distribution<double>{}(draws));
  }
  return 0;
}

std::int64_t Distribution::draw_sum(Draws& draws, std::uint32_t n) const {
  if (n <= exact_terms) {
    std::int64_t sum = 0;
    for (std::uint32_t i = 0; i < n; ++i) sum += draw(draws);
    return std::min(sum, max_value);
  }
  const double mean = mean_ * n;
  if (stddev_ == 0) return to_integer(mean);
  const double stddev = stddev_ * std::sqrt(static_cast<double>(n));
  return to_integer(mean + stddev * standard_normal(draws));
}

double Distribution::part_mean(const Part& part) {
  const double first = static_cast<double>(part.first);
  const double second = static_cast<double>(part.second);
  switch (part.shape) {
    case Shape::constant:
      return first;
    case Shape::uniform:
      return (first + second) / 2;
    case Shape::normal:
      return part.second == 0 ? first : ClampedNormal{first, second}.clamped_mean();
    case Shape::lognormal:
      return first * std::exp(part.sigma * part.sigma / 2);
    case Shape::exponential:
      return first;
  }
  return 0;
}

double Distribution::part_stddev(const Part& part) {
  const double first = static_cast<double>(part.first);
  const double second = static_cast<double>(part.second);
  switch (part.shape) {
    case Shape::constant:
      return 0;
    case Shape::uniform: {
      const double values = second - first + 1;
      return std::sqrt((values * values - 1) / 12);
    }
    case Shape::normal:
      return part.second == 0 ? 0 : ClampedNormal{first, second}.clamped_stddev();
    case Shape::lognormal:
      return part_mean(part) * std::sqrt(std::expm1(part.sigma * part.sigma));
    case Shape::exponential:
      return first;
  }
  return 0;
}

void Distribution::set_moments() {
  double mean = 0;
  for (const Part& part : parts_) mean += part.share * part_mean(part);
  double variance = 0;
  for (const Part& part : parts_) {
    const double stddev = part_stddev(part);
    const double shift = part_mean(part) - mean;
    variance += part.share * (stddev * stddev + shift * shift);
  }
  mean_ = to_millionth(mean);
  stddev_ = to_millionth(std::sqrt(variance));
}

std::string Distribution::describe_part(Unit unit, const Part& part) {
  const auto value = [unit](std::int64_t number) {
    return unit == Unit::duration ? format_duration(Duration{number}) : fmt::format("{}", number);
  };
  switch (part.shape) {
    case Shape::constant:
      return value(part.first);
    case Shape::uniform:
      return fmt::format("uniform(min {}, max {})", value(part.first), value(part.second));
    case Shape::normal:
      return fmt::format("normal(mean {}, stddev {})", value(part.first), value(part.second));
    case Shape::lognormal:
      return fmt::format("lognormal(median {}, sigma {})", value(part.first), part.sigma);
    case Shape::exponential:
      return fmt::format("exponential(mean {})", value(part.first));
  }
  return {};
}

std::string Distribution::to_string() const {
  if (parts_.empty()) return describe_part(unit_, {});
  if (parts_.size() == 1) return describe_part(unit_, parts_.front());
  std::string text;
  for (const Part& part : parts_) {
    if (!text.empty()) text += " + ";
    text += fmt::format("{} of {}", part.share, describe_part(unit_, part));
  }
  return text;
}

namespace {

// One object such as { "normal": { … } }, read member by member.
class DistributionReader {
 public:
  DistributionReader(Problems& problems, Unit unit) : problems_(problems), unit_(unit) {}

  bool read(const Node& node, Distribution& out) {
    if (node.type != Node::Type::object) return read_constant(node, out);
    if (node.members.size() != 1) {
      problems_.add(node, "a distribution has exactly one member, its shape", shape_list());
      return false;
    }
    const Node::Member& shape = node.members.front();
    const Node& value = shape.value;
    if (shape.key == "constant") return read_constant(value, out);
    if (shape.key == "uniform") return read_uniform(value, out);
    if (shape.key == "normal") return read_normal(value, out);
    if (shape.key == "lognormal") return read_lognormal(value, out);
    if (shape.key == "exponential") return read_exponential(value, out);
    if (shape.key == "mixture") return read_mixture(value, out);
    problems_.add(*node.document, shape.key_span, "unknown distribution \"" + shape.key + "\"",
                  expected_one_of(shape.key, shapes()));
    return false;
  }

 private:
  static const std::vector<std::string_view>& shapes() {
    static const std::vector<std::string_view> words{"constant",  "uniform",     "normal",
                                                     "lognormal", "exponential", "mixture"};
    return words;
  }
  static std::string shape_list() { return fmt::format("one of: {}", fmt::join(shapes(), ", ")); }

  bool read_value(const Node& node, std::int64_t& out) {
    if (unit_ == Unit::count) return read_integer(node, problems_, out, 0, largest_count);
    Duration duration{};
    if (!read_duration(node, problems_, duration, Duration{0}, Duration{longest_parameter})) {
      return false;
    }
    out = duration.count();
    return true;
  }

  bool read_constant(const Node& node, Distribution& out) {
    std::int64_t value = 0;
    if (!read_value(node, value)) return false;
    out = Distribution::constant(unit_, value);
    return true;
  }

  // A required member of a shape; false when absent or wrong.
  bool read_parameter(ObjectReader& object, std::string_view key, std::int64_t& out) {
    const Node* node = object.required(key);
    return node != nullptr && read_value(*node, out);
  }

  bool read_uniform(const Node& node, Distribution& out) {
    ObjectReader object(node, problems_);
    Distribution::Range range;
    const bool min = read_parameter(object, "min", range.min);
    const bool max = read_parameter(object, "max", range.max);
    object.finish();
    if (!min || !max) return false;
    if (range.min > range.max) {
      problems_.add(*node.find("min"), "\"min\" is greater than \"max\"");
      return false;
    }
    out = Distribution::uniform(unit_, range);
    return true;
  }

  bool read_normal(const Node& node, Distribution& out) {
    ObjectReader object(node, problems_);
    Distribution::Moments moments;
    const bool mean = read_parameter(object, "mean", moments.mean);
    const bool stddev = read_parameter(object, "stddev", moments.stddev);
    object.finish();
    if (!mean || !stddev) return false;
    out = Distribution::normal(unit_, moments);
    return true;
  }

  bool read_lognormal(const Node& node, Distribution& out) {
    ObjectReader object(node, problems_);
    std::int64_t median = 0;
    double sigma = 0;
    const bool has_median = read_parameter(object, "median", median);
    const Node* sigma_node = object.required("sigma");
    const bool has_sigma =
        sigma_node != nullptr && read_number(*sigma_node, problems_, sigma, 0, largest_sigma);
    object.finish();
    if (!has_median || !has_sigma) return false;
    out = Distribution::lognormal(unit_, median, sigma);
    return true;
  }

  bool read_exponential(const Node& node, Distribution& out) {
    ObjectReader object(node, problems_);
    std::int64_t mean = 0;
    const bool has_mean = read_parameter(object, "mean", mean);
    object.finish();
    if (!has_mean) return false;
    out = Distribution::exponential(unit_, mean);
    return true;
  }

  bool read_mixture(const Node& node, Distribution& out) {
    std::vector<Distribution::Weighted> parts;
    double sum = 0;
    bool good = true;
    const bool is_array = read_array(node, problems_, [&](const Node& item) {
      Distribution::Weighted part;
      good = read_mixture_part(item, part) && good;
      sum += part.first;
      parts.push_back(std::move(part));
    });
    if (!is_array || !good) return false;
    if (parts.empty()) {
      problems_.add(node, "a mixture needs at least one part", "[[share, distribution], …]");
      return false;
    }
    if (std::abs(sum - 1) > share_tolerance) {
      problems_.add(node, fmt::format("the shares of this mixture sum to {:.9g}, not to 1", sum));
      return false;
    }
    out = Distribution::mixture(parts);
    return true;
  }

  bool read_mixture_part(const Node& node, Distribution::Weighted& out) {
    if (node.type != Node::Type::array || node.items.size() != 2) {
      problems_.add(node, "a part of a mixture is a pair of a share and a distribution",
                    "[share, distribution]");
      return false;
    }
    const bool share = read_number(node.items[0], problems_, out.first, 0, 1);
    const bool distribution = read(node.items[1], out.second);
    return share && distribution;
  }

  Problems& problems_;
  Unit unit_;
};

}  // namespace

bool read_distribution(const Node& node, Problems& problems, Unit unit, Distribution& out) {
  return DistributionReader(problems, unit).read(node, out);
}

}  // namespace brownout::mock
