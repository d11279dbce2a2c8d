#pragma once

// One connection to a Redis, driven by whoever polls its socket: never blocks, except where a host
// name has to be resolved.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/store/redis_command.hpp"
#include "engine/store/redis_options.hpp"

struct redisContext;
struct redisReply;

namespace brownout {

/// Connects, introduces itself (AUTH, SELECT, PING), then sends commands as they come and matches
/// answers to them in order. *Ownership*: holds the commands that are under way; they come back
/// through take_answered(), failed ones too. *Threads*: one.
class RedisConnection {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;

  enum class State : std::uint8_t {
    down,
    connecting,
    greeting,  ///< connected, but the server has not let us in yet
    ready,
  };

  RedisConnection(const RedisOptions& options, std::string password);
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;
  ~RedisConnection();

  State state() const { return state_; }

  /// Requires: down. May be down again at once.
  void begin(Time now);

  /// Requires: ready. May be down afterwards.
  void send(RedisCommand& command, Time now);

  /// What poll() said of the socket. Requires: not down.
  void progress(bool readable, bool writable);

  /// Gives the connection up if the server is overdue with something.
  void check(Time now);

  /// When check() may have something to give up; Time::max() for never.
  Time overdue() const;

  int socket() const;
  bool wants_to_write() const { return wants_to_write_; }

  /// Commands that have been answered, or never will be.
  RedisCommands take_answered();

  /// Whether the server has answered a command on this connection, or on the last one while down.
  bool has_answered() const { return has_answered_; }

  /// Why it is down.
  const std::string& reason() const { return reason_; }

 private:
  void greet();
  void flush();
  void receive();
  void accept(redisReply& reply);
  void answer(RedisCommand& command, const redisReply& reply);
  void give_up(std::string reason);
  void set_key(const CacheKey& key);

  struct Free {
    void operator()(redisContext* context) const;
  };

  const RedisOptions& options_;
  const std::string password_;
  std::unique_ptr<redisContext, Free> context_;
  State state_ = State::down;
  bool wants_to_write_ = false;
  bool has_answered_ = false;
  std::uint8_t greetings_ = 0;  // not answered yet
  Time greeted_by_{};
  RedisCommands in_flight_;
  RedisCommands answered_;
  std::string key_;    // the prefix, then the digits of the last key
  std::string value_;  // the last one encoded
  std::string reason_;
};

}  // namespace brownout
