#pragma once

// The thread that talks to a Redis.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "engine/store/redis_command.hpp"
#include "engine/store/redis_connection.hpp"
#include "engine/store/redis_options.hpp"

namespace brownout {

/// Keeps one connection up, as well as it can, and carries commands over it.
///
/// Nobody who submits, cancels or takes waits for anything but a mutex that is held for a few
/// instructions. *Ownership*: refers to the options; commands stay their owner's. *Threads*: one of
/// its own, on which all signals are blocked; members are called on the owner's.
class RedisWorker {
 public:
  /// `notify` is called on the worker's thread when answers wait that nobody has been told of. It
  /// is not called again before take_answers().
  RedisWorker(const RedisOptions& options, std::string password, std::function<void()> notify);
  RedisWorker(const RedisWorker&) = delete;
  RedisWorker& operator=(const RedisWorker&) = delete;

  /// Ends the thread. Commands that were not taken back are their owner's again.
  ~RedisWorker();

  /// False, and nothing done, while there is no connection.
  bool submit(RedisCommand& command);

  /// Commands that have been answered or never will be, in order.
  RedisCommands take_answers();

  bool connected() const { return connected_.load(std::memory_order_relaxed); }
  std::uint64_t connections() const { return connections_.load(std::memory_order_relaxed); }
  std::uint64_t connections_lost() const {
    return connections_lost_.load(std::memory_order_relaxed);
  }
  std::string last_error() const;

 private:
  using Time = RedisConnection::Time;

  void run();
  bool collect();
  void connect(Time now);
  void note_state(Time now);
  void hand_back(RedisCommands answered);
  void wait(Time now);
  void wake() const;

  const RedisOptions& options_;
  const std::function<void()> notify_;
  const int wake_fd_;

  mutable std::mutex mutex_;  // guards the next six
  RedisCommands submitted_;
  RedisCommands answers_;
  bool notified_ = false;
  bool open_ = false;  // commands are taken
  bool stops_ = false;
  std::string last_error_;

  std::atomic<bool> connected_{false};
  std::atomic<std::uint64_t> connections_{0};
  std::atomic<std::uint64_t> connections_lost_{0};

  // The thread's own.
  RedisConnection connection_;
  RedisConnection::State noted_ = RedisConnection::State::down;
  Time connected_at_{};
  Time connect_at_{};  // when to try again
  Duration next_wait_;

  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace brownout
