#pragma once

// A transport that answers what a test has written down.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/runtime/runtime.hpp"
#include "engine/transport/transport.hpp"
#include "tests/support/engine/timeline.hpp"

namespace brownout::testing {

/// How one attempt goes if its limits let it.
struct Answer {
  OutcomeKind kind = OutcomeKind::success;
  Duration takes{};  ///< `forever`: it hangs
  /// When a stream has its first output, which commits it; `forever`: not before the end.
  Duration first_token = forever;
  std::optional<Duration> retry_after{};
  std::optional<bool> should_retry{};
  std::uint16_t status = 0;
  std::uint32_t billed_tokens = 0;  ///< input tokens charged, whatever the outcome
  RateLimits limits{};              ///< told by an answer that comes in time
};

inline Answer succeeds(Duration takes) {
  return {.takes = takes};
}
inline Answer fails(OutcomeKind kind, Duration takes) {
  return {.kind = kind, .takes = takes};
}
inline Answer hangs() {
  return {.takes = forever};
}

/// Answers attempts in the order the script of their target gives, then with `otherwise`. Honours
/// limits exactly: what has not ended at one of them ends there as timed_out. Successful replies
/// have the text "reply N from TARGET", N counting that target's attempts from 0.
///
/// *Ownership*: refers to the runtime and the event list. *Threads*: one. *Determinism*: a function
/// of the script; no draws.
class ScriptedTransport final : public Transport {
 public:
  ScriptedTransport(Runtime& runtime, std::vector<Event>& events);
  ~ScriptedTransport() override;

  /// Knows every name; the first one is number 0.
  TargetId resolve(std::string_view target);
  Handle start(const Attempt& attempt, AttemptListener& listener) override;
  Outcome detach(Handle handle) override;

  /// Appends to what the target will answer.
  void script(TargetId target, const std::vector<Answer>& answers);

  /// The attempt with this number, counted over all targets from 0, gets this answer instead of
  /// the one its target's script has for it, which is used up all the same.
  void replace(std::size_t number, const Answer& answer) { replaced_[number] = answer; }

  void set_otherwise(const Answer& answer) { otherwise_ = answer; }

  std::size_t started() const { return started_; }
  std::size_t in_flight() const { return flights_.size(); }
  const std::vector<std::string>& targets() const { return targets_; }

 private:
  class Flight;

  Answer next_answer(TargetId target);
  void end(Handle handle);

  Runtime& runtime_;
  std::vector<Event>& events_;
  std::vector<std::string> targets_;
  std::map<TargetId, std::deque<Answer>> scripts_;
  std::map<TargetId, std::uint32_t> asked_;
  std::map<std::size_t, Answer> replaced_;
  std::map<Handle, std::unique_ptr<Flight>> flights_;
  Answer otherwise_ = succeeds(std::chrono::seconds{1});
  std::size_t started_ = 0;
};

}  // namespace brownout::testing
