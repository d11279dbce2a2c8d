#pragma once

// Random durations and token counts, as scripts describe them.
//
//     "640ms"                                              always the same
//     { "uniform": { "min": "1s", "max": "3s" } }          every integer equally likely
//     { "normal": { "mean": "13ms", "stddev": "2ms" } }    clamped at 0
//     { "lognormal": { "median": "640ms", "sigma": 0.33 } }
//     { "exponential": { "mean": 200 } }
//     { "mixture": [ [0.97, "1s"], [0.03, "9s"] ] }        one of several, by share
//
// Every draw is rounded to an integer (nanoseconds or tokens) at once: the last digits of libm
// differ between machines, rounded draws do not. Shapes come from Boost.Random (the normal and the
// exponential by ziggurat).

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/document.hpp"
#include "engine/core/draw.hpp"
#include "engine/core/time.hpp"

namespace brownout::mock {

/// What the numbers of a distribution are.
enum class Unit : std::uint8_t {
  duration,  ///< nanoseconds, spelled "640ms"
  count,     ///< tokens, spelled as plain integers
};

/// A value type. *Threads*: immutable once built. *Determinism*: consumes words of the Draws it is
/// given only; how many depends on the shape and on the words themselves.
class Distribution {
 public:
  /// Draws and sums saturate here: three years in nanoseconds.
  static constexpr std::int64_t max_value = 100'000'000'000'000'000;

  /// Always 0.
  Distribution() = default;

  // Requires, for all of these: parameters in [0, max_value].
  static Distribution constant(Unit unit, std::int64_t value);
  static Distribution constant(Duration value) { return constant(Unit::duration, value.count()); }

  struct Range {
    std::int64_t min = 0;
    std::int64_t max = 0;
  };
  /// Both ends included. Requires: min <= max.
  static Distribution uniform(Unit unit, Range range);

  struct Moments {
    std::int64_t mean = 0;
    std::int64_t stddev = 0;
  };
  /// Values below 0 become 0.
  static Distribution normal(Unit unit, Moments moments);

  /// median * exp(sigma * Z), Z standard normal. Requires: 0 <= sigma <= 10.
  static Distribution lognormal(Unit unit, std::int64_t median, double sigma);
  static Distribution exponential(Unit unit, std::int64_t mean);

  using Weighted = std::pair<double, Distribution>;
  /// A mixture inside a mixture is dissolved into it. Requires: at least one part, shares in
  /// [0, 1] that sum to 1 within 1e-9, one unit.
  static Distribution mixture(const std::vector<Weighted>& parts);

  /// One value. A constant consumes no words, a mixture one more than the part it picks.
  std::int64_t draw(Draws& draws) const;

  /// The sum of `n` independent draws. Up to `exact_terms` it is that; above, one normal draw with
  /// the same mean and variance, which by the central limit theorem is what the sum looks like. The
  /// reason is cost: adding up the gaps between 200 tokens would take longer than everything else
  /// in a simulated call.
  std::int64_t draw_sum(Draws& draws, std::uint32_t n) const;
  static constexpr std::uint32_t exact_terms = 16;

  /// Of what draw() returns (clamping at 0 included, rounding and saturation not), to a millionth.
  double mean() const { return mean_; }
  double stddev() const { return stddev_; }

  Unit unit() const { return unit_; }

  /// "640ms", "lognormal(median 640ms, sigma 0.33)", "0.97 of 1s + 0.03 of 9s".
  std::string to_string() const;

 private:
  enum class Shape : std::uint8_t { constant, uniform, normal, lognormal, exponential };

  struct Part {
    Shape shape = Shape::constant;
    std::int64_t first = 0;   // value, min, mean or median
    std::int64_t second = 0;  // max or stddev
    double sigma = 0;
    double share = 1;
    std::uint64_t up_to = ~std::uint64_t{0};  // picked by words up to this one, and no earlier part
  };

  static Distribution of(Unit unit, const Part& part);
  static std::int64_t draw_part(const Part& part, Draws& draws);
  static double part_mean(const Part& part);
  static double part_stddev(const Part& part);
  static std::string describe_part(Unit unit, const Part& part);
  void set_moments();

  Unit unit_ = Unit::duration;
  std::vector<Part> parts_;  // none: always 0
  double mean_ = 0;
  double stddev_ = 0;
};

/// Reads a distribution as shown above. False, and `out` untouched, when something was wrong.
bool read_distribution(const Node& node, Problems& problems, Unit unit, Distribution& out);

}  // namespace brownout::mock
