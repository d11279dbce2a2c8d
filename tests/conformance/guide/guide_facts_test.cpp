// What docs/policies/guide.md says of the guide's code: small histories, each played by the code on
// its libraries and by the bundled policy, and compared with what the page claims.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/conformance/guide/guide_cases.hpp"
#include "tests/conformance/guide/guide_replay.hpp"

namespace brownout::conformance {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using enum OutcomeKind;
using Kind = BreakerCase::Event::Kind;

constexpr Ticks second = ticks_per_second;
constexpr Answer hang{success, 3600 * second};

// Where Python does not run, a trace that is long enough to look into and equals none.
Trace only_python(const std::string& json) {
  auto traces = replay_in_python({json});
  if (traces) return std::move(traces->front());
  ADD_FAILURE() << traces.error().front().to_string();
  return Trace(100, "Python did not run");
}

// The history as Python played it, after a check that we play it the same.
Trace played(const PolicyCase& history) {
  Trace python = only_python(to_json(history));
  const Policy policy = load_policy("scenarios/policies/" + history.policy + ".json").value();
  EXPECT_EQ(difference(replay(history, policy), python), "");
  return python;
}

Trace played(const BreakerCase& history) {
  Trace python = only_python(to_json(history));
  const std::string name = history.breaker == "library" ? "guide-layered" : "guide-breaker-class";
  const Policy policy = load_policy("scenarios/policies/" + name + ".json").value();
  const auto& fallback = std::get<FallbackSpec>(policy.pipeline.front());
  const auto& options = std::get<BreakerOptions>(fallback.routes.front().pipeline.front());
  EXPECT_EQ(difference(replay(history, options), python), "");
  return python;
}

// Calls at once after one another against models that always answer like this.
PolicyCase always(const std::string& policy, Answer answer, std::size_t calls) {
  return {policy, {{answer}, {answer}}, std::vector<PolicyCase::Call>(calls)};
}

std::ptrdiff_t count(const Trace& trace, const std::string& part) {
  return std::ranges::count_if(
      trace, [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

// The first line with this in it; the length of the trace when there is none.
std::size_t first(const Trace& trace, const std::string& part) {
  const auto at = std::ranges::find_if(
      trace, [&](const std::string& line) { return line.find(part) != std::string::npos; });
  return static_cast<std::size_t>(at - trace.begin());
}

// How a breaker's events ended: "rejected, open" of "7 at 60000000000: rejected, open".
std::vector<std::string> ends(const Trace& trace) {
  std::vector<std::string> all;
  for (const std::string& line : trace) all.push_back(line.substr(line.find(": ") + 2));
  return all;
}

std::vector<BreakerCase::Event> repeated(std::size_t times, BreakerCase::Event event) {
  return std::vector<BreakerCase::Event>(times, event);
}

BreakerCase breaker_case(std::string breaker, std::vector<std::vector<BreakerCase::Event>> parts) {
  BreakerCase history{std::move(breaker), {}};
  for (const auto& part : parts) {
    history.events.insert(history.events.end(), part.begin(), part.end());
  }
  return history;
}

TEST(GuideFacts, ThreeAttemptsWaitFourSecondsTwiceThoughTheServerSaysTwenty) {
  // 0s fail | 4s fail | 8s fail, give up
  EXPECT_THAT(played(always("guide-retry-only", {rate_limited, 0}, 1)),
              ElementsAre("call at 0 with prompt 0", "  attempt at gpt-4 from 0 to 0: rate_limited",
                          "  wait from 0 to 4000000000",
                          "  attempt at gpt-4 from 4000000000 to 4000000000: rate_limited",
                          "  wait from 4000000000 to 8000000000",
                          "  attempt at gpt-4 from 8000000000 to 8000000000: rate_limited",
                          "  ends at 8000000000: failed rate_limited"));
}

TEST(GuideFacts, StopAfterDelayOvershootsByItsLastWait) {
  // waits 10 10 10 16 32 64 120: at 262s another 120s are begun, and the ninth attempt ends at 382s
  const Trace trace = played(always("guide-rate-limit", {rate_limited, 0}, 1));
  EXPECT_EQ(count(trace, "attempt"), 9);
  EXPECT_THAT(trace, Contains("  wait from 262000000000 to 382000000000"));
  EXPECT_EQ(trace.back(), "  ends at 382000000000: failed rate_limited");
}

TEST(GuideFacts, SpentMoneyIsRetriedLikeARateLimit) {
  EXPECT_EQ(count(played(always("guide-layered", {quota_exhausted, 0}, 1)), "attempt"), 6);
}

TEST(GuideFacts, ServerAndConnectionErrorsAreNotRetried) {
  for (const OutcomeKind kind : {server_error, overloaded, connection}) {
    EXPECT_EQ(count(played(always("guide-layered", {kind, 0}, 1)), "attempt"), 2);
  }
}

TEST(GuideFacts, OpeningTakesFiveCallsAndFifteenAttempts) {
  // both models refuse: each call spends 8s at either; gpt-4's breaker opens with its fifth loop
  const Trace trace = played(always("guide-layered", {rate_limited, 0}, 5));
  const std::size_t opened = first(trace, "breaker of gpt-4 is open");
  ASSERT_LT(opened, trace.size());
  EXPECT_EQ(count({trace.begin(), trace.begin() + static_cast<std::ptrdiff_t>(opened)}, "call at"),
            5);
  EXPECT_EQ(count(trace, "attempt at gpt-4"), 15);
  EXPECT_EQ(trace[opened - 1],
            "  ends at 80000000000: default "
            R"({"error":"AI service unavailable","message":"Please try again later"})");
}

TEST(GuideFacts, AHangingProviderHoldsACallForOverThreeMinutes) {
  // per model 30 + 4 + 30 + 4 + 30 = 98s
  EXPECT_THAT(played(always("guide-layered", hang, 1)),
              Contains(HasSubstr("ends at 196000000000")));
}

TEST(GuideFacts, AHangingModelDelaysEveryCallUntilItsBreakerOpens) {
  // five calls one after another, 98s at gpt-4 each, then an answer from gpt-3.5-turbo
  PolicyCase history = always("guide-layered", hang, 5);
  history.scripts.back() = {{success, 0}};
  const Trace trace = played(history);
  const std::size_t opened = first(trace, "breaker of gpt-4 is open");
  ASSERT_LT(opened, trace.size());
  EXPECT_EQ(trace[opened - 1], "  ends at 490000000000: live gpt-3.5-turbo#4");
}

TEST(GuideFacts, FiveCallsThatAreTheirCallersFaultShutOutEverybody) {
  for (const OutcomeKind kind : {context_length, authentication}) {
    PolicyCase history = always("guide-layered", {kind, 0}, 6);
    for (auto& script : history.scripts) {
      script.resize(5, {kind, 0});
      script.push_back({success, 0});
    }
    const Trace trace = played(history);
    EXPECT_EQ(count(trace, "success"), 0);
    EXPECT_EQ(count(trace, "rejected"), 2);
  }
}

TEST(GuideFacts, TheCacheIsAskedOnlyWhenBothModelsHaveFailed) {
  EXPECT_EQ(count(played(always("guide-layered", {success, 0}, 3)), "attempt at gpt-4 "), 3);
}

TEST(GuideFacts, ACachedReplyIsGoodForLessThanAnHour) {
  PolicyCase history = always("guide-layered", {server_error, 0}, 3);
  history.scripts.front().insert(history.scripts.front().begin(), {success, 0});
  history.scripts.front().resize(20, {server_error, 0});
  history.calls[1].gap = 3600 * second - 1;
  history.calls[2].gap = 1;
  const Trace trace = played(history);
  EXPECT_EQ(count(trace, "cached gpt-4#0"), 1);
  EXPECT_THAT(trace, Contains(HasSubstr("ends at 3600000000000: default")));
}

TEST(GuideFacts, BothBreakersAdmitEveryCallInHalfOpen) {
  // 5 failures | 60s: ten calls at once
  for (const char* breaker : {"library", "class"}) {
    auto events = repeated(10, {});
    events.front().gap = 60 * second;
    const Trace trace = played(
        breaker_case(breaker, {repeated(5, {}), repeated(5, {0, Kind::failure, 0}), {{}}, events}));
    EXPECT_EQ(trace[10], "10 at 0: rejected, open");
    const Trace admitted(trace.begin() + 11, trace.end());
    EXPECT_THAT(ends(admitted), Each("enter, half_open"));
  }
}

TEST(GuideFacts, ALateSuccessClosesTheLibrarysOpenBreakerAndNotTheClass) {
  // 6 calls | 5 fail: open | the sixth, begun before, succeeds
  const std::vector<std::vector<BreakerCase::Event>> parts{
      repeated(6, {}), repeated(5, {0, Kind::failure, 0}), {{0, Kind::success, 0}}};
  EXPECT_EQ(ends(played(breaker_case("library", parts))).back(), "success of 5, closed");
  EXPECT_EQ(ends(played(breaker_case("class", parts))).back(), "success of 5, open");
}

TEST(GuideFacts, ALateFailureStartsTheSixtySecondsAnew) {
  // 6 calls | 5 fail: open | 59s later the sixth fails | 60s after opening: still open
  for (const char* breaker : {"library", "class"}) {
    const Trace trace = played(
        breaker_case(breaker, {repeated(6, {}),
                               repeated(5, {0, Kind::failure, 0}),
                               {{59 * second, Kind::failure, 0}, {second, Kind::enter, 0}}}));
    EXPECT_EQ(trace.back(), "12 at 60000000000: rejected, open");
  }
}

TEST(GuideFacts, TheClassReopensOnOneFailureEvenAfterASuccess) {
  // 5 failures | 60s: success, failure
  const Trace trace = played(breaker_case(
      "class",
      {repeated(5, {}),
       repeated(5, {0, Kind::failure, 0}),
       {{60 * second, Kind::enter, 0}, {0, Kind::success, 0}, {}, {0, Kind::failure, 0}}}));
  EXPECT_EQ(ends(trace)[11], "success of 10, half_open");
  EXPECT_EQ(ends(trace).back(), "failure of 12, open");
}

TEST(GuideFacts, TheClassClosesOnSuccessesFromBeforeItOpened) {
  // 7 calls | 5 fail: open | 60s: a new call, and the two old ones succeed
  const Trace trace = played(breaker_case("class", {repeated(7, {}),
                                                    repeated(5, {0, Kind::failure, 0}),
                                                    {{60 * second, Kind::enter, 0}},
                                                    repeated(2, {0, Kind::success, 0})}));
  EXPECT_EQ(ends(trace)[12], "enter, half_open");
  EXPECT_EQ(ends(trace).back(), "success of 6, closed");
}

}  // namespace
}  // namespace brownout::conformance
