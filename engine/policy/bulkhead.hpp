#pragma once

// A bulkhead: at most so many calls at once, so many more in line, and no further.

#include <array>
#include <cstdint>

#include "engine/core/check.hpp"

namespace brownout {

struct BulkheadOptions {
  /// Calls that may run at once. At least 1. Default 25.
  std::uint32_t max_concurrent = 25;

  /// Calls that may stand in line for a place; 0 refuses at once. When the line is full everyone
  /// is refused, whatever the priority. Default 0.
  std::uint32_t max_queued = 0;
};

/// Shares out places. Priorities are strict: nobody is served while someone more urgent waits;
/// within a priority whoever came first is first.
///
/// A place handed to a waiter is its own from that moment, whether it has woken up yet or not; by
/// leaving it passes the place on. So places conserve: holders() is the number of waiters that are
/// `holding`, always.
///
/// *Threads*: none of its own; the owner serializes calls. *Determinism*: no draws, no time.
class Bulkhead {
 public:
  /// 0 is the most urgent.
  static constexpr std::uint8_t priorities = 4;

  /// One call's place, or place in line. *Ownership*: intrusive; the call owns it, and it must have
  /// left when destroyed. Nothing is allocated.
  class Waiter {
   public:
    enum class State : std::uint8_t { outside, queued, holding };

    Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() { BROWNOUT_CHECK(state_ == State::outside); }

    State state() const { return state_; }

   private:
    friend class Bulkhead;
    Waiter* previous_ = nullptr;
    Waiter* next_ = nullptr;
    State state_ = State::outside;
    std::uint8_t priority_ = 0;
  };

  enum class Admission : std::uint8_t { granted, queued, refused };

  explicit Bulkhead(const BulkheadOptions& options);

  /// Asks for a place. A refused waiter stays outside. Requires: the waiter is outside, and
  /// priority < priorities.
  Admission acquire(Waiter& waiter, std::uint8_t priority = 0);

  /// The waiter is done, or gives up, in whatever state it is; one that is outside is left alone.
  /// Returns the one that got its place, which is to be woken; null when there is none.
  [[nodiscard]] Waiter* leave(Waiter& waiter);

  /// From now on at most `max_concurrent` (at least 1) at once. Those who hold a place keep it;
  /// while there are too many, places that become free are not handed on. After an increase, call
  /// admit() until it returns null.
  void set_max_concurrent(std::uint32_t max_concurrent);

  /// Hands a free place to the next in line, if there are both, and returns whom to wake.
  [[nodiscard]] Waiter* admit();

  std::uint32_t max_concurrent() const { return max_concurrent_; }
  std::uint32_t holders() const { return holders_; }
  std::uint32_t queued() const { return queued_; }

 private:
  struct Line {
    Waiter* first = nullptr;
    Waiter* last = nullptr;
  };

  void enqueue(Waiter& waiter);
  void unlink(Waiter& waiter);

  std::uint32_t max_concurrent_;
  const std::uint32_t max_queued_;
  std::uint32_t holders_ = 0;
  std::uint32_t queued_ = 0;
  std::array<Line, priorities> lines_{};
};

}  // namespace brownout
