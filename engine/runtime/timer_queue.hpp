#pragma once

// A runtime's queue of what is to happen: timers ordered by (instant, order of arming).
//
// A monotone radix heap after Ahuja, Mehlhorn, Orlin and Tarjan, "Faster algorithms for the
// shortest path problem" (JACM 37(2), 1990), with digits of several bits in the manner of their
// two-level heap. Time never runs backwards, so no timer is armed before the last one popped, and a
// timer needs to be compared with that one only: the highest digit in which their instants differ,
// and the timer's value there, name its bucket. Buckets are circular lists through the timers
// themselves; arming allocates nothing and disarming unlinks.
//
// Timers due at one instant come out in the order they were armed, by construction:
//   1. The bucket is a function of (due, last popped), so timers of one instant share a bucket.
//   2. Arming appends to it.
//   3. When the earliest bucket is opened, its timers are appended, front to back, to buckets of
//      lower digits. Those were empty, or this would not have been the earliest.
//   4. Opening a bucket leaves the bucket of every timer outside it as it was: the new "last
//   popped"
//      differs from the old one in no digit above the bucket's.
// A list therefore holds the timers of one instant in arming order at all times.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/core/check.hpp"
#include "engine/core/draw.hpp"
#include "engine/core/time.hpp"
#include "engine/runtime/runtime.hpp"

namespace brownout {

/// Which of several timers due at one instant comes first.
enum class TiePolicy : std::uint8_t {
  fifo,    ///< the one armed first
  random,  ///< any, by seed: finds out what depends on the order without meaning to
};

/// *Ownership*: holds timers without owning them. *Determinism*: under TiePolicy::random the nth
/// choice at an instant takes one draw at (Purpose::tie, "kernel", instant, n), so that ties at one
/// instant decide nothing about those at another; a timer alone at its instant takes none.
class TimerQueue {
 public:
  /// `seed` matters for TiePolicy::random only.
  explicit TimerQueue(TiePolicy ties = TiePolicy::fifo, std::uint64_t seed = 0);
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  /// Timers still armed become idle without being told.
  ~TimerQueue();

  /// O(1). Requires: the timer is idle; `at` is not before the last timer popped, nor before
  /// Instant{}.
  void arm(Timer& timer, Instant at);

  /// O(1). Idle timers are left alone. Requires: the timer is idle or armed here.
  void disarm(Timer& timer);

  /// Takes out the first timer due at or before `limit`; null when there is none. Requires: `limit`
  /// is not before Instant{}. A
  /// timer is moved at most once per digit of its delay before it comes out.
  Timer* pop(Instant limit = never);

  /// When the first timer is due; `never` when there is none. Scans one bucket.
  Instant next_due() const;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// Drops every timer, and those that are armed meanwhile.
  void drop_all();

 private:
  // 64 buckets for each of the 11 digits of an instant: 17 KiB. Measured best of digits of 1 to 6
  // bits, at 1,000 and at 100,000 pending timers.
  static constexpr unsigned digit_bits = 6;
  static constexpr unsigned digit_values = 1U << digit_bits;
  static constexpr unsigned levels = (64 + digit_bits - 1) / digit_bits;

  static std::uint64_t key_of(Instant at) {
    return static_cast<std::uint64_t>(at.time_since_epoch().count());
  }
  static Timer& timer_of(TimerLink& link) { return static_cast<Timer&>(link); }

  void place(Timer& timer);
  void append(unsigned bucket, Timer& timer);
  void unlink(TimerLink& link);
  void mark_empty(unsigned bucket);
  unsigned first_bucket() const;
  Timer& earliest_in(const TimerLink& head) const;
  void open(unsigned bucket);
  void add_tie(Timer& timer);
  void remove_tie(Timer& timer);
  Timer* pop_tie();
  Timer* any_timer();

  std::uint64_t last_ = 0;  // due time of the last timer popped
  std::size_t size_ = 0;
  std::uint64_t occupied_levels_ = 0;
  std::array<std::uint64_t, levels> occupied_{};
  std::array<TimerLink, std::size_t{levels} * digit_values> heads_;

  // TiePolicy::random: the timers due at `last_` are kept here and in no list.
  bool random_;
  DrawFamily tie_draws_;
  std::uint32_t choices_ = 0;  // made at this instant
  std::vector<Timer*> ties_;
};

inline void TimerQueue::arm(Timer& timer, Instant at) {
  BROWNOUT_CHECK(!timer.armed());
  BROWNOUT_CHECK(at >= Instant{} && key_of(at) >= last_);
  timer.due_ = at;
  ++size_;
  place(timer);
}

inline void TimerQueue::disarm(Timer& timer) {
  if (!timer.armed()) return;
  --size_;
  if (random_ && key_of(timer.due_) == last_) {
    remove_tie(timer);
  } else {
    unlink(timer);
  }
}

inline void TimerQueue::place(Timer& timer) {
  const std::uint64_t key = key_of(timer.due_);
  const std::uint64_t difference = key ^ last_;
  if (random_ && difference == 0) return add_tie(timer);
  const auto highest_bit = static_cast<unsigned>(std::bit_width(difference | 1) - 1);
  const unsigned level = highest_bit / digit_bits;
  const auto digit = static_cast<unsigned>(key >> (level * digit_bits)) % digit_values;
  occupied_levels_ |= std::uint64_t{1} << level;
  occupied_[level] |= std::uint64_t{1} << digit;
  append(level * digit_values + digit, timer);
}

inline void TimerQueue::append(unsigned bucket, Timer& timer) {
  TimerLink& head = heads_[bucket];
  TimerLink& link = timer;
  link.previous_ = head.previous_;
  link.next_ = &head;
  head.previous_->next_ = &link;
  head.previous_ = &link;
}

inline void TimerQueue::unlink(TimerLink& link) {
  TimerLink* const before = link.previous_;
  TimerLink* const behind = link.next_;
  before->next_ = behind;
  behind->previous_ = before;
  link.next_ = nullptr;
  if (before == behind) mark_empty(static_cast<unsigned>(before - heads_.data()));
}

inline void TimerQueue::mark_empty(unsigned bucket) {
  const unsigned level = bucket / digit_values;
  occupied_[level] &= ~(std::uint64_t{1} << bucket % digit_values);
  if (occupied_[level] == 0) occupied_levels_ &= ~(std::uint64_t{1} << level);
}

inline unsigned TimerQueue::first_bucket() const {
  const auto level = static_cast<unsigned>(std::countr_zero(occupied_levels_));
  return level * digit_values + static_cast<unsigned>(std::countr_zero(occupied_[level]));
}

inline Timer* TimerQueue::pop(Instant limit) {
  if (!ties_.empty()) return key_of(limit) < last_ ? nullptr : pop_tie();
  if (occupied_levels_ == 0) return nullptr;
  const unsigned bucket = first_bucket();
  TimerLink& head = heads_[bucket];
  // A bucket of the lowest digit holds one instant only.
  Timer& first = bucket < digit_values ? timer_of(*head.next_) : earliest_in(head);
  if (first.due_ > limit) return nullptr;
  last_ = key_of(first.due_);
  choices_ = 0;
  if (random_) {
    open(bucket);
    return pop_tie();
  }
  --size_;
  unlink(first);
  if (bucket >= digit_values && head.next_ != &head) open(bucket);
  return &first;
}

}  // namespace brownout
