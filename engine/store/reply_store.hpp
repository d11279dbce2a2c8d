#pragma once

// Where replies are kept between calls. In memory or in Redis; the simulator may script one.

#include <optional>

#include "engine/core/request.hpp"
#include "engine/core/time.hpp"

namespace brownout {

struct StoredReply {
  Reply reply;
  Instant stored_at{};
};

/// Waits for the answer to a lookup. *Ownership*: intrusive; the waiter owns it.
class ReplyLookup {
 public:
  /// Called once per get(), possibly from inside it. Null when there is no such reply, or none
  /// could be had in time: a store never fails a call.
  virtual void on_lookup(const StoredReply* found) = 0;

 protected:
  ~ReplyLookup() = default;
};

/// *Threads*: called on the runtime's thread or strand, and answers there.
class ReplyStore {
 public:
  ReplyStore() = default;
  ReplyStore(const ReplyStore&) = delete;
  ReplyStore& operator=(const ReplyStore&) = delete;
  virtual ~ReplyStore() = default;

  /// Looks for the newest reply under `key`, however old: freshness is the policy's decision.
  virtual void get(const CacheKey& key, ReplyLookup& lookup) = 0;

  /// After this returns, `lookup` will not be called.
  virtual void cancel(ReplyLookup& lookup) = 0;

  /// Keeps `reply` in place of an older one. It may be dropped at any time; after `keep_for` nobody
  /// will want it.
  virtual void put(const CacheKey& key, const Reply& reply, Instant now, Duration keep_for) = 0;
};

}  // namespace brownout
