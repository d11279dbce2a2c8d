#pragma once

// A pipeline is a tree of layers, ridden like a lift.
//
// A call rides down from the root: each layer's door `enter` opens once and says where to go next.
// At a leaf the driver starts an attempt; with its outcome in hand the call rides up again, and
// each layer's door `leave` says whether to keep going up, to go down again, or to wait first.
// Layers only decide: the driver (call.hpp) is the only code that waits, looks up or sends. That
// makes every layer testable as a script of actions (tests/engine/pipeline/).
//
// Why not a coroutine per layer: docs/design/001-pipeline.md.

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <utility>

#include "engine/core/outcome.hpp"
#include "engine/core/request.hpp"
#include "engine/core/time.hpp"
#include "engine/runtime/runtime.hpp"
#include "engine/telemetry/observer.hpp"
#include "engine/transport/transport.hpp"

namespace brownout {

class Call;
class ReplyStore;
struct PipelineNode;
struct StoredReply;

/// Why a call below a layer was abandoned.
enum class Cut : std::uint8_t {
  caller,      ///< the caller cancelled it
  lost_hedge,  ///< another copy of it won
  shutdown,    ///< the engine is going away
};

/// What a door asks the driver to do.
struct Action {
  enum class Kind : std::uint8_t {
    down,    ///< ride to child number `child`
    fork,    ///< begin a further copy of the ride below, beside those under way
    hold,    ///< go on with what is under way: copies, or the call's own ride
    wait,    ///< resume(time) at `at`
    park,    ///< resume(woken) after somebody's Call::wake(), resume(expired) at `at` or the limit
    lookup,  ///< ask the reply store for the request's key, then resume(found) or resume(missed)
    turn,    ///< ride up with the outcome in hand
  };

  Kind kind = Kind::turn;
  std::uint8_t child = 0;
  Instant at{};

  static Action down(std::uint8_t child = 0) { return {Kind::down, child, {}}; }
  static Action fork() { return {Kind::fork, 0, {}}; }
  static Action hold() { return {Kind::hold, 0, {}}; }
  static Action wait(Instant at) { return {Kind::wait, 0, at}; }
  static Action park(Instant at = never) { return {Kind::park, 0, at}; }
  static Action lookup() { return {Kind::lookup, 0, {}}; }
  static Action turn() { return {Kind::turn, 0, {}}; }
};

/// Why resume() is called.
enum class Signal : std::uint8_t {
  time,     ///< the wait is over
  woken,    ///< somebody woke the parked call
  expired,  ///< the limit, or the instant park() was given, passed while parked
  found,    ///< the lookup has a reply: Visit::found()
  missed,   ///< the lookup has none
};

/// Per-call state of a layer, at a fixed offset in the call's arena.
struct FrameLayout {
  std::size_t size = 0;
  std::size_t alignment = 1;

  template <class Frame>
  static constexpr FrameLayout of() {
    static_assert(alignof(Frame) <= alignof(std::max_align_t));
    return {sizeof(Frame), alignof(Frame)};
  }
};

/// A layer's own timer, which rings (Layer::alarm) while rides are below it. Lies in its frame and
/// must be silent when the frame is destroyed.
class Alarm final : public Timer {
 public:
  Alarm();

 private:
  friend class Visit;
  void fire() override;

  Call* call_ = nullptr;
  const PipelineNode* node_ = nullptr;
};

/// One call standing at one layer. Valid during a door only.
class Visit {
 public:
  Visit(Call& call, const PipelineNode& node, void* frame, Limits& limits)
      : call_(call), node_(node), frame_(frame), limits_(limits) {}

  Instant now() const;
  CallId call_id() const;
  const Request& request() const;
  Instant call_started() const;

  /// Attempts begun by this call so far, over all its layers and copies.
  std::uint32_t attempts() const;

  /// 0 for the call itself, else the number of the copy that rides here. Whatever is drawn for one
  /// ride of a call is addressed by it too.
  std::uint32_t copy() const;

  /// Makes the alarm ring once at `at`, and not before. An alarm that is set already moves.
  void set(Alarm& alarm, Instant at);
  void silence(Alarm& alarm);

  /// What everything below this layer must keep to. A layer narrows it in enter; the driver starts
  /// from the parent's each time the layer is entered.
  Limits& limits() { return limits_; }

  /// Constructed by the layer in enter, destroyed by it in the door that ends the visit.
  template <class Frame, class... Args>
  Frame& make_frame(Args&&... args) {
    return *::new (frame_) Frame{std::forward<Args>(args)...};
  }
  template <class Frame>
  Frame& frame() {
    return *std::launder(static_cast<Frame*>(frame_));
  }

  /// Reports that a breaker refused this call.
  void reject(BreakerId breaker);

  /// Reports that this layer refuses the call and returns the outcome to turn with. Requires: no
  /// lock is held. `kind`: an own refusal, or what the provider would have answered.
  Outcome refuse(OutcomeKind kind, std::optional<Duration> retry_after = {});

  /// The call itself, to wake it while it is parked.
  Call& call() { return call_; }

  /// The reply a lookup found. Requires: within resume(found).
  const StoredReply& found() const;

  ReplyStore& store();
  Observer& observer();

 private:
  Call& call_;
  const PipelineNode& node_;
  void* frame_;
  Limits& limits_;
};

/// One policy in a pipeline, shared by all calls that ride through it.
///
/// *Ownership*: owned by its pipeline. *Threads*: doors of one call never run at the same time, but
/// those of different calls may when engines on several threads share the pipeline; so a layer
/// guards what its calls share with a mutex of its own, held for the decision only: not while it
/// talks to the observer, the store or a caller. *Determinism*: as documented by each layer.
///
/// A visit begins with enter and ends exactly once: with the door that returns `turn`, or with
/// abandon. Each `down` and each `fork` is answered by one leave, unless the visit is abandoned or
/// its end cuts the others short.
class Layer {
 public:
  Layer() = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;
  virtual ~Layer() = default;

  virtual FrameLayout frame() const = 0;

  /// On the way down.
  virtual Action enter(Visit& visit, Outcome& outcome) = 0;

  /// After a wait, a wake-up or a lookup. Layers that ask for none need not have it.
  virtual Action resume(Visit& visit, Signal signal, Outcome& outcome);

  /// The layer's alarm rang. Returns fork or hold. Layers that set none need not have it.
  virtual Action alarm(Visit& visit);

  /// The first output of one ride below is about to reach the caller. True when that settles which
  /// ride it is: the driver then cuts the other copies. Heard only below a layer that has narrowed
  /// the limits to `tell_first_output`.
  virtual bool first_output(Visit&) { return false; }

  /// A ride below has ended with `outcome`. With `turn` the call goes on upwards with it, and
  /// whatever else is under way below is cut (Cut::lost_hedge).
  virtual Action leave(Visit& visit, Outcome& outcome) = 0;

  /// The ride is given up while it is at this layer or below: give everything back. After this
  /// nobody wakes it any more.
  virtual void abandon(Visit& visit, Cut cut) noexcept = 0;
};

}  // namespace brownout
