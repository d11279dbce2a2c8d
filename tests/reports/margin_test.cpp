#include "reports/result/margin.hpp"

#include <gtest/gtest.h>

namespace brownout::reports {
namespace {

using sim::ExpectationResult;
using sim::Quantity;

ExpectationResult expectation(const char* unit, const char* comparison, Quantity threshold,
                              std::optional<Quantity> value) {
  ExpectationResult result;
  result.unit = unit;
  result.comparison = comparison;
  result.threshold = threshold;
  result.value = value;
  return result;
}

std::string of_latency(std::int64_t found_ms, std::int64_t allowed_ms) {
  return margin(expectation("duration", "<=", {allowed_ms * 1'000'000, 1},
                            Quantity{found_ms * 1'000'000, 1}));
}

std::string of_share(const char* comparison, Quantity threshold, Quantity value) {
  return margin(expectation("share", comparison, threshold, value));
}

std::string of_count(const char* comparison, std::int64_t threshold, std::int64_t value) {
  return margin(expectation("count", comparison, {threshold, 1}, Quantity{value, 1}));
}

TEST(Margin, OfWhatIsToBeLowIsTheShareThatIsLeft) {
  EXPECT_EQ(of_latency(4100, 5000), "4.1s of 5s allowed, 18% left");
  EXPECT_EQ(of_latency(4950, 5000), "4.95s of 5s allowed, 1.0% left");
  EXPECT_EQ(of_latency(5000, 5000), "5s of 5s allowed, nothing left");
  EXPECT_EQ(of_count("<=", 100, 20), "20 of 100 allowed, 80% left");
  EXPECT_EQ(of_share("<=", {5, 100}, {1, 1000}), "0.1% of 5% allowed, 98% left");
}

TEST(Margin, OfAFailureIsHowFarItIsOver) {
  EXPECT_EQ(of_latency(6810, 5000), "6.81s of 5s allowed, 36% over");
  EXPECT_EQ(of_latency(500'000, 5000), "8m20s of 5s allowed, 99 times over");
}

// 99.5 % where 99 % are wanted leaves half of what may go wrong.
TEST(Margin, OfAShareThatIsToBeHighCountsWhatIsMissing) {
  EXPECT_EQ(of_share(">=", {99, 100}, {995, 1000}), "0.5% missing of 1% allowed, 50% left");
  EXPECT_EQ(of_share(">=", {99, 100}, {1, 1}), "0% missing of 1% allowed, 100% left");
  EXPECT_EQ(of_share(">=", {99, 100}, {900, 1100}), "18.182% missing of 1% allowed, 17 times over");
}

TEST(Margin, OfACountThatIsToBeHighIsHowFarItIsAbove) {
  EXPECT_EQ(of_count(">=", 1, 8), "7 above the 1 wanted");
  EXPECT_EQ(of_count(">=", 10, 8), "2 below the 10 wanted");
}

TEST(Margin, NothingIsLeftOfNothing) {
  EXPECT_EQ(of_count("<=", 0, 0), "0 of 0 allowed");
  EXPECT_EQ(of_share(">=", {1, 1}, {1, 1}), "0% missing of 0% allowed");
  EXPECT_EQ(margin_left(expectation("count", "<=", {0, 1}, Quantity{0, 1})), std::nullopt);
}

TEST(Margin, IsNotThereWhereNothingCanBeLeft) {
  EXPECT_EQ(of_count("==", 3, 3), "exactly that");
  EXPECT_EQ(of_count("==", 3, 4), "");
  EXPECT_EQ(of_count("!=", 3, 4), "");
  EXPECT_EQ(margin(expectation("state", "==", {}, std::nullopt)), "");
  EXPECT_EQ(margin(expectation("duration", "<=", {1, 1}, std::nullopt)), "");
  EXPECT_EQ(margin_left(expectation("count", "==", {3, 1}, Quantity{3, 1})), std::nullopt);
}

TEST(Margin, OfOtherUnitsIsWrittenAsTheyAre) {
  EXPECT_EQ(margin(expectation("dollars", "<=", {25, 2}, Quantity{10, 1})),
            "$10.00 of $12.50 allowed, 20% left");
  EXPECT_EQ(margin(expectation("number", "<=", {12, 10}, Quantity{438331, 431306})),
            "1.02 of 1.20 allowed, 15% left");
}

TEST(Margin, LeftIsANumberForWhoeverDrawsIt) {
  EXPECT_DOUBLE_EQ(*margin_left(expectation("count", "<=", {100, 1}, Quantity{20, 1})), 0.8);
  EXPECT_DOUBLE_EQ(*margin_left(expectation("count", ">=", {4, 1}, Quantity{5, 1})), 0.25);
  EXPECT_LT(*margin_left(expectation("count", "<=", {100, 1}, Quantity{120, 1})), 0);
}

}  // namespace
}  // namespace brownout::reports
