#include "engine/policy/quantile.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

constexpr unsigned precision_bits = 5;
constexpr std::uint64_t half = std::uint64_t{1} << precision_bits;

// Buckets are summed up in blocks, so that a quantile looks at some dozens of numbers and not at
// hundreds: it is asked for as often as a call begins.
constexpr std::size_t block = 32;

// Values are told in grains of 1,024 ns, and by fewer than 2^32 of them.
constexpr unsigned grain_bits = 10;
constexpr std::uint64_t most_grains = std::numeric_limits<std::uint32_t>::max();

// The first 2 * half values have a bucket each; above, every power of two is cut in half buckets.
std::size_t bucket_of(Duration latency) {
  const std::uint64_t grains =
      std::min(static_cast<std::uint64_t>(latency.count()) >> grain_bits, most_grains);
  if (grains < 2 * half) return grains;
  const unsigned shift = static_cast<unsigned>(std::bit_width(grains)) - precision_bits - 1;
  return shift * half + (grains >> shift);
}

/// The longest latency in the bucket.
Duration upper_end(std::size_t bucket) {
  std::uint64_t after_last = bucket + 1;
  if (bucket >= 2 * half) {
    const unsigned shift = static_cast<unsigned>(bucket / half) - 1;
    after_last = (bucket - shift * half + 1) << shift;
  }
  return Duration{static_cast<std::int64_t>((after_last << grain_bits) - 1)};
}

Duration slice_width(const QuantileOptions& options) {
  BROWNOUT_CHECK(options.slices >= 2 && options.slices <= 16);
  BROWNOUT_CHECK(options.window.count() >= options.slices);
  return options.window / options.slices;
}

}  // namespace

LatencyQuantile::LatencyQuantile(const QuantileOptions& options)
    : options_(options),
      width_(slice_width(options)),
      newest_(std::numeric_limits<std::int64_t>::min()),
      slices_(options.slices) {
  BROWNOUT_CHECK(options.min_samples > 0);
}

std::int64_t LatencyQuantile::number_at(Instant now) const {
  const std::int64_t since = (now - Instant{}).count();
  const std::int64_t number = since / width_.count() - (since % width_.count() < 0 ? 1 : 0);
  return std::max(number, newest_);
}

bool LatencyQuantile::counts(const Slice& slice, std::int64_t present) const {
  return slice.count > 0 && slice.number > present - options_.slices;
}

void LatencyQuantile::record(Duration latency, Instant now) {
  BROWNOUT_CHECK(latency >= Duration{0});
  newest_ = number_at(now);
  const std::int64_t place = newest_ % options_.slices;
  Slice& slice = slices_[static_cast<std::size_t>(place < 0 ? place + options_.slices : place)];
  if (slice.number != newest_) {
    slice.number = newest_;
    slice.count = 0;
    std::ranges::fill(slice.buckets, 0);
    std::ranges::fill(slice.blocks, 0);
  }
  const std::size_t bucket = bucket_of(latency);
  if (bucket >= slice.buckets.size()) {
    slice.blocks.resize(bucket / block + 1);
    slice.buckets.resize(slice.blocks.size() * block);
  }
  ++slice.buckets[bucket];
  ++slice.blocks[bucket / block];
  ++slice.count;
}

std::uint64_t LatencyQuantile::samples(Instant now) const {
  const std::int64_t present = number_at(now);
  std::uint64_t total = 0;
  for (const Slice& slice : slices_) {
    if (counts(slice, present)) total += slice.count;
  }
  return total;
}

std::optional<Duration> LatencyQuantile::quantile(std::uint32_t per_mille, Instant now) const {
  BROWNOUT_CHECK(per_mille <= 1000);
  const std::uint64_t total = samples(now);
  if (total < options_.min_samples) return std::nullopt;
  // The rank of the value asked for, 1-based and rounded up.
  const std::uint64_t rank = std::max<std::uint64_t>(1, (total * per_mille + 999) / 1000);
  const std::int64_t present = number_at(now);
  // How many samples lie in the nth block, or bucket, of all slices together.
  const auto counted = [&](auto numbers, std::size_t n) {
    std::uint64_t sum = 0;
    for (const Slice& slice : slices_) {
      if (counts(slice, present) && n < (slice.*numbers).size()) sum += (slice.*numbers)[n];
    }
    return sum;
  };
  std::uint64_t before = 0;
  const auto first_reaching_rank = [&](auto numbers, std::size_t n) {
    for (std::uint64_t here = 0;; before += here, ++n) {
      here = counted(numbers, n);
      if (before + here >= rank) return n;
    }
  };
  const std::size_t first = first_reaching_rank(&Slice::blocks, 0) * block;
  return upper_end(first_reaching_rank(&Slice::buckets, first));
}

}  // namespace brownout
