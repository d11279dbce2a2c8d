#pragma once

// Keeps a client inside its quota of requests and tokens per minute, so that it waits here instead
// of being refused there.
//
// Both quotas are buckets that refill continuously, the arithmetic OpenAI's refusals print (wait =
// (used + requested - limit) / limit * 60 s) and Anthropic's documentation describes. How many
// tokens a request takes is known only afterwards: what it may take at most is reserved before the
// attempt and settled after it, so that no two requests can pass on the same tokens.
//
// Whoever has to wait keeps its place: a later request passes only if everyone before it could go
// as well, so small requests never starve a large one. The wait is worked out exactly when it is
// asked for, and a wait that is too long is refused then and not at its end.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/core/check.hpp"
#include "engine/core/time.hpp"
#include "engine/policy/limit_headers.hpp"

namespace brownout {

/// So many units that come back evenly over time. *Determinism*: integers only, exact to the
/// nanosecond. Instants must not go backwards.
class RefillBucket {
 public:
  struct Rate {
    std::int64_t capacity = 1;                  ///< units it holds at most; 1 to 10^12
    std::int64_t refill = 1;                    ///< units that come back per `period`; 1 to 10^12
    Duration period = std::chrono::minutes{1};  ///< more than 0
  };

  /// With `used` of it taken already. Requires: used >= 0.
  RefillBucket(const Rate& rate, std::int64_t used, Instant now);

  /// The first instant, not before `from`, at which `amount` fits if nobody else takes; `never`
  /// when it exceeds the capacity. A bucket in debt has no room even for 0.
  Instant fits_at(std::int64_t amount, Instant from) const;

  /// Takes `delta` without asking, or gives back when negative. May leave the bucket in debt;
  /// cannot make it more than full.
  void charge(std::int64_t delta, Instant now);

  /// Goes on at another rate of the same period; what is used stays used.
  void change(std::int64_t capacity, std::int64_t refill, Instant now);

  const Rate& rate() const { return rate_; }
  /// Whole units that can be taken now; 0 when in debt.
  std::int64_t room(Instant now) const;

 private:
  // Units times nanoseconds of the period: the finest grain at which refilling is a whole number.
  __extension__ using Grains = __int128;

  Grains used_at(Instant now) const;
  Grains grains(std::int64_t units) const { return Grains{units} * rate_.period.count(); }

  Rate rate_;
  Grains used_ = 0;
  Instant at_{};  // when used_ was true
};

struct RateLimiterOptions {
  /// Up to 10^12 each; 0 is no limit but the one a provider tells. Default 0.
  std::int64_t requests_per_minute = 0;
  std::int64_t tokens_per_minute = 0;

  /// Requests that may go at once when none went before. Some providers enforce 60 a minute as one
  /// a second. Default 0: a whole minute's.
  std::int64_t request_burst = 0;

  /// Whether a minute's allowance is there at the start, or has to come in first: after a restart
  /// the provider may remember what the client has forgotten. Default true.
  bool starts_full = true;

  /// Longest wait for a permit; a longer one is refused at once. Default 30 s.
  Duration max_wait = std::chrono::seconds{30};

  /// Whether learn() does anything. Default true.
  bool learns = true;

  /// A reset told further away than this is taken to be this far: it stems from a wrong clock, or
  /// from a quota of the day, which this is not. Ignored unless `learns`. Default 1 min.
  Duration longest_reset = std::chrono::minutes{1};
};

/// Never lets through more, in any span of time, than both buckets hold plus what refills during
/// it, where tokens given back count from when they were given back, as they do at providers.
///
/// What a provider tells of its limits can only make this stricter than the options say: a lower
/// limit replaces the configured one until a higher one is told, and while less remains there than
/// here, that holds until its reset.
///
/// *Threads*: none of its own; the owner serializes calls. *Determinism*: no draws; time only as
/// told, which must not go backwards. Nothing is allocated; asking costs time linear in the number
/// of those waiting before.
class RateLimiter {
 public:
  /// One request's share. *Ownership*: intrusive; the call owns it, and it must not be waiting when
  /// destroyed. May be used again once settled, cancelled or refused.
  class Reservation {
   public:
    Reservation() = default;
    Reservation(const Reservation&) = delete;
    Reservation& operator=(const Reservation&) = delete;
    ~Reservation() { BROWNOUT_CHECK(state_ != State::waiting); }

    bool waiting() const { return state_ == State::waiting; }
    bool granted() const { return state_ == State::granted; }

   private:
    friend class RateLimiter;
    enum class State : std::uint8_t { idle, waiting, granted };

    Reservation* previous_ = nullptr;
    Reservation* next_ = nullptr;
    std::int64_t tokens_ = 0;
    Instant latest_{};                 // a grant after this is of no use
    std::uint32_t told_requests_ = 0;  // what the provider had told when it was granted
    std::uint32_t told_tokens_ = 0;
    State state_ = State::idle;
  };

  struct Answer {
    enum class Kind : std::uint8_t {
      granted,
      wait,        ///< ask again at `at`
      too_late,    ///< could be had at `at`, which is later than max_wait or the deadline allow
      impossible,  ///< larger than the whole limit: waiting does not help
    };
    Kind kind = Kind::granted;
    Instant at{};  ///< now when granted, `never` when impossible

    bool operator==(const Answer&) const = default;
  };

  RateLimiter(const RateLimiterOptions& options, Instant now);

  /// Asks for one request of up to `tokens`. After `wait` the reservation keeps its place until
  /// ask() decides otherwise or it is cancelled; after a refusal it is idle. A grant that would
  /// come at or after `deadline` is too late. Requires: the reservation is idle, tokens >= 0.
  Answer reserve(Reservation& reservation, std::int64_t tokens, Instant now,
                 Instant deadline = never);

  /// Asks again for a waiting one, which may be done at any time. An instant it was told is exact
  /// when those before it go as soon as they can; it becomes later when less was learned to remain,
  /// when more was settled than reserved, and when those before it sleep longer than they have to
  /// (see first()). Requires: the reservation is waiting.
  Answer ask(Reservation& reservation, Instant now);

  /// The attempt has ended and took `tokens`: the difference is given back, or charged on top.
  /// Requires: the reservation is granted.
  void settle(Reservation& reservation, std::int64_t tokens, Instant now);

  /// Nothing was sent: everything is given back, in whatever state the reservation is.
  void cancel(Reservation& reservation, Instant now);

  /// What an answer said about the provider's limits. Requests and tokens in all are looked at,
  /// input and output tokens alone are not.
  void learn(const LimitHeaders& headers, Instant now);

  /// The one that has waited longest; null when nobody waits. After something was given back, and
  /// whenever the first has gone, the next may be served earlier than it was told: whoever can wake
  /// it early asks for it then.
  Reservation* first() const { return first_; }

  std::size_t waiting() const { return waiting_; }

  /// What is in force, the learned limit included; empty when there is none.
  std::optional<std::int64_t> request_limit() const { return requests_.limit(); }
  std::optional<std::int64_t> token_limit() const { return tokens_.limit(); }
  /// What could be taken now if nobody waited; empty when there is no limit.
  std::optional<std::int64_t> request_room(Instant now) const { return requests_.room(now); }
  std::optional<std::int64_t> token_room(Instant now) const { return tokens_.room(now); }

 private:
  struct Quota {
    std::int64_t configured = 0;         // per minute
    std::int64_t burst = 0;              // 0: the limit
    std::optional<RefillBucket> own{};   // everything taken here, at the limit in force
    std::optional<RefillBucket> told{};  // what the provider has left, until told_until
    Instant told_until{};
    std::uint32_t times_told = 0;

    void set_limit(std::int64_t limit, Instant now);
    bool ever_fits(std::int64_t amount) const;
    Instant fits_at(std::int64_t amount, Instant from) const;
    void charge(std::int64_t delta, Instant now);
    void correct(std::int64_t delta, std::uint32_t told_at_grant, Instant now);
    void learn(const LimitHeader& header, Duration longest_reset, Instant now);
    std::optional<std::int64_t> limit() const;
    std::optional<std::int64_t> room(Instant now) const;
  };

  static Quota make_quota(std::int64_t limit, std::int64_t burst, bool full, Instant now);
  Answer plan(const Reservation& asked, Instant now) const;
  void enqueue(Reservation& reservation);
  void unlink(Reservation& reservation);

  const RateLimiterOptions options_;
  Quota requests_;
  Quota tokens_;
  Reservation* first_ = nullptr;
  Reservation* last_ = nullptr;
  std::size_t waiting_ = 0;
};

}  // namespace brownout
