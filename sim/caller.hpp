#pragma once

// Makes a workload's calls on an engine.

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/pipeline/engine.hpp"
#include "engine/runtime/runtime.hpp"
#include "sim/workload.hpp"

namespace brownout::sim {

/// Open loop: calls arrive as the workload says, whatever becomes of them. Closed loop: each client
/// has one call at a time; the first calls come after a think time each. Calls begin until
/// `ends`, then stop.
///
/// *Ownership*: refers to its runtime, engine and workload; must outlive the calls it made.
/// Requests are pooled. *Determinism*: open-loop calls are numbered by arrival; the nth call of
/// client c of N is number n * N + c, so that one client's delay does not renumber the others.
class Caller {
 public:
  /// `body` is that of every request; null where the transport needs none.
  Caller(Runtime& runtime, Engine& engine, const Workload& workload, Instant ends,
         SharedText body = {});
  ~Caller();

  /// Arms the first arrivals.
  void begin();

  /// Whether a call will still begin if no call under way ends.
  bool has_more() const;

 private:
  class Arrivals;
  class Client;
  class Slot;

  void start_call(std::uint64_t number, Slot& slot);
  Slot& acquire();

  Runtime& runtime_;
  Engine& engine_;
  const Workload& workload_;
  const Instant ends_;
  const SharedText body_;
  std::unique_ptr<Arrivals> arrivals_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> free_;
};

}  // namespace brownout::sim
