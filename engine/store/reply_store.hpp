#pragma once

// Where replies are kept between calls. In memory or in Redis; the simulator may script one.

#include <optional>

#include "engine/core/request.hpp"
#include "engine/core/time.hpp"

namespace brownout {

struct StoredReply {
  Reply reply;

  /// When it was put, on the clock of the runtime that asks. A store that outlives its process
  /// keeps calendar time and converts: only the age carries over.
  Instant stored_at{};
};

/// Waits for the answer to a lookup. *Ownership*: intrusive; the waiter owns it.
class ReplyLookup {
 public:
  /// Called once per get(), possibly from inside it. Null when there is no such reply, or none
  /// could be had in time: a store never fails a call. `found` is valid until this returns.
  virtual void on_lookup(const StoredReply* found) = 0;

 protected:
  ~ReplyLookup() = default;
};

/// *Threads*: called on the runtime's thread or strand, and answers there. Whether one store may
/// serve several runtimes is for each implementation to say.
class ReplyStore {
 public:
  ReplyStore() = default;
  ReplyStore(const ReplyStore&) = delete;
  ReplyStore& operator=(const ReplyStore&) = delete;
  virtual ~ReplyStore() = default;

  /// Looks for the newest reply under `key`, however old: freshness is the policy's decision.
  /// Requires: `lookup` is not waiting for an answer already.
  virtual void get(const CacheKey& key, ReplyLookup& lookup) = 0;

  /// After this returns, `lookup` will not be called. One that does not wait is left alone.
  virtual void cancel(ReplyLookup& lookup) = 0;

  /// Keeps `reply` in place of an older one. It may be dropped at any time; after `keep_for` nobody
  /// will want it.
  virtual void put(const CacheKey& key, const Reply& reply, Instant now, Duration keep_for) = 0;
};

}  // namespace brownout
