#include "reports/gate/paired.hpp"

#include <algorithm>
#include <cmath>

namespace brownout::reports {

double student_t_975(std::size_t degrees) {
  constexpr double z = 1.959963984540054;
  constexpr double z2 = z * z;
  constexpr double g1 = z * (z2 + 1) / 4;
  constexpr double g2 = z * ((5 * z2 + 16) * z2 + 3) / 96;
  constexpr double g3 = z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384;
  constexpr double g4 = z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160;
  const double each = 1 / static_cast<double>(degrees);
  return z + each * (g1 + each * (g2 + each * (g3 + each * g4)));
}

PairedDifference paired_difference(std::span<const double> differences) {
  PairedDifference found;
  found.pairs = differences.size();
  const auto [smallest, largest] = std::ranges::minmax(differences);
  found.smallest = smallest;
  found.largest = largest;
  const double count = static_cast<double>(differences.size());
  double sum = 0;
  for (const double difference : differences) sum += difference;
  // Rounding must not carry the mean out of what it is the mean of.
  found.mean = std::clamp(sum / count, smallest, largest);
  if (found.pairs < interval_pairs_min) return found;
  double squares = 0;
  for (const double difference : differences) {
    squares += (difference - found.mean) * (difference - found.mean);
  }
  const double error = std::sqrt(squares / (count - 1) / count);
  const double half = student_t_975(found.pairs - 1) * error;
  found.interval = Interval{found.mean - half, found.mean + half};
  return found;
}

}  // namespace brownout::reports
