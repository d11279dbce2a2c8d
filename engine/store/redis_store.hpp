#pragma once

// Replies in Redis: shared between processes and kept across restarts.
//
// One thread of its own does all the talking; the engine's thread only leaves commands and picks up
// answers, and never waits for either. While there is no connection that works, lookups miss inside
// get() and puts are dropped. docs/design/004-store.md says why.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/runtime/runtime.hpp"
#include "engine/store/redis_command.hpp"
#include "engine/store/redis_options.hpp"
#include "engine/store/reply_store.hpp"
#include "engine/store/waiting_lookups.hpp"

namespace brownout {

class RedisWorker;

/// `GET` of prefix and key for a lookup, `PSETEX` with `keep_for` for a put. A key is 32
/// hexadecimal digits; a value is described in reply_codec.hpp, and what does not decode is a miss.
/// Values carry calendar time, so that a reply is as old as it is after a restart and on every
/// machine, as far as their clocks agree; one from the future counts as new.
///
/// A lookup may take up to `command_timeout` when the server has just died: stand a GuardedStore
/// before it. *Ownership*: refers to the runtime; commands are pooled. *Threads*: members are
/// called on the runtime's thread, which is where answers come; a process with several runtimes has
/// a store for each. *Determinism*: none, and no draws.
class RedisStore final : public ReplyStore {
 public:
  /// Begins to connect and does not wait for it: a server that is not there is no error, now or
  /// later. Errors: invalid, for an option out of its range; environment, when the password's
  /// variable is not set or empty.
  static Result<std::unique_ptr<RedisStore>> open(Runtime& runtime, RedisOptions options);

  /// Lookups that still wait hear nothing more. May wait for the resolution of a host name that is
  /// under way, for nothing else.
  ~RedisStore() override;

  void get(const CacheKey& key, ReplyLookup& lookup) override;
  void cancel(ReplyLookup& lookup) override;
  void put(const CacheKey& key, const Reply& reply, Instant now, Duration keep_for) override;

  /// Whether there is a connection whose server has let us in.
  bool connected() const;

  RedisCounts counts() const;

  /// Why the last connection was lost or could not be made; empty if that never happened.
  std::string last_error() const;

 private:
  class Delivery;

  RedisStore(Runtime& runtime, RedisOptions options, std::string password);

  RedisCommand* acquire();
  void recycle(RedisCommand& command);
  bool submit(RedisCommand& command);
  void deliver();
  void end_lookup(RedisCommand& command);
  void end_put(RedisCommand& command);
  StoredReply stored_reply(const ReplyRecord& record) const;

  Runtime& runtime_;
  const RedisOptions options_;
  RedisCounts counts_;  // but for what the worker counts
  WaitingLookups<RedisCommand> waiting_;
  std::vector<std::unique_ptr<RedisCommand>> commands_;
  std::vector<RedisCommand*> free_;
  std::size_t pending_bytes_ = 0;
  std::unique_ptr<Delivery> delivery_;
  std::unique_ptr<RedisWorker> worker_;  // goes first: it uses the commands and the delivery
};

}  // namespace brownout
