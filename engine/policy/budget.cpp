#include "engine/policy/budget.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

constexpr std::int64_t token = 1000;  // in the unit of every level and charge
constexpr std::uint32_t option_max = 1'000'000;

}  // namespace

// --- SlidingSum --------------------------------------------------------------------------------

SlidingSum::SlidingSum(Duration window) : width_(window / slots) {
  BROWNOUT_CHECK(window >= std::chrono::seconds{1} && window <= std::chrono::hours{1});
}

SlidingSum::Slot SlidingSum::slot_at(Instant now) const {
  if (!newest_begins_ || now <= *newest_begins_) return newest_;
  return newest_ + static_cast<Slot>((now - *newest_begins_) / width_);
}

void SlidingSum::advance(Instant now) {
  if (!newest_begins_) newest_begins_ = now;
  const Slot slot = slot_at(now);
  const Slot steps = slot - newest_;
  for (Slot i = 1; i <= std::min<Slot>(steps, slots); ++i) {
    std::int64_t& oldest = sums_[(newest_ + i) % slots];
    total_ -= oldest;
    oldest = 0;
  }
  newest_ = slot;
  *newest_begins_ += width_ * static_cast<std::int64_t>(steps);
}

SlidingSum::Slot SlidingSum::add(std::int64_t amount, Instant now) {
  advance(now);
  sums_[newest_ % slots] += amount;
  total_ += amount;
  return newest_;
}

void SlidingSum::take_back(std::int64_t amount, Slot slot, Instant now) {
  advance(now);
  if (newest_ - slot >= slots) return;
  sums_[slot % slots] -= amount;
  total_ -= amount;
}

std::int64_t SlidingSum::total(Instant now) const {
  const Slot steps = slot_at(now) - newest_;
  if (steps >= slots) return 0;
  std::int64_t total = total_;
  for (Slot i = 1; i <= steps; ++i) total -= sums_[(newest_ + i) % slots];
  return total;
}

// --- QuotaBudget -------------------------------------------------------------------------------

QuotaBudget::QuotaBudget(const QuotaOptions& options)
    : options_(options), level_(options.capacity * token) {
  BROWNOUT_CHECK(options.capacity >= 1 && options.capacity <= option_max);
  BROWNOUT_CHECK(options.retry_cost <= option_max);
  BROWNOUT_CHECK(options.timeout_cost <= option_max);
  BROWNOUT_CHECK(options.throttled_cost <= option_max);
  BROWNOUT_CHECK(options.success_gain <= option_max);
}

std::int64_t QuotaBudget::cost_of(const Outcome* cause) const {
  using enum OutcomeKind;
  if (cause == nullptr) return options_.retry_cost * token;
  if (cause->kind == timed_out) return options_.timeout_cost * token;
  const bool slowed = cause->kind == rate_limited || cause->kind == slow_down;
  return (slowed ? options_.throttled_cost : options_.retry_cost) * token;
}

std::optional<Charge> QuotaBudget::try_withdraw(Instant, const Outcome* cause) {
  const std::int64_t cost = cost_of(cause);
  if (level_ < cost) return std::nullopt;
  level_ -= cost;
  return Charge{.amount = cost};
}

void QuotaBudget::on_success(Instant, const Charge* charge) {
  const bool refund = charge != nullptr && options_.refund_on_success;
  deposit(refund ? charge->amount : options_.success_gain * token);
}

void QuotaBudget::give_back(Instant, const Charge& charge) {
  deposit(charge.amount);
}

void QuotaBudget::deposit(std::int64_t amount) {
  level_ = std::min(level_ + amount, options_.capacity * token);
}

// --- SuccessRatioBudget ------------------------------------------------------------------------

SuccessRatioBudget::SuccessRatioBudget(const SuccessRatioOptions& options)
    : options_(options), full_(options.max_tokens * token), level_(full_) {
  BROWNOUT_CHECK(options.max_tokens >= 1 && options.max_tokens <= 1000);
  BROWNOUT_CHECK(options.token_ratio >= 1 && options.token_ratio <= option_max);
}

std::optional<Charge> SuccessRatioBudget::try_withdraw(Instant, const Outcome*) {
  if (2 * level_ <= full_) return std::nullopt;
  return Charge{};
}

void SuccessRatioBudget::on_success(Instant, const Charge*) {
  level_ = std::min(level_ + options_.token_ratio, full_);
}

void SuccessRatioBudget::on_failure(Instant, const Outcome& outcome, Pushback pushback) {
  if (pushback != Pushback::stop && !options_.failures.contains(outcome)) return;
  level_ = std::max(level_ - token, std::int64_t{0});
}

// --- CallShareBudget ---------------------------------------------------------------------------

CallShareBudget::CallShareBudget(const CallShareOptions& options)
    : share_(options.share), balance_(options.window) {
  BROWNOUT_CHECK(options.share <= option_max);
  BROWNOUT_CHECK(options.floor_per_second <= option_max);
  // Attempts per second times milliseconds are thousandths of an attempt.
  reserve_ = options.floor_per_second * (options.window / std::chrono::milliseconds{1});
}

void CallShareBudget::on_call(Instant now) {
  balance_.add(share_, now);
}

std::optional<Charge> CallShareBudget::try_withdraw(Instant now, const Outcome*) {
  if (reserve_ + balance_.total(now) < token) return std::nullopt;
  return Charge{.amount = token, .slot = balance_.add(-token, now)};
}

void CallShareBudget::give_back(Instant now, const Charge& charge) {
  balance_.take_back(-charge.amount, charge.slot, now);
}

std::int64_t CallShareBudget::level(Instant now) const {
  return std::max(reserve_ + balance_.total(now), std::int64_t{0});
}

// --- RetryBudget -------------------------------------------------------------------------------

namespace {

QuotaBudget budget_of(const QuotaOptions& options) {
  return QuotaBudget(options);
}
SuccessRatioBudget budget_of(const SuccessRatioOptions& options) {
  return SuccessRatioBudget(options);
}
CallShareBudget budget_of(const CallShareOptions& options) {
  return CallShareBudget(options);
}

}  // namespace

RetryBudget::RetryBudget(const BudgetOptions& options)
    : kind_(std::visit([](const auto& of) -> Kind { return budget_of(of); }, options)) {}

void RetryBudget::on_call(Instant now) {
  std::visit([&](auto& kind) { kind.on_call(now); }, kind_);
}

std::optional<Charge> RetryBudget::try_withdraw(Instant now, const Outcome& cause) {
  BROWNOUT_CHECK(!cause.ok());
  return std::visit([&](auto& kind) { return kind.try_withdraw(now, &cause); }, kind_);
}

std::optional<Charge> RetryBudget::try_withdraw(Instant now) {
  return std::visit([&](auto& kind) { return kind.try_withdraw(now, nullptr); }, kind_);
}

void RetryBudget::on_success(Instant now) {
  std::visit([&](auto& kind) { kind.on_success(now, nullptr); }, kind_);
}

void RetryBudget::on_success(Instant now, const Charge& charge) {
  std::visit([&](auto& kind) { kind.on_success(now, &charge); }, kind_);
}

void RetryBudget::on_failure(Instant now, const Outcome& outcome, Pushback pushback) {
  BROWNOUT_CHECK(!outcome.ok());
  std::visit([&](auto& kind) { kind.on_failure(now, outcome, pushback); }, kind_);
}

void RetryBudget::give_back(Instant now, const Charge& charge) {
  std::visit([&](auto& kind) { kind.give_back(now, charge); }, kind_);
}

std::int64_t RetryBudget::level(Instant now) const {
  return std::visit([&](const auto& kind) { return kind.level(now); }, kind_);
}

}  // namespace brownout
