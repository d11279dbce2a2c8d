#include "engine/runtime/job_inbox.hpp"

#include "engine/core/check.hpp"

namespace brownout {

JobInbox::JobInbox() {
  head_.previous_ = head_.next_ = &head_;
}

JobInbox::~JobInbox() {
  while (take_first() != nullptr) {
  }
}

bool JobInbox::add(Timer& job) {
  TimerLink& link = job;
  const std::lock_guard lock(mutex_);
  BROWNOUT_CHECK(!link.armed());
  const bool was_empty = head_.next_ == &head_;
  link.due_ = inside;
  link.previous_ = head_.previous_;
  link.next_ = &head_;
  head_.previous_->next_ = &link;
  head_.previous_ = &link;
  return was_empty;
}

std::size_t JobInbox::move_to(TimerQueue& queue, Instant now) {
  const std::lock_guard lock(mutex_);
  std::size_t moved = 0;
  while (head_.next_ != &head_) {
    TimerLink& link = *head_.next_;
    unlink(link);
    queue.arm(static_cast<Timer&>(link), now);
    ++moved;
  }
  return moved;
}

bool JobInbox::remove(Timer& job) {
  TimerLink& link = job;
  if (link.due_ != inside) return false;
  const std::lock_guard lock(mutex_);
  unlink(link);
  return true;
}

void JobInbox::drop_all() {
  while (Timer* job = take_first()) job->drop();
}

Timer* JobInbox::take_first() {
  const std::lock_guard lock(mutex_);
  if (head_.next_ == &head_) return nullptr;
  TimerLink& link = *head_.next_;
  unlink(link);
  return static_cast<Timer*>(&link);
}

void JobInbox::unlink(TimerLink& link) {
  link.previous_->next_ = link.next_;
  link.next_->previous_ = link.previous_;
  link.next_ = nullptr;
  link.due_ = Instant{};
}

}  // namespace brownout
