#include "reports/gate/paired.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <vector>

#include "engine/core/draw.hpp"

namespace brownout::reports {
namespace {

// The distribution function of Student's t at `t`, by Simpson's rule on its density.
double student_t_cdf(double t, double degrees) {
  const double scale = std::exp(std::lgamma((degrees + 1) / 2) - std::lgamma(degrees / 2)) /
                       std::sqrt(degrees * M_PI);
  const auto density = [&](double x) {
    return scale * std::pow(1 + x * x / degrees, -(degrees + 1) / 2);
  };
  constexpr int steps = 2000;
  const double width = t / steps;
  double sum = density(0) + density(t);
  for (int i = 1; i < steps; ++i) sum += (i % 2 == 1 ? 4 : 2) * density(i * width);
  return 0.5 + sum * width / 3;
}

TEST(Paired, TheQuantileIsStudents) {
  for (const std::size_t degrees : {5U, 6U, 7U, 9U, 19U, 30U, 199U, 100'000U}) {
    const double t = student_t_975(degrees);
    EXPECT_NEAR(student_t_cdf(t, static_cast<double>(degrees)), 0.975, 2e-5) << degrees;
  }
}

TEST(Paired, AnExampleWorkedByHand) {
  // Mean 2, deviations -1 to 1: variance 4/5, standard error sqrt(4/30), t(5) = 2.5706.
  const std::vector<double> differences{1, 1, 2, 2, 3, 3};
  const PairedDifference found = paired_difference(differences);
  EXPECT_EQ(found.pairs, 6U);
  EXPECT_EQ(found.mean, 2);
  EXPECT_EQ(found.smallest, 1);
  EXPECT_EQ(found.largest, 3);
  ASSERT_TRUE(found.interval);
  EXPECT_NEAR(found.interval->low, 2 - 2.5706 * std::sqrt(4.0 / 30), 1e-3);
  EXPECT_NEAR(found.interval->high, 2 + 2.5706 * std::sqrt(4.0 / 30), 1e-3);
}

TEST(Paired, FewPairsHaveNoInterval) {
  EXPECT_FALSE(paired_difference(std::vector<double>{1, 2, 3, 4, 5}).interval);
  EXPECT_TRUE(paired_difference(std::vector<double>{1, 2, 3, 4, 5, 6}).interval);
}

TEST(Paired, OneSeedOfManyIsNoEvidence) {
  std::vector<double> differences(20, 0.0);
  differences[7] = -0.3;
  const PairedDifference found = paired_difference(differences);
  EXPECT_LT(found.interval->low, 0);
  EXPECT_GT(found.interval->high, 0);
}

std::vector<double> some_differences() {
  // Many exact zeros and a few large ones, as simulations with common draws have them.
  const auto number = rc::gen::weightedOneOf<int>(
      {{3, rc::gen::just(0)}, {2, rc::gen::inRange(-1000, 1000)}, {1, rc::gen::inRange(-9, 9)}});
  std::vector<double> differences;
  for (const int one : *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(number))) {
    differences.push_back(one / 7.0);
  }
  return differences;
}

RC_GTEST_PROP(Paired, TheIntervalHoldsTheMeanAndNothingIsNan, ()) {
  const PairedDifference found = paired_difference(some_differences());
  RC_ASSERT(std::isfinite(found.mean));
  RC_ASSERT(found.smallest <= found.mean && found.mean <= found.largest);
  RC_ASSERT(found.interval.has_value() == (found.pairs >= interval_pairs_min));
  if (!found.interval) return;
  RC_ASSERT(std::isfinite(found.interval->low) && std::isfinite(found.interval->high));
  RC_ASSERT(found.interval->low <= found.mean && found.mean <= found.interval->high);
}

RC_GTEST_PROP(Paired, ExchangingTheSidesTurnsTheIntervalRound, ()) {
  std::vector<double> differences = some_differences();
  const PairedDifference found = paired_difference(differences);
  for (double& one : differences) one = -one;
  const PairedDifference turned = paired_difference(differences);
  RC_ASSERT(turned.mean == -found.mean);
  if (!found.interval) return;
  RC_ASSERT(turned.interval->low == -found.interval->high);
  RC_ASSERT(turned.interval->high == -found.interval->low);
}

RC_GTEST_PROP(Paired, EqualDifferencesAreSureOfThemselves, (std::int16_t number)) {
  const auto pairs = *rc::gen::inRange<std::size_t>(6, 60);
  const double each = number / 3.0;
  const PairedDifference found = paired_difference(std::vector<double>(pairs, each));
  RC_ASSERT(found.mean == each);
  RC_ASSERT(found.interval->low == each && found.interval->high == each);
}

// Of intervals that claim 95 %, about so many hold the true mean: here of differences that are 0 on
// two seeds of three and skewed on the others.
TEST(Paired, IntervalsHoldTheTrueMeanAboutAsOftenAsTheyClaim) {
  constexpr int trials = 4000;
  const DrawFamily family(1, Purpose::arrival, "coverage");
  int held = 0;
  for (int trial = 0; trial < trials; ++trial) {
    Draws draws = family.at(static_cast<std::uint64_t>(trial));
    std::vector<double> differences;
    for (int i = 0; i < 20; ++i) {
      const std::uint64_t kind = draws.below(3);
      const double size = static_cast<double>(draws.below(1000)) / 1000;
      differences.push_back(kind == 0 ? size * size : 0);  // its mean is 1/9
    }
    const Interval interval = *paired_difference(differences).interval;
    held += interval.low <= 1.0 / 9 && 1.0 / 9 <= interval.high ? 1 : 0;
  }
  EXPECT_GT(held, trials * 88 / 100);
  EXPECT_LT(held, trials * 97 / 100);
}

}  // namespace
}  // namespace brownout::reports
