#include "engine/runtime/timer_queue.hpp"

namespace brownout {

TimerQueue::TimerQueue(TiePolicy ties, std::uint64_t seed)
    : random_(ties == TiePolicy::random), tie_draws_(seed, Purpose::tie, "kernel") {
  for (TimerLink& head : heads_) head.previous_ = head.next_ = &head;
}

TimerQueue::~TimerQueue() {
  while (Timer* timer = any_timer()) disarm(*timer);
}

Instant TimerQueue::next_due() const {
  if (!ties_.empty()) return ties_.front()->due_;
  return occupied_levels_ == 0 ? never : earliest_in(heads_[first_bucket()]).due_;
}

void TimerQueue::drop_all() {
  while (Timer* timer = any_timer()) {
    disarm(*timer);
    timer->drop();
  }
}

// Walks the list from both ends: with many timers pending each step is a cache miss that waits for
// the one before, so two walks take half the time. Among equals the foremost wins.
Timer& TimerQueue::earliest_in(const TimerLink& head) const {
  TimerLink* front = head.next_;
  TimerLink* back = head.previous_;
  TimerLink* first = front;  // earliest of the front walk, and of the back walk
  TimerLink* last = back;
  while (front != back) {
    front = front->next_;
    if (front->due_ < first->due_) first = front;
    if (front == back) break;
    back = back->previous_;
    if (back->due_ <= last->due_) last = back;
  }
  return timer_of(last->due_ < first->due_ ? *last : *first);
}

// Appends the bucket's timers to where they belong now that `last_` has moved into the bucket.
void TimerQueue::open(unsigned bucket) {
  TimerLink& head = heads_[bucket];
  TimerLink* link = head.next_;
  head.previous_ = head.next_ = &head;
  mark_empty(bucket);
  while (link != &head) {
    TimerLink* const behind = link->next_;
    place(timer_of(*link));
    link = behind;
  }
}

void TimerQueue::add_tie(Timer& timer) {
  TimerLink& link = timer;
  link.place_ = ties_.size();
  link.next_ = &link;
  ties_.push_back(&timer);
}

void TimerQueue::remove_tie(Timer& timer) {
  TimerLink& link = timer;
  TimerLink& moved = *ties_.back();
  moved.place_ = link.place_;
  ties_[link.place_] = ties_.back();
  ties_.pop_back();
  link.next_ = nullptr;
}

Timer* TimerQueue::pop_tie() {
  std::size_t chosen = 0;
  if (ties_.size() > 1) chosen = tie_draws_.at(last_, choices_++).below(ties_.size());
  Timer* const timer = ties_[chosen];
  --size_;
  remove_tie(*timer);
  return timer;
}

Timer* TimerQueue::any_timer() {
  if (!ties_.empty()) return ties_.front();
  return occupied_levels_ == 0 ? nullptr : &timer_of(*heads_[first_bucket()].next_);
}

}  // namespace brownout
