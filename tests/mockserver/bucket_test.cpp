#include "mockserver/bucket.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace brownout::mock {
namespace {

using namespace std::chrono_literals;

Instant at(Duration time) {
  return Instant{time};
}

TEST(Bucket, HoldsAMinutesAllowanceAtOnce) {
  Bucket bucket(60);
  EXPECT_EQ(bucket.remaining(at(0s)), 60);
  EXPECT_FALSE(bucket.take(60, at(0s)));
  EXPECT_EQ(bucket.remaining(at(0s)), 0);
  EXPECT_TRUE(bucket.take(1, at(0s)));
}

TEST(Bucket, RefillsContinuouslyToTheNanosecond) {
  // 0s all 60 taken | 1s one is back, not a nanosecond earlier | 60s full
  Bucket bucket(60);
  bucket.take(60, at(0s));
  EXPECT_EQ(bucket.remaining(at(1s - 1ns)), 0);
  EXPECT_TRUE(bucket.check(1, at(1s - 1ns)));
  EXPECT_EQ(bucket.remaining(at(1s)), 1);
  EXPECT_FALSE(bucket.check(1, at(1s)));
  EXPECT_EQ(bucket.reset_after(at(1s)), 59s);
  EXPECT_EQ(bucket.remaining(at(60s)), 60);
  EXPECT_EQ(bucket.remaining(at(24h)), 60) << "it never holds more than a minute's worth";
}

TEST(Bucket, RefusalTakesNothing) {
  Bucket bucket(100);
  bucket.take(90, at(0s));
  const auto refusal = bucket.take(20, at(0s));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->limit, 100);
  EXPECT_EQ(refusal->used, 90);
  EXPECT_EQ(refusal->requested, 20);
  EXPECT_EQ(refusal->wait, 6s);
  EXPECT_EQ(bucket.remaining(at(0s)), 10);
}

TEST(Bucket, ARequestAboveTheWholeLimitNeverFits) {
  Bucket bucket(30'000);
  const auto refusal = bucket.take(31'538, at(0s));
  ASSERT_TRUE(refusal);
  EXPECT_TRUE(refusal->too_large());
  EXPECT_EQ(refusal->wait, forever);
  EXPECT_FALSE(bucket.take(30'000, at(0s))) << "the whole limit at once does fit";
}

TEST(Bucket, DebtIsPaidBackByRefilling) {
  // 0s charged 150 of 100 | 30s debt paid | 60s 50 left
  Bucket bucket(100);
  bucket.settle(150, at(0s));
  EXPECT_EQ(bucket.remaining(at(0s)), 0);
  EXPECT_TRUE(bucket.check(0, at(29s)));
  EXPECT_FALSE(bucket.check(0, at(30s)));
  EXPECT_EQ(bucket.remaining(at(60s)), 50);
  EXPECT_EQ(bucket.reset_after(at(60s)), 30s);
}

TEST(Bucket, GivingBackCannotOverfillIt) {
  Bucket bucket(100);
  bucket.take(30, at(0s));
  bucket.settle(-20, at(0s));
  EXPECT_EQ(bucket.remaining(at(0s)), 90);
  bucket.settle(-500, at(0s));
  EXPECT_EQ(bucket.remaining(at(0s)), 100);
  EXPECT_TRUE(bucket.check(101, at(0s)));
}

TEST(Bucket, TheLargestLimitDoesNotOverflow) {
  Bucket bucket(1'000'000'000'000);
  EXPECT_FALSE(bucket.take(1'000'000'000'000, at(0s)));
  EXPECT_EQ(bucket.remaining(at(30s)), 500'000'000'000);
  EXPECT_EQ(bucket.remaining(at(24h * 365 * 200)), 1'000'000'000'000);
}

RC_GTEST_PROP(Bucket, WaitingAsLongAsToldIsEnoughAndBarelyMore, ()) {
  const auto limit = *rc::gen::inRange<std::int64_t>(1, 1'000'000);
  Bucket bucket(limit);
  std::int64_t now = 0;
  const auto steps = *rc::gen::container<std::vector<std::pair<std::int64_t, std::int64_t>>>(
      rc::gen::pair(rc::gen::inRange<std::int64_t>(0, limit + 1),
                    rc::gen::inRange<std::int64_t>(0, 20'000'000'000)));
  for (const auto& [amount, pause] : steps) {
    now += pause;
    const auto refusal = bucket.take(amount, at(Duration{now}));
    if (!refusal) continue;
    const Duration wait = refusal->wait;
    RC_ASSERT(!bucket.check(amount, at(Duration{now} + wait)));
    // The printed `used` is rounded up by less than one unit, which refills in minute / limit.
    const Duration early = wait - Duration{60s} / limit - 1ns;
    if (early >= Duration{0}) RC_ASSERT(bucket.check(amount, at(Duration{now} + early)));
  }
}

RC_GTEST_PROP(Bucket, NeverLetsMoreThroughThanALimitAndItsRefill, ()) {
  const auto limit = *rc::gen::inRange<std::int64_t>(1, 10'000);
  Bucket bucket(limit);
  std::int64_t now = 0;
  std::int64_t taken = 0;
  const auto steps = *rc::gen::container<std::vector<std::pair<std::int64_t, std::int64_t>>>(
      rc::gen::pair(rc::gen::inRange<std::int64_t>(0, limit + 1),
                    rc::gen::inRange<std::int64_t>(0, 5'000'000'000)));
  for (const auto& [amount, pause] : steps) {
    now += pause;
    if (!bucket.take(amount, at(Duration{now}))) taken += amount;
    __extension__ using Wide = __int128;
    const Wide minute = 60'000'000'000;
    RC_ASSERT(Wide{taken} * minute <= Wide{limit} * minute + Wide{now} * limit);
  }
}

}  // namespace
}  // namespace brownout::mock
