#include "mockserver/http/correlator.hpp"

#include <algorithm>
#include <charconv>
#include <string>

#include "engine/core/check.hpp"

namespace brownout::mock::http {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::uint64_t fingerprint(std::string_view text, std::string_view more = {}) {
  return cache_key(text, more).low;
}

// Numbers of calls as clients count them are small; these are spread over all.
CallId call_id(std::uint64_t key, std::uint64_t nth) {
  const std::string_view bytes(reinterpret_cast<const char*>(&nth), sizeof nth);
  return fingerprint(bytes, {reinterpret_cast<const char*>(&key), sizeof key});
}

bool is_over(const ServedCall& call) {
  return call.attempts.back().ended != never;
}

bool was_truncated(const ServedCall& call) {
  const ServedAttempt& last = call.attempts.back();
  return is_over(call) && last.outcome == OutcomeKind::stream_truncated && !last.client_left;
}

}  // namespace

std::string_view to_string(CorrelatedBy by) {
  switch (by) {
    case CorrelatedBy::call_header:
      return "x-brownout-call";
    case CorrelatedBy::retry_count:
      return "x-stainless-retry-count";
    case CorrelatedBy::content:
      return "content";
  }
  return "";
}

std::string_view to_string(Finding finding) {
  switch (finding) {
    case Finding::retried_non_retryable:
      return "retried_non_retryable";
    case Finding::came_back_early:
      return "came_back_early";
    case Finding::accepted_truncated:
      return "accepted_truncated";
  }
  return "";
}

Correlator::Attempt Correlator::arrive(const Identity& identity, ModelId model, Instant now,
                                       std::size_t phase) {
  ++attempts_;
  const bool named = !identity.call.empty();
  const std::string place = std::string(identity.credential) + '\n' + std::string(identity.path);
  const std::uint64_t key = named ? fingerprint(identity.call) : fingerprint(identity.body, place);
  Group& group = group_of(key);
  make_room(group);
  const auto last_that = [&](auto&& fits) {
    const auto found = std::find_if(group.open.rbegin(), group.open.rend(), fits);
    return found == group.open.rend() ? nullptr : &*found;
  };

  Attempt attempt;
  if (named) {
    const auto told = number(identity.attempt);
    const CallId id = number(identity.call).value_or(key);
    ServedCall* call = group.open.empty() ? nullptr : &group.open.back();
    attempt = call != nullptr ? again(*call, key, static_cast<std::uint32_t>(told.value_or(0)),
                                      CorrelatedBy::call_header, now)
                              : begin(group, key, id, static_cast<std::uint32_t>(told.value_or(1)),
                                      CorrelatedBy::call_header);
  } else if (const auto retries = number(identity.retry_count)) {
    const auto nth = static_cast<std::uint32_t>(*retries) + 1;
    ServedCall* call = nth == 1 ? nullptr : last_that([&](const ServedCall& open) {
      return open.first_number + open.attempts.size() == nth;
    });
    attempt = call != nullptr
                  ? again(*call, key, nth, CorrelatedBy::retry_count, now)
                  : begin(group, key, call_id(key, group.begun), nth, CorrelatedBy::retry_count);
  } else {
    ServedCall* call = last_that([&](const ServedCall& open) { return may_go_on(open, now); });
    if (call != nullptr) ++guessed_;
    attempt = call != nullptr
                  ? again(*call, key, 0, CorrelatedBy::content, now)
                  : begin(group, key, call_id(key, group.begun), 1, CorrelatedBy::content);
  }
  ServedCall& call = *std::ranges::find(group.open, attempt.call, &ServedCall::id);
  attempt.nth =
      call.first_number - 1 +
      static_cast<std::uint32_t>(std::ranges::count(call.attempts, model, &ServedAttempt::model));
  call.attempts.push_back({.model = model, .phase = phase, .arrived = now});
  attempt.index = call.attempts.size() - 1;
  return attempt;
}

Correlator::Group& Correlator::group_of(std::uint64_t key) {
  const auto [found, is_new] = groups_.try_emplace(key);
  if (!is_new) return found->second;
  order_.push_back(key);
  if (order_.size() > most_known_) {
    const auto oldest = groups_.find(order_.front());
    for (const ServedCall& call : oldest->second.open) close(call);
    groups_.erase(oldest);
    order_.pop_front();
  }
  return groups_.find(key)->second;
}

void Correlator::make_room(Group& group) {
  const auto is_full = [&](const ServedCall& call) {
    return is_over(call) && (group.open.size() >= most_open || call.attempts.size() >= most_tries);
  };
  const auto full = std::ranges::find_if(group.open, is_full);
  if (full == group.open.end()) return;
  close(*full);
  group.open.erase(full);
}

Correlator::Attempt Correlator::begin(Group& group, std::uint64_t key, CallId id,
                                      std::uint32_t number, CorrelatedBy by) {
  ++calls_;
  ++group.begun;
  group.open.push_back({.id = id, .first_number = std::max(number, 1U)});
  return {.call = id, .number = std::max(number, 1U), .by = by, .key = key};
}

Correlator::Attempt Correlator::again(ServedCall& call, std::uint64_t key, std::uint32_t number,
                                      CorrelatedBy by, Instant now) {
  const auto counted = call.first_number + static_cast<std::uint32_t>(call.attempts.size());
  Attempt attempt{.call = call.id, .number = number != 0 ? number : counted, .by = by, .key = key};
  attempt.finding = judge(call, now);
  if (attempt.finding) ++found_[static_cast<std::size_t>(*attempt.finding)];
  return attempt;
}

// Whether a request with the same content is likely to be its next try.
bool Correlator::may_go_on(const ServedCall& call, Instant now) const {
  if (!is_over(call)) return false;
  const ServedAttempt& last = call.attempts.back();
  const Instant free = after(last.ended, last.retry_after.value_or(Duration{0}));
  return now <= after(free, window_);
}

// What is to be said of a try that follows what `call` has seen so far.
std::optional<Finding> Correlator::judge(const ServedCall& call, Instant now) {
  const ServedAttempt& last = call.attempts.back();
  if (!is_over(call) || last.client_left || last.outcome == OutcomeKind::success) {
    return std::nullopt;
  }
  if (classify(last.outcome) != ErrorClass::retryable) return Finding::retried_non_retryable;
  if (last.retry_after && now < after(last.ended, *last.retry_after)) {
    return Finding::came_back_early;
  }
  return std::nullopt;
}

void Correlator::ended(const Attempt& attempt, const ServedAttempt& served) {
  const auto found = groups_.find(attempt.key);
  if (found == groups_.end()) return;
  std::vector<ServedCall>& open = found->second.open;
  const auto call = std::ranges::find(open, attempt.call, &ServedCall::id);
  if (call == open.end() || attempt.index >= call->attempts.size()) return;
  call->attempts[attempt.index] = served;
  // Numbers that clients give to calls stay known: another try of one may come on another route.
  const bool stays = attempt.by == CorrelatedBy::call_header;
  if (stays || served.outcome != OutcomeKind::success || served.client_left) return;
  close(*call);
  open.erase(call);
}

void Correlator::close(const ServedCall& call) {
  if (was_truncated(call)) {
    ++found_[static_cast<std::size_t>(Finding::accepted_truncated)];
  }
  done_(call);
}

void Correlator::finish() {
  for (const std::uint64_t key : order_) {
    for (const ServedCall& call : groups_.find(key)->second.open) close(call);
  }
  groups_.clear();
  order_.clear();
}

std::uint64_t Correlator::truncated_waiting() const {
  std::uint64_t count = 0;
  for (const std::uint64_t key : order_) {
    count += static_cast<std::uint64_t>(
        std::ranges::count_if(groups_.find(key)->second.open, was_truncated));
  }
  return count;
}

}  // namespace brownout::mock::http
