#pragma once

// The engine's contact with time. Production implements it with Asio, the simulator with a virtual
// clock; nothing else in the engine asks what time it is or waits.

#include <cstddef>
#include <cstdint>

#include "engine/core/check.hpp"
#include "engine/core/time.hpp"

namespace brownout {

/// What a timer or posted job is called in diagnoses and in the schedule digest. One static
/// constant per kind of job: `constexpr JobName retry_wait{"retry wait"};`
struct JobName {
  constexpr explicit JobName(const char* name) : text(name), hash(fnv1a(name)) {}

  const char* text;
  std::uint64_t hash;  ///< of the text: what digests take in, equal on every machine

 private:
  static constexpr std::uint64_t fnv1a(const char* text) {
    std::uint64_t hash = 0xCBF29CE484222325U;
    for (; *text != '\0'; ++text) {
      hash = (hash ^ static_cast<unsigned char>(*text)) * 0x100000001B3U;
    }
    return hash;
  }
};

/// A timer's place in the queue or the inbox that holds it; only these arm it.
class TimerLink {
 public:
  TimerLink() = default;
  TimerLink(const TimerLink&) = delete;
  TimerLink& operator=(const TimerLink&) = delete;

  bool armed() const { return next_ != nullptr; }
  Instant due() const { return due_; }

 private:
  friend class JobInbox;
  friend class TimerQueue;
  Instant due_{};
  union {
    TimerLink* previous_ = nullptr;  // in a circular list
    std::size_t place_;              // in an array, where next_ only says that it is held
  };
  TimerLink* next_ = nullptr;
};

/// Something that will be run once by a Runtime: at an instant (arm) or as soon as possible (post).
///
/// *Ownership*: intrusive; whoever waits owns it and it must be idle when destroyed. Arming
/// allocates nothing. *Threads*: belongs to the thread (or strand) of its Runtime.
class Timer : public TimerLink {
 public:
  explicit Timer(const JobName& name) : name_(&name) {}

  const JobName& name() const { return *name_; }

  /// For its Runtime only. Runs at or after due(), never inside arm(). The timer is idle again when
  /// this is called, so it may re-arm or destroy itself.
  virtual void fire() = 0;

  /// For its Runtime only, which is going away while the timer was armed. The timer is idle and
  /// will not fire; a job that nobody else owns frees itself here.
  virtual void drop() noexcept {}

 protected:
  ~Timer() { BROWNOUT_CHECK(!armed()); }

 private:
  const JobName* name_;
};

/// Now, and later.
///
/// Comes with two implementations: AsioRuntime for programs, sim::Context for simulations. One of
/// your own, on another event loop, holds its timers in a TimerQueue and what other threads post in
/// a JobInbox; tests/consumer has one in thirty lines.
///
/// *Threads*: all members are called on the runtime's own thread or strand, except where they say
/// otherwise.
class Runtime {
 public:
  Runtime() = default;
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  virtual ~Runtime() = default;

  virtual Instant now() const = 0;
  virtual SystemTime system_now() const = 0;

  /// Fires `timer` once `at` has come; an instant that has passed means as soon as possible, after
  /// everything already due. Timers due at the same instant fire in the order they were armed.
  /// Requires: the timer is idle.
  virtual void arm(Timer& timer, Instant at) = 0;

  /// After this the timer is idle and will not fire. Idle timers are left alone.
  virtual void disarm(Timer& timer) = 0;

  void post(Timer& job) { arm(job, now()); }

  /// Like post(), but may be called from any thread. Requires: the job is idle; it may not be armed
  /// or disarmed before it has fired or was withdrawn.
  virtual void post_from_anywhere(Timer& job) = 0;

  /// After this the job, posted from anywhere or not at all, is idle and will not fire. Requires:
  /// nobody is posting it meanwhile.
  virtual void withdraw(Timer& job) = 0;

  /// The root of every draw the engine makes. Fixed for the runtime's life.
  virtual std::uint64_t seed() const = 0;
};

}  // namespace brownout
