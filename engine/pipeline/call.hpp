#pragma once

// The driver: carries one call through a pipeline and does what its layers decide.

#include <cstdint>
#include <string>

#include "engine/pipeline/layer.hpp"
#include "engine/pipeline/pipeline.hpp"
#include "engine/runtime/runtime.hpp"
#include "engine/store/reply_store.hpp"

namespace brownout {

class Engine;

/// Learns how a call ended.
class CallListener {
 public:
  /// Called exactly once for every call that was not cancelled, never from inside Engine::start().
  /// The call is over: the listener may start another.
  virtual void on_call_end(CallId call, Outcome&& outcome) = 0;

 protected:
  ~CallListener() = default;
};

/// One call on its way. Made, recycled and destroyed by its Engine.
///
/// *Ownership*: the engine's; it lies at the start of a block whose rest holds the frames of the
/// layers, the limits at each depth and the attempt counters of the leaves.
class Call final : private Timer, private AttemptListener, private ReplyLookup {
 public:
  CallId id() const { return id_; }

  /// Ends a park with Signal::woken, as soon as possible and never from inside this function.
  /// Requires: the call is parked and has not been woken.
  void wake();

  /// "call 17 waits at retry in route gpt-4 until 1m3s": for diagnoses.
  std::string describe() const;

 private:
  friend class Engine;
  friend class Visit;

  enum class Stand : std::uint8_t { riding, waiting, parked, woken, looking_up, sending, ended };

  explicit Call(Engine& engine);
  ~Call() = default;

  void begin(CallId id, const Request& request, Instant deadline, CallListener& listener);
  void give_up(Cut cut);

  void fire() override;
  void on_end(Outcome&& outcome) override;
  void on_lookup(const StoredReply* found) override;

  void ride(Action action);
  Action enter(const Pipeline::Node& node);
  Action leave(const Pipeline::Node& node);
  void resume(Signal signal);
  bool send();
  bool look_up(Action& action);
  void park();
  void account(const Outcome& outcome);
  void finish();
  void* frame_of(const Pipeline::Node& node);
  Visit visit(const Pipeline::Node& node);
  Limits& limits_at(std::uint16_t depth);
  std::uint32_t& attempts_at(std::uint16_t leaf);

  Engine& engine_;
  const Pipeline& pipeline_;
  CallId id_ = 0;
  const Request* request_ = nullptr;
  CallListener* listener_ = nullptr;
  const Pipeline::Node* at_ = nullptr;
  Instant started_{};
  Instant attempt_started_{};
  Transport::Handle attempt_{};
  const StoredReply* found_ = nullptr;
  std::uint64_t billed_tokens_ = 0;
  std::uint32_t attempts_ = 0;
  Stand stand_ = Stand::riding;
  bool beginning_ = false;  // inside begin(): an end must be posted
  bool lookup_answered_ = false;
  bool rejected_ = false;
  Outcome outcome_;
  Call* previous_ = nullptr;  // the engine's list of unfinished calls, in order of arrival
  Call* next_ = nullptr;
};

}  // namespace brownout
