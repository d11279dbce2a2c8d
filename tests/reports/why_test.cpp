#include "reports/result/why.hpp"

#include <gtest/gtest.h>

#include "tests/reports/results.hpp"

namespace brownout::reports {
namespace {

using namespace testing;

sim::ExpectationResult claim(const char* metric, const char* phase = "",
                             const char* argument = "") {
  sim::ExpectationResult expectation;
  expectation.metric = metric;
  expectation.phase = phase;
  expectation.argument = argument;
  expectation.verdict = Verdict::failed;
  return expectation;
}

TEST(Why, MissingAvailabilityIsToldByWhatFailed) {
  EXPECT_EQ(why(failing(), claim("availability")),
            "199 of 1,100 calls failed (18.09%): 149 server_error, 50 timed_out; "
            "200 of 1,100 attempts did not succeed: 149 server_error, 51 timed_out; "
            "less than 5% of quota openai/gpt-4 rpm was left 50.00% of the time; "
            "breaker main opened once at 01:01:00.000 and was open for 59m03s");
}

TEST(Why, LooksOnlyAtThePhaseThatIsAskedAbout) {
  EXPECT_EQ(why(failing(), claim("availability", "early")), "breaker main never opened");
  RunResult result = failing();
  for (sim::BreakerResult& breaker : result.breakers) breaker = {breaker.name, 0, {}, 0, {}};
  EXPECT_EQ(why(result, claim("availability", "early")), "no breaker opened");
  result.breakers.clear();
  EXPECT_EQ(why(result, claim("availability", "early")), "nothing failed, waited or was refused");
}

TEST(Why, ABreakerThatWasOpenBeforeThePhaseIsToldSo) {
  RunResult result = failing();
  result.breakers[0] = {"main", 0, BreakerState::closed, 0, {}};
  sim::testing::add_transition(result, 0, 50min, BreakerState::open);
  sim::testing::add_transition(result, 0, 70min, BreakerState::closed);
  EXPECT_EQ(why(result, claim("breaker.opened", "late", "main")),
            "breaker main was open already, for 10m00s; "
            "200 of 200 attempts did not succeed: 149 server_error, 51 timed_out");
}

TEST(Why, DegradedRepliesComeFirstWhenThereAreMoreOfThem) {
  RunResult result = sim::testing::empty_result();
  add_calls(result, {.phase = 1, .count = 1, .end = CallEnd::failed});
  add_calls(result, {.phase = 1, .count = 9, .end = CallEnd::degraded});
  const std::string text = why(result, claim("availability"));
  EXPECT_TRUE(
      text.starts_with("9 of 10 calls got a default or stale reply (90.00%); "
                       "1 of 10 calls failed (10.00%): 1 timed_out; "))
      << text;
}

TEST(Why, LatencyIsToldByRetriesAndWaits) {
  RunResult result = passing();
  result.phases[1].stats.waits = 2;
  result.phases[1].stats.wait.record(1s);
  result.phases[1].stats.wait.record(3s);
  result.phases[1].stats.attempts = 70'000;
  result.phases[1].stats.hedges = 1;
  EXPECT_EQ(why(result, claim("latency", "late")),
            "2.00 attempts per call, 1 hedge among them; "
            "2 waits before an attempt, 2s on average and 3s at most; "
            "successful calls took 2.35s at the median and 2.35s at most; "
            "breaker main opened 8 times, first at 01:00:00.000 and was open for 8m00s, "
            "breaker backup opened once at 01:40:00.000 and was open for 20m00s");
}

TEST(Why, AShareIsToldByWhoServedTheCalls) {
  const std::string text = why(passing(), claim("share", "", "main"));
  EXPECT_TRUE(text.starts_with(
      "calls were served by: main 77.42%, backup 19.35%, cache 3.23%; breaker main opened"))
      << text;
  EXPECT_EQ(text.find("breaker backup"), std::string::npos) << "it is not asked about";
}

TEST(Why, RecoveryIsToldByTheLastChange) {
  EXPECT_EQ(why(passing(), claim("time_to_recover", "", "main")),
            "breaker main opened 8 times, first at 01:00:00.000 and was open for 8m00s; "
            "its last change, at 01:51:00.000, was to closed");
}

TEST(Why, RefusalsAreToldByBreaker) {
  EXPECT_EQ(why(failing(), claim("rejected")).substr(0, 62),
            "20 calls met a refusal of our own: 20 by breaker main; breaker");
}

TEST(Why, ALifeTooLongToKeepIsToldForTheWholeRun) {
  RunResult result = passing();
  result.breakers[0].transition_count += 1;
  EXPECT_EQ(why(result, claim("breaker.opened", "early", "main")),
            "breaker main opened 8 times in the whole run");
}

TEST(Why, NoCallsIsAReason) {
  EXPECT_EQ(why(undecided(), claim("availability")), "no call arrived");
  EXPECT_EQ(why(undecided(), claim("latency", "late")), "no call arrived in that phase");
}

TEST(Why, ARunThatBrokeOffSaysWhere) {
  sim::ExpectationResult expectation = claim("availability");
  expectation.verdict = Verdict::undecided;
  EXPECT_EQ(why(deadlocked(), expectation),
            "the run ended in deadlock at 01:30:00.000, 1 call unfinished");
}

}  // namespace
}  // namespace brownout::reports
