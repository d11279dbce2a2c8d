#pragma once

// One provider behind the simulated network, and attempts against it without an engine.

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>

#include "sim/kernel/context.hpp"
#include "sim/transport.hpp"
#include "tests/mockserver/scripts.hpp"

namespace brownout::sim::testing {

using namespace std::chrono_literals;
using mock::testing::at;
using mock::testing::claude;
using mock::testing::gpt35;
using mock::testing::gpt4;
using mock::testing::Scene;

/// An attempt and what became of it.
class Probe final : public AttemptListener {
 public:
  Request request;
  Attempt attempt;
  Transport::Handle handle{};
  std::optional<Outcome> outcome;
  Instant ended{};

  explicit Probe(Runtime& runtime) : runtime_(runtime) {}
  void on_end(Outcome&& end) override {
    EXPECT_FALSE(outcome) << "an attempt ends once";
    outcome = std::move(end);
    ended = runtime_.now();
  }

 private:
  Runtime& runtime_;
};

/// The scene's models over a network of 10 ms each way. An attempt has 100 input and 11 output
/// tokens; one that is not disturbed sees, counted from its start:
///
///     10 ms    110 ms        120 ms       ... every 10 ms     210 ms          220 ms
///     arrives  first token   it is here                       last token      the reply is
///     complete
class Stage {
 public:
  explicit Stage(const Scene& scene = {}) : Stage(scene, mock::Distribution::constant(10ms)) {}
  Stage(const Scene& scene, const mock::Distribution& network)
      : world_(scene), context_({.seed = 1}), transport_(context_, world_.provider(), network) {}

  struct Options {
    Limits limits{};
    bool stream = true;
    CallId call = 0;
    std::uint32_t nth = 0;
    mock::ModelId model = gpt4;
    std::uint64_t output_tokens = 11;
  };
  Probe& start(const Options& options) {
    Probe& probe = probes_.emplace_back(context_);
    probe.request.input_tokens = 100;
    probe.request.stream = options.stream;
    probe.request.tag = options.output_tokens;
    probe.attempt = {options.call, options.nth, options.model, &probe.request, options.limits};
    probe.handle = transport_.start(probe.attempt, probe);
    return probe;
  }
  Probe& start() { return start(Options{}); }

  void run() { EXPECT_EQ(context_.run_until_idle(), Stop::idle); }
  void run_until(Duration time) { context_.run_until(at(time)); }
  Outcome detach(const Probe& probe) { return transport_.detach(probe.handle); }

  Context& context() { return context_; }
  SimTransport& transport() { return transport_; }
  mock::ScriptedProvider& provider() { return world_.provider(); }

  /// Every slot is free and nobody waits for one.
  ::testing::AssertionResult at_rest() {
    const auto running = provider().running(gpt4);
    const auto queued = provider().queued(gpt4);
    if (running == 0 && queued == 0) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << running << " running, " << queued << " queued";
  }

 private:
  mock::testing::World world_;
  Context context_;
  std::deque<Probe> probes_;
  SimTransport transport_;
};

#define EXPECT_ENDED(probe, when, what)                       \
  do {                                                        \
    const Probe& p = (probe);                                 \
    ASSERT_TRUE(p.outcome) << "the attempt has not ended";    \
    EXPECT_EQ(p.ended - Instant{}, Duration{when});           \
    EXPECT_EQ(to_string(p.outcome->kind), std::string(what)); \
  } while (false)

#define EXPECT_BILLED(outcome, input, output)            \
  do {                                                   \
    const Outcome& o = (outcome);                        \
    EXPECT_EQ(o.billed_input_tokens, unsigned{input});   \
    EXPECT_EQ(o.billed_output_tokens, unsigned{output}); \
  } while (false)

}  // namespace brownout::sim::testing
