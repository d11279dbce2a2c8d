#include "engine/policy/breaker_open_time.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

// Beyond this many openings growth stands still; so do the steps that lead back.
constexpr std::uint32_t in_a_row_max = 10'000;

// length * per_mille / 1000, at most `most`. Requires: length >= 0, most >= 0.
Duration times(Duration length, std::uint32_t per_mille, Duration most) {
  const std::int64_t whole = length.count() / 1000;
  const std::int64_t rest = length.count() % 1000;
  if (per_mille != 0 && whole >= most.count() / per_mille) return most;
  return std::min(most, Duration{whole * per_mille + rest * per_mille / 1000});
}

}  // namespace

Duration grown_open_time(const BreakerOptions& options, std::uint32_t in_a_row) {
  const OpenTimeOptions& open_time = options.open_time;
  Duration length = std::min(options.open_for, open_time.max);
  if (open_time.add > Duration{0}) {
    const std::int64_t steps_left = (open_time.max - length).count() / open_time.add.count();
    return in_a_row > steps_left ? open_time.max : length + open_time.add * in_a_row;
  }
  if (open_time.factor_per_mille <= 1000) return length;
  for (std::uint32_t i = 0; i < in_a_row && length < open_time.max; ++i) {
    length = times(length, open_time.factor_per_mille, open_time.max);
  }
  return length;
}

BreakerOpenTime::BreakerOpenTime(const BreakerOptions& options, const DrawFamily& jitter)
    : jitter_(jitter) {
  const OpenTimeOptions& open_time = options.open_time;
  BROWNOUT_CHECK(options.open_for > Duration{0});
  BROWNOUT_CHECK(open_time.factor_per_mille >= 1000);
  BROWNOUT_CHECK(open_time.add >= Duration{0});
  BROWNOUT_CHECK(open_time.max >= options.open_for);
  BROWNOUT_CHECK(open_time.spread_low_per_mille <= open_time.spread_high_per_mille);
  BROWNOUT_CHECK(open_time.hint_min <= open_time.hint_max);
  BROWNOUT_CHECK(open_time.reset_every > Duration{0});
}

Duration BreakerOpenTime::open(const BreakerOptions& options, std::optional<Duration> hint,
                               Instant now) {
  const OpenTimeOptions& open_time = options.open_time;
  recover(open_time, now);
  ++openings_;
  const std::uint32_t before = in_a_row_;
  in_a_row_ = std::min(in_a_row_ + 1, in_a_row_max);
  if (hint && open_time.obey_retry_after) {
    return std::clamp(*hint, open_time.hint_min, open_time.hint_max);
  }
  return spread(open_time, grown_open_time(options, before), before == 0);
}

void BreakerOpenTime::recover(const OpenTimeOptions& options, Instant now) {
  if (!closed_at_) return;
  const Duration closed_for = now - *closed_at_;
  closed_at_.reset();
  switch (options.reset) {
    case OpenTimeOptions::Reset::on_close:
      in_a_row_ = 0;
      return;
    case OpenTimeOptions::Reset::after:
      if (closed_for >= options.reset_every) in_a_row_ = 0;
      return;
    case OpenTimeOptions::Reset::step:
      in_a_row_ -= static_cast<std::uint32_t>(
          std::min<std::int64_t>(in_a_row_, closed_for / options.reset_every));
      return;
  }
}

Duration BreakerOpenTime::spread(const OpenTimeOptions& options, Duration length, bool first) {
  constexpr Duration least{1};
  if (first && !options.jitter_first) return length;
  Draws draws = jitter_.at(openings_);
  switch (options.jitter) {
    case OpenTimeOptions::Jitter::none:
      return length;
    case OpenTimeOptions::Jitter::equal:
      return draws.between(std::max(least, length / 2), length);
    case OpenTimeOptions::Jitter::full:
      return draws.between(least, length);
    case OpenTimeOptions::Jitter::proportional: {
      const Duration low = times(length, options.spread_low_per_mille, options.max);
      const Duration high = times(length, options.spread_high_per_mille, options.max);
      return std::max(least, draws.between(low, high));
    }
  }
  return length;
}

void BreakerOpenTime::adopt(const BreakerOpenTime& other) {
  openings_ = other.openings_;
  in_a_row_ = other.in_a_row_;
  closed_at_ = other.closed_at_;
}

}  // namespace brownout
