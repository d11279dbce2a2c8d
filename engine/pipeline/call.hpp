#pragma once

// The driver: carries one call through a pipeline and does what its layers decide.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/pipeline/layer.hpp"
#include "engine/pipeline/pipeline.hpp"
#include "engine/runtime/runtime.hpp"
#include "engine/store/reply_store.hpp"

namespace brownout {

class Engine;
struct CallLayout;

/// Learns how a call ended.
class CallListener {
 public:
  /// The first output of a streamed reply is about to reach the caller. Called at most once.
  virtual void on_first_output(CallId) {}

  /// A piece of a streamed reply's text, in order and each once; gone when this returns. It comes
  /// from the ride that is the caller's: never from a copy that lost, and never from an attempt
  /// that can still be tried again, so there is nothing to take back. What a policy holds until it
  /// is complete, a store or a default reply is not told here but comes with the outcome, whose
  /// reply has the whole text in any case. The call may be cancelled from here.
  virtual void on_output(CallId, std::string_view /*text*/) {}

  /// Called exactly once for every call that was not cancelled, never from inside Engine::start().
  /// The call is over: the listener may start another.
  virtual void on_call_end(CallId call, Outcome&& outcome) = 0;

 protected:
  ~CallListener() = default;
};

/// One call on its way, or a copy of one that a layer has forked. Made, recycled and destroyed by
/// its Engine.
///
/// A call has a ride of its own and, below a layer that forked, copies: rides that begin there and
/// end there. All of them share the call's number, its attempt counters and its listener. What the
/// layers above a fork see is one ride, wherever it came from.
///
/// *Ownership*: the engine's; it lies at the start of a block whose rest holds the frames of the
/// layers, the limits at each depth and the attempt counters of the leaves (CallLayout).
class Call final : private Timer, private AttemptListener, private ReplyLookup {
 public:
  CallId id() const { return id_; }

  /// Ends a park with Signal::woken, as soon as possible and never from inside this function.
  /// *Threads*: any, under the lock of the layer that parked it. Requires: the layer has parked the
  /// call or is about to, and it has not been woken.
  void wake();

  /// "call 17 waits at retry in route gpt-4 until 1m3s": for diagnoses; a line more for each copy.
  std::string describe() const;

 private:
  friend class Alarm;
  friend class Engine;
  friend class Visit;

  enum class Stand : std::uint8_t {
    riding,
    waiting,
    parked,
    holding,  // at a layer that forked: its copies go on
    looking_up,
    sending,
    ended
  };

  class WakeUp final : public Timer {
   public:
    explicit WakeUp(Call& call);

   private:
    void fire() override { call_.woken(); }
    Call& call_;
  };

  Call(Engine& engine, CallLayout& layout);
  ~Call() = default;

  void begin(CallId id, const Request& request, Instant deadline, CallListener& listener);
  void begin_copy(Call& parent, const PipelineNode& forked_at);
  void give_up(Cut cut);

  void fire() override;
  void on_first_output() override;
  void on_output(std::string_view text) override;
  void on_end(Outcome&& outcome) override;
  void on_lookup(const StoredReply* found) override;
  void woken();
  void sound(const PipelineNode& node);

  void ride(Action action);
  void board(const PipelineNode& node);
  Action enter(const PipelineNode& node);
  Action leave(const PipelineNode& node, Outcome& outcome);
  void resume(Signal signal);
  bool send();
  bool look_up(Action& action);
  void park(Instant limit);
  void account(const Outcome& outcome);
  void end_ride();
  void finish();

  void decide(const PipelineNode& node, Action action, Call* ended);
  Call& fork(const PipelineNode& node);
  void copy_ended(Call& copy);
  void cut_copies(const PipelineNode& node, const Call* winner, Cut cut);
  void abandon_below(const PipelineNode* top, Cut cut);

  std::string describe_ride() const;
  void* frame_of(const PipelineNode& node);
  Visit visit(const PipelineNode& node);
  Limits& limits_at(std::uint16_t depth);
  std::uint32_t& attempts_at(std::uint16_t leaf);

  Engine& engine_;
  CallLayout& layout_;
  CallId id_ = 0;
  const Request* request_ = nullptr;
  CallListener* listener_ = nullptr;
  const PipelineNode* at_ = nullptr;
  Instant started_{};
  Instant attempt_started_{};
  Transport::Handle attempt_{};
  std::uint32_t attempt_number_ = 0;
  std::optional<StoredReply> found_;  // by the last lookup
  Stand stand_ = Stand::riding;
  bool beginning_ = false;  // inside begin() or begin_copy(): an end must be told later
  bool lookup_answered_ = false;
  Outcome outcome_;
  WakeUp wake_up_;

  // Of the call as a whole; a copy leaves them to the call it belongs to.
  Call* whole_ = nullptr;  // that call; itself unless this is a copy
  std::uint64_t billed_tokens_ = 0;
  std::uint32_t attempts_ = 0;
  std::uint32_t copies_made_ = 0;
  bool rejected_ = false;

  // The rides forked from this one, the newest first.
  std::uint32_t copy_ = 0;                   // number of this copy; 0 for the call itself
  Call* parent_ = nullptr;                   // the ride a copy was forked from
  const PipelineNode* forked_at_ = nullptr;  // where
  Call* copies_ = nullptr;
  Call* next_copy_ = nullptr;

  Call* previous_ = nullptr;  // the engine's list of unfinished calls, in order of arrival
  Call* next_ = nullptr;      // in it, or in the list of free blocks
};

}  // namespace brownout
