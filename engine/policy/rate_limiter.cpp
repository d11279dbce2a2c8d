#include "engine/policy/rate_limiter.hpp"

#include <algorithm>

namespace brownout {
namespace {

constexpr Duration minute = std::chrono::minutes{1};
constexpr std::int64_t limit_max = 1'000'000'000'000;

__extension__ using Wide = __int128;

Duration divide_up(Wide amount, std::int64_t by) {
  const Wide quotient = (amount + by - 1) / by;
  return quotient > forever.count() ? forever : Duration{static_cast<std::int64_t>(quotient)};
}

}  // namespace

RefillBucket::RefillBucket(const Rate& rate, std::int64_t used, Instant now)
    : rate_(rate), at_(now) {
  BROWNOUT_CHECK(rate.capacity >= 1 && rate.capacity <= limit_max);
  BROWNOUT_CHECK(rate.refill >= 1 && rate.refill <= limit_max);
  BROWNOUT_CHECK(rate.period > Duration{0});
  BROWNOUT_CHECK(used >= 0);
  used_ = grains(used);
}

RefillBucket::Grains RefillBucket::used_at(Instant now) const {
  BROWNOUT_CHECK(now >= at_);
  const Grains refilled = Grains{(now - at_).count()} * rate_.refill;
  return refilled >= used_ ? Grains{0} : used_ - refilled;
}

Instant RefillBucket::fits_at(std::int64_t amount, Instant from) const {
  if (amount > rate_.capacity) return never;
  const Grains excess = used_at(from) + grains(amount) - grains(rate_.capacity);
  return excess <= 0 ? from : after(from, divide_up(excess, rate_.refill));
}

void RefillBucket::charge(std::int64_t delta, Instant now) {
  used_ = std::max(Grains{0}, used_at(now) + grains(delta));
  at_ = now;
}

void RefillBucket::change(std::int64_t capacity, std::int64_t refill, Instant now) {
  charge(0, now);
  rate_ = {capacity, refill, rate_.period};
}

std::int64_t RefillBucket::room(Instant now) const {
  const Grains room = grains(rate_.capacity) - used_at(now);
  return room <= 0 ? 0 : static_cast<std::int64_t>(room / rate_.period.count());
}

void RateLimiter::Quota::set_limit(std::int64_t limit, Instant now) {
  const std::int64_t capacity = burst == 0 ? limit : std::min(burst, limit);
  if (own) {
    own->change(capacity, limit, now);
  } else {
    own.emplace(RefillBucket::Rate{capacity, limit, minute}, 0, now);
  }
}

bool RateLimiter::Quota::ever_fits(std::int64_t amount) const {
  return !own || amount <= own->rate().capacity;
}

// Time only adds room while nobody takes, so the later of two fitting instants fits both.
Instant RateLimiter::Quota::fits_at(std::int64_t amount, Instant from) const {
  if (!own) return from;
  const Instant at = own->fits_at(amount, from);
  if (!told || at >= told_until) return at;
  return std::min(told_until, told->fits_at(amount, at));
}

void RateLimiter::Quota::charge(std::int64_t delta, Instant now) {
  if (!own) return;
  own->charge(delta, now);
  if (told && now < told_until) told->charge(delta, now);
}

// What the provider told after the grant already has the request in it.
void RateLimiter::Quota::correct(std::int64_t delta, std::uint32_t told_at_grant, Instant now) {
  if (told_at_grant == times_told) {
    charge(delta, now);
  } else if (own) {
    own->charge(delta, now);
  }
}

// The provider's bucket is told by three numbers: its size, what is left, and when it is full. In
// between it refills evenly. A reset sooner than the limit's own pace is rounding, or a clock that
// is ahead of ours.
void RateLimiter::Quota::learn(const LimitHeader& header, Duration longest_reset, Instant now) {
  if (header.limit) {
    set_limit(configured == 0 ? *header.limit : std::min(configured, *header.limit), now);
  }
  if (!header.remaining || !own) return;
  told.reset();
  ++times_told;
  const std::int64_t limit = header.limit.value_or(own->rate().refill);
  const std::int64_t used = limit - *header.remaining;
  if (used <= 0) return;
  const Duration pace = divide_up(Wide{used} * minute.count(), limit);
  const Duration reset =
      std::max(pace, std::min(header.reset.value_or(Duration{0}), longest_reset));
  told.emplace(RefillBucket::Rate{limit, used, reset}, used, now);
  told_until = after(now, reset);
}

std::optional<std::int64_t> RateLimiter::Quota::limit() const {
  return own ? std::optional{own->rate().refill} : std::nullopt;
}

std::optional<std::int64_t> RateLimiter::Quota::room(Instant now) const {
  if (!own) return std::nullopt;
  const std::int64_t room = own->room(now);
  return told && now < told_until ? std::min(room, told->room(now)) : room;
}

RateLimiter::Quota RateLimiter::make_quota(std::int64_t limit, std::int64_t burst, bool full,
                                           Instant now) {
  BROWNOUT_CHECK(limit >= 0 && limit <= limit_max);
  BROWNOUT_CHECK(burst >= 0 && burst <= limit_max);
  Quota quota{.configured = limit, .burst = burst};
  if (limit == 0) return quota;
  quota.set_limit(limit, now);
  if (!full) quota.charge(quota.own->rate().capacity, now);
  return quota;
}

RateLimiter::RateLimiter(const RateLimiterOptions& options, Instant now)
    : options_(options),
      requests_(
          make_quota(options.requests_per_minute, options.request_burst, options.starts_full, now)),
      tokens_(make_quota(options.tokens_per_minute, 0, options.starts_full, now)) {}

RateLimiter::Answer RateLimiter::reserve(Reservation& reservation, std::int64_t tokens, Instant now,
                                         Instant deadline) {
  BROWNOUT_CHECK(reservation.state_ == Reservation::State::idle);
  BROWNOUT_CHECK(tokens >= 0);
  reservation.tokens_ = tokens;
  reservation.latest_ = std::min(after(now, options_.max_wait), deadline - Duration{1});
  enqueue(reservation);
  return ask(reservation, now);
}

RateLimiter::Answer RateLimiter::ask(Reservation& reservation, Instant now) {
  BROWNOUT_CHECK(reservation.waiting());
  const Answer answer = plan(reservation, now);
  switch (answer.kind) {
    case Answer::Kind::wait:
      return answer;
    case Answer::Kind::too_late:
    case Answer::Kind::impossible:
      unlink(reservation);
      return answer;
    case Answer::Kind::granted:
      break;
  }
  unlink(reservation);
  reservation.state_ = Reservation::State::granted;
  reservation.told_requests_ = requests_.times_told;
  reservation.told_tokens_ = tokens_.times_told;
  requests_.charge(1, now);
  tokens_.charge(reservation.tokens_, now);
  return answer;
}

// Plays the line forward on copies of the buckets: everyone takes its share as soon as it fits, but
// not before those ahead of it; whoever would be refused takes nothing. Whether somebody ahead has
// asked yet plays no part, its share is its own.
RateLimiter::Answer RateLimiter::plan(const Reservation& asked, Instant now) const {
  using enum Answer::Kind;
  Quota requests = requests_;
  Quota tokens = tokens_;
  Instant turn = now;
  for (const Reservation* each = first_; each != nullptr; each = each->next_) {
    Answer answer{impossible, never};
    if (tokens.ever_fits(each->tokens_)) {
      const Instant at = std::max(requests.fits_at(1, turn), tokens.fits_at(each->tokens_, turn));
      answer = {at <= now ? granted : at <= each->latest_ ? wait : too_late, at};
    }
    if (each == &asked) return answer;
    if (answer.kind == impossible || answer.kind == too_late) continue;
    turn = answer.at;
    requests.charge(1, turn);
    tokens.charge(each->tokens_, turn);
  }
  check_failed("a waiting reservation is in line", __FILE__, __LINE__);
}

void RateLimiter::settle(Reservation& reservation, std::int64_t tokens, Instant now) {
  BROWNOUT_CHECK(reservation.granted());
  BROWNOUT_CHECK(tokens >= 0);
  reservation.state_ = Reservation::State::idle;
  tokens_.correct(tokens - reservation.tokens_, reservation.told_tokens_, now);
}

void RateLimiter::cancel(Reservation& reservation, Instant now) {
  switch (reservation.state_) {
    case Reservation::State::idle:
      return;
    case Reservation::State::waiting:
      unlink(reservation);
      return;
    case Reservation::State::granted:
      reservation.state_ = Reservation::State::idle;
      requests_.correct(-1, reservation.told_requests_, now);
      tokens_.correct(-reservation.tokens_, reservation.told_tokens_, now);
      return;
  }
}

void RateLimiter::learn(const LimitHeaders& headers, Instant now) {
  if (!options_.learns) return;
  requests_.learn(headers.requests, options_.longest_reset, now);
  tokens_.learn(headers.tokens, options_.longest_reset, now);
}

void RateLimiter::enqueue(Reservation& reservation) {
  reservation.state_ = Reservation::State::waiting;
  reservation.previous_ = last_;
  reservation.next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = &reservation;
  last_ = &reservation;
  ++waiting_;
}

void RateLimiter::unlink(Reservation& reservation) {
  (reservation.previous_ != nullptr ? reservation.previous_->next_ : first_) = reservation.next_;
  (reservation.next_ != nullptr ? reservation.next_->previous_ : last_) = reservation.previous_;
  reservation.previous_ = nullptr;
  reservation.next_ = nullptr;
  reservation.state_ = Reservation::State::idle;
  --waiting_;
}

}  // namespace brownout
