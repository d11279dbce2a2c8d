#include "engine/store/memory_store.hpp"

#include <utility>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

std::size_t bytes_of(const Reply& reply) {
  return MemoryStore::entry_bytes + (reply.text ? reply.text->size() : 0);
}

}  // namespace

MemoryStore::MemoryStore(const Options& options) : options_(options) {
  BROWNOUT_CHECK(options.entries > 0 && options.bytes > 0);
}

void MemoryStore::get(const CacheKey& key, ReplyLookup& lookup) {
  std::unique_lock lock(mutex_);
  const auto found = index_.find(key);
  if (found == index_.end()) {
    lock.unlock();
    lookup.on_lookup(nullptr);
    return;
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  // A copy, because another thread may replace the entry as soon as it can.
  const StoredReply stored = entries_.front().stored;
  lock.unlock();
  lookup.on_lookup(&stored);
}

// A full store allocates nothing: the nodes of what falls off the end are used again.
void MemoryStore::put(const CacheKey& key, const Reply& reply, Instant now, Duration) {
  StoredReply stored{reply, now};
  Entries dropped;  // freed without the lock, like what `stored` is exchanged for
  const std::size_t bytes = bytes_of(reply);
  const std::lock_guard lock(mutex_);
  if (const auto known = index_.find(key); known != index_.end()) {
    if (bytes > options_.bytes) return void(drop(known->second, dropped));
    entries_.splice(entries_.begin(), entries_, known->second);
    bytes_ += bytes;
    bytes_ -= bytes_of(entries_.front().stored.reply);
    std::swap(entries_.front().stored, stored);
    while (bytes_ > options_.bytes) drop(std::prev(entries_.end()), dropped);
    return;
  }
  if (bytes > options_.bytes) return;
  Index::node_type place;
  while (entries_.size() == options_.entries || bytes_ > options_.bytes - bytes) {
    place = drop(std::prev(entries_.end()), dropped);
  }
  bytes_ += bytes;
  if (dropped.empty()) {
    entries_.push_front({key, std::move(stored)});
    index_.emplace(key, entries_.begin());
    return;
  }
  entries_.splice(entries_.begin(), dropped, dropped.begin());
  entries_.front().key = key;
  std::swap(entries_.front().stored, stored);
  place.key() = key;
  place.mapped() = entries_.begin();
  index_.insert(std::move(place));
}

MemoryStore::Index::node_type MemoryStore::drop(Entries::iterator entry, Entries& dropped) {
  bytes_ -= bytes_of(entry->stored.reply);
  Index::node_type place = index_.extract(entry->key);
  dropped.splice(dropped.begin(), entries_, entry);
  return place;
}

std::size_t MemoryStore::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::size_t MemoryStore::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace brownout
