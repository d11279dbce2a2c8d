#pragma once

// The store of a simulated world: how long it takes, when it is slow and when it is dead.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/core/document.hpp"
#include "engine/core/draw.hpp"
#include "engine/runtime/runtime.hpp"
#include "engine/store/reply_store.hpp"
#include "engine/store/waiting_lookups.hpp"
#include "mockserver/distribution.hpp"

namespace brownout::sim {

/// What is wrong with the store in [from, until).
struct StoreFault {
  enum class Mode : std::uint8_t {
    slow,  ///< lookups take `latency`
    dead,  ///< lookups are never answered and puts are lost
  };
  Duration from{};
  Duration until{};
  Mode mode = Mode::dead;
  mock::Distribution latency;  ///< for slow
};

/// A scenario's `store`. Without one, replies are found at once and nothing ever goes wrong.
struct StoreSpec {
  mock::Distribution latency;      ///< of a lookup, when all is well; 0 unless the file says
  std::vector<StoreFault> faults;  ///< in order of time, none overlapping another

  /// Whether a run needs a store that is scripted.
  bool is_scripted() const { return latency.mean() > 0 || !faults.empty(); }
};

/// Reads a scenario's `store`; no fault may end after `scenario_duration`.
void read_store(const Node& node, Duration scenario_duration, Problems& problems, StoreSpec& spec);

/// Plays the script before another store, which keeps the replies. A put takes no time.
///
/// A lookup is judged by when it begins. What a dead store was asked it never answers, also when it
/// is back: whoever asks must have patience of its own. *Ownership*: refers to its runtime, the
/// store and the spec. Pending lookups are pooled. *Threads*: one. *Determinism*: draws
/// store_latency, keyed by the instant and the low half of the key: the same prompt looked for
/// twice at one instant takes the same time.
class ScriptedStore final : public ReplyStore {
 public:
  ScriptedStore(Runtime& runtime, ReplyStore& store, const StoreSpec& spec);
  ~ScriptedStore() override;

  void get(const CacheKey& key, ReplyLookup& lookup) override;
  void cancel(ReplyLookup& lookup) override;
  void put(const CacheKey& key, const Reply& reply, Instant now, Duration keep_for) override;

  /// Lookups that will be answered.
  std::size_t waiting() const { return waiting_.size(); }

 private:
  class Pending;

  const StoreFault* fault_at(Instant now) const;
  Pending& acquire();

  Runtime& runtime_;
  ReplyStore& store_;
  const StoreSpec& spec_;
  const DrawFamily draws_;
  WaitingLookups<Pending> waiting_;
  std::vector<std::unique_ptr<Pending>> pending_;
  std::vector<Pending*> free_;
};

}  // namespace brownout::sim
