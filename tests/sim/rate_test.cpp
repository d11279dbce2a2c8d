#include "sim/rate.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/sim/complaints.hpp"

namespace brownout::sim {
namespace {

using namespace std::chrono_literals;
using testing::Complaint;

Instant at(Duration time) {
  return Instant{} + time;
}

RateCurve curve(const std::string& json) {
  const auto document = Document::parse("rate.json", json);
  Problems problems;
  RateCurve result = RateCurve::constant(1);
  EXPECT_TRUE(document && read_rate_curve((*document)->root(), 10h, problems, result)) << json;
  return result;
}

std::vector<Complaint> refused(const std::string& json) {
  const auto document = Document::parse("rate.json", json);
  Problems problems;
  RateCurve result = RateCurve::constant(1);
  EXPECT_FALSE(read_rate_curve((*document)->root(), 10h, problems, result)) << json;
  return testing::complaints_of(problems.take());
}

struct Point {
  int second;
  int rate;
};
using Points = std::vector<Point>;
enum class Shape { steps, ramp };

double rate_at(const Points& points, Shape shape, double time) {
  if (time <= points.front().second) return points.front().rate;
  for (std::size_t i = 1; i < points.size(); ++i) {
    const Point& left = points[i - 1];
    const Point& right = points[i];
    if (time >= right.second) continue;
    if (shape == Shape::steps) return left.rate;
    return left.rate +
           (right.rate - left.rate) * (time - left.second) / (right.second - left.second);
  }
  return points.back().rate;
}

// Between two points the rate is a straight line, whose integral the midpoint rule gives exactly.
double integral(const Points& points, Shape shape, double from, double to) {
  std::vector<double> ends{from};
  for (const Point& point : points) {
    if (point.second > from && point.second < to) ends.push_back(point.second);
  }
  ends.push_back(to);
  double sum = 0;
  for (std::size_t i = 1; i < ends.size(); ++i) {
    sum += rate_at(points, shape, (ends[i - 1] + ends[i]) / 2) * (ends[i] - ends[i - 1]);
  }
  return sum;
}

std::string json_of(const Points& points, Shape shape) {
  std::string items;
  for (const Point& point : points) {
    items +=
        fmt::format(R"({}["{}s", "{}/s"])", items.empty() ? "" : ", ", point.second, point.rate);
  }
  return fmt::format(R"({{"{}": [{}]}})", shape == Shape::steps ? "steps" : "ramp", items);
}

RC_GTEST_PROP(RateCurve, AnAmountHasGoneByWhenTheIntegralOfTheRateSaysSo, ()) {
  const Shape shape = *rc::gen::element(Shape::steps, Shape::ramp);
  Points points;
  int second = *rc::gen::inRange(0, 100);
  for (int i = *rc::gen::inRange(1, 6); i > 0; --i) {
    points.push_back({second, *rc::gen::inRange(0, 100)});
    second += *rc::gen::inRange(1, 100);
  }
  points.front().rate = *rc::gen::inRange(1, 100);
  const double from = *rc::gen::inRange(0, 400);
  const double amount = *rc::gen::inRange(0, 20'000) / 10.0;

  const RateCurve curve_read = curve(json_of(points, shape));
  const Instant found =
      curve_read.advance(at(Duration{static_cast<std::int64_t>(from) * 1'000'000'000}), amount);
  constexpr double later_than_every_point = 1e5;
  if (found == never) {
    RC_ASSERT(points.back().rate == 0);
    RC_ASSERT(integral(points, shape, from, later_than_every_point) < amount + 1e-6);
    return;
  }
  // Rounding up to a nanosecond lets at most 100 * 1e-9 more go by.
  const double gone =
      integral(points, shape, from, static_cast<double>((found - Instant{}).count()) * 1e-9);
  RC_ASSERT(std::abs(gone - amount) < 1e-6);
}

TEST(RateCurve, AConstantRateIsAnEvenStreamToTheNanosecond) {
  const RateCurve constant = RateCurve::constant(20);
  Instant time{};
  for (int i = 1; i <= 500'000; ++i) {
    time = constant.advance(time, 1);
    ASSERT_EQ(time, at(i * 50ms)) << i;
  }
}

// 0s ........ 10s ........ 20s
// 1/s         3/s          nothing any more
TEST(RateCurve, StepsHoldUntilTheNext) {
  const RateCurve steps = curve(R"({"steps": [["0s", "1/s"], ["10s", "3/s"], ["20s", "0/s"]]})");
  EXPECT_EQ(steps.advance(at(0s), 5), at(5s));
  EXPECT_EQ(steps.advance(at(0s), 10), at(10s));
  EXPECT_EQ(steps.advance(at(8s), 5), at(11s));
  EXPECT_EQ(steps.advance(at(10s), 3), at(11s));
  EXPECT_EQ(steps.advance(at(0s), 40), at(20s));
  EXPECT_EQ(steps.advance(at(0s), 40.001), never);
  EXPECT_EQ(steps.advance(at(20s), 0.001), never);
}

// 0s ...... 10s ...... 20s ......
// 0/s rises to 2/s falls to 0/s
TEST(RateCurve, RampsFollowStraightLines) {
  const RateCurve ramp = curve(R"({"ramp": [["0s", "0/s"], ["10s", "2/s"], ["20s", "0/s"]]})");
  EXPECT_EQ(ramp.advance(at(0s), 2.5), at(5s));
  EXPECT_EQ(ramp.advance(at(0s), 10), at(10s));
  EXPECT_EQ(ramp.advance(at(0s), 17.5), at(15s));
  EXPECT_EQ(ramp.advance(at(0s), 20), at(20s));
  EXPECT_EQ(ramp.advance(at(0s), 20.001), never);
}

// 0s ..... 10s ..... 20s .....
// 1/s      1/s       5/s      5/s
TEST(RateCurve, KeepsItsEndsOutsideItsPoints) {
  const RateCurve ramp = curve(R"({"ramp": [["10s", "1/s"], ["20s", "5/s"]]})");
  EXPECT_EQ(ramp.advance(at(0s), 4), at(4s));
  EXPECT_EQ(ramp.advance(at(0s), 10), at(10s));
  EXPECT_EQ(ramp.advance(at(0s), 40), at(20s));
  EXPECT_EQ(ramp.advance(at(30s), 50), at(40s));
}

TEST(RateCurve, PerMinuteAndPerHourAreRatesToo) {
  EXPECT_EQ(curve(R"("300/min")").advance(at(0s), 1), at(200ms));
  EXPECT_EQ(curve(R"("36/h")").advance(at(0s), 1), at(100s));
  EXPECT_EQ(curve(R"("0.5/s")").advance(at(0s), 1), at(2s));
}

TEST(RateCurve, SaysWhatItIs) {
  EXPECT_EQ(curve(R"("300/min")").to_string(), "5/s");
  EXPECT_EQ(curve(R"({"steps": [["0s", "5/s"], ["1h", "50/s"]]})").to_string(), "5/s to 50/s");
}

TEST(RateCurve, RefusesWhatIsNoRate) {
  for (const char* text : {"20", "\"20\"", "\"/s\"", "\"20/d\"", "\"-1/s\"", "\"1e3/s\""}) {
    const auto complaints = refused(text);
    ASSERT_EQ(complaints.size(), 1U) << text;
    EXPECT_EQ(complaints[0].marked, text);
  }
  const std::string no_rate = R"(expected a rate such as "20/s")";
  EXPECT_EQ(refused(R"("20/d")"),
            (std::vector<Complaint>{{no_rate, R"("20/d")", "units: /s, /min, /h"}}));
  EXPECT_EQ(refused("20"), (std::vector<Complaint>{{no_rate, "20", R"(did you mean "20/s"?)"}}));
  EXPECT_EQ(refused(R"("often")"),
            (std::vector<Complaint>{{no_rate, R"("often")", "units: /s, /min, /h"}}));
  EXPECT_EQ(refused(R"("0/s")"),
            (std::vector<Complaint>{{"no calls would arrive", R"("0/s")", ""}}));
  EXPECT_EQ(
      refused(R"("1000001/s")"),
      (std::vector<Complaint>{{"more than a million calls per second", R"("1000001/s")", ""}}));
  EXPECT_EQ(
      refused(R"({"steps": [["0s", "0/s"]]})"),
      (std::vector<Complaint>{{"no calls would arrive", R"({"steps": [["0s", "0/s"]]})", ""}}));
  EXPECT_EQ(refused(R"({"ramp": [["1m", "1/s"], ["30s", "2/s"]]})"),
            (std::vector<Complaint>{{"points must be in order of time", R"("30s")", ""}}));
  EXPECT_EQ(refused(R"({"ramp": ["1m"]})")[0].message,
            R"(expected a point such as ["1h", "50/s"])");
  EXPECT_EQ(refused(R"({"ramp": [["11h", "1/s"]]})")[0].marked, R"("11h")");
}

}  // namespace
}  // namespace brownout::sim
