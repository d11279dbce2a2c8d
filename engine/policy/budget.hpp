#pragma once

// Retry budgets: how many extra attempts, retries and hedges together, a client may make. Where a
// retry policy bounds what one call does, a budget bounds what all calls of a client do to a
// provider that is already in trouble. Three kinds, each after a published one:
//
//   QuotaOptions         a bucket of tokens that retries empty and successes refill; AWS SDKs
//                        (botocore retries/quota.py and standard.py, smithy-rs token_bucket.rs),
//                        and without refunds the bucket of M. Brooker, "Fixing retries with token
//                        buckets and circuit breakers" (brooker.co.za/blog/2022/02/28/retries.html)
//   SuccessRatioOptions  no extra attempts while failures outweigh successes; gRPC
//                        (github.com/grpc/proposal, A6-client-retries.md, "Throttling")
//   CallShareOptions     a share of the calls of the last seconds, and a floor; Finagle
//                        (finagle-core service/RetryBudget.scala) and tower (tps_budget.rs)
//
// A share of the requests in flight (Envoy's retry_budget) is not offered: it shrinks just when
// calls fail fast, means nothing at low concurrency, and does not see retries that wait in their
// backoff. CallShareOptions, with its window and floor, is the counterpart.
//
// An extra attempt is charged when it is scheduled, not when it is sent: a thousand calls that fail
// together cannot all find the same token. Ask last, when nothing else speaks against the attempt,
// and give the charge back if it is abandoned before it is sent. A refusal changes nothing, and the
// call ends at once with the failure it has.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>

#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"

namespace brownout {

/// A sum over the last `window`, kept in slots of a twentieth of it. What was added is forgotten
/// together with its slot: at the age of `window` at the latest and of 19/20 of it at the earliest,
/// whether or not anything happens in between. The first slot begins with the first addition, so
/// that only differences of instants matter; one earlier than the newest counts as the newest.
class SlidingSum {
 public:
  static constexpr std::size_t slots = 20;
  using Slot = std::uint64_t;

  /// Requires: 1 s <= window <= 1 h.
  explicit SlidingSum(Duration window);

  /// Adds to the slot of `now` and says which that was.
  Slot add(std::int64_t amount, Instant now);

  /// Undoes an addition of `amount` to `slot`, unless that is forgotten already.
  void take_back(std::int64_t amount, Slot slot, Instant now);

  std::int64_t total(Instant now) const;

 private:
  Slot slot_at(Instant now) const;
  void advance(Instant now);

  Duration width_;
  std::optional<Instant> newest_begins_;
  Slot newest_ = 0;
  std::int64_t total_ = 0;
  std::array<std::int64_t, slots> sums_{};
};

/// A token bucket that starts full. The defaults are those of the AWS SDKs' standard mode: a client
/// that meets a hard outage retries 100 times, or 50 times after timeouts, and then no more.
struct QuotaOptions {
  /// Tokens when full. 1 to 1,000,000. Default 500.
  std::uint32_t capacity = 500;

  /// Tokens for one more attempt, by the failure that causes it: a limit of ours that passed
  /// (`timed_out`), a limit of theirs (`rate_limited`, `slow_down`), anything else. A hedge costs
  /// `retry_cost`. Each 0 to 1,000,000; what costs more than `capacity` never happens. Default 5,
  /// 10, 5.
  std::uint32_t retry_cost = 5;
  std::uint32_t timeout_cost = 10;
  std::uint32_t throttled_cost = 5;

  /// Tokens that the success of a first attempt brings. 0 to 1,000,000. Default 1.
  std::uint32_t success_gain = 1;

  /// Whether the success of an extra attempt brings back what that attempt cost, instead of
  /// `success_gain`. Default true.
  bool refund_on_success = true;

  /// As the AWS SDKs for JavaScript charge since 2026 (@smithy/core 3.40): 14, and 5 when
  /// throttled.
  static QuotaOptions aws_2026() {
    return {.retry_cost = 14, .timeout_cost = 14, .throttled_cost = 5};
  }

  bool operator==(const QuotaOptions&) const = default;
};

/// Tokens that failures take and successes slowly bring back; extra attempts are free, but happen
/// only while more than half of the tokens are there. In the long run: while at most
/// ratio / (1 + ratio) of the attempts fail, 1 in 11 with the defaults. Starts full.
struct SuccessRatioOptions {
  /// Tokens when full; each counted failure takes 1. 1 to 1000. Default 10.
  std::uint32_t max_tokens = 10;

  /// What a success brings, in thousandths of a token. 1 to 1,000,000. Default 100 (0.1).
  std::uint32_t token_ratio = 100;

  /// Failures that take a token; others, such as a wrong key, do not. Default: the retryable ones.
  OutcomeSet failures = OutcomeSet::of(ErrorClass::retryable);

  bool operator==(const SuccessRatioOptions&) const = default;
};

/// Within a window: extra attempts <= floor_per_second * window + share * calls, exactly, in
/// thousandths. (Finagle and tower divide first: a share of 0.3 comes out as 0.30003 and 0.33, and
/// tower's 0.7 as 1.) Deposits and withdrawals both expire, see SlidingSum; when calls that paid
/// for attempts expire before these do, the budget stays empty until it is even again.
struct CallShareOptions {
  /// Extra attempts that a call earns, in thousandths. 0 to 1,000,000. Default 200 (20 %).
  std::uint32_t share = 200;

  /// Extra attempts that time earns, for clients that have just started or call rarely. 0 to
  /// 1,000,000. The whole window's may be used at once. Default 10 per second.
  std::uint32_t floor_per_second = 10;

  /// How long calls and extra attempts count. 1 s to 1 h. Default 10 s.
  Duration window = std::chrono::seconds{10};

  bool operator==(const CallShareOptions&) const = default;
};

using BudgetOptions = std::variant<QuotaOptions, SuccessRatioOptions, CallShareOptions>;

/// What an extra attempt was charged. Belongs to that attempt; to be used once.
struct Charge {
  std::int64_t amount = 0;  ///< thousandths of a token
  SlidingSum::Slot slot = 0;
};

/// What the server said about trying again, besides failing.
enum class Pushback : std::uint8_t {
  none,
  stop,  ///< do not retry: x-should-retry: false, a negative grpc-retry-pushback-ms
};

/// The bucket of QuotaOptions; methods as in RetryBudget.
class QuotaBudget {
 public:
  explicit QuotaBudget(const QuotaOptions& options);

  void on_call(Instant) {}
  std::optional<Charge> try_withdraw(Instant now, const Outcome* cause);
  void on_success(Instant now, const Charge* charge);
  void on_failure(Instant, const Outcome&, Pushback) {}
  void give_back(Instant now, const Charge& charge);
  std::int64_t level(Instant) const { return level_; }

 private:
  std::int64_t cost_of(const Outcome* cause) const;
  void deposit(std::int64_t amount);

  const QuotaOptions options_;
  std::int64_t level_;
};

/// The tokens of SuccessRatioOptions; methods as in RetryBudget.
class SuccessRatioBudget {
 public:
  explicit SuccessRatioBudget(const SuccessRatioOptions& options);

  void on_call(Instant) {}
  std::optional<Charge> try_withdraw(Instant now, const Outcome* cause);
  void on_success(Instant now, const Charge* charge);
  void on_failure(Instant now, const Outcome& outcome, Pushback pushback);
  void give_back(Instant, const Charge&) {}
  std::int64_t level(Instant) const { return level_; }

 private:
  const SuccessRatioOptions options_;
  const std::int64_t full_;
  std::int64_t level_;
};

/// The window of CallShareOptions; methods as in RetryBudget.
class CallShareBudget {
 public:
  explicit CallShareBudget(const CallShareOptions& options);

  void on_call(Instant now);
  std::optional<Charge> try_withdraw(Instant now, const Outcome* cause);
  void on_success(Instant, const Charge*) {}
  void on_failure(Instant, const Outcome&, Pushback) {}
  void give_back(Instant now, const Charge& charge);
  std::int64_t level(Instant now) const;

 private:
  const std::int64_t share_;
  std::int64_t reserve_ = 0;
  SlidingSum balance_;  // what calls have earned, less what extra attempts were charged
};

/// *Threads*: none of its own; the owner serializes calls. *Determinism*: integers, no draws; time
/// only as told, by differences.
class RetryBudget {
 public:
  explicit RetryBudget(const BudgetOptions& options);

  /// A call begins: once per call, not per attempt.
  void on_call(Instant now);

  /// Asks for one more attempt after the failure `cause`, which on_failure() must have been told
  /// before. Nothing when refused. A charge is over when its attempt is: given to on_success() if
  /// the attempt succeeds, to give_back() if it is never sent, and otherwise spent.
  std::optional<Charge> try_withdraw(Instant now, const Outcome& cause);

  /// The same for an attempt that no failure caused: a hedge.
  std::optional<Charge> try_withdraw(Instant now);

  /// A first attempt succeeded.
  void on_success(Instant now);

  /// An extra attempt succeeded: the one that was charged `charge`.
  void on_success(Instant now, const Charge& charge);

  /// An attempt failed, first or extra, whether or not it will be retried. One that was cut by its
  /// own client (a lost hedge, a caller who left) did not fail. Requires: !outcome.ok().
  void on_failure(Instant now, const Outcome& outcome, Pushback pushback = Pushback::none);

  /// The attempt was abandoned before it was sent.
  void give_back(Instant now, const Charge& charge);

  /// Thousandths of a token, or of an extra attempt; never negative. A quota and a success ratio
  /// are full at their option's number; a share of calls without calls rests at its floor.
  std::int64_t level(Instant now) const;

 private:
  using Kind = std::variant<QuotaBudget, SuccessRatioBudget, CallShareBudget>;

  Kind kind_;
};

}  // namespace brownout
