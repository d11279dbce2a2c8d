#include "mockserver/bucket.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout::mock {
namespace {

constexpr std::int64_t minute = Duration{std::chrono::minutes{1}}.count();

__extension__ using Wide = __int128;

std::int64_t divide_up(Wide amount, Wide by) {
  return static_cast<std::int64_t>((amount + by - 1) / by);
}

}  // namespace

Bucket::Bucket(std::int64_t limit_per_minute) : limit_(limit_per_minute) {
  BROWNOUT_CHECK(limit_ >= 1 && limit_ <= 1'000'000'000'000);
}

Bucket::Grains Bucket::used_at(Instant now) const {
  BROWNOUT_CHECK(now >= at_);
  const Grains refilled = Grains{(now - at_).count()} * limit_;
  return refilled >= used_ ? Grains{0} : used_ - refilled;
}

std::optional<Refusal> Bucket::check(std::int64_t amount, Instant now) const {
  BROWNOUT_CHECK(amount >= 0);
  const Grains used = used_at(now);
  if (used + Grains{amount} * minute <= Grains{limit_} * minute) return std::nullopt;
  Refusal refusal{.limit = limit_, .used = divide_up(used, minute), .requested = amount};
  // From the rounded `used`, so that what is printed adds up; at most one unit's refill too long.
  const Grains excess = Grains{refusal.used} + amount - limit_;
  refusal.wait =
      refusal.too_large() ? forever : Duration{divide_up(excess * minute, Grains{limit_})};
  return refusal;
}

std::optional<Refusal> Bucket::take(std::int64_t amount, Instant now) {
  if (auto refusal = check(amount, now)) return refusal;
  settle(amount, now);
  return std::nullopt;
}

void Bucket::settle(std::int64_t delta, Instant now) {
  used_ = std::max(Grains{0}, used_at(now) + Grains{delta} * minute);
  at_ = now;
}

std::int64_t Bucket::remaining(Instant now) const {
  return std::max(std::int64_t{0}, limit_ - divide_up(used_at(now), minute));
}

Duration Bucket::reset_after(Instant now) const {
  return Duration{divide_up(used_at(now), Grains{limit_})};
}

}  // namespace brownout::mock
