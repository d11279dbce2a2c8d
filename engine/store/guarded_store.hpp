#pragma once

// Patience with a store: a lookup that is not answered in time is a miss, and a store that keeps
// not answering is left alone for a while.
//
//               skip_after lookups in a row unanswered
//      +-------+ ---------------------------------> +----------+
//      | asks  |                                    | skips    | <-+
//      +-------+ <----- an answer to any lookup --- +----------+   |
//                                                        |  after skip_for: one lookup asks
//                                                        +--------- unanswered too: again
//
// A cache that is slower than its patience is worse than none; this is what makes "a slow or dead
// store never slows a call" true whatever stands behind it.

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/runtime/runtime.hpp"
#include "engine/store/reply_store.hpp"
#include "engine/store/waiting_lookups.hpp"

namespace brownout {

struct GuardOptions {
  /// How long a lookup may take. More than 0. Default 50 ms.
  Duration patience = std::chrono::milliseconds{50};

  /// Lookups in a row without an answer in time after which lookups are skipped; 0: never. A miss
  /// is an answer. Default 5.
  std::uint32_t skip_after = 5;

  /// How long lookups are skipped before one asks again. Ignored when `skip_after` is 0. Default
  /// 1 s.
  Duration skip_for = std::chrono::seconds{1};
};

/// What a guard has done so far.
struct GuardCounts {
  std::uint64_t answered = 0;    ///< in time, found or not
  std::uint64_t unanswered = 0;  ///< given up when patience ran out
  std::uint64_t skipped = 0;     ///< missed without asking
};

/// Stands before another store. Puts pass through always: they wait for nobody.
///
/// A lookup the store answers inside get() costs no timer. *Ownership*: refers to the runtime and
/// the store; waiting lookups are pooled, so that steady state allocates nothing. *Threads*: the
/// runtime's; each runtime has a guard of its own, also where they share what is behind it.
/// *Determinism*: no draws; one timer for each lookup that has to wait.
class GuardedStore final : public ReplyStore {
 public:
  GuardedStore(Runtime& runtime, ReplyStore& store, const GuardOptions& options = {});

  /// Lookups that still wait are cancelled.
  ~GuardedStore() override;

  void get(const CacheKey& key, ReplyLookup& lookup) override;
  void cancel(ReplyLookup& lookup) override;
  void put(const CacheKey& key, const Reply& reply, Instant now, Duration keep_for) override {
    store_.put(key, reply, now, keep_for);
  }

  const GuardCounts& counts() const { return counts_; }
  bool skips() const { return skips_; }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  class Waiter;

  Waiter& acquire();
  void recycle(Waiter& waiter);
  bool may_ask() const;
  void answered();
  void unanswered(const Waiter& waiter);

  Runtime& runtime_;
  ReplyStore& store_;
  const GuardOptions options_;
  GuardCounts counts_;
  std::uint32_t unanswered_in_a_row_ = 0;
  bool skips_ = false;
  const Waiter* probe_ = nullptr;  // while skipping: the lookup that is out
  Instant skip_until_{};
  WaitingLookups<Waiter> waiting_;
  std::vector<std::unique_ptr<Waiter>> waiters_;
  std::vector<Waiter*> free_;
};

}  // namespace brownout
