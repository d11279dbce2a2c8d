#include "engine/policy/adaptive_concurrency.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

constexpr std::uint32_t warm_up = 10;
constexpr std::uint32_t limit_max = 1'000'000;
constexpr Duration latency_max = std::chrono::hours{24};
constexpr Duration long_window_max = std::chrono::hours{24 * 366};

__extension__ using Wide = __int128;

/// The largest whole number whose square is not more than `value`. Requires: value >= 0.
std::int64_t square_root(std::int64_t value) {
  std::int64_t root = 0;
  for (std::int64_t bit = std::int64_t{1} << 31; bit > 0; bit /= 2) {
    const std::int64_t larger = root + bit;
    if (Wide{larger} * larger <= value) root = larger;
  }
  return root;
}

bool in_range(std::uint32_t value, std::uint32_t low, std::uint32_t high) {
  return value >= low && value <= high;
}

}  // namespace

AdaptiveConcurrency::AdaptiveConcurrency(const AdaptiveConcurrencyOptions& options)
    : options_(options), limit_(std::int64_t{options.initial_limit} * one) {
  BROWNOUT_CHECK(in_range(options.max_limit, 1, limit_max));
  BROWNOUT_CHECK(in_range(options.min_limit, 1, options.max_limit));
  BROWNOUT_CHECK(in_range(options.initial_limit, options.min_limit, options.max_limit));
  BROWNOUT_CHECK(in_range(options.tolerance_permille, 1000, 10'000));
  BROWNOUT_CHECK(in_range(options.smoothing_permille, 1, 1000));
  BROWNOUT_CHECK(options.window > Duration{0} && options.window_samples >= 1);
  BROWNOUT_CHECK(options.long_window >= options.window && options.long_window <= long_window_max);
  BROWNOUT_CHECK(in_range(options.loss_permille, 0, 1000));
  BROWNOUT_CHECK(in_range(options.backoff_permille, 1, 999));
}

void AdaptiveConcurrency::record(const Sample& sample, Instant now) {
  BROWNOUT_CHECK(sample.latency >= Duration{0});
  if (!window_.open) window_ = {.open = true, .began = now};
  ++window_.samples;
  window_.in_flight = std::max(window_.in_flight, sample.in_flight);
  if (sample.lost) {
    ++window_.lost;
  } else {
    window_.latency_sum += std::min(sample.latency, latency_max).count();
  }
  const bool is_old = now - window_.began >= options_.window;
  if (is_old && window_.samples >= options_.window_samples) close_window(now);
}

// Losses are looked at first: a provider that sheds load answers the rest quickly.
void AdaptiveConcurrency::close_window(Instant now) {
  const Window window = window_;
  window_ = {};
  std::int64_t moved = limit_;
  std::int64_t latency = 0;
  const std::uint32_t answered = window.samples - window.lost;
  if (answered > 0) {
    latency = std::max(std::int64_t{1}, static_cast<std::int64_t>(window.latency_sum / answered));
    learn_level(latency, now - window.began);
  }
  if (std::uint64_t{window.lost} * 1000 > std::uint64_t{window.samples} * options_.loss_permille) {
    moved = limit_ * options_.backoff_permille / 1000;
  } else if (answered > 0 && std::int64_t{window.in_flight} * 2 * one >= limit_) {
    moved = stepped(latency);
  }
  limit_ = std::clamp(moved, std::int64_t{options_.min_limit} * one,
                      std::int64_t{options_.max_limit} * one);
}

// A level far above what is measured now is a memory of overload; it fades faster than the average
// would let it.
void AdaptiveConcurrency::learn_level(std::int64_t latency, Duration elapsed) {
  if (warm_up_windows_ < warm_up) {
    ++warm_up_windows_;
    warm_up_sum_ += latency;
    long_latency_ = warm_up_sum_ / warm_up_windows_;
  } else {
    const std::int64_t weight = 2 * std::min(elapsed, options_.long_window).count();
    const std::int64_t whole = options_.long_window.count() + weight / 2;
    long_latency_ += static_cast<std::int64_t>(Wide{latency - long_latency_} * weight / whole);
  }
  if (long_latency_ / 2 > latency) long_latency_ -= long_latency_ / 10;
}

std::int64_t AdaptiveConcurrency::stepped(std::int64_t latency) const {
  const Wide ratio = Wide{long_latency_} * options_.tolerance_permille * one / 1000 / latency;
  const auto gradient = static_cast<std::int64_t>(std::clamp<Wide>(ratio, one / 2, one));
  const std::int64_t headroom = square_root(limit_ * one);  // of a fraction: sqrt(x * one^2)
  const auto target = static_cast<std::int64_t>(Wide{limit_} * gradient / one) + headroom;
  return limit_ + (target - limit_) * std::int64_t{options_.smoothing_permille} / 1000;
}

}  // namespace brownout
