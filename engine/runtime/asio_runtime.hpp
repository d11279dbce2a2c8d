#pragma once

// Real time, by Boost.Asio.

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <memory>
#include <optional>

#include "engine/runtime/job_inbox.hpp"
#include "engine/runtime/runtime.hpp"
#include "engine/runtime/timer_queue.hpp"

namespace brownout {

/// A clock that runs faster or slower than the machine's, for programs that live through hours in
/// minutes.
struct Pace {
  /// Seconds of the runtime in one second of the machine. Greater than 0.
  double speed = 1;

  /// What AsioRuntime::clock() shows, or showed, at the runtime's Instant{}.
  Instant origin{};

  /// Calendar time at the runtime's Instant{}.
  SystemTime calendar{};
};

/// A Runtime on a serial executor: an io_context that one thread runs, or a strand of anything.
///
/// Instants are those of the machine's steady clock, so all runtimes of a process agree on them,
/// unless one is given a Pace.
/// Timers fire in the order of (instant, arming), never early, from handlers on the executor; one
/// Asio timer stands for all of them and is set only while something is armed, so that an
/// io_context with nothing else to do returns from run().
///
/// *Time stands still during a turn*: one timer that fires, or one entry from outside, which
/// whoever brings it announces with a Turn. Within it now() costs a load and not a look at the
/// clock.
///
/// *Ownership*: shares its executor's context, which must outlive it. Timers still armed when it is
/// destroyed are dropped. *Threads*: those of the executor, one at a time; destroyed there or when
/// nothing runs on it any more. *Determinism*: none, except for the seed.
class AsioRuntime final : public Runtime {
 public:
  /// Entry of something that happened outside, such as a packet or a caller: time moves on. Open
  /// one in every handler that calls into an engine, a transport or a store. They may be nested.
  ///
  /// What is posted in a turn never runs before its end.
  class Turn {
   public:
    explicit Turn(AsioRuntime& runtime);
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn();

   private:
    AsioRuntime& runtime_;
    bool outermost_;
  };

  /// Every process, and every runtime in it, should draw differently: then clients that failed
  /// together do not come back together.
  explicit AsioRuntime(boost::asio::any_io_executor executor, std::uint64_t seed = fresh_seed());

  /// On a clock of its own. Requires: instants before pace.origin are not asked for.
  AsioRuntime(boost::asio::any_io_executor executor, std::uint64_t seed, const Pace& pace);
  ~AsioRuntime() override;

  /// The turn's instant; outside of any, the clock's.
  Instant now() const override { return in_turn_ ? now_ : read_clock(); }
  SystemTime system_now() const override;
  void arm(Timer& timer, Instant at) override;
  void disarm(Timer& timer) override { queue_.disarm(timer); }
  void post_from_anywhere(Timer& job) override;
  void withdraw(Timer& job) override;
  std::uint64_t seed() const override { return seed_; }

  const boost::asio::any_io_executor& executor() const { return executor_; }

  /// Whether the caller is on the executor. *Threads*: any. Known for io_context, thread_pool and
  /// the usual strands (over any_io_executor, io_context or thread_pool); false for other
  /// executors.
  bool runs_here() const { return here_ != nullptr && here_(executor_); }

  /// The machine's clock, which is the one behind now() unless there is a Pace. *Threads*: any.
  static Instant clock();

  /// From the operating system's entropy. *Threads*: any.
  static std::uint64_t fresh_seed();

 private:
  struct Link;

  Instant read_clock() const { return pace_ ? paced(clock()) : clock(); }
  Instant paced(Instant real) const;
  Instant real(Instant at) const;
  AsioRuntime(boost::asio::any_io_executor executor, std::uint64_t seed, std::optional<Pace> pace);
  void wake();
  void woken();
  void rung();
  void run_due();
  void end_turn();
  void set_timer(Instant at);

  boost::asio::any_io_executor executor_;
  boost::asio::any_io_executor later_;  // the same, never running a function inside execute()
  bool (*here_)(const boost::asio::any_io_executor&);
  const std::uint64_t seed_;
  const std::optional<Pace> pace_;
  TimerQueue queue_;
  JobInbox inbox_;
  std::shared_ptr<Link> link_;  // between Asio's handlers, which may outlive us, and us
  Instant now_{};
  bool in_turn_ = false;
  bool wake_posted_ = false;

  // Looking into the queue costs a scan; these say when it is needed. Timers in the queue that were
  // not due when they were armed are due at `earliest_` or later.
  Instant earliest_ = never;
  std::size_t due_at_once_ = 0;  // at most so many of the others are in the queue
  Instant timer_due_ = never;    // what Asio's timer is set to; never: it is not
};

}  // namespace brownout
