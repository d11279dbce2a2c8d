#pragma once

// A stage for tests of pipelines: an engine with a policy on virtual time, a scripted transport, a
// store, and a record of everything that happens, so that a test reads like a script.
//
//     Stage stage(R"([ { "retry": { "max_attempts": 2 } } ])");
//     stage.script("gpt-4", {fails(server_error, 1s), succeeds(1s)});
//     stage.call({.id = 1});
//     stage.run();
//     EXPECT_THAT(stage.log(), ElementsAre("0s call 1 asks gpt-4", …));

#include <fmt/format.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/check.hpp"
#include "engine/pipeline/engine.hpp"
#include "engine/policy_file/policy.hpp"
#include "engine/store/memory_store.hpp"
#include "sim/kernel/context.hpp"
#include "tests/support/engine/scripted_transport.hpp"
#include "tests/support/engine/timeline.hpp"

namespace brownout::testing {

constexpr Instant at(Duration since_start) {
  return Instant{} + since_start;
}

/// Answers every lookup, with what is really stored, after a while.
class SlowStore final : public ReplyStore {
 public:
  explicit SlowStore(Runtime& runtime);
  ~SlowStore() override;

  void set_delay(Duration delay) { delay_ = delay; }  ///< 0: inside get(). Default 0.
  std::size_t waiting() const { return lookups_.size(); }
  MemoryStore& replies() { return replies_; }

  void get(const CacheKey& key, ReplyLookup& lookup) override;
  void cancel(ReplyLookup& lookup) override;
  void put(const CacheKey& key, const Reply& reply, Instant now, Duration keep_for) override {
    kept_for_.push_back(keep_for);
    replies_.put(key, reply, now, keep_for);
  }
  /// For how long each reply was to be kept, in the order in which they were stored.
  const std::vector<Duration>& kept_for() const { return kept_for_; }

 private:
  class Pending;

  Runtime& runtime_;
  MemoryStore replies_;
  Duration delay_{0};
  std::vector<Duration> kept_for_;
  std::map<ReplyLookup*, std::unique_ptr<Pending>> lookups_;
};

/// A policy whose pipeline is this JSON array and whose one route leads to openai/gpt-4, unless
/// `rest` (further members of the policy) says otherwise.
Policy policy_of(std::string_view pipeline, std::string_view rest = R"("to": "openai/gpt-4")");

struct CallPlan {
  CallId id = 1;
  std::uint64_t prompt = 0;  ///< calls with the same one may share a reply
  Instant deadline = never;
  bool stream = false;
  std::uint32_t input_tokens = 0;
  std::uint32_t max_tokens = 0;
  bool tokens_estimated = false;
  std::uint8_t priority = 0;
};

/// *Ownership*: owns everything on it. Targets are called by their model's name, "gpt-4" for
/// "openai/gpt-4". *Determinism*: a function of policy, script and seed.
class Stage final : private CallListener, private Observer {
 public:
  explicit Stage(Policy policy, std::uint64_t seed = 1);
  explicit Stage(std::string_view pipeline) : Stage(policy_of(pipeline)) {}
  ~Stage() override;

  void script(std::string_view model, const std::vector<Answer>& answers);

  /// Begins a call now, or once `when` has come.
  void call(const CallPlan& plan);
  void call_at(Duration when, const CallPlan& plan);

  /// Gives a call up; one that has ended is left alone.
  void cancel(CallId id);

  /// Does something once `when` has come.
  void later(Duration when, std::function<void()> action);

  void run();  ///< until nothing is left to happen
  void run_until(Duration when);

  /// New calls ride by this policy, which takes the place of the one before.
  void reload(Policy policy);

  /// Destroys the engine.
  void shut_down() { engine_.reset(); }

  /// Everything so far except what the observer heard of ends of calls and lookups, and
  /// detachments.
  std::vector<std::string> log() const;
  /// Everything, without exception.
  std::vector<std::string> full_log() const;
  /// The lines of log() that are about this call.
  std::vector<std::string> log_of(CallId id) const;
  const std::vector<Event>& events() const { return events_; }

  bool has_ended(CallId id) const { return outcomes_.contains(id); }
  std::size_t ends(CallId id) const;
  /// What the caller got. Requires: has_ended(id).
  const Outcome& outcome(CallId id) const { return outcomes_.at(id); }

  const Breaker& breaker(std::string_view name) const;

  /// The first layer of this kind, from the outside in. Requires: there is one.
  template <class Kind>
  const Kind& layer() const;

  /// No call unfinished, no attempt or lookup in flight, no permit or place out, nobody in line, no
  /// timer armed.
  bool is_quiet();

  sim::Context& context() { return context_; }
  Instant now() const { return context_.now(); }
  Engine& engine() { return *engine_; }
  ScriptedTransport& transport() { return transport_; }
  SlowStore& store() { return store_; }
  const Names& names() const { return names_; }
  const Policy& policy() const { return policy_; }

  /// Hears every event after the stage; null for nobody.
  Observer* watcher = nullptr;
  /// Called with a call's id at its end, after it has been recorded.
  std::function<void(CallId)> on_end;
  /// True while the stage is inside Engine::start().
  bool is_starting() const { return starting_; }

 private:
  class Later;

  std::shared_ptr<Pipeline> build(const Pipeline* previous);
  void on_call_end(CallId call, Outcome&& outcome) override;
  void on_call_start(const CallStartEvent& call) override;
  void on_attempt_start(const AttemptStartEvent& attempt) override;
  void on_attempt(const AttemptEvent& attempt, const Outcome& outcome) override;
  void on_wait(const WaitEvent& wait) override;
  void on_hedge(const HedgeEvent& hedge) override;
  void on_lookup(const LookupEvent& lookup) override;
  void on_breaker(const BreakerEvent& change) override;
  void on_breaker_failure(const BreakerFailureEvent& failure) override;
  void on_rejection(const RejectionEvent& rejection) override;
  void on_call(const CallEvent& call, const Outcome& outcome) override;
  void on_give_up(const GiveUpEvent& call) override;

  std::vector<std::string> lines(const std::function<bool(const Event&)>& wanted) const;
  void each_layer(const std::function<void(const Layer&)>& look) const;

  std::vector<Event> events_;
  sim::Context context_;
  ScriptedTransport transport_;
  SlowStore store_;
  Policy policy_;
  Names names_;
  std::vector<std::unique_ptr<Later>> later_;
  std::map<CallId, Request> requests_;
  std::map<CallId, Call*> calls_;  // unfinished ones
  std::map<CallId, Outcome> outcomes_;
  std::unique_ptr<Engine> engine_;
  bool starting_ = false;
};

template <class Kind>
const Kind& Stage::layer() const {
  const Kind* found = nullptr;
  each_layer([&](const Layer& layer) {
    if (found == nullptr) found = dynamic_cast<const Kind*>(&layer);
  });
  BROWNOUT_CHECK(found != nullptr);
  return *found;
}

}  // namespace brownout::testing
