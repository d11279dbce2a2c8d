#include "engine/store/memory_store.hpp"

#include "engine/core/check.hpp"

namespace brownout {

MemoryStore::MemoryStore(std::size_t capacity) : capacity_(capacity) {
  BROWNOUT_CHECK(capacity > 0);
}

void MemoryStore::get(const CacheKey& key, ReplyLookup& lookup) {
  const auto found = index_.find(key);
  if (found == index_.end()) {
    lookup.on_lookup(nullptr);
    return;
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  lookup.on_lookup(&entries_.front().stored);
}

void MemoryStore::put(const CacheKey& key, const Reply& reply, Instant now, Duration) {
  const auto found = index_.find(key);
  if (found != index_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    entries_.front().stored = {reply, now};
    return;
  }
  if (entries_.size() == capacity_) {
    index_.erase(entries_.back().key);
    entries_.pop_back();
  }
  entries_.push_front({key, {reply, now}});
  index_.emplace(key, entries_.begin());
}

}  // namespace brownout
