#pragma once

// The engine: a pipeline put to work.

#include <cstddef>
#include <memory>
#include <string>

#include "engine/pipeline/call.hpp"
#include "engine/pipeline/pipeline.hpp"
#include "engine/runtime/runtime.hpp"
#include "engine/store/reply_store.hpp"
#include "engine/telemetry/observer.hpp"
#include "engine/transport/transport.hpp"

namespace brownout {

/// Takes calls and brings them to an end, whatever the providers do.
///
/// *Ownership*: owns its pipeline; refers to the runtime, transport, store and observer, which must
/// outlive it. Calls live in recycled blocks: in steady state a call allocates nothing. *Threads*:
/// everything happens on the runtime's thread or strand. *Determinism*: consumes time and draws
/// only through its pipeline's layers.
class Engine {
 public:
  Engine(Runtime& runtime, Transport& transport, ReplyStore& store, Observer& observer,
         std::unique_ptr<Pipeline> pipeline);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Abandons whatever is unfinished; listeners of those calls hear nothing more.
  ~Engine();

  /// Begins a call. `request` must stay until the end of the call; `deadline` is the caller's own,
  /// the policy's applies as well. `id` must differ from those of all other calls of this engine:
  /// draws are addressed by it. The result names the call until its listener is called.
  Call& start(CallId id, const Request& request, Instant deadline, CallListener& listener);

  /// Gives a call up; its listener hears nothing more.
  void cancel(Call& call);

  const Pipeline& pipeline() const { return *pipeline_; }
  std::size_t unfinished() const { return unfinished_; }

  /// What the first `most` unfinished calls wait for, a line each.
  std::string describe_unfinished(std::size_t most) const;

 private:
  friend class Call;
  friend class Visit;

  Call* acquire();
  void recycle(Call* call);

  Runtime& runtime_;
  Transport& transport_;
  ReplyStore& store_;
  Observer& observer_;
  std::unique_ptr<Pipeline> pipeline_;
  std::size_t block_bytes_;
  std::size_t limits_offset_;
  std::size_t counters_offset_;
  std::size_t frames_offset_;
  Call* first_ = nullptr;
  Call* last_ = nullptr;
  Call* free_ = nullptr;
  std::size_t unfinished_ = 0;
};

}  // namespace brownout
