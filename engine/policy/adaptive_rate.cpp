#include "engine/policy/adaptive_rate.hpp"

#include <algorithm>

#include "engine/core/math.hpp"

namespace brownout {
namespace {

constexpr double cut = 0.7;    // of the rate, at a refusal (CUBIC's beta)
constexpr double scale = 0.4;  // of the curve (CUBIC's C)
constexpr double smoothing = 0.8;
constexpr double rate_min = 0.5;
constexpr double turns_least = 1;
constexpr Duration slice_length = std::chrono::milliseconds{500};
constexpr double nanoseconds = 1e9;   // of a second
constexpr double longest_wait = 1e9;  // seconds; what fits into a Duration

double seconds(Duration duration) {
  return static_cast<double>(duration.count()) / nanoseconds;
}

}  // namespace

AdaptiveRate::Answer AdaptiveRate::acquire(Instant now, Instant deadline) {
  if (!limits_) return {Answer::Kind::granted, now};
  refill(now);
  if (turns_ >= 1) {
    turns_ -= 1;
    return {Answer::Kind::granted, now};
  }
  const double wait = (1 - turns_) / rate_;
  const bool sensible = wait < std::min(seconds(options_.max_wait), longest_wait);
  const Instant at = sensible
                         ? after(now, Duration{static_cast<std::int64_t>(wait * nanoseconds) + 1})
                         : after(now, options_.max_wait);
  if (!sensible || at >= deadline) return {Answer::Kind::too_late, at};
  turns_ -= 1;
  return {Answer::Kind::wait, at};
}

void AdaptiveRate::give_back(Instant now) {
  if (!limits_) return;
  refill(now);
  turns_ = std::min(turns_max_, turns_ + 1);
}

void AdaptiveRate::on_answer(bool throttled, Instant now) {
  measure(now);
  if (!throttled && !limits_) return;
  double rate = 0;
  if (throttled) {
    at_refusal_ = limits_ ? std::min(measured_, rate_) : measured_;
    refused_at_ = now;
    flat_after_ = cube_root(at_refusal_ * (1 - cut) / scale);
    rate = cut * at_refusal_;
    if (!limits_) filled_at_ = now;
    limits_ = true;
  } else {
    const double beyond = seconds(now - refused_at_) - flat_after_;
    rate = scale * beyond * beyond * beyond + at_refusal_;
  }
  set_rate(std::min(rate, 2 * measured_), now);
}

std::int64_t AdaptiveRate::rate() const {
  return static_cast<std::int64_t>(std::min(rate_, 1e15) * 1000);
}

void AdaptiveRate::measure(Instant now) {
  const std::int64_t slice = now.time_since_epoch() / slice_length;
  if (!measuring_) slice_ = slice;
  measuring_ = true;
  ++answers_;
  if (slice <= slice_) return;
  const double current =
      static_cast<double>(answers_) / (static_cast<double>(slice - slice_) * 0.5);
  measured_ = current * smoothing + measured_ * (1 - smoothing);
  answers_ = 0;
  slice_ = slice;
}

void AdaptiveRate::refill(Instant now) {
  turns_ = std::min(turns_max_, turns_ + seconds(now - filled_at_) * rate_);
  filled_at_ = now;
}

void AdaptiveRate::set_rate(double rate, Instant now) {
  refill(now);
  rate_ = std::max(rate, rate_min);
  turns_max_ = std::max(rate, turns_least);
  turns_ = std::min(turns_, turns_max_);
}

}  // namespace brownout
