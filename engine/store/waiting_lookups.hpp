#pragma once

// Who waits for what: the records of a store that answers later, found by their lookup, so that
// cancel() does not have to search.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/core/check.hpp"
#include "engine/store/reply_store.hpp"

namespace brownout {

/// What a Record of WaitingLookups derives from.
template <class Record>
struct WaitingLookup {
  ReplyLookup* lookup = nullptr;  ///< null while the record waits for nobody

 private:
  template <class>
  friend class WaitingLookups;
  Record* next_in_bucket_ = nullptr;
};

/// A chained hash table through the records themselves. Allocates only when more wait at once than
/// ever before. *Ownership*: holds records without owning them. *Threads*: one. *Determinism*: the
/// order of records is never seen.
template <class Record>
class WaitingLookups {
 public:
  WaitingLookups() : buckets_(16) {}

  /// Requires: `record` waits for nobody, and nobody else for `lookup`.
  void add(Record& record, ReplyLookup& lookup) {
    BROWNOUT_CHECK(record.lookup == nullptr);
    if (size_ == buckets_.size()) grow();
    record.lookup = &lookup;
    link(record);
    ++size_;
  }

  /// Null when `lookup` does not wait.
  Record* find(const ReplyLookup& lookup) const {
    Record* record = buckets_[bucket_of(&lookup)];
    while (record != nullptr && record->lookup != &lookup) record = record->next_in_bucket_;
    return record;
  }

  /// The lookup the record waited for. Requires: it waits for one.
  ReplyLookup& remove(Record& record) {
    BROWNOUT_CHECK(record.lookup != nullptr);
    Record** place = &buckets_[bucket_of(record.lookup)];
    while (*place != &record) place = &(*place)->next_in_bucket_;
    *place = record.next_in_bucket_;
    --size_;
    ReplyLookup& lookup = *record.lookup;
    record.lookup = nullptr;
    return lookup;
  }

  std::size_t size() const { return size_; }

 private:
  std::size_t bucket_of(const ReplyLookup* lookup) const {
    const auto address = reinterpret_cast<std::uintptr_t>(lookup);
    return (address >> 4) * 0x9E3779B97F4A7C15U >> 32 & (buckets_.size() - 1);
  }

  void link(Record& record) {
    Record*& bucket = buckets_[bucket_of(record.lookup)];
    record.next_in_bucket_ = bucket;
    bucket = &record;
  }

  void grow() {
    std::vector<Record*> old(2 * buckets_.size());
    old.swap(buckets_);
    for (Record* record : old) {
      while (record != nullptr) {
        Record* const next = record->next_in_bucket_;
        link(*record);
        record = next;
      }
    }
  }

  std::vector<Record*> buckets_;  // a power of two
  std::size_t size_ = 0;
};

}  // namespace brownout
