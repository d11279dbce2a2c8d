#include "sim/histogram.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "engine/core/check.hpp"

namespace brownout::sim {
namespace {

constexpr unsigned precision_bits = 7;
constexpr std::uint64_t half = std::uint64_t{1} << precision_bits;

// The first 2 * half values have a bucket each; above, every power of two is cut in half buckets.
std::size_t bucket_of(std::uint64_t value) {
  if (value < 2 * half) return value;
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - precision_bits - 1;
  return shift * half + (value >> shift);
}

std::uint64_t upper_end(std::size_t bucket) {
  if (bucket < 2 * half) return bucket;
  const unsigned shift = static_cast<unsigned>(bucket / half) - 1;
  return ((bucket - shift * half + 1) << shift) - 1;
}

}  // namespace

// Makes room at either end. Latencies of one kind span few powers of two, so what lies below the
// smallest is worth leaving out where there is a histogram for each of many moments.
std::uint64_t& Histogram::at(std::size_t bucket) {
  if (counts_.empty()) first_ = bucket;
  if (bucket < first_) {
    counts_.insert(counts_.begin(), first_ - bucket, 0);
    first_ = bucket;
  }
  if (bucket - first_ >= counts_.size()) counts_.resize(bucket - first_ + 1);
  return counts_[bucket - first_];
}

void Histogram::record(Duration value) {
  BROWNOUT_CHECK(value.count() >= 0);
  const auto number = static_cast<std::uint64_t>(value.count());
  ++at(bucket_of(number));
  ++count_;
  sum_ += number;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
}

void Histogram::add(const Histogram& other) {
  if (other.count_ == 0) return;
  at(other.first_ + other.counts_.size() - 1);
  std::uint64_t* to = &at(other.first_);
  for (const std::uint64_t count : other.counts_) *to++ += count;
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

std::uint64_t Histogram::sum() const {
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  return sum_ > most ? most : static_cast<std::uint64_t>(sum_);
}

std::vector<Histogram::Bucket> Histogram::buckets() const {
  std::vector<Bucket> held;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] > 0) held.emplace_back(upper_end(first_ + i), counts_[i]);
  }
  return held;
}

Histogram Histogram::restore(const std::vector<Bucket>& buckets, Duration min, Duration max,
                             std::uint64_t sum) {
  Histogram histogram;
  if (buckets.empty()) return histogram;
  for (const auto& [upper, count] : buckets) {
    histogram.at(bucket_of(upper)) += count;
    histogram.count_ += count;
  }
  histogram.sum_ = sum;
  histogram.min_ = min;
  histogram.max_ = max;
  return histogram;
}

Duration Histogram::mean() const {
  BROWNOUT_CHECK(count_ > 0);
  return Duration{static_cast<std::int64_t>(sum_ / count_)};
}

Duration Histogram::quantile(std::uint32_t per_mille) const {
  BROWNOUT_CHECK(count_ > 0);
  BROWNOUT_CHECK(per_mille <= 1000);
  // The rank of the value asked for, 1-based and rounded up.
  const std::uint64_t rank = std::max<std::uint64_t>(1, (count_ * per_mille + 999) / 1000);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) {
      return std::min(max_, Duration{static_cast<std::int64_t>(upper_end(first_ + i))});
    }
  }
  return max_;
}

}  // namespace brownout::sim
