#pragma once

// The least world an engine can be put into, so that what is measured is the engine: virtual time
// that costs nothing to read, and a transport that ends each attempt by one trip through a queue.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/pipeline/engine.hpp"
#include "engine/policy_file/policy.hpp"
#include "engine/runtime/timer_queue.hpp"
#include "engine/store/memory_store.hpp"

namespace brownout::bench {

/// Virtual time and a queue. One thread, and nobody else's jobs.
class Loop final : public Runtime {
 public:
  Instant now() const override { return now_; }
  SystemTime system_now() const override { return SystemTime{} + now_.time_since_epoch(); }
  void arm(Timer& timer, Instant at) override { queue_.arm(timer, std::max(at, now_)); }
  void disarm(Timer& timer) override { queue_.disarm(timer); }
  void post_from_anywhere(Timer& job) override { post(job); }
  void withdraw(Timer& job) override { disarm(job); }
  std::uint64_t seed() const override { return 1; }

  /// Until nothing is armed.
  void run() {
    while (Timer* const timer = queue_.pop()) {
      now_ = timer->due();
      timer->fire();
    }
  }

 private:
  TimerQueue queue_;
  Instant now_{};
};

/// How the attempts of a call go.
enum class Course : std::uint8_t {
  succeeds,
  fails_once,          ///< the call's first attempt at the first target is rate limited
  every_second_fails,  ///< that of every second call is, so that breakers stay closed
};

/// Ends every attempt a microsecond later, with a text that all its replies share.
class Shuttle final : public Transport {
 public:
  Shuttle(Runtime& runtime, Course course) : runtime_(runtime), course_(course) {}

  Handle start(const Attempt& attempt, AttemptListener& listener) override {
    if (free_.empty()) free_.push_back(&*flights_.emplace_back(std::make_unique<Flight>(*this)));
    Flight& flight = *free_.back();
    free_.pop_back();
    flight.listener = &listener;
    flight.fails = fails(attempt);
    flight.tokens = attempt.request->input_tokens;
    runtime_.arm(flight, after(runtime_.now(), std::chrono::microseconds{1}));
    return static_cast<Handle>(reinterpret_cast<std::uintptr_t>(&flight));
  }

  Outcome detach(Handle handle) override {
    auto& flight = *reinterpret_cast<Flight*>(static_cast<std::uintptr_t>(handle));
    runtime_.disarm(flight);
    free_.push_back(&flight);
    return Outcome::failure(OutcomeKind::cancelled);
  }

 private:
  static constexpr JobName attempt_job{"bench attempt"};

  struct Flight final : Timer {
    explicit Flight(Shuttle& of) : Timer(attempt_job), shuttle(of) {}
    void fire() override { shuttle.end(*this); }

    Shuttle& shuttle;
    AttemptListener* listener = nullptr;
    std::uint32_t tokens = 0;
    bool fails = false;
  };

  bool fails(const Attempt& attempt) const {
    if (course_ == Course::succeeds || attempt.target != 0 || attempt.nth_at_target != 0) {
      return false;
    }
    return course_ == Course::fails_once || (attempt.call & 1) != 0;
  }

  void end(Flight& flight) {
    free_.push_back(&flight);
    if (flight.fails) {
      return flight.listener->on_end(Outcome::failure(OutcomeKind::rate_limited, 429));
    }
    Outcome outcome;
    outcome.status = 200;
    outcome.billed_input_tokens = flight.tokens;
    outcome.billed_output_tokens = 200;
    outcome.reply = {text_, flight.tokens, 200};
    flight.listener->on_end(std::move(outcome));
  }

  Runtime& runtime_;
  const Course course_;
  const SharedText text_ = std::make_shared<const std::string>("An answer.");
  std::vector<std::unique_ptr<Flight>> flights_;
  std::vector<Flight*> free_;
};

/// What engines on several threads share.
struct Shared {
  explicit Shared(const Policy& policy);

  std::shared_ptr<Pipeline> pipeline;
  MemoryStore store{{.entries = 1024}};
  Observer observer;  // hears everything and does nothing
};

/// A policy by the name of its file, or one of the bench's own: see policies.cpp.
Policy policy_named(const std::string& name);

/// One caller and its engine, on a thread of their own.
class Caller final : public CallListener {
 public:
  /// Callers that share something have different numbers.
  Caller(Shared& shared, Course course, unsigned number)
      : transport_(loop_, course),
        engine_(loop_, transport_, shared.store, shared.observer, shared.pipeline),
        next_(CallId{number} << 48U) {
    request.input_tokens = 800;
    request.max_tokens = 1000;
  }

  /// Each call is for a prompt of its own unless this is set.
  bool same_prompt = false;
  Request request;

  void call() {
    start(request);
    loop_.run();
  }

  void start(Request& asked) {
    const CallId id = ++next_;
    // Spread, as the hash of a prompt is.
    if (!same_prompt) asked.key.low = id * 0x9E3779B97F4A7C15U;
    engine_.start(id, asked, never, *this);
  }

  Loop& loop() { return loop_; }
  Engine& engine() { return engine_; }
  std::uint64_t ended() const { return ended_; }
  OutcomeKind last_kind() const { return last_kind_; }
  Served last_served() const { return last_served_; }

 private:
  void on_call_end(CallId, Outcome&& outcome) override {
    ++ended_;
    last_kind_ = outcome.kind;
    last_served_ = outcome.served;
  }

  Loop loop_;
  Shuttle transport_;
  Engine engine_;
  CallId next_;
  std::uint64_t ended_ = 0;
  OutcomeKind last_kind_ = OutcomeKind::success;
  Served last_served_ = Served::nothing;
};

}  // namespace brownout::bench
