#pragma once

// The simulated world's time and scheduler: a Runtime on virtual time that is an Asio execution
// context as well, so that stock coroutines, channels and strands run on it.
//
// There is one queue. Timers, coroutine waits and handlers posted through the executor are all
// events in it, ordered by (instant, order of arming); between two events time jumps. Asio's own
// timers have no place here: on a foreign context they silently start a thread and wait in real
// time. Wait with async_wait_until (sim/kernel/wait.hpp).

#include <atomic>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "engine/core/time.hpp"
#include "engine/runtime/runtime.hpp"
#include "engine/runtime/timer_queue.hpp"
#include "sim/kernel/memory.hpp"
#include "sim/kernel/schedule_log.hpp"

namespace brownout::sim {

/// Why a run returned.
enum class Stop : std::uint8_t {
  idle,         ///< nothing is armed any more, or only at `never`
  reached,      ///< the instant asked for has come; something is armed for later
  livelock,     ///< time stands still: more events at one instant than the limit allows
  interrupted,  ///< the interrupt flag was seen, or the budget of events is spent
};
std::string_view to_string(Stop stop);

/// *Ownership*: a timer armed here is its owner's and must be idle or still exist when the context
/// is destroyed, which drops it. Handlers given to the executor and pending waits are the
/// context's; those that have not run by then are destroyed without being run, and what their
/// destructors post is dropped too. *Threads*: one. *Determinism*: a run is a function of what was
/// armed, the options and the seed; TiePolicy::random draws as described at TimerQueue.
class Context final : public boost::asio::execution_context, public Runtime {
 public:
  struct Limits {
    /// More events than this at one instant are a livelock.
    std::uint64_t events_at_one_instant = 1'000'000;
    /// Events of the context's whole life; the run stops, interrupted, when they are spent.
    std::uint64_t events = std::numeric_limits<std::uint64_t>::max();
  };
  struct Options {
    std::uint64_t seed = 0;
    SystemTime starts_at{};  ///< calendar time at Instant{}
    TiePolicy ties = TiePolicy::fifo;
    Limits limits{};
    /// Looked at every 1,024 events; the run stops when it is true. May be set from a signal
    /// handler or another thread. Null: never.
    const std::atomic<bool>* interrupt = nullptr;
  };
  class Executor;
  using executor_type = Executor;

  Context() : Context(Options{}) {}
  explicit Context(const Options& options);
  ~Context() override;

  Executor get_executor() noexcept;

  // Runtime. Time starts at Instant{}.
  Instant now() const override { return now_; }
  SystemTime system_now() const override { return starts_at_ + now_.time_since_epoch(); }
  void arm(Timer& timer, Instant at) override { queue_.arm(timer, at < now_ ? now_ : at); }
  void disarm(Timer& timer) override { queue_.disarm(timer); }
  void post_from_anywhere(Timer& job) override { post(job); }
  void withdraw(Timer& job) override { disarm(job); }
  std::uint64_t seed() const override { return seed_; }

  /// Runs until nothing is left to happen; `now()` is then the instant of the last event. Requires,
  /// like run_until: not called from inside an event.
  ///
  /// Whether idle means done or *deadlock* is for the caller to say, who knows what was to be
  /// finished. After livelock and interrupted the next event is still in the queue; running on is
  /// allowed, but a livelock stays one, and a spent budget stays spent.
  Stop run_until_idle();

  /// Runs everything due at or before `at`, then advances `now()` to it even if nothing was due.
  /// Returns idle when nothing is armed for later. Requires: now() <= at < never.
  Stop run_until(Instant at);

  std::uint64_t events() const { return log_.events(); }

  /// When the last event was: run_until may have gone on since. Instant{} before the first.
  Instant last_event() const { return log_.last_at(); }

  /// A digest of every event so far: instant and job name, in order. Compare it between runs of one
  /// build; any change to who waits for what changes it.
  std::uint64_t schedule_digest() const { return log_.digest(); }

  /// Seed, virtual time, number of events and the last of them, for diagnoses. Ends with a newline.
  std::string describe_recent() const;

  /// "livelock at 1.5s: more than 1000000 events at one instant, the last being 32 x "…", …": for
  /// Stop::livelock.
  std::string describe_livelock() const;

  /// Memory of small jobs that own themselves.
  RecyclingPool& pool() { return pool_; }

 private:
  friend class Executor;
  template <class Function>
  class Job;

  Stop run(Instant limit);
  bool interrupted_or_spent();

  TimerQueue queue_;
  Instant now_{};
  std::uint64_t events_here_ = 0;  // at `now_`
  std::uint64_t next_poll_ = 0;
  ScheduleLog log_;
  RecyclingPool pool_;
  SystemTime starts_at_;
  std::uint64_t seed_;
  Limits limits_;
  const std::atomic<bool>* interrupt_;
  bool running_ = false;
};

inline constexpr JobName posted_handler{"posted handler"};

/// A handler given to the executor, on its way through the queue.
template <class Function>
class Context::Job final : public Timer {
 public:
  template <class F>
  Job(Context& context, F&& function)
      : Timer(posted_handler), context_(context), function_(std::forward<F>(function)) {}

 private:
  // The memory goes back first: what the function posts can have it at once.
  void fire() override {
    Function function(std::move(function_));
    free();
    std::move(function)();
  }
  void drop() noexcept override { free(); }
  void free() {
    Context& context = context_;
    this->~Job();
    context.pool_.deallocate<Job>(this);
  }

  Context& context_;
  Function function_;
};

/// Models Asio's executor requirements, never blocking: a function never runs inside execute().
class Context::Executor {
 public:
  explicit Executor(Context& context) noexcept : context_(&context) {}

  boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept {
    return *context_;
  }
  static constexpr boost::asio::execution::blocking_t query(
      boost::asio::execution::blocking_t) noexcept {
    return boost::asio::execution::blocking.never;
  }

  /// Runs `function` at the current instant, after everything already due.
  template <class Function>
  void execute(Function&& function) const {
    using J = Job<std::decay_t<Function>>;
    J* const job =
        ::new (context_->pool_.allocate<J>()) J(*context_, std::forward<Function>(function));
    context_->queue_.arm(*job, context_->now_);
  }

  Context& context() const noexcept { return *context_; }
  bool operator==(const Executor&) const noexcept = default;

 private:
  Context* context_;
};

inline Context::Executor Context::get_executor() noexcept {
  return Executor(*this);
}

}  // namespace brownout::sim
