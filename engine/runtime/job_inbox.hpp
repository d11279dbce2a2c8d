#pragma once

// Where a runtime receives jobs from other threads.

#include <cstddef>
#include <mutex>

#include "engine/runtime/runtime.hpp"
#include "engine/runtime/timer_queue.hpp"

namespace brownout {

/// Jobs posted from any thread, in the order they came, until the runtime takes them over.
///
/// *Ownership*: holds jobs without owning them; adding allocates nothing. *Threads*: as said at
/// each member; "the runtime's" is the thread or strand its timers fire on.
class JobInbox {
 public:
  JobInbox();
  JobInbox(const JobInbox&) = delete;
  JobInbox& operator=(const JobInbox&) = delete;

  /// Jobs still inside become idle without being told.
  ~JobInbox();

  /// *Threads*: any. True when the inbox was empty: the runtime must be woken to move_to() a queue.
  /// Requires: the job is idle.
  [[nodiscard]] bool add(Timer& job);

  /// Arms everything inside at `now`, in order; returns how many. *Threads*: the runtime's.
  std::size_t move_to(TimerQueue& queue, Instant now);

  /// Takes the job out if it is inside and says whether it was. *Threads*: the runtime's. Requires:
  /// nobody is adding it meanwhile.
  bool remove(Timer& job);

  /// Drops every job, and those that are added meanwhile. *Threads*: the runtime's.
  void drop_all();

 private:
  // What due() says of a job inside. Written by whoever adds the job and by the runtime only, so
  // that remove() needs the lock for neighbours but not to find that a job is elsewhere.
  static constexpr Instant inside = Instant::min();

  Timer* take_first();
  static void unlink(TimerLink& link);

  std::mutex mutex_;  // of all links
  TimerLink head_;    // of a circular list
};

}  // namespace brownout
