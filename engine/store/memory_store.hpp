#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <unordered_map>

#include "engine/store/reply_store.hpp"

namespace brownout {

/// Replies in memory, the least recently used dropped first.
///
/// Lookups complete inside get(). `keep_for` is not enforced: what is never asked for again falls
/// off the end, and what is asked for is judged by its age. *Threads*: any number; the engines of
/// one process may share it, if their runtimes share a clock. *Determinism*: no draws, no clock.
class MemoryStore final : public ReplyStore {
 public:
  struct Options {
    /// Replies kept at most. At least 1. Default 10,000.
    std::size_t entries = 10'000;

    /// Bytes kept at most, counting the texts and `entry_bytes` for each reply. At least 1. A reply
    /// that alone is larger is not kept. Default 256 MiB.
    std::size_t bytes = std::size_t{256} << 20;
  };

  /// What a reply occupies besides its text, roughly: two nodes, a key, the text's own header.
  static constexpr std::size_t entry_bytes = 192;

  MemoryStore() : MemoryStore(Options{}) {}
  explicit MemoryStore(const Options& options);

  void get(const CacheKey& key, ReplyLookup& lookup) override;
  void cancel(ReplyLookup&) override {}
  void put(const CacheKey& key, const Reply& reply, Instant now, Duration keep_for) override;

  std::size_t size() const;
  std::size_t bytes() const;

 private:
  struct Entry {
    CacheKey key;
    StoredReply stored;
  };
  struct KeyHash {
    std::size_t operator()(const CacheKey& key) const { return key.low; }
  };
  using Entries = std::list<Entry>;
  using Index = std::unordered_map<CacheKey, Entries::iterator, KeyHash>;

  Index::node_type drop(Entries::iterator entry, Entries& dropped);

  const Options options_;
  mutable std::mutex mutex_;
  Entries entries_;  // most recently used first
  Index index_;
  std::size_t bytes_ = 0;
};

}  // namespace brownout
