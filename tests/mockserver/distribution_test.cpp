#include "mockserver/distribution.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace brownout::mock {
namespace {

using namespace std::chrono_literals;

Distribution lognormal() {
  return Distribution::lognormal(Unit::duration, 640'000'000, 0.33);
}
Distribution normal() {
  return Distribution::normal(Unit::duration, {13'000'000, 2'000'000});
}
Distribution exponential() {
  return Distribution::exponential(Unit::count, 200);
}
Distribution uniform() {
  return Distribution::uniform(Unit::count, {10, 20});
}
Distribution tail() {
  return Distribution::lognormal(Unit::duration, 3'800'000'000, 0.3);
}
Distribution mixture() {
  return Distribution::mixture({{0.97, lognormal()}, {0.03, tail()}});
}

constexpr int sample_size = 40'000;

struct Sample {
  double mean;
  double stddev;
};

template <class Draw>
Sample sample(Draw draw) {
  const DrawFamily family(7, Purpose::ttft, "sample");
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < sample_size; ++i) {
    Draws draws = family.at(static_cast<std::uint64_t>(i));
    const auto value = static_cast<double>(draw(draws));
    sum += value;
    squares += value * value;
  }
  const double mean = sum / sample_size;
  return {mean, std::sqrt(squares / sample_size - mean * mean)};
}

// Seven standard errors of a mean; the deviation of a heavy tail is known less well.
void expect_moments(const Sample& actual, const Sample& expected) {
  EXPECT_NEAR(actual.mean, expected.mean,
              7 * expected.stddev / std::sqrt(double{sample_size}) + 1e-9);
  EXPECT_NEAR(actual.stddev, expected.stddev, 0.05 * expected.stddev + 1e-9);
}

TEST(Distribution, MomentsAreThoseOfItsDraws) {
  const Distribution clamped = Distribution::normal(Unit::count, {100, 200});
  for (const Distribution& distribution :
       {lognormal(), normal(), exponential(), uniform(), mixture(), clamped}) {
    SCOPED_TRACE(distribution.to_string());
    const Sample actual = sample([&](Draws& draws) { return distribution.draw(draws); });
    expect_moments(actual, {distribution.mean(), distribution.stddev()});
  }
}

TEST(Distribution, KnownMomentsAreExact) {
  EXPECT_DOUBLE_EQ(uniform().mean(), 15);
  EXPECT_NEAR(uniform().stddev(), std::sqrt(10.0), 1e-6) << "eleven integers, equally likely";
  EXPECT_DOUBLE_EQ(exponential().mean(), 200);
  EXPECT_DOUBLE_EQ(exponential().stddev(), 200);
  EXPECT_NEAR(lognormal().mean(), 640e6 * std::exp(0.33 * 0.33 / 2), 1e-3);
  const Distribution coin = Distribution::mixture({{0.5, Distribution::constant(Unit::count, 0)},
                                                   {0.5, Distribution::constant(Unit::count, 8)}});
  EXPECT_DOUBLE_EQ(coin.mean(), 4);
  EXPECT_DOUBLE_EQ(coin.stddev(), 4);
}

TEST(Distribution, SumsHaveTheMomentsOfSums) {
  for (const std::uint32_t n : {2u, 16u, 17u, 200u}) {
    for (const Distribution& distribution : {normal(), lognormal(), uniform()}) {
      SCOPED_TRACE(distribution.to_string() + " * " + std::to_string(n));
      const Sample actual = sample([&](Draws& draws) { return distribution.draw_sum(draws, n); });
      expect_moments(actual, {n * distribution.mean(), std::sqrt(n) * distribution.stddev()});
    }
  }
}

TEST(Distribution, AShortSumIsTheSumOfItsDraws) {
  const DrawFamily family(1, Purpose::inter_token, "sum");
  Draws one = family.at(5);
  Draws other = family.at(5);
  std::int64_t sum = 0;
  for (std::uint32_t i = 0; i < Distribution::exact_terms; ++i) sum += lognormal().draw(one);
  EXPECT_EQ(lognormal().draw_sum(other, Distribution::exact_terms), sum);
  EXPECT_EQ(lognormal().draw_sum(other, 0), 0);
}

TEST(Distribution, SumsOfConstantsAreExact) {
  const DrawFamily family(1, Purpose::inter_token, "sum");
  Draws draws = family.at(0);
  EXPECT_EQ(Distribution::constant(13ms).draw_sum(draws, 100'000), 1'300'000'000'000);
}

TEST(Distribution, DrawsAreTheSameIntegersOnEveryMachine) {
  const DrawFamily family(42, Purpose::ttft, "openai/gpt-4");
  const auto first_three = [&](const Distribution& distribution) {
    std::vector<std::int64_t> values;
    for (std::uint64_t call = 0; call < 3; ++call) {
      Draws draws = family.at(call);
      values.push_back(distribution.draw(draws));
    }
    return values;
  };
  const auto sum = [&](const Distribution& distribution) {
    Draws draws = family.at(0);
    return distribution.draw_sum(draws, 200);
  };
  using Values = std::vector<std::int64_t>;
  EXPECT_EQ(first_three(uniform()), (Values{20, 15, 19}));
  EXPECT_EQ(first_three(normal()), (Values{12024132, 14146682, 15098446}));
  EXPECT_EQ(first_three(lognormal()), (Values{544817026, 773302796, 904798073}));
  EXPECT_EQ(first_three(exponential()), (Values{54, 105, 194}));
  EXPECT_EQ(first_three(mixture()), (Values{840512415, 682433611, 623523387}));
  EXPECT_EQ(sum(normal()), 2586199147);
  EXPECT_EQ(sum(mixture()), 150526406603);
}

TEST(Distribution, DrawsAreNeverNegativeNorBeyondTheMaximum) {
  const DrawFamily family(3, Purpose::ttft, "extremes");
  const Distribution wide = Distribution::normal(Unit::count, {0, 1'000'000});
  const Distribution huge = Distribution::lognormal(Unit::duration, Distribution::max_value, 10);
  for (std::uint64_t call = 0; call < 10'000; ++call) {
    Draws draws = family.at(call);
    EXPECT_GE(wide.draw(draws), 0);
    const std::int64_t value = huge.draw(draws);
    EXPECT_TRUE(value >= 0 && value <= Distribution::max_value);
    EXPECT_LE(huge.draw_sum(draws, 16), Distribution::max_value);
    EXPECT_LE(huge.draw_sum(draws, 17), Distribution::max_value);
  }
}

TEST(Distribution, AMixtureKeepsItsShares) {
  const Distribution three = Distribution::mixture({{0.2, Distribution::constant(Unit::count, 1)},
                                                    {0.0, Distribution::constant(Unit::count, 2)},
                                                    {0.8, Distribution::constant(Unit::count, 3)}});
  const DrawFamily family(3, Purpose::ttft, "shares");
  int ones = 0;
  for (std::uint64_t call = 0; call < 100'000; ++call) {
    Draws draws = family.at(call);
    const std::int64_t value = three.draw(draws);
    ASSERT_NE(value, 2);
    ones += value == 1;
  }
  EXPECT_NEAR(ones, 20'000, 900);  // 7 standard deviations
}

TEST(Distribution, AMixtureOfMixturesIsDissolved) {
  const Distribution inner = Distribution::mixture({{0.5, Distribution::constant(Unit::count, 1)},
                                                    {0.5, Distribution::constant(Unit::count, 2)}});
  const Distribution outer =
      Distribution::mixture({{0.5, inner}, {0.5, Distribution::constant(Unit::count, 9)}});
  EXPECT_EQ(outer.to_string(), "0.25 of 1 + 0.25 of 2 + 0.5 of 9");
  EXPECT_DOUBLE_EQ(outer.mean(), 5.25);
}

TEST(Distribution, DescribesItself) {
  EXPECT_EQ(Distribution{}.to_string(), "0s");
  EXPECT_EQ(Distribution::constant(640ms).to_string(), "640ms");
  EXPECT_EQ(lognormal().to_string(), "lognormal(median 640ms, sigma 0.33)");
  EXPECT_EQ(normal().to_string(), "normal(mean 13ms, stddev 2ms)");
  EXPECT_EQ(exponential().to_string(), "exponential(mean 200)");
  EXPECT_EQ(uniform().to_string(), "uniform(min 10, max 20)");
}

Distribution read(Unit unit, const char* text) {
  const auto document = Document::parse("d.json", text);
  EXPECT_TRUE(document);
  Problems problems;
  Distribution result;
  EXPECT_TRUE(document && read_distribution((*document)->root(), problems, unit, result)) << text;
  for (const Error& error : problems.take()) ADD_FAILURE() << error.to_string();
  return result;
}

TEST(Distribution, EveryShapeCanBeRead) {
  const auto duration = [](const char* text) { return read(Unit::duration, text).to_string(); };
  const auto count = [](const char* text) { return read(Unit::count, text).to_string(); };
  EXPECT_EQ(duration(R"("640ms")"), "640ms");
  EXPECT_EQ(duration(R"({"constant": "1.5s"})"), "1.5s");
  EXPECT_EQ(count("800"), "800");
  EXPECT_EQ(count(R"({"constant": 800})"), "800");
  EXPECT_EQ(count(R"({"uniform": {"min": 1, "max": 3}})"), "uniform(min 1, max 3)");
  EXPECT_EQ(duration(R"({"normal": {"mean": "13ms", "stddev": "2ms"}})"),
            "normal(mean 13ms, stddev 2ms)");
  EXPECT_EQ(duration(R"({"lognormal": {"median": "640ms", "sigma": 0.33}})"),
            "lognormal(median 640ms, sigma 0.33)");
  EXPECT_EQ(count(R"({"exponential": {"mean": 200}})"), "exponential(mean 200)");
  EXPECT_EQ(duration(R"({"mixture": [[0.97, "1s"], [0.03, {"exponential": {"mean": "9s"}}]]})"),
            "0.97 of 1s + 0.03 of exponential(mean 9s)");
}

}  // namespace
}  // namespace brownout::mock
