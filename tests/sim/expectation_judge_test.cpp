// What each metric means, on results made by hand.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim/expectation.hpp"
#include "tests/sim/results.hpp"

namespace brownout::sim {
namespace {

using namespace std::chrono_literals;
using testing::add_calls;
using testing::add_transition;
using testing::empty_result;

ExpectationResult judged(const std::string& text, const RunResult& result,
                         const std::vector<FaultWindow>& windows = {{}, {}}) {
  const auto document = Document::parse("scenario.json", '"' + text + '"');
  Problems problems;
  Expectation expectation;
  EXPECT_TRUE(read_expectation((*document)->root(), {"early", "late"}, 2h, problems, expectation));
  for (const Error& error : problems.take()) ADD_FAILURE() << error.to_string();
  ExpectationResult judgement = judge(expectation, result, windows);
  EXPECT_EQ(judgement.expression, text);
  EXPECT_NE(judgement.excerpt.find(text), std::string::npos);
  return judgement;
}

#define EXPECT_JUDGED(how, found, ...)               \
  do {                                               \
    const ExpectationResult r = judged(__VA_ARGS__); \
    EXPECT_EQ(r.verdict, Verdict::how);              \
    EXPECT_EQ(r.actual, found);                      \
  } while (false)

// 60 live, 20 cached, 10 degraded and 10 failed calls; the failures are all late.
RunResult mixed() {
  RunResult result = empty_result();
  add_calls(result, {.phase = 0, .count = 40, .latency = 100ns});
  add_calls(result, {.phase = 1, .count = 20, .route = 1, .latency = 200ns});
  add_calls(result, {.phase = 0, .count = 20, .end = CallEnd::cached, .latency = 10ns});
  add_calls(result, {.phase = 1, .count = 10, .end = CallEnd::degraded, .latency = 20ns});
  add_calls(result, {.phase = 1, .count = 7, .end = CallEnd::failed, .latency = 50ns});
  add_calls(result, {.phase = 1,
                     .count = 3,
                     .end = CallEnd::failed,
                     .failed_as = OutcomeKind::overloaded,
                     .latency = 60ns});
  result.total.attempts = 125;
  result.total.rejected = 6;
  result.total.rejected_by_breaker = {5, 2};
  result.total.wasted_tokens = 900;
  result.total.cost_picodollars = 2'500'000'000'000;
  return result;
}

TEST(Judge, AvailabilityCountsLiveAndCachedReplies) {
  EXPECT_JUDGED(passed, "80.000%", "availability >= 80%", mixed());
  EXPECT_JUDGED(failed, "80.000%", "availability > 80%", mixed());
  EXPECT_JUDGED(passed, "100.000%", "availability during early >= 100%", mixed());
  EXPECT_JUDGED(passed, "50.000%", "availability during late == 50%", mixed());
}

TEST(Judge, AnsweredAddsDegradedReplies) {
  EXPECT_JUDGED(passed, "90.000%", "answered == 90%", mixed());
  EXPECT_JUDGED(failed, "75.000%", "answered during late != 75%", mixed());
}

TEST(Judge, CountsCallsAndFailures) {
  EXPECT_JUDGED(passed, "100", "calls == 100", mixed());
  EXPECT_JUDGED(passed, "40", "calls during late == 40", mixed());
  EXPECT_JUDGED(passed, "10", "failed == 10", mixed());
  EXPECT_JUDGED(passed, "3", "failed(overloaded) == 3", mixed());
  EXPECT_JUDGED(passed, "7", "failed(timed_out) during late == 7", mixed());
  EXPECT_JUDGED(passed, "0", "failed(authentication) == 0", mixed());
  EXPECT_JUDGED(passed, "0", "failed during early == 0", mixed());
}

TEST(Judge, SharesAreOfAllCalls) {
  EXPECT_JUDGED(passed, "40.000%", "share(main) == 40%", mixed());
  EXPECT_JUDGED(passed, "20.000%", "share(backup) == 20%", mixed());
  EXPECT_JUDGED(passed, "50.000%", "share(backup) during late == 50%", mixed());
  EXPECT_JUDGED(passed, "20.000%", "share(cache) == 20%", mixed());
  EXPECT_JUDGED(passed, "10.000%", "share(default) == 10%", mixed());
}

TEST(Judge, LatencyIsOfSuccessesUnlessSaidOtherwise) {
  EXPECT_JUDGED(passed, "100ns", "latency.p50 == 100ns", mixed());
  EXPECT_JUDGED(passed, "200ns", "latency.p99 == 200ns", mixed());
  EXPECT_JUDGED(passed, "200ns", "latency(success).p999 == 200ns", mixed());
  EXPECT_JUDGED(passed, "133ns", "latency.mean == 133ns", mixed());
  EXPECT_JUDGED(passed, "100ns", "latency.min == 100ns", mixed());
  EXPECT_JUDGED(passed, "60ns", "latency(failed).max == 60ns", mixed());
  EXPECT_JUDGED(passed, "10ns", "latency(other).p50 == 10ns", mixed());
  EXPECT_JUDGED(passed, "10ns", "latency(all).min == 10ns", mixed());
  EXPECT_JUDGED(passed, "200ns", "latency(all).p90 == 200ns", mixed());
  EXPECT_JUDGED(passed, "200ns", "latency(all).p95 == 200ns", mixed());
  EXPECT_JUDGED(passed, "200ns", "latency.p50 during late <= 200ns", mixed());
}

TEST(Judge, AttemptsOfARouteAndHowManyAtOnce) {
  RunResult result = mixed();
  result.total.attempts_by_route = {100, 25};
  result.total.in_flight_max_by_route = {7, 3};
  result.phases[1].stats.in_flight_max_by_route = {2, 3};
  EXPECT_JUDGED(passed, "100", "attempts(main) == 100", result);
  EXPECT_JUDGED(passed, "25", "attempts(backup) == 25", result);
  EXPECT_JUDGED(passed, "7", "max_in_flight(main) == 7", result);
  EXPECT_JUDGED(failed, "2", "max_in_flight(main) during late > 2", result);
}

TEST(Judge, WaitsAndWhatCallersAreTold) {
  RunResult result = mixed();
  EXPECT_JUDGED(passed, "0", "waits == 0", result);
  EXPECT_JUDGED(undecided, "nobody waited", "wait.max <= 1s", result);
  EXPECT_JUDGED(undecided, "no failed call was told when to come back", "retry_after.min >= 0s",
                result);
  result.total.waits = 2;
  result.total.wait.record(100ns);
  result.total.wait.record(200ns);
  result.total.hinted = 1;
  result.total.hint.record(50ns);
  EXPECT_JUDGED(passed, "2", "waits == 2", result);
  EXPECT_JUDGED(passed, "200ns", "wait.max == 200ns", result);
  EXPECT_JUDGED(passed, "100ns", "wait.p50 == 100ns", result);
  EXPECT_JUDGED(failed, "150ns", "wait.mean < 150ns", result);
  EXPECT_JUDGED(passed, "1", "hinted == 1", result);
  EXPECT_JUDGED(passed, "50ns", "retry_after.min == 50ns", result);
}

TEST(Judge, AttemptsRejectionsTokensAndCost) {
  EXPECT_JUDGED(passed, "125", "attempts == 125", mixed());
  EXPECT_JUDGED(passed, "1.250", "attempts_per_call == 1.25", mixed());
  EXPECT_JUDGED(failed, "1.250", "attempts_per_call < 1.25", mixed());
  EXPECT_JUDGED(passed, "6", "rejected == 6", mixed());
  EXPECT_JUDGED(passed, "5", "rejected(main) == 5", mixed());
  EXPECT_JUDGED(passed, "2", "rejected(backup) == 2", mixed());
  EXPECT_JUDGED(passed, "900", "wasted_tokens == 900", mixed());
  EXPECT_JUDGED(passed, "2.50", "cost == 2.5", mixed());
  EXPECT_JUDGED(failed, "2.50", "cost < 2.5", mixed());
}

TEST(Judge, WithoutDataThereIsNoVerdict) {
  const RunResult none = empty_result();
  EXPECT_JUDGED(undecided, "no calls", "availability >= 0%", none);
  EXPECT_JUDGED(undecided, "no calls", "answered >= 0%", none);
  EXPECT_JUDGED(undecided, "no calls", "share(main) >= 0%", none);
  EXPECT_JUDGED(undecided, "no calls", "attempts_per_call <= 2", none);
  EXPECT_JUDGED(undecided, "no such calls", "latency.p99 <= 1h", none);
  EXPECT_JUDGED(undecided, "no such calls", "latency(failed).p99 during early <= 1h", mixed());
  RunResult early = empty_result();
  add_calls(early, {.phase = 0});
  EXPECT_JUDGED(undecided, "no calls", "availability during late >= 0%", early);
}

TEST(Judge, CountsOfNothingAreZero) {
  const RunResult none = empty_result();
  for (const char* metric : {"calls", "failed", "failed(timed_out)", "attempts", "rejected",
                             "rejected(main)", "wasted_tokens", "breaker(main).opened"}) {
    EXPECT_JUDGED(passed, "0", std::string(metric) + " == 0", none);
  }
  EXPECT_JUDGED(passed, "0.00", "cost == 0", none);
}

// 20m      25m        30m      1h              1h10m    1h15m
// opens    half-open  opens    (late begins)   half     closes
RunResult opened_twice() {
  RunResult result = empty_result();
  add_transition(result, 0, 20min, BreakerState::open);
  add_transition(result, 0, 25min, BreakerState::half_open);
  add_transition(result, 0, 30min, BreakerState::open);
  add_transition(result, 0, 70min, BreakerState::half_open);
  add_transition(result, 0, 75min, BreakerState::closed);
  return result;
}

TEST(Judge, OpeningsBelongToThePhaseTheyHappenIn) {
  EXPECT_JUDGED(passed, "2", "breaker(main).opened == 2", opened_twice());
  EXPECT_JUDGED(passed, "2", "breaker(main).opened during early == 2", opened_twice());
  EXPECT_JUDGED(passed, "0", "breaker(main).opened during late == 0", opened_twice());
  EXPECT_JUDGED(passed, "0", "breaker(backup).opened == 0", opened_twice());
  RunResult border = empty_result();
  add_transition(border, 0, 1h, BreakerState::open);
  EXPECT_JUDGED(passed, "0", "breaker(main).opened during early == 0", border);
  EXPECT_JUDGED(passed, "1", "breaker(main).opened during late == 1", border);
}

TEST(Judge, AStateIsTheOneReachedByThatInstant) {
  const RunResult result = opened_twice();
  EXPECT_JUDGED(passed, "closed", "breaker(main).state at 0s == closed", result);
  EXPECT_JUDGED(passed, "closed", "breaker(main).state at 19m59.999999999s == closed", result);
  EXPECT_JUDGED(passed, "open", "breaker(main).state at 20m == open", result);
  EXPECT_JUDGED(failed, "half_open", "breaker(main).state at 29m == open", result);
  EXPECT_JUDGED(passed, "open", "breaker(main).state at 1h != closed", result);
  EXPECT_JUDGED(failed, "closed", "breaker(main).state at 2h != closed", result);
  EXPECT_JUDGED(passed, "closed", "breaker(backup).state at 1h == closed", result);
}

TEST(Judge, ARouteWithoutABreakerHasNoOpeningsAndNoState) {
  RunResult result = empty_result();
  result.breakers.erase(result.breakers.begin());
  EXPECT_JUDGED(passed, "0", "breaker(main).opened == 0", result);
  EXPECT_JUDGED(undecided, "the route has no breaker", "breaker(main).state at 1h == closed",
                result);
  const std::vector<FaultWindow> windows{{Instant{10min}, Instant{1h}}, {}};
  EXPECT_JUDGED(undecided, "the route has no breaker", "time_to_open(main) <= 1h", result, windows);
  EXPECT_JUDGED(undecided, "the route has no breaker", "time_to_recover(main) == 0s", result,
                windows);
}

TEST(Judge, TimeToOpenCountsFromTheFirstFaultToTheFirstOpeningAfterIt) {
  const auto window = [](Duration begins) {
    return std::vector<FaultWindow>{{Instant{begins}, Instant{1h}}, {}};
  };
  const RunResult result = opened_twice();
  EXPECT_JUDGED(passed, "10m00s", "time_to_open(main) == 10m", result, window(10min));
  EXPECT_JUDGED(passed, "0s", "time_to_open(main) == 0s", result, window(20min));
  // The opening at 20 minutes was before any fault.
  EXPECT_JUDGED(passed, "5m00s", "time_to_open(main) == 5m", result, window(25min));
  EXPECT_JUDGED(undecided, "it never opened", "time_to_open(main) <= 2h", result, window(31min));
  EXPECT_JUDGED(undecided, "no fault can hit the route", "time_to_open(main) <= 2h", result);
}

TEST(Judge, TimeToRecoverCountsFromTheLastFaultsEndUntilItIsClosedForGood) {
  const auto window = [](Duration ends) {
    return std::vector<FaultWindow>{{Instant{10min}, Instant{ends}}, {}};
  };
  RunResult result = opened_twice();
  EXPECT_JUDGED(passed, "15m00s", "time_to_recover(main) == 15m", result, window(1h));
  // It is closed already when the fault ends.
  EXPECT_JUDGED(passed, "0s", "time_to_recover(main) == 0s", result, window(80min));
  EXPECT_JUDGED(passed, "0s", "time_to_recover(main) == 0s", empty_result(), window(1h));
  // Closing does not count if it opens again.
  add_transition(result, 0, 90min, BreakerState::open);
  EXPECT_JUDGED(failed, "never", "time_to_recover(main) <= 1000h", result, window(1h));
  add_transition(result, 0, 95min, BreakerState::closed);
  EXPECT_JUDGED(passed, "35m00s", "time_to_recover(main) == 35m", result, window(1h));
  EXPECT_JUDGED(undecided, "no fault can hit the route", "time_to_recover(main) <= 2h", result);
}

TEST(Judge, ASecondBreakerOfARouteSharesItsFaults) {
  RunResult result = opened_twice();
  result.breakers[0].name = "main#2";
  const std::vector<FaultWindow> windows{{Instant{10min}, Instant{1h}}, {}};
  EXPECT_JUDGED(passed, "10m00s", "time_to_open(main#2) == 10m", result, windows);
}

// Only the first transitions and the last are kept: what happened between is not known.
TEST(Judge, ALifeTooLongToKeepIsNotGuessedAt) {
  RunResult result = opened_twice();
  result.breakers[0].transition_count = 1'000'000;
  EXPECT_JUDGED(passed, "2", "breaker(main).opened == 2", result);
  EXPECT_JUDGED(undecided, "too many transitions to tell phases apart",
                "breaker(main).opened during late == 0", result);
  EXPECT_JUDGED(undecided, "too many transitions to tell", "breaker(main).state at 1h == open",
                result);
}

TEST(RunResult, FailedBeatsUndecidedBeatsPassed) {
  RunResult result = empty_result();
  EXPECT_EQ(result.verdict(), Verdict::passed);
  const auto expect = [&](Verdict verdict) {
    result.expectations.emplace_back().verdict = verdict;
  };
  expect(Verdict::passed);
  EXPECT_EQ(result.verdict(), Verdict::passed);
  for (const RunEnd end : {RunEnd::deadlock, RunEnd::livelock, RunEnd::interrupted}) {
    result.end = end;
    EXPECT_EQ(result.verdict(), Verdict::undecided) << to_string(end);
  }
  result.end = RunEnd::completed;
  expect(Verdict::undecided);
  EXPECT_EQ(result.verdict(), Verdict::undecided);
  expect(Verdict::failed);
  EXPECT_EQ(result.verdict(), Verdict::failed);
}

TEST(RunResult, DigestsAreSixteenHexadecimalDigits) {
  EXPECT_EQ(format_digest(0), "0000000000000000");
  EXPECT_EQ(format_digest(0xDC5CC882E968E), "000dc5cc882e968e");
}

}  // namespace
}  // namespace brownout::sim
