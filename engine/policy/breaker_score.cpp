#include "engine/policy/breaker_score.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout {

InFlightCalls::Place InFlightCalls::add(Instant now) {
  Place place = free_;
  if (place != nowhere) {
    free_ = entries_[place].after;
  } else {
    place = static_cast<Place>(entries_.size());
    entries_.emplace_back();
  }
  entries_[place] = {now, newest_, nowhere, false};
  (newest_ != nowhere ? entries_[newest_].after : oldest_) = place;
  newest_ = place;
  return place;
}

void InFlightCalls::unlink(const Entry& entry) {
  (entry.before != nowhere ? entries_[entry.before].after : oldest_) = entry.after;
  (entry.after != nowhere ? entries_[entry.after].before : newest_) = entry.before;
}

bool InFlightCalls::remove(Place place) {
  BROWNOUT_CHECK(place < entries_.size());
  Entry& entry = entries_[place];
  const bool slow = entry.slow;
  if (slow) {
    --slow_;
  } else {
    unlink(entry);
  }
  entry.slow = false;
  entry.after = free_;
  free_ = place;
  return slow;
}

bool InFlightCalls::age(Instant now, Duration limit) {
  bool any = false;
  while (oldest_ != nowhere && now - entries_[oldest_].admitted > limit) {
    Entry& entry = entries_[oldest_];
    unlink(entry);
    entry.slow = true;
    ++slow_;
    any = true;
  }
  return any;
}

void InFlightCalls::clear() {
  entries_.clear();
  oldest_ = newest_ = free_ = nowhere;
  slow_ = 0;
}

BreakerScore::BreakerScore(const BreakerOptions& options)
    : consecutive_(options.consecutive_failures),
      minimum_(options.minimum_calls),
      failure_per_mille_(options.failure_per_mille),
      failures_(options.failures_in_window),
      slow_per_mille_(options.slow_per_mille),
      both_(options.require_both),
      strict_(options.comparison == BreakerOptions::Comparison::above),
      on_every_result_(options.evaluate == BreakerOptions::Evaluate::results),
      slow_call_(options.slow_call) {
  const bool by_calls = options.window_calls != 0;
  const bool by_time = options.window_time != Duration{0};
  const bool about_window = failure_per_mille_ != 0 || failures_ != 0 || slow_per_mille_ != 0;
  BROWNOUT_CHECK(!(by_calls && by_time));
  BROWNOUT_CHECK(!about_window || by_calls || by_time);
  BROWNOUT_CHECK(minimum_ >= 1);
  BROWNOUT_CHECK(!both_ || (failure_per_mille_ != 0 && failures_ != 0));
  if (by_calls) {
    window_.emplace<CountWindow>(options.window_calls);
    minimum_ = std::min(minimum_, options.window_calls);
  }
  if (by_time) window_.emplace<TimeWindow>(options.window_time);
}

BreakerScore::Place BreakerScore::admit(Instant now) {
  return watches_calls_in_flight() ? in_flight_.add(now) : InFlightCalls::nowhere;
}

void BreakerScore::end(Place place) {
  if (place != InFlightCalls::nowhere) in_flight_.remove(place);
}

bool BreakerScore::is_tripped_by_waiting(Instant now) {
  return in_flight_.age(now, slow_call_) && window_trips(now);
}

// A success may open it too: by being slow, or by filling the minimum.
bool BreakerScore::record_success(bool slow, Instant now) {
  in_a_row_ = 0;
  return file({.failed = false, .slow = slow}, slow, now);
}

bool BreakerScore::record_failure(bool slow, Instant now) {
  ++in_a_row_;
  const bool by_window = file({.failed = true, .slow = slow}, true, now);
  return by_window || (consecutive_ != 0 && in_a_row_ >= consecutive_);
}

bool BreakerScore::record_slow(Instant now) {
  return file({.failed = false, .slow = true}, true, now);
}

bool BreakerScore::file(WindowEntry entry, bool evaluate, Instant now) {
  if (auto* calls = std::get_if<CountWindow>(&window_)) {
    calls->record(entry);
  } else if (auto* time = std::get_if<TimeWindow>(&window_)) {
    time->record(entry, now);
  } else {
    return false;
  }
  if (watches_calls_in_flight()) evaluate |= in_flight_.age(now, slow_call_);
  return (evaluate || on_every_result_) && window_trips(now);
}

WindowCounts BreakerScore::counts(Instant now) {
  WindowCounts counts;
  if (const auto* calls = std::get_if<CountWindow>(&window_)) {
    counts = calls->counts();
  } else if (auto* time = std::get_if<TimeWindow>(&window_)) {
    counts = time->counts(now);
  }
  const std::uint32_t waiting = in_flight_.slow();
  return counts += {waiting, 0, waiting};
}

bool BreakerScore::reaches(std::uint32_t part, std::uint32_t whole, std::uint32_t per_mille) const {
  const std::uint64_t have = std::uint64_t{part} * 1000;
  const std::uint64_t need = std::uint64_t{whole} * per_mille;
  return strict_ ? have > need : have >= need;
}

bool BreakerScore::window_trips(Instant now) {
  const WindowCounts seen = counts(now);
  const bool enough = seen.calls >= minimum_;
  const bool by_rate =
      failure_per_mille_ != 0 && enough && reaches(seen.failures, seen.calls, failure_per_mille_);
  const bool by_count = failures_ != 0 && seen.failures >= failures_;
  const bool slow =
      slow_per_mille_ != 0 && enough && reaches(seen.slow, seen.calls, slow_per_mille_);
  return slow || (both_ ? by_rate && by_count : by_rate || by_count);
}

bool BreakerScore::is_tripped(Instant now) {
  in_flight_.age(now, slow_call_);
  return window_trips(now) || (consecutive_ != 0 && in_a_row_ >= consecutive_);
}

void BreakerScore::clear() {
  in_a_row_ = 0;
  in_flight_.clear();
  if (auto* calls = std::get_if<CountWindow>(&window_)) calls->clear();
  if (auto* time = std::get_if<TimeWindow>(&window_)) time->clear();
}

void BreakerScore::adopt(const BreakerScore& other) {
  clear();
  in_a_row_ = other.in_a_row_;
  auto* calls = std::get_if<CountWindow>(&window_);
  const auto* other_calls = std::get_if<CountWindow>(&other.window_);
  if (calls != nullptr && other_calls != nullptr && calls->size() == other_calls->size()) {
    *calls = *other_calls;
  }
  auto* time = std::get_if<TimeWindow>(&window_);
  const auto* other_time = std::get_if<TimeWindow>(&other.window_);
  if (time != nullptr && other_time != nullptr && time->length() == other_time->length()) {
    *time = *other_time;
  }
}

}  // namespace brownout
