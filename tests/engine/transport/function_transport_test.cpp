#include "engine/transport/function_transport.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sim/kernel/context.hpp"

namespace brownout {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using Completion = FunctionTransport::Completion;

constexpr JobName test_job{"test"};

class Later final : public Timer {
 public:
  explicit Later(std::function<void()> action) : Timer(test_job), action_(std::move(action)) {}
  void fire() override { action_(); }

 private:
  std::function<void()> action_;
};

// What became of an attempt, and when.
class Listener final : public AttemptListener {
 public:
  explicit Listener(Runtime& runtime) : runtime_(runtime) {}
  void on_first_output() override { first_output = runtime_.now() - Instant{}; }
  void on_output(std::string_view text) override { pieces.emplace_back(text); }
  void on_end(Outcome&& outcome) override {
    EXPECT_FALSE(starting) << "ended inside start()";
    ++ends;
    ended = runtime_.now() - Instant{};
    last = std::move(outcome);
  }

  bool starting = false;
  int ends = 0;
  Duration ended = forever;
  Duration first_output = forever;
  std::vector<std::string> pieces;
  Outcome last;

 private:
  Runtime& runtime_;
};

class Functions : public testing::Test {
 protected:
  void use(FunctionTransport::Function function) {
    transport = std::make_unique<FunctionTransport>(
        context, std::vector<std::string>{"openai/gpt-4", "anthropic/claude"}, std::move(function));
  }

  // The function keeps what it is given, for the test to act on.
  void use_hanging() {
    use([this](const Attempt&, std::string_view, Completion given) {
      given.on_cancel([this] { ++cancels; });
      done.emplace(std::move(given));
    });
  }

  Transport::Handle start(const Limits& limits = {}, TargetId target = 0) {
    attempt.request = &request;
    attempt.target = target;
    attempt.limits = limits;
    listener.starting = true;
    const auto handle = transport->start(attempt, listener);
    listener.starting = false;
    return handle;
  }

  void at(Duration when, std::function<void()> action) {
    later.push_back(std::make_unique<Later>(std::move(action)));
    context.arm(*later.back(), Instant{} + when);
  }

  sim::Context context;
  std::vector<std::unique_ptr<Later>> later;
  Request request;
  Attempt attempt;
  Listener listener{context};
  std::optional<Completion> done;
  int cancels = 0;
  std::unique_ptr<FunctionTransport> transport;
};

TEST_F(Functions, AreAskedByNameAndTheirAnswerIsTheOutcome) {
  std::string asked;
  use([&](const Attempt&, std::string_view target, const Completion& given) {
    asked = target;
    Outcome outcome;
    outcome.status = 200;
    given(std::move(outcome));
  });
  start({}, 1);
  EXPECT_EQ(transport->in_flight(), 1U);
  context.run_until_idle();
  EXPECT_EQ(asked, "anthropic/claude");
  EXPECT_TRUE(listener.last.ok());
  EXPECT_EQ(listener.last.status, 200);
  EXPECT_EQ(listener.ends, 1);
  EXPECT_EQ(transport->in_flight(), 0U);
}

TEST_F(Functions, OnlyTheFirstEndOfAnAttemptCounts) {
  use_hanging();
  start();
  (*done)(Outcome::failure(overloaded));
  (*done)(Outcome{});
  done->output();
  context.run_until_idle();
  (*done)(Outcome{});
  done->on_cancel([this] { ++cancels; });
  done.reset();
  context.run_until_idle();
  EXPECT_EQ(listener.last.kind, overloaded);
  EXPECT_EQ(listener.ends, 1);
  EXPECT_EQ(cancels, 0);
}

//   0s   asked; the limit is at 5s
//   5s   timed out, and the function is told
//   6s   it answers all the same
TEST_F(Functions, AreNotWaitedForBeyondTheLimit) {
  use_hanging();
  start({.end = Instant{} + 5s});
  at(6s, [this] { (*done)(Outcome{}); });
  context.run_until_idle();
  EXPECT_EQ(listener.last.kind, timed_out);
  EXPECT_EQ(listener.ended, 5s);
  EXPECT_EQ(listener.ends, 1);
  EXPECT_EQ(cancels, 1);
}

//   0s   asked; the first output is due within 2s, each further one within 3s
//   1s   output
//   3s   output
//   6s   idle for 3s
TEST_F(Functions, StreamsMustKeepMoving) {
  use_hanging();
  request.stream = true;
  start({.end = Instant{} + 60s, .first_token = 2s, .idle = 3s, .tell_first_output = true});
  at(1s, [this] { done->output(); });
  at(3s, [this] { done->output(); });
  context.run_until_idle();
  EXPECT_EQ(listener.first_output, 1s);
  EXPECT_EQ(listener.ended, 6s);
  EXPECT_EQ(listener.last.kind, timed_out);
  EXPECT_TRUE(listener.last.committed);
}

//   0s   asked
//   1s   "good" and " mor" come at once
//   2s   "ning", and the end with it
TEST_F(Functions, TheTextOfAStreamIsTheCallersAsItComes) {
  use_hanging();
  request.stream = true;
  start();
  at(1s, [this] {
    done->output("good");
    done->output(" mor");
  });
  at(2s, [this] {
    done->output("ning");
    (*done)(Outcome{});
  });
  context.run_until_idle();
  EXPECT_THAT(listener.pieces, testing::ElementsAre("good mor", "ning"));
  EXPECT_TRUE(listener.last.committed);
  EXPECT_EQ(listener.last.first_output, Instant{} + 1s);
}

TEST_F(Functions, TextThatIsHeldOrOfNoStreamIsNotTold) {
  for (const bool stream : {true, false}) {
    use_hanging();
    request.stream = stream;
    start({.hold_output = stream});
    done->output("good morning");
    (*done)(Outcome{});
    context.run_until_idle();
    EXPECT_TRUE(listener.pieces.empty());
    EXPECT_FALSE(listener.last.committed);
  }
}

TEST_F(Functions, AStreamThatHoldsItsOutputIsNotCommitted) {
  use_hanging();
  request.stream = true;
  start({.first_token = 2s, .hold_output = true});
  at(1s, [this] { done->output(); });
  at(9s, [this] { (*done)(Outcome{}); });
  context.run_until_idle();
  EXPECT_EQ(listener.ended, 9s);
  EXPECT_FALSE(listener.last.committed);
}

TEST_F(Functions, LimitsOfStreamsSayNothingAboutOtherRequests) {
  use_hanging();
  start({.first_token = 2s, .idle = 1s});
  at(9s, [this] {
    done->output();
    (*done)(Outcome{});
  });
  context.run_until_idle();
  EXPECT_EQ(listener.ended, 9s);
  EXPECT_TRUE(listener.last.ok());
  EXPECT_FALSE(listener.last.committed);
}

TEST_F(Functions, ADetachedAttemptIsCancelledAndHeardOfNoMore) {
  use_hanging();
  const auto handle = start({.end = Instant{} + 5s});
  (*done)(Outcome{});  // on its way
  EXPECT_EQ(transport->detach(handle).kind, cancelled);
  context.run_until_idle();
  EXPECT_EQ(listener.ends, 0);
  EXPECT_EQ(cancels, 1);
}

TEST_F(Functions, TheListenerMayDetachWhenItHearsOfOutput) {
  use_hanging();
  class Detaching final : public AttemptListener {
   public:
    void on_first_output() override { transport->detach(handle); }
    void on_end(Outcome&&) override { FAIL(); }
    FunctionTransport* transport = nullptr;
    Transport::Handle handle{};
  } detaching;
  request.stream = true;
  attempt.request = &request;
  attempt.limits.tell_first_output = true;
  detaching.transport = transport.get();
  detaching.handle = transport->start(attempt, detaching);
  done->output();
  (*done)(Outcome{});
  context.run_until_idle();
  EXPECT_EQ(transport->in_flight(), 0U);
}

TEST_F(Functions, AnAnswerThatCanNoLongerComeIsABrokenConnection) {
  use_hanging();
  start();
  std::optional<Completion> copy = done;
  done.reset();
  context.run_until_idle();
  EXPECT_EQ(listener.ends, 0) << "a copy is left";
  copy.reset();
  context.run_until_idle();
  EXPECT_EQ(listener.last.kind, connection);
  EXPECT_EQ(listener.ends, 1);
}

TEST_F(Functions, WhatTheyThrowIsABrokenConnection) {
  use([](const Attempt&, std::string_view, const Completion&) {
    throw std::runtime_error("no route to host");
  });
  start();
  context.run_until_idle();
  EXPECT_EQ(listener.last.kind, connection);
  EXPECT_EQ(listener.ends, 1);
}

TEST_F(Functions, CompletionsOutliveTheTransport) {
  use_hanging();
  start({.end = Instant{} + 5s});
  transport.reset();
  EXPECT_EQ(cancels, 1);
  (*done)(Outcome{});
  done->output();
  done.reset();
  context.run_until_idle();
  EXPECT_EQ(listener.ends, 0);
}

}  // namespace
}  // namespace brownout
