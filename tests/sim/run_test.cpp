#include "sim/run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "tests/sim/lab.hpp"

namespace brownout::sim {
namespace {

using namespace std::chrono_literals;
using testing::at;
using testing::EventList;
using testing::fly;
using ::testing::HasSubstr;
using testing::Lab;

TEST(Run, EveryCallEnds) {
  Lab lab;
  lab.arrivals = R"({"poisson": "2/s"})";
  lab.faults = R"([{"on": "*", "error": "server_error", "share": 0.2},
                   {"on": "*", "hang": true, "share": 0.1},
                   {"on": "*", "error": "stream_truncated", "share": 0.2}])";
  lab.workload = R"(, "stream": 0.5)";
  EventList events;
  const RunResult result =
      fly(lab, R"([{"retry": {"max_attempts": 3}}, {"timeout": {"attempt": "5s"}}])",
          testing::heard_by(events));
  EXPECT_EQ(result.end, RunEnd::completed);
  EXPECT_EQ(result.unfinished_calls, 0U);
  EXPECT_EQ(result.diagnosis, "");
  std::uint64_t ended = 0;
  for (const std::uint64_t count : result.total.ended) ended += count;
  EXPECT_EQ(ended, result.total.calls);
  EXPECT_EQ(events.calls.size(), result.total.calls);
  EXPECT_EQ(events.attempts.size(), result.total.attempts);
  std::vector<bool> seen(result.total.calls);
  for (const auto& call : events.calls) {
    ASSERT_LT(call.event.call, seen.size());
    EXPECT_FALSE(seen[call.event.call]);
    seen[call.event.call] = true;
  }
  EXPECT_GT(result.total.failed_as[static_cast<std::size_t>(OutcomeKind::timed_out)], 0U);
}

// 1s ... 3599s: one call a second until just before the end; then the last one drains.
TEST(Run, AConstantRateMakesExactlyItsCalls) {
  const auto calls = [](const std::string& rate, const std::string& duration) {
    Lab lab;
    lab.duration = duration;
    lab.arrivals = R"({"constant": ")" + rate + "\"}";
    return fly(lab, "[]").total.calls;
  };
  EXPECT_EQ(calls("1/s", "1h"), 3599U);
  EXPECT_EQ(calls("20/s", "10m"), 11'999U);
  EXPECT_EQ(calls("3/s", "1000.5s"), 3001U);
  EXPECT_EQ(calls("1/s", "1s"), 0U);
  EXPECT_EQ(calls("1/s", "1.000000001s"), 1U);
}

TEST(Run, ArrivalsStopAtTheEndAndCallsDrain) {
  Lab lab;
  lab.duration = "10s";
  const RunResult result = fly(lab, "[]");
  EXPECT_EQ(result.scenario_ends, at(10s));
  EXPECT_EQ(result.ended, at(9220ms));
  lab.model = R"("ttft": "1h", "inter_token": "0s")";
  EXPECT_EQ(fly(lab, "[]").ended, at(9s + 1h + 20ms));
}

// Calls of 1.02 s, one every 300 ms from 0.3 s on: the fourth begins at 1.2 s, before the first
// ends at 1.32 s, and from then on there are never more.
TEST(Run, AttemptsAtOnceAreCountedWhereTheyBegin) {
  Lab lab;
  lab.duration = "10s";
  lab.model = R"("ttft": "900ms", "inter_token": "10ms")";
  lab.arrivals = R"({"constant": {"steps": [["0s", "200/min"], ["5s", "30/min"]]}})";
  lab.timeline = R"([{"phase": "many", "until": "6s"}, {"phase": "few", "until": "10s"}])";
  const RunResult result = fly(lab, "[]");
  EXPECT_EQ(result.total.in_flight_max_by_route.at(0), 4U);
  EXPECT_EQ(result.phases[0].stats.in_flight_max_by_route.at(0), 4U);
  EXPECT_EQ(result.phases[1].stats.in_flight_max_by_route.at(0), 1U);
}

// The caller leaves 150 ms after the call's arrival; an attempt takes 220 ms.
TEST(Run, CallersThatLeaveEndTheirAttemptsAndAreNoCalls) {
  Lab lab;
  lab.duration = "10.5s";
  lab.workload = R"(, "cancel": {"share": 1, "after": "150ms"})";
  testing::EventList events;
  const RunResult result = fly(lab, "[]", testing::heard_by(events));
  EXPECT_EQ(result.end, RunEnd::completed);
  EXPECT_EQ(result.total.calls, 0U);
  ASSERT_EQ(events.attempts.size(), 10U);
  for (const auto& attempt : events.attempts) {
    EXPECT_EQ(attempt.outcome.kind, OutcomeKind::cancelled);
    EXPECT_EQ(attempt.event.ended - attempt.event.started, 150ms);
  }
  EXPECT_EQ(result.ended, at(10s + 150ms));
}

TEST(Run, CallersWhoseCallsAreOverCannotLeaveThem) {
  Lab lab;
  lab.duration = "10.5s";
  lab.workload = R"(, "cancel": {"share": 1, "after": "250ms"})";
  EXPECT_EQ(fly(lab, "[]").total.ended_as(CallEnd::success), 10U);
}

// Half of the callers leave, and come back with another call after they have thought.
TEST(Run, AClientThatLeavesThinksAndCallsAgain) {
  Lab lab;
  lab.duration = "1000s";
  lab.arrivals = R"({"clients": {"count": 1, "think_time": "850ms"}})";
  lab.workload = R"(, "cancel": {"share": 0.5, "after": "150ms"})";
  testing::EventList events;
  const RunResult result = fly(lab, "[]", testing::heard_by(events));
  EXPECT_GT(events.attempts.size(), 920U);
  EXPECT_GT(result.total.calls, 400U);
  EXPECT_LT(result.total.calls, 550U);
}

TEST(Run, RecordsItsInputs) {
  Lab lab;
  lab.duration = "10s";
  const RunResult result = fly(lab, R"([{"timeout": {"attempt": "5s"}}])", testing::seeded(99));
  EXPECT_EQ(result.scenario, "lab");
  EXPECT_EQ(result.scenario_path, "lab.json");
  EXPECT_EQ(result.policy, "test");
  EXPECT_EQ(result.policy_path, "policy.json");
  EXPECT_THAT(result.policy_description, HasSubstr("5s"));
  EXPECT_EQ(result.seed, 99U);
  EXPECT_EQ(result.routes, std::vector<std::string>{"main"});
  EXPECT_EQ(result.route_targets, std::vector<std::string>{"lab/model"});
}

// 1s .. 9s: nine calls hang, and nobody limits them.
TEST(Run, CallsThatWaitForNothingAreADeadlock) {
  Lab lab;
  lab.duration = "10s";
  lab.faults = R"([{"on": "*", "hang": true}])";
  lab.expect = R"(["calls == 0", "availability >= 99%"])";
  const RunResult result = fly(lab, "[]");
  EXPECT_EQ(result.end, RunEnd::deadlock);
  EXPECT_EQ(result.verdict(), Verdict::undecided);
  EXPECT_EQ(result.unfinished_calls, 9U);
  EXPECT_EQ(result.diagnosis, R"(nothing is left to happen, but these calls have not ended:
call 0 has had no answer since 1s from lab/model in route main (attempts so far: 1)
call 1 has had no answer since 2s from lab/model in route main (attempts so far: 1)
call 2 has had no answer since 3s from lab/model in route main (attempts so far: 1)
call 3 has had no answer since 4s from lab/model in route main (attempts so far: 1)
call 4 has had no answer since 5s from lab/model in route main (attempts so far: 1)
call 5 has had no answer since 6s from lab/model in route main (attempts so far: 1)
call 6 has had no answer since 7s from lab/model in route main (attempts so far: 1)
call 7 has had no answer since 8s from lab/model in route main (attempts so far: 1)
call 8 has had no answer since 9s from lab/model in route main (attempts so far: 1)
)");
  // It would have been true, but a run that ended like this proves nothing.
  EXPECT_EQ(result.expectations[0].verdict, Verdict::undecided);
  EXPECT_EQ(result.expectations[0].actual, "0 when the run ended in deadlock");
  EXPECT_EQ(result.expectations[1].actual, "no calls when the run ended in deadlock");
}

TEST(Run, ADiagnosisListsTheFirstCallsAndCountsTheOthers) {
  Lab lab;
  lab.duration = "31s";
  lab.faults = R"([{"on": "*", "hang": true}])";
  EXPECT_THAT(fly(lab, "[]").diagnosis, ::testing::EndsWith("\nand 20 more\n"));
}

// Replies, thoughts and the network take no time: the clients go round and round at 0 s.
TEST(Run, TimeThatStandsStillIsALivelock) {
  Lab lab;
  lab.model = R"("ttft": "0s", "inter_token": "0s")";
  lab.network = R"("0s")";
  lab.arrivals = R"({"clients": {"count": 2, "think_time": "0s"}})";
  lab.expect = R"(["availability >= 99%"])";
  const RunResult result = fly(lab, "[]");
  EXPECT_EQ(result.end, RunEnd::livelock);
  EXPECT_EQ(result.verdict(), Verdict::undecided);
  EXPECT_EQ(result.ended, at(0s));
  EXPECT_THAT(result.diagnosis,
              HasSubstr("livelock at 0s: more than 1000200 events at one instant"));
  EXPECT_THAT(result.diagnosis, HasSubstr("\"attempt\""));
  EXPECT_EQ(result.expectations[0].actual, "100.000% when the run ended in livelock");
}

TEST(Run, AnInterruptedRunHasNoVerdict) {
  Lab lab;
  lab.expect = R"(["calls >= 0"])";
  const std::atomic<bool> interrupt{true};
  RunOptions options;
  options.interrupt = &interrupt;
  const RunResult result = fly(lab, "[]", options);
  EXPECT_EQ(result.end, RunEnd::interrupted);
  EXPECT_EQ(result.verdict(), Verdict::undecided);
  EXPECT_EQ(result.expectations[0].verdict, Verdict::undecided);
  EXPECT_LT(result.ended, at(1h));
}

TEST(Run, ARunCanBeInterruptedOnItsWay) {
  Lab lab;
  lab.duration = "10h";
  std::atomic<bool> interrupt{false};
  RunOptions options;
  options.interrupt = &interrupt;
  options.progress = [&](Instant reached) { interrupt = reached >= at(5h); };
  const RunResult result = fly(lab, "[]", options);
  EXPECT_EQ(result.end, RunEnd::interrupted);
  EXPECT_GE(result.ended, at(5h));
  EXPECT_LT(result.ended, at(6h));
}

// Each call that is given up leaves a slot to one that waits. The sanitizers watch whose requests
// those read.
TEST(Run, AnInterruptedRunGivesUpCallsThatWaitForASlot) {
  Lab lab;
  lab.arrivals = R"({"constant": "1000/s"})";
  lab.model += R"(, "limits": {"concurrent": 3, "queue": 500})";
  std::atomic<bool> interrupt{false};
  RunOptions options;
  options.interrupt = &interrupt;
  options.progress = [&](Instant) { interrupt = true; };
  const RunResult result = fly(lab, "[]", options);
  EXPECT_EQ(result.end, RunEnd::interrupted);
  EXPECT_GT(result.unfinished_calls, 100U);
}

// Nothing happens in the second half: looking at the run must not move its end.
TEST(Run, WatchingARunChangesNothing) {
  Lab lab;
  lab.arrivals = R"({"constant": {"steps": [["0s", "1/s"], ["30m", "0/s"]]}})";
  const RunResult unwatched = fly(lab, "[]");
  std::vector<Instant> reached;
  RunOptions options;
  options.progress = [&](Instant time) { reached.push_back(time); };
  const RunResult watched = fly(lab, "[]", options);
  EXPECT_EQ(watched.ended, unwatched.ended);
  EXPECT_EQ(watched.events, unwatched.events);
  EXPECT_EQ(watched.semantic_digest, unwatched.semantic_digest);
  EXPECT_EQ(watched.schedule_digest, unwatched.schedule_digest);
  ASSERT_GT(reached.size(), 90U);
  EXPECT_TRUE(std::ranges::is_sorted(reached));
}

TEST(Run, RandomTiesGiveAValidRun) {
  Lab lab;
  lab.duration = "10m";
  lab.model += R"(, "limits": {"concurrent": 3, "queue": 5})";
  lab.arrivals = R"({"clients": {"count": 20, "think_time": "100ms"}})";
  const std::string pipeline =
      R"([{"retry": {"max_attempts": 2, "wait": {"fixed": "1s"}}},
          {"timeout": {"attempt": "600ms"}}])";
  RunOptions shuffled;
  shuffled.ties = TiePolicy::random;
  const RunResult fifo = fly(lab, pipeline);
  const RunResult random = fly(lab, pipeline, shuffled);
  const RunResult again = fly(lab, pipeline, shuffled);
  EXPECT_EQ(random.end, RunEnd::completed);
  EXPECT_EQ(random.unfinished_calls, 0U);
  EXPECT_EQ(random.semantic_digest, again.semantic_digest);
  EXPECT_EQ(random.schedule_digest, again.schedule_digest);
  EXPECT_NE(random.semantic_digest, fifo.semantic_digest) << "no tie mattered: the test is idle";
  EXPECT_GT(random.total.calls, fifo.total.calls / 2);
  EXPECT_EQ(random.total.calls,
            random.total.success_latency.count() + random.total.failed_latency.count());
}

// Ten calls of one prompt arrive while its first answer is on its way, ten later ones find it
// stored; only the first is billed.
TEST(Run, SharedAndCachedRepliesWasteNothing) {
  Lab lab;
  lab.duration = "21s";
  lab.model = R"("ttft": "10.5s", "inter_token": "0s")";
  lab.workload = R"(, "prompts": {"distinct": 1})";
  const RunResult result = fly(lab, R"([{"cache": {"single_flight": true}}])");
  EXPECT_EQ(result.total.calls, 20U);
  EXPECT_EQ(result.total.attempts, 1U);
  EXPECT_EQ(result.total.shared, 10U);
  EXPECT_EQ(result.total.ended_as(CallEnd::success), 11U);
  EXPECT_EQ(result.total.ended_as(CallEnd::cached), 9U);
  EXPECT_EQ(result.total.billed_tokens, 111U);
  EXPECT_EQ(result.total.wasted_tokens, 0U);
}

// before      hurt           between   hurt again   after
// 0s .. 10m   10m .. 20m     .. 30m    .. 40m       .. 1h
TEST(Run, FaultsAreCountedAndTheirWindowSpansAllOfThem) {
  Lab lab;
  lab.timeline = R"([{"phase": "before", "until": "10m"},
      {"phase": "hurt", "until": "20m", "faults": [{"on": "lab/model", "error": "server_error"}]},
      {"phase": "between", "until": "30m", "faults": [{"on": "lab/other", "outage": true}]},
      {"phase": "again", "until": "40m", "faults": [{"on": "lab/model", "error": "overloaded"}]},
      {"phase": "after", "until": "1h"}])";
  lab.expect = R"(["time_to_open(main) == 3.07s", "time_to_recover(main) <= 30s",
                   "breaker(main).opened during between == 0"])";
  const RunResult result =
      fly(lab, R"([{"breaker": {"consecutive_failures": 4, "open_for": "20s"}}])");
  ASSERT_EQ(result.faults.size(), 3U);
  EXPECT_EQ(result.faults[0].phase, "hurt");
  EXPECT_EQ(result.faults[0].fault, "server_error on lab/model, share 1");
  EXPECT_GT(result.faults[0].injected, 10U);
  EXPECT_EQ(result.faults[0].injected, result.faults[0].matched);
  EXPECT_EQ(result.faults[0].asked_billionths,
            static_cast<std::int64_t>(result.faults[0].matched) * 1'000'000'000);
  EXPECT_EQ(result.faults[1].matched, 0U);
  for (const ExpectationResult& expectation : result.expectations) {
    EXPECT_EQ(expectation.verdict, Verdict::passed)
        << expectation.expression << ", found " << expectation.actual;
  }
}

}  // namespace
}  // namespace brownout::sim
