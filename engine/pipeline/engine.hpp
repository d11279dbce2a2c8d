#pragma once

// The engine: a pipeline put to work.

#include <cstddef>
#include <list>
#include <memory>
#include <string>

#include "engine/pipeline/call.hpp"
#include "engine/pipeline/pipeline.hpp"
#include "engine/runtime/runtime.hpp"
#include "engine/store/reply_store.hpp"
#include "engine/telemetry/observer.hpp"
#include "engine/transport/transport.hpp"

namespace brownout {

/// Where a call's block has what, for one pipeline, and the blocks that are free.
struct CallLayout {
  CallLayout(std::shared_ptr<Pipeline> pipeline, Observer& observer);

  std::shared_ptr<Pipeline> pipeline;
  Observer* observer;
  std::size_t limits_offset = 0;
  std::size_t counters_offset = 0;
  std::size_t frames_offset = 0;
  std::size_t block_bytes = 0;
  std::size_t in_use = 0;
  Call* free = nullptr;
};

/// Takes calls and brings them to an end, whatever the providers do. The text of a streamed reply
/// passes through to the call's listener as it comes (CallListener::on_output); an engine keeps
/// none of it.
///
/// *Ownership*: refers to the runtime, transport, store and observer, which must outlive it; shares
/// its pipeline. Calls live in recycled blocks: in steady state a call allocates nothing.
/// *Threads*: everything happens on the runtime's thread or strand. To use several, give each an
/// engine with a runtime and a transport of its own, and all of them the same pipeline, store and
/// observer. *Determinism*: consumes time and draws only through its pipeline's layers.
class Engine {
 public:
  /// The pipeline must have been built for targets as this transport numbers them.
  Engine(Runtime& runtime, Transport& transport, ReplyStore& store, Observer& observer,
         std::shared_ptr<Pipeline> pipeline);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Abandons whatever is unfinished; listeners of those calls hear nothing more.
  ~Engine();

  /// Begins a call. `request` must stay until the end of the call; `deadline` is the caller's own,
  /// the policy's applies as well. `id` must differ from those of all other calls that share the
  /// pipeline: draws are addressed by it. The result names the call until its listener is called.
  Call& start(CallId id, const Request& request, Instant deadline, CallListener& listener);

  /// Gives a call up; its listener hears nothing more.
  void cancel(Call& call);

  /// From now on calls ride through `pipeline`; those under way finish in the one they began in.
  /// Events of new calls go to `observer`, which knows them by this pipeline's numbers; by default
  /// to the one of before.
  void reload(std::shared_ptr<Pipeline> pipeline, Observer* observer = nullptr);

  const Pipeline& pipeline() const { return *layouts_.back().pipeline; }
  std::size_t unfinished() const { return unfinished_; }

  /// What the first `most` unfinished calls wait for, a line each.
  std::string describe_unfinished(std::size_t most) const;

 private:
  friend class Call;
  friend class Visit;

  Call* acquire(CallLayout& layout);
  void recycle(Call* call);
  void recycle_copy(Call* copy);
  void give_back(Call* block);
  static void free_blocks(CallLayout& layout);

  Runtime& runtime_;
  Transport& transport_;
  ReplyStore& store_;
  std::list<CallLayout> layouts_;  // the last is for new calls; the others have calls under way
  Call* first_ = nullptr;
  Call* last_ = nullptr;
  std::size_t unfinished_ = 0;
};

}  // namespace brownout
