#include "sim/histogram.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace brownout::sim {
namespace {

// Latencies of every magnitude: as many below 2^10 as between 2^50 and 2^60.
rc::Gen<std::vector<std::int64_t>> latencies() {
  const auto latency = rc::gen::map(
      rc::gen::pair(rc::gen::inRange(0, 64), rc::gen::arbitrary<std::uint64_t>()),
      [](const std::pair<int, std::uint64_t>& p) {
        return p.first == 0 ? 0 : static_cast<std::int64_t>((p.second >> 1) >> (63 - p.first));
      });
  return rc::gen::nonEmpty(rc::gen::container<std::vector<std::int64_t>>(latency));
}

Histogram histogram_of(const std::vector<std::int64_t>& values) {
  Histogram histogram;
  for (const std::int64_t value : values) histogram.record(Duration{value});
  return histogram;
}

RC_GTEST_PROP(Histogram, QuantilesAreAtMostOne128thAboveThoseOfTheSortedValues, ()) {
  const auto values = *latencies();
  const auto per_mille = *rc::gen::inRange<std::uint32_t>(0, 1001);
  const Histogram histogram = histogram_of(values);
  auto sorted = values;
  std::ranges::sort(sorted);
  const std::size_t rank = (sorted.size() * per_mille + 999) / 1000;
  const std::int64_t exact = sorted[std::max<std::size_t>(rank, 1) - 1];
  const std::int64_t found = histogram.quantile(per_mille).count();
  RC_ASSERT(found >= exact);
  RC_ASSERT(found - exact <= exact / 128);
  RC_ASSERT(found <= sorted.back());
}

RC_GTEST_PROP(Histogram, CountExtremesAndMeanAreExact, ()) {
  const auto values = *latencies();
  const Histogram histogram = histogram_of(values);
  __extension__ __int128 sum = 0;
  for (const std::int64_t value : values) sum += value;
  RC_ASSERT(histogram.count() == values.size());
  RC_ASSERT(histogram.min().count() == *std::ranges::min_element(values));
  RC_ASSERT(histogram.max().count() == *std::ranges::max_element(values));
  RC_ASSERT(histogram.mean().count() ==
            static_cast<std::int64_t>(sum / static_cast<std::int64_t>(values.size())));
}

RC_GTEST_PROP(Histogram, AddingTwoIsRecordingAllTheirValuesInOne, ()) {
  const auto first = *latencies();
  const auto second = *latencies();
  auto all = first;
  all.insert(all.end(), second.begin(), second.end());
  Histogram sum = histogram_of(first);
  sum.add(histogram_of(second));
  const Histogram whole = histogram_of(all);
  RC_ASSERT(sum.count() == whole.count());
  RC_ASSERT(sum.min() == whole.min());
  RC_ASSERT(sum.max() == whole.max());
  RC_ASSERT(sum.mean() == whole.mean());
  for (std::uint32_t per_mille = 0; per_mille <= 1000; ++per_mille) {
    RC_ASSERT(sum.quantile(per_mille) == whole.quantile(per_mille));
  }
}

TEST(Histogram, ValuesBelow256AreExact) {
  for (std::int64_t value = 0; value < 256; ++value) {
    Histogram histogram;
    histogram.record(Duration{value});
    histogram.record(Duration{1'000'000});
    EXPECT_EQ(histogram.quantile(500), Duration{value});
  }
}

RC_GTEST_PROP(Histogram, OneWrittenDownCanBeRestoredAndAddedToAnother, ()) {
  const auto first = *latencies();
  const auto second = *latencies();
  const Histogram written = histogram_of(first);
  Histogram restored =
      Histogram::restore(written.buckets(), written.min(), written.max(), written.sum());
  RC_ASSERT(restored.buckets() == written.buckets());
  Histogram sum = histogram_of(second);
  Histogram expected = sum;
  expected.add(written);
  restored.add(sum);
  RC_ASSERT(restored.buckets() == expected.buckets());
  RC_ASSERT(restored.count() == expected.count());
  RC_ASSERT(restored.quantile(990) == expected.quantile(990));
  RC_ASSERT(restored.min() == expected.min());
  RC_ASSERT(restored.max() == expected.max());
}

TEST(Histogram, RestoringNothingGivesAnEmptyOne) {
  EXPECT_EQ(Histogram::restore({}, Duration{0}, Duration{0}, 0).count(), 0U);
}

TEST(Histogram, AQuantileIsTheSmallestValueThatEnoughLieBelow) {
  Histogram histogram;
  for (std::int64_t value = 1; value <= 200; ++value) histogram.record(Duration{value});
  EXPECT_EQ(histogram.quantile(0), Duration{1});
  EXPECT_EQ(histogram.quantile(5), Duration{1});
  EXPECT_EQ(histogram.quantile(6), Duration{2});
  EXPECT_EQ(histogram.quantile(500), Duration{100});
  EXPECT_EQ(histogram.quantile(990), Duration{198});
  EXPECT_EQ(histogram.quantile(1000), Duration{200});
}

TEST(Histogram, AddingAnEmptyOneChangesNothing) {
  Histogram histogram = histogram_of({5, 7});
  histogram.add(Histogram{});
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.min(), Duration{5});
  EXPECT_EQ(histogram.max(), Duration{7});
}

TEST(Histogram, TheLargestDurationHasABucket) {
  const Histogram histogram = histogram_of({1, forever.count()});
  EXPECT_EQ(histogram.quantile(1000), forever);
  EXPECT_EQ(histogram.max(), forever);
}

}  // namespace
}  // namespace brownout::sim
