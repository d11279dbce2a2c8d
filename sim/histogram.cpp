#include "sim/histogram.hpp"

#include <algorithm>
#include <bit>

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

void Histogram::record(Duration value) {
  BROWNOUT_CHECK(value.count() >= 0);
  const auto number = static_cast<std::uint64_t>(value.count());
  const std::size_t bucket = bucket_of(number);
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  ++buckets_[bucket];
  ++count_;
  sum_ += number;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
}

void Histogram::add(const Histogram& other) {
  if (other.buckets_.size() > buckets_.size()) buckets_.resize(other.buckets_.size());
  for (std::size_t i = 0; i < other.buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
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
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank) {
      return std::min(max_, Duration{static_cast<std::int64_t>(upper_end(bucket))});
    }
  }
  return max_;
}

}  // namespace brownout::sim
