#pragma once

// A Runtime on real time for tests of what has threads of its own: the test's thread is the
// runtime's while it is inside run_until().

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "engine/runtime/runtime.hpp"
#include "engine/runtime/timer_queue.hpp"

namespace brownout::testing {

/// *Threads*: post_from_anywhere() from any, everything else from the test's.
class RealRuntime final : public Runtime {
 public:
  /// `skew` is how far this machine's calendar is ahead of the true one.
  explicit RealRuntime(Duration skew = {}) : skew_(skew) {}

  ~RealRuntime() override {
    while (Timer* const job = next_posted()) job->drop();
  }

  Instant now() const override { return Instant{} + (Clock::now() - started_); }
  SystemTime system_now() const override { return std::chrono::system_clock::now() + skew_; }
  void arm(Timer& timer, Instant at) override { timers_.arm(timer, std::max(at, now())); }
  void disarm(Timer& timer) override { timers_.disarm(timer); }
  std::uint64_t seed() const override { return 1; }

  void post_from_anywhere(Timer& job) override {
    {
      const std::lock_guard lock(mutex_);
      posted_.push_back(&job);
    }
    posted_something_.notify_one();
  }

  void withdraw(Timer& job) override {
    timers_.disarm(job);
    const std::lock_guard lock(mutex_);
    std::erase(posted_, &job);
  }

  /// Runs what is due until `done()`, which may become true by itself; false when that took longer
  /// than `limit`.
  template <class Done>
  bool run_until(Done done, Duration limit = std::chrono::seconds{10}) {
    const Instant give_up = now() + limit;
    while (!done()) {
      if (now() >= give_up) return false;
      if (!run_some()) wait(std::min({give_up, timers_.next_due(), now() + look_again}));
    }
    return true;
  }

  void run_for(Duration duration) {
    run_until([] { return false; }, duration);
  }

  /// The longest any job has kept this thread.
  Duration longest_job() const { return longest_job_; }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr Duration look_again = std::chrono::milliseconds{1};

  bool run_some() {
    Timer* const job = next_posted();
    if (job != nullptr) fire(*job);
    Timer* const timer = timers_.pop(now());
    if (timer != nullptr) fire(*timer);
    return job != nullptr || timer != nullptr;
  }

  Timer* next_posted() {
    const std::lock_guard lock(mutex_);
    if (posted_.empty()) return nullptr;
    Timer* const job = posted_.front();
    posted_.pop_front();
    return job;
  }

  void fire(Timer& timer) {
    const Instant begun = now();
    timer.fire();
    longest_job_ = std::max(longest_job_, now() - begun);
  }

  void wait(Instant until) {
    std::unique_lock lock(mutex_);
    posted_something_.wait_for(lock, until - now(), [this] { return !posted_.empty(); });
  }

  const Clock::time_point started_ = Clock::now();
  const Duration skew_;
  TimerQueue timers_;
  Duration longest_job_{};
  std::mutex mutex_;
  std::condition_variable posted_something_;
  std::deque<Timer*> posted_;
};

}  // namespace brownout::testing
