#include "engine/store/memory_store.hpp"

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

void MemoryStore::put(const CacheKey& key, const Reply& reply, Instant now, Duration) {
  const std::size_t bytes = bytes_of(reply);
  Entries added;
  if (bytes <= options_.bytes) added.push_front({key, {reply, now}});
  Entries dropped;  // freed without the lock
  const std::lock_guard lock(mutex_);
  const auto known = index_.find(key);
  if (known != index_.end()) erase(known->second, dropped);
  if (added.empty()) return;
  while (entries_.size() == options_.entries || bytes_ > options_.bytes - bytes) {
    erase(std::prev(entries_.end()), dropped);
  }
  entries_.splice(entries_.begin(), added);
  index_.emplace(key, entries_.begin());
  bytes_ += bytes;
}

void MemoryStore::erase(Entries::iterator entry, Entries& dropped) {
  bytes_ -= bytes_of(entry->stored.reply);
  index_.erase(entry->key);
  dropped.splice(dropped.begin(), entries_, entry);
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
