#include "engine/policy/bulkhead.hpp"

namespace brownout {

Bulkhead::Bulkhead(const BulkheadOptions& options)
    : max_concurrent_(options.max_concurrent), max_queued_(options.max_queued) {
  BROWNOUT_CHECK(max_concurrent_ >= 1);
}

// A free place is taken at once only when nobody waits; lines are non-empty beside a free place
// between set_max_concurrent() and the last admit().
Bulkhead::Admission Bulkhead::acquire(Waiter& waiter, std::uint8_t priority) {
  BROWNOUT_CHECK(waiter.state_ == Waiter::State::outside);
  BROWNOUT_CHECK(priority < priorities);
  if (queued_ == 0 && holders_ < max_concurrent_) {
    waiter.state_ = Waiter::State::holding;
    ++holders_;
    return Admission::granted;
  }
  if (queued_ >= max_queued_) return Admission::refused;
  waiter.priority_ = priority;
  enqueue(waiter);
  return Admission::queued;
}

Bulkhead::Waiter* Bulkhead::leave(Waiter& waiter) {
  switch (waiter.state_) {
    case Waiter::State::outside:
      return nullptr;
    case Waiter::State::queued:
      unlink(waiter);
      waiter.state_ = Waiter::State::outside;
      return nullptr;
    case Waiter::State::holding:
      waiter.state_ = Waiter::State::outside;
      --holders_;
      return admit();
  }
  return nullptr;
}

void Bulkhead::set_max_concurrent(std::uint32_t max_concurrent) {
  BROWNOUT_CHECK(max_concurrent >= 1);
  max_concurrent_ = max_concurrent;
}

Bulkhead::Waiter* Bulkhead::admit() {
  if (holders_ >= max_concurrent_) return nullptr;
  for (const Line& line : lines_) {
    if (line.first == nullptr) continue;
    Waiter& waiter = *line.first;
    unlink(waiter);
    waiter.state_ = Waiter::State::holding;
    ++holders_;
    return &waiter;
  }
  return nullptr;
}

void Bulkhead::enqueue(Waiter& waiter) {
  Line& line = lines_[waiter.priority_];
  waiter.state_ = Waiter::State::queued;
  waiter.previous_ = line.last;
  waiter.next_ = nullptr;
  (line.last != nullptr ? line.last->next_ : line.first) = &waiter;
  line.last = &waiter;
  ++queued_;
}

void Bulkhead::unlink(Waiter& waiter) {
  Line& line = lines_[waiter.priority_];
  (waiter.previous_ != nullptr ? waiter.previous_->next_ : line.first) = waiter.next_;
  (waiter.next_ != nullptr ? waiter.next_->previous_ : line.last) = waiter.previous_;
  waiter.previous_ = nullptr;
  waiter.next_ = nullptr;
  --queued_;
}

}  // namespace brownout
