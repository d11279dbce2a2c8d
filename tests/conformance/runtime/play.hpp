#pragma once

// A pipeline on any runtime, with a scripted provider, and a record of what happened.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/pipeline/engine.hpp"
#include "engine/policy_file/policy.hpp"
#include "engine/runtime/runtime.hpp"
#include "engine/store/memory_store.hpp"
#include "tests/support/engine/scripted_transport.hpp"
#include "tests/support/engine/stage.hpp"
#include "tests/support/engine/timeline.hpp"

namespace brownout::testing {

/// *Ownership*: refers to the runtime. What call() and later() ask for begins with begin(), from
/// whose instant on times count.
class Play final : private CallListener, private Observer {
 public:
  /// Something that happened: "call 1 asks gpt-4", without what it says of later times.
  struct Line {
    Duration at;
    std::string text;
  };

  Play(Runtime& runtime, const Policy& policy);
  ~Play() override;

  void script(std::string_view model, const std::vector<Answer>& answers);
  void call(Duration when, const CallPlan& plan);
  void cancel(Duration when, CallId id);
  void reload(Duration when, const Policy& policy);
  void later(Duration when, std::function<void()> action);
  void begin();

  const std::vector<Line>& lines() const { return lines_; }

  /// Nothing is under way any more and every permit is back.
  bool is_quiet() const;

 private:
  class Later;

  std::shared_ptr<Pipeline> build(const Policy& policy);
  std::string model(TargetId target) const;
  void note(std::string text) { lines_.push_back({runtime_.now() - began_, std::move(text)}); }
  void note(CallId call, std::string_view text);

  void on_call_end(CallId call, Outcome&& outcome) override;
  void on_attempt(const AttemptEvent& attempt, const Outcome& outcome) override;
  void on_wait(const WaitEvent& wait) override;
  void on_hedge(const HedgeEvent& hedge) override;
  void on_lookup(const LookupEvent& lookup) override;
  void on_breaker(const BreakerEvent& change) override;
  void on_rejection(const RejectionEvent& rejection) override;

  Runtime& runtime_;
  std::vector<Event> unused_;
  ScriptedTransport transport_;
  MemoryStore store_;
  std::vector<std::pair<Duration, std::unique_ptr<Later>>> later_;
  std::map<CallId, Request> requests_;
  std::map<CallId, Call*> calls_;
  std::vector<std::string> breakers_;
  std::vector<Line> lines_;
  Instant began_{};
  std::unique_ptr<Engine> engine_;
};

/// "10ms call 1 asks gpt-4" as a line.
Play::Line line_of(std::string_view text);

}  // namespace brownout::testing
