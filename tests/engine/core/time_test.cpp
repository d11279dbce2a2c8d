#include "engine/core/time.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace brownout {
namespace {

using namespace std::chrono_literals;

TEST(ParseDuration, ReadsEveryUnit) {
  EXPECT_EQ(parse_duration("17ns"), 17ns);
  EXPECT_EQ(parse_duration("250us"), 250us);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("20s"), 20s);
  EXPECT_EQ(parse_duration("6m"), 6min);
  EXPECT_EQ(parse_duration("6h"), 6h);
  EXPECT_EQ(parse_duration("2d"), 48h);
}

TEST(ParseDuration, AddsUnitsFromLargeToSmall) {
  EXPECT_EQ(parse_duration("3h20m"), 3h + 20min);
  EXPECT_EQ(parse_duration("1d1h1m1s1ms1us1ns"), 24h + 1h + 1min + 1s + 1ms + 1us + 1ns);
}

TEST(ParseDuration, TakesFractionsThatAreWholeNanoseconds) {
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("0.000000001s"), 1ns);
  EXPECT_EQ(parse_duration("0.1m"), 6s);
  EXPECT_EQ(parse_duration("1.50000000000s"), 1500ms);
  // 2^-16 of a day: the longest decimal fraction there can be.
  EXPECT_EQ(parse_duration("0.0000152587890625d"), 1318359375ns);
}

TEST(ParseDuration, RefusesFractionsOfANanosecond) {
  EXPECT_EQ(parse_duration("0.5ns"), std::nullopt);
  EXPECT_EQ(parse_duration("0.0000000001s"), std::nullopt);
  EXPECT_EQ(parse_duration("0.00000000000000000000000000000000000000000001d"), std::nullopt);
}

TEST(ParseDuration, RefusesWhatIsNotADuration) {
  for (const char* text :
       {"",   "0",  "250",  "s",   "ms",  "-5s",   "+5s",  " 5s", "5s ",    "5 s",
        "5S", "5M", "5sec", "1.s", ".5s", "1..5s", "1e3s", "5s5", "1h 20m", "5\xC2\xB5s"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(ParseDuration, RefusesUnitsOutOfOrderOrTwice) {
  EXPECT_EQ(parse_duration("20m3h"), std::nullopt);
  EXPECT_EQ(parse_duration("1ms1s"), std::nullopt);
  EXPECT_EQ(parse_duration("1s1s"), std::nullopt);
}

TEST(ParseDuration, EndsAtForever) {
  EXPECT_EQ(parse_duration("9223372036854775807ns"), forever);
  EXPECT_EQ(parse_duration("9223372036854775808ns"), std::nullopt);
  EXPECT_EQ(parse_duration("9223372036s854775808ns"), std::nullopt);
  EXPECT_EQ(parse_duration("106751d"), 106751 * 24h);
  EXPECT_EQ(parse_duration("106752d"), std::nullopt);
  EXPECT_EQ(parse_duration("99999999999999999999999999999999999999999999999999d"), std::nullopt);
}

TEST(FormatDuration, UsesTheLargestFittingUnitBelowASecond) {
  EXPECT_EQ(format_duration(0ns), "0s");
  EXPECT_EQ(format_duration(17ns), "17ns");
  EXPECT_EQ(format_duration(250us), "250us");
  EXPECT_EQ(format_duration(1500us), "1.5ms");
  EXPECT_EQ(format_duration(1000001ns), "1.000001ms");
  EXPECT_EQ(format_duration(644ms), "644ms");
  EXPECT_EQ(format_duration(999999999ns), "999.999999ms");
}

TEST(FormatDuration, WritesSecondsAsProvidersDo) {
  EXPECT_EQ(format_duration(1s), "1s");
  EXPECT_EQ(format_duration(3890ms), "3.89s");
  EXPECT_EQ(format_duration(9816ms), "9.816s");
  EXPECT_EQ(format_duration(18642ms), "18.642s");
  EXPECT_EQ(format_duration(20s), "20s");
  EXPECT_EQ(format_duration(1000000001ns), "1.000000001s");
}

TEST(FormatDuration, LeavesOutUnitsThatAreZero) {
  EXPECT_EQ(format_duration(6min), "6m");
  EXPECT_EQ(format_duration(1h + 3min + 20s), "1h3m20s");
  EXPECT_EQ(format_duration(2h + 5s), "2h5s");
  EXPECT_EQ(format_duration(24h), "24h");
  EXPECT_EQ(format_duration(60s + 1ms), "1m0.001s");
  EXPECT_EQ(format_duration(forever), "2562047h47m16.854775807s");
}

TEST(FormatDuration, PutsAMinusBeforeNegativeDurations) {
  EXPECT_EQ(format_duration(-1500ms), "-1.5s");
  EXPECT_EQ(format_duration(Duration::min()), "-2562047h47m16.854775808s");
}

/// Durations of every magnitude: uniform 64-bit counts would hardly ever be below a century.
rc::Gen<Duration> any_duration() {
  return rc::gen::map(
      rc::gen::pair(rc::gen::arbitrary<std::uint64_t>(), rc::gen::inRange(1, 64)),
      [](auto pair) { return Duration{static_cast<std::int64_t>(pair.first >> pair.second)}; });
}

RC_GTEST_PROP(FormatDuration, IsReadBackExactly, ()) {
  const Duration duration = *any_duration();
  RC_ASSERT(parse_duration(format_duration(duration)) == duration);
}

RC_GTEST_PROP(FormatDuration, IsReadBackExactlyForRoundValues, ()) {
  const auto unit = *rc::gen::element<Duration>(1us, 1ms, 10ms, 1s, 1min, 1h, 24h);
  const auto duration = *rc::gen::inRange<std::int64_t>(0, 100'000) * unit;
  RC_ASSERT(parse_duration(format_duration(duration)) == duration);
}

TEST(FormatDurationShort, KeepsThreeDigitsBelowAMinute) {
  EXPECT_EQ(format_duration_short(0ns), "0s");
  EXPECT_EQ(format_duration_short(999ns), "999ns");
  EXPECT_EQ(format_duration_short(1004ns), "1us");
  EXPECT_EQ(format_duration_short(1234ns), "1.23us");
  EXPECT_EQ(format_duration_short(10006ns), "10us");
  EXPECT_EQ(format_duration_short(644400us), "644ms");
  EXPECT_EQ(format_duration_short(1234567us), "1.23s");
  EXPECT_EQ(format_duration_short(1235ms), "1.24s");
  EXPECT_EQ(format_duration_short(18642ms), "18.6s");
  EXPECT_EQ(format_duration_short(20s), "20s");
  EXPECT_EQ(format_duration_short(-1500ms), "-1.5s");
}

TEST(FormatDurationShort, ShowsTwoUnitsFromAMinuteOn) {
  EXPECT_EQ(format_duration_short(60s), "1m00s");
  EXPECT_EQ(format_duration_short(10min), "10m00s");
  EXPECT_EQ(format_duration_short(2h + 5min + 12s), "2h05m");
  EXPECT_EQ(format_duration_short(100h), "4d04h");
}

TEST(FormatDurationShort, RoundsAcrossUnitBoundaries) {
  EXPECT_EQ(format_duration_short(999600us), "1s");
  EXPECT_EQ(format_duration_short(999400us), "999ms");
  EXPECT_EQ(format_duration_short(59960ms), "1m00s");
  EXPECT_EQ(format_duration_short(59min + 59s + 600ms), "1h00m");
  EXPECT_EQ(format_duration_short(23h + 59min + 40s), "1d00h");
  EXPECT_EQ(format_duration_short(forever), "106752d00h");
}

// The coarsest is just over a day, told to the hour: off by half an hour of 24 and a half.
RC_GTEST_PROP(FormatDurationShort, IsOffByAtMostOneInForty, ()) {
  const Duration duration = *any_duration();
  RC_PRE(duration < forever - 1h);  // the last hour is rounded to what no Duration can hold
  const std::optional<Duration> shown = parse_duration(format_duration_short(duration));
  RC_ASSERT(shown.has_value());
  const Duration error = *shown > duration ? *shown - duration : duration - *shown;
  RC_ASSERT(error <= duration / 40);
}

TEST(After, SaturatesAtNever) {
  const Instant start{5s};
  EXPECT_EQ(after(start, 3s), Instant{8s});
  EXPECT_EQ(after(start, forever), never);
  EXPECT_EQ(after(never, 1ns), never);
  EXPECT_EQ(after(never - 1ns, 1ns), never);
  EXPECT_EQ(after(never - 2ns, 1ns), never - 1ns);
}

}  // namespace
}  // namespace brownout
