#pragma once

// One lookup or put on its way to a Redis and back.

#include <atomic>
#include <chrono>
#include <cstdint>

#include "engine/core/request.hpp"
#include "engine/store/reply_codec.hpp"
#include "engine/store/waiting_lookups.hpp"

namespace brownout {

/// What became of a command.
enum class RedisFate : std::uint8_t {
  found,
  missed,       ///< the server has no such key
  undecodable,  ///< it has, but not a reply of ours
  stored,
  failed,  ///< an error, a timeout or a broken connection
};

/// *Threads*: belongs to whoever holds it: the store until it is submitted and again once it is
/// taken back, the worker in between. `lookup` is the store's throughout, `cancelled` everybody's.
struct RedisCommand : WaitingLookup<RedisCommand> {
  bool is_put = false;
  CacheKey key{};
  ReplyRecord record;  ///< what to store, or what was found
  Duration keep_for{};
  RedisFate fate = RedisFate::failed;
  std::atomic<bool> cancelled{false};               ///< not worth sending any more
  std::chrono::steady_clock::time_point overdue{};  ///< the worker's
  RedisCommand* next = nullptr;                     ///< in the list that holds it
};

/// Commands in order, linked through themselves.
class RedisCommands {
 public:
  bool empty() const { return first_ == nullptr; }
  const RedisCommand& front() const { return *first_; }

  void push(RedisCommand& command) {
    command.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &command;
    last_ = &command;
  }

  /// Requires: not empty.
  RedisCommand& pop() {
    RedisCommand& command = *first_;
    first_ = command.next;
    if (first_ == nullptr) last_ = nullptr;
    return command;
  }

  /// Appends all of `other`, which is empty afterwards.
  void append(RedisCommands& other) {
    if (other.empty()) return;
    (last_ != nullptr ? last_->next : first_) = other.first_;
    last_ = other.last_;
    other = {};
  }

 private:
  RedisCommand* first_ = nullptr;
  RedisCommand* last_ = nullptr;
};

}  // namespace brownout
