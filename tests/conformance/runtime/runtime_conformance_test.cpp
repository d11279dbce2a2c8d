// One engine, two worlds: whatever a pipeline does under the simulator's runtime, it does under the
// production one, in the same order and at the same times, as far as real time can be held to any.
//
// Times are those of the script. The simulator keeps them exactly; real time is never early, and
// late by what else the machine has to do. What might overtake each other is 20 ms apart.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "engine/runtime/asio_runtime.hpp"
#include "sim/kernel/context.hpp"
#include "tests/conformance/runtime/play.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;

class Simulated {
 public:
  static constexpr bool exact = true;
  Runtime& runtime() { return context_; }
  void run() { EXPECT_EQ(context_.run_until_idle(), sim::Stop::idle); }

 private:
  sim::Context context_{{.seed = 1}};
};

class Real {
 public:
  static constexpr bool exact = false;
  Runtime& runtime() { return runtime_; }
  void run() { context_.run(); }

 private:
  boost::asio::io_context context_{1};
  AsioRuntime runtime_{context_.get_executor(), 1};
};

constexpr Duration late_at_most = 2s;

template <class World>
class BothRuntimes : public ::testing::Test {
 protected:
  Play& use(std::string_view pipeline, std::string_view rest = R"("to": "openai/gpt-4")") {
    play_ = std::make_unique<Play>(world_.runtime(), policy_of(pipeline, rest));
    return *play_;
  }

  // Plays, and compares. Two calls may overtake each other in real time by less than a millisecond,
  // so that there each is compared for itself; and the breakers.
  void expect(const std::vector<std::string>& expected) {
    play_->begin();
    world_.run();
    EXPECT_TRUE(play_->is_quiet());
    std::vector<Play::Line> wanted;
    for (const std::string& text : expected) wanted.push_back(line_of(text));
    if (World::exact) return compare(wanted, play_->lines());
    std::map<std::string, std::vector<Play::Line>> wanted_of = by_subject(wanted);
    std::map<std::string, std::vector<Play::Line>> seen_of = by_subject(play_->lines());
    for (const auto& [subject, lines] : seen_of) compare(wanted_of[subject], lines);
    EXPECT_EQ(wanted_of.size(), seen_of.size());
  }

  Play& play() { return *play_; }

 private:
  // "call 1", "breaker gpt-4".
  static std::map<std::string, std::vector<Play::Line>> by_subject(
      const std::vector<Play::Line>& lines) {
    std::map<std::string, std::vector<Play::Line>> by;
    for (const Play::Line& line : lines) {
      by[line.text.substr(0, line.text.find(' ', line.text.find(' ') + 1))].push_back(line);
    }
    return by;
  }

  static std::vector<std::string> texts(const std::vector<Play::Line>& lines) {
    std::vector<std::string> texts;
    for (const Play::Line& line : lines) texts.push_back(line.text);
    return texts;
  }

  static void compare(const std::vector<Play::Line>& wanted, const std::vector<Play::Line>& seen) {
    ASSERT_EQ(texts(seen), texts(wanted));
    for (std::size_t i = 0; i < seen.size(); ++i) {
      const Duration late = seen[i].at - wanted[i].at;
      EXPECT_GE(late, 0s) << wanted[i].text;
      EXPECT_LE(late, World::exact ? 0s : late_at_most) << wanted[i].text;
    }
  }

  World world_;
  std::unique_ptr<Play> play_;
};

using Worlds = ::testing::Types<Simulated, Real>;
TYPED_TEST_SUITE(BothRuntimes, Worlds);

// A call every millisecond, each with an attempt that ends differently after a millisecond.
TYPED_TEST(BothRuntimes, BringEveryOutcomeUp) {
  Play& play = this->use("[]");
  std::vector<std::string> expected;
  std::vector<Answer> answers;
  std::vector<std::string> ends;
  for (std::size_t kind = 0; kind < outcome_kind_count; ++kind) {
    const auto outcome = static_cast<OutcomeKind>(kind);
    answers.push_back(fails(outcome, 1ms));
    play.call(std::chrono::milliseconds{2 * kind}, {.id = kind});
    expected.push_back(fmt::format("{}ms call {} begins", 2 * kind, kind));
    expected.push_back(
        fmt::format("{}ms call {} had asked gpt-4: {}", 2 * kind + 1, kind, to_string(outcome)));
    expected.push_back(
        outcome == success
            ? fmt::format("{}ms call {} ends with a live reply", 2 * kind + 1, kind)
            : fmt::format("{}ms call {} ends: {}", 2 * kind + 1, kind, to_string(outcome)));
  }
  play.script("gpt-4", answers);
  this->expect(expected);
}

TYPED_TEST(BothRuntimes, WaitBeforeTheyTryAgain) {
  Play& play = this->use(
      R"([ { "retry": { "max_attempts": 3, "wait": { "exponential": {
           "multiplier": "10ms", "min": "10ms", "max": "20ms", "jitter": "none" } } } } ])");
  play.script("gpt-4", {fails(server_error, 5ms), fails(overloaded, 5ms), succeeds(5ms)});
  play.call(0ms, {});
  this->expect({"0ms call 1 begins", "5ms call 1 had asked gpt-4: server_error",
                "5ms call 1 waits 10ms", "20ms call 1 had asked gpt-4: overloaded",
                "20ms call 1 waits 20ms", "45ms call 1 had asked gpt-4: success",
                "45ms call 1 ends with a live reply"});
}

// The same seed, the same draws: the waits come out equal to the nanosecond.
TYPED_TEST(BothRuntimes, DrawTheSameJitter) {
  Play& play = this->use(
      R"([ { "retry": { "max_attempts": 3, "wait": { "exponential": {
           "multiplier": "4ms", "max": "8ms", "jitter": "full" } } } } ])");
  play.script("gpt-4", {fails(server_error, 0ms), fails(server_error, 0ms), succeeds(0ms)});
  play.call(0ms, {});
  this->expect({"0ms call 1 begins", "0ms call 1 had asked gpt-4: server_error",
                "0ms call 1 waits 1.534044ms", "1.534044ms call 1 had asked gpt-4: server_error",
                "1.534044ms call 1 waits 5.822217ms", "7.356261ms call 1 had asked gpt-4: success",
                "7.356261ms call 1 ends with a live reply"});
}

TYPED_TEST(BothRuntimes, CutAttemptsAtTheirLimits) {
  Play& play = this->use(
      R"([ { "timeout": { "attempt": "40ms", "first_token": "20ms", "idle": "10ms" } } ])");
  play.script("gpt-4", {hangs(), {.takes = 1s, .first_token = 5ms}, hangs(), hangs()});
  play.call(0ms, {.id = 1});
  play.call(1ms, {.id = 2, .stream = true});
  play.call(2ms, {.id = 3, .stream = true});
  play.call(3ms, {.id = 4, .deadline = at(25ms)});
  this->expect({"0ms call 1 begins", "1ms call 2 begins", "2ms call 3 begins", "3ms call 4 begins",
                "16ms call 2 had asked gpt-4: timed_out", "16ms call 2 ends: timed_out",
                "22ms call 3 had asked gpt-4: timed_out", "22ms call 3 ends: timed_out",
                "25ms call 4 had asked gpt-4: timed_out", "25ms call 4 ends: timed_out",
                "40ms call 1 had asked gpt-4: timed_out", "40ms call 1 ends: timed_out"});
}

TYPED_TEST(BothRuntimes, OpenABreakerProbeAndCloseIt) {
  Play& play = this->use(
      R"([ { "breaker": { "consecutive_failures": 2, "open_for": "40ms", "close_after": 1 } } ])");
  play.script("gpt-4", {fails(server_error, 1ms), fails(server_error, 1ms), succeeds(1ms)});
  play.call(0ms, {.id = 1});
  play.call(10ms, {.id = 2});
  play.call(20ms, {.id = 3});
  play.call(80ms, {.id = 4});
  this->expect({"0ms call 1 begins", "1ms call 1 had asked gpt-4: server_error",
                "1ms call 1 ends: server_error", "10ms call 2 begins",
                "11ms call 2 had asked gpt-4: server_error", "11ms breaker main is open",
                "11ms call 2 ends: server_error", "20ms call 3 begins",
                "20ms call 3 is refused: breaker_open", "20ms call 3 ends: breaker_open",
                "80ms call 4 begins", "80ms breaker main is half_open",
                "81ms call 4 had asked gpt-4: success", "81ms breaker main is closed",
                "81ms call 4 ends with a live reply"});
}

TYPED_TEST(BothRuntimes, FallBackAndAnswerByDefault) {
  Play& play = this->use(R"([ { "fallback": {
      "routes": [ { "name": "gpt-4", "to": "openai/gpt-4", "pipeline": [] },
                  { "name": "claude", "to": "anthropic/claude", "pipeline": [] } ],
      "then": [ { "default": { "text": "later" } } ] } } ])",
                         "");
  play.script("gpt-4", {fails(server_error, 2ms), fails(overloaded, 2ms)});
  play.script("claude", {succeeds(2ms), fails(connection, 2ms)});
  play.call(0ms, {.id = 1});
  play.call(20ms, {.id = 2});
  this->expect({"0ms call 1 begins", "2ms call 1 had asked gpt-4: server_error",
                "4ms call 1 had asked claude: success", "4ms call 1 ends with a live reply",
                "20ms call 2 begins", "22ms call 2 had asked gpt-4: overloaded",
                "24ms call 2 had asked claude: connection",
                "24ms call 2 ends with the default reply"});
}

// Call 2 follows call 1, call 3 has no time to; call 4 finds what they left.
TYPED_TEST(BothRuntimes, ShareOneFlightAndWhatItBrings) {
  Play& play = this->use(R"([ { "cache": { "ttl": "1m", "single_flight": true } } ])");
  play.script("gpt-4", {succeeds(60ms)});
  play.call(0ms, {.id = 1});
  play.call(1ms, {.id = 2});
  play.call(2ms, {.id = 3, .deadline = at(20ms)});
  play.call(90ms, {.id = 4});
  this->expect({"0ms call 1 begins", "0ms call 1 looks for a reply: miss", "1ms call 2 begins",
                "1ms call 2 looks for a reply: shared", "2ms call 3 begins",
                "2ms call 3 looks for a reply: shared", "20ms call 3 ends: deadline_exceeded",
                "60ms call 1 had asked gpt-4: success", "60ms call 1 ends with a live reply",
                "60ms call 2 ends with a shared reply", "90ms call 4 begins",
                "90ms call 4 looks for a reply: hit", "90ms call 4 ends with a cached reply"});
}

TYPED_TEST(BothRuntimes, LetCopiesRace) {
  Play& play = this->use(R"([ { "hedge": { "delay": "20ms" } } ])");
  play.script("gpt-4", {hangs(), succeeds(20ms), succeeds(1ms)});
  play.call(0ms, {.id = 1});
  play.call(80ms, {.id = 2});
  this->expect({"0ms call 1 begins", "20ms call 1 hedges", "40ms call 1 had asked gpt-4: success",
                "40ms call 1 had asked gpt-4: cancelled", "40ms call 1 ends with a live reply",
                "80ms call 2 begins", "81ms call 2 had asked gpt-4: success",
                "81ms call 2 ends with a live reply"});
}

// One place and one in line: call 2 gets the place when call 1 is given up, call 3 none in line,
// call 4 not in time.
TYPED_TEST(BothRuntimes, StandInLine) {
  Play& play = this->use(
      R"([ { "bulkhead": { "max_concurrent": 1, "max_queued": 1, "max_wait": "30ms" } } ])");
  play.script("gpt-4", {hangs(), succeeds(80ms)});
  play.call(0ms, {.id = 1});
  play.call(2ms, {.id = 2});
  play.call(4ms, {.id = 3});
  play.cancel(20ms, 1);
  play.call(40ms, {.id = 4});
  this->expect({"0ms call 1 begins", "2ms call 2 begins", "4ms call 3 begins",
                "4ms call 3 is refused: bulkhead_full", "4ms call 3 ends: bulkhead_full",
                "20ms call 1 is cancelled", "20ms call 1 had asked gpt-4: cancelled",
                "40ms call 4 begins", "70ms call 4 is refused: bulkhead_full",
                "70ms call 4 ends: bulkhead_full", "100ms call 2 had asked gpt-4: success",
                "100ms call 2 ends with a live reply"});
}

// A request every 50 ms: call 2 waits for the next one, call 3 would have to wait too long.
TYPED_TEST(BothRuntimes, KeepToAQuota) {
  Play& play = this->use(R"([ { "rate_limit": {
      "requests_per_minute": 1200, "request_burst": 1, "max_wait": "60ms" } } ])");
  play.script("gpt-4", {succeeds(1ms), succeeds(1ms)});
  play.call(0ms, {.id = 1});
  play.call(10ms, {.id = 2});
  play.call(20ms, {.id = 3});
  this->expect({"0ms call 1 begins", "1ms call 1 had asked gpt-4: success",
                "1ms call 1 ends with a live reply", "10ms call 2 begins",
                "10ms call 2 waits for quota", "20ms call 3 begins",
                "20ms call 3 is refused: client_rate_limited",
                "20ms call 3 ends: client_rate_limited", "51ms call 2 had asked gpt-4: success",
                "51ms call 2 ends with a live reply"});
}

// Call 1 began when there were retries.
TYPED_TEST(BothRuntimes, ChangeThePolicyUnderway) {
  Play& play = this->use(R"([ { "retry": { "max_attempts": 2, "wait": { "fixed": "30ms" } } } ])");
  play.script("gpt-4", {fails(server_error, 1ms), fails(overloaded, 1ms), succeeds(1ms)});
  play.call(0ms, {.id = 1});
  play.reload(10ms, policy_of("[]"));
  play.call(15ms, {.id = 2});
  this->expect({"0ms call 1 begins", "1ms call 1 had asked gpt-4: server_error",
                "1ms call 1 waits 30ms", "15ms call 2 begins",
                "16ms call 2 had asked gpt-4: overloaded", "16ms call 2 ends: overloaded",
                "32ms call 1 had asked gpt-4: success", "32ms call 1 ends with a live reply"});
}

TYPED_TEST(BothRuntimes, GiveCallsUpWhereverTheyAre) {
  Play& play = this->use(
      R"([ { "cache": { "ttl": "1m", "single_flight": true } },
           { "retry": { "max_attempts": 2, "wait": { "fixed": "1m" } } } ])");
  play.script("gpt-4", {fails(server_error, 5ms), hangs(), succeeds(5ms)});
  play.call(0ms, {.id = 1, .prompt = 1});  // waits for its second attempt
  play.call(1ms, {.id = 2, .prompt = 2});  // has no answer
  play.call(2ms, {.id = 3, .prompt = 2});  // follows it, and leads when it is gone
  play.cancel(30ms, 1);
  play.cancel(31ms, 2);
  this->expect({"0ms call 1 begins", "0ms call 1 looks for a reply: miss", "1ms call 2 begins",
                "1ms call 2 looks for a reply: miss", "2ms call 3 begins",
                "2ms call 3 looks for a reply: shared", "5ms call 1 had asked gpt-4: server_error",
                "5ms call 1 waits 1m", "30ms call 1 is cancelled", "31ms call 2 is cancelled",
                "31ms call 2 had asked gpt-4: cancelled", "36ms call 3 had asked gpt-4: success",
                "36ms call 3 ends with a live reply"});
}

}  // namespace
}  // namespace brownout::testing
