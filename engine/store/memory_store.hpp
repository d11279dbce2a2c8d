#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>

#include "engine/store/reply_store.hpp"

namespace brownout {

/// Replies in memory, the least recently used dropped first.
///
/// Lookups complete inside get(). `keep_for` is not enforced: what is never asked for again falls
/// off the end, and what is asked for is judged by its age. *Threads*: one. *Determinism*: no
/// draws, no clock.
class MemoryStore final : public ReplyStore {
 public:
  static constexpr std::size_t capacity_default = 10'000;

  /// Requires: capacity > 0.
  explicit MemoryStore(std::size_t capacity = capacity_default);

  void get(const CacheKey& key, ReplyLookup& lookup) override;
  void cancel(ReplyLookup&) override {}
  void put(const CacheKey& key, const Reply& reply, Instant now, Duration keep_for) override;

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    CacheKey key;
    StoredReply stored;
  };
  struct KeyHash {
    std::size_t operator()(const CacheKey& key) const { return key.low; }
  };

  const std::size_t capacity_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<CacheKey, std::list<Entry>::iterator, KeyHash> index_;
};

}  // namespace brownout
