// What is told of two stages, on stages made up.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twin/twin.hpp"

namespace brownout::twin {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

Instant at(Duration time) {
  return Instant{} + time;
}

Stage stage_of(std::map<CallId, CallTrace> calls) {
  Stage stage;
  stage.calls = std::move(calls);
  stage.result.scenario_ends = at(10s);
  return stage;
}

CallTrace trace(std::string sequence, Duration started = 1s, Duration took = 100ms) {
  const TraceStep step{sequence, at(started), at(started + took)};
  return {std::move(sequence), {step}, 1, at(started), took, true};
}

Noise noise_up_to(Duration most) {
  Noise noise;
  for (Duration each = most / 100; each <= most; each += most / 100) noise.attempts.record(each);
  return noise;
}

std::string text_of(const Comparison& comparison) {
  return describe(comparison, stage_of({}), stage_of({}), {}, 1);
}

TEST(TwinComparison, EqualSequencesAreIdentical) {
  const Stage stage = stage_of({{1, trace("main success = success")}});
  const Comparison comparison = compare(stage, stage, {}, false);
  EXPECT_TRUE(comparison.identical());
  EXPECT_EQ(comparison.same, 1U);
  EXPECT_THAT(text_of(comparison), HasSubstr("IDENTICAL"));
}

TEST(TwinComparison, OneOutcomeThatDiffersIsADifferenceAndIsShown) {
  const Stage simulated = stage_of({{1, trace("main success = success")}, {7, trace("a = b")}});
  const Stage over_http = stage_of({{1, trace("main success = success")}, {7, trace("a = c")}});
  const Comparison comparison = compare(simulated, over_http, {}, false);
  EXPECT_FALSE(comparison.identical());
  EXPECT_EQ(comparison.both, 2U);
  EXPECT_EQ(comparison.same, 1U);
  EXPECT_THAT(text_of(comparison),
              HasSubstr("  call 7\n    simulated  a = b\n    over HTTP  a = c\n"));
  EXPECT_THAT(text_of(comparison), Not(HasSubstr("IDENTICAL")));
}

TEST(TwinComparison, DifferencesAreCountedBeyondThoseShown) {
  std::map<CallId, CallTrace> here;
  std::map<CallId, CallTrace> there;
  for (CallId call = 0; call < 15; ++call) {
    here[call] = trace("a = b");
    there[call] = trace("a = c");
  }
  const Comparison comparison = compare(stage_of(here), stage_of(there), {}, false);
  EXPECT_EQ(comparison.differences.size(), Comparison::differences_kept);
  EXPECT_THAT(text_of(comparison), HasSubstr("and 5 more"));
}

TEST(TwinComparison, ACallOfOneStageOnlyIsADifference) {
  const Stage more = stage_of({{1, trace("a = b")}, {2, trace("a = b", 2s)}});
  const Stage fewer = stage_of({{1, trace("a = b")}});
  EXPECT_EQ(compare(more, fewer, {}, false).only_simulated, 1U);
  EXPECT_EQ(compare(fewer, more, {}, false).only_over_http, 1U);
  EXPECT_FALSE(compare(more, fewer, {}, false).identical());
  EXPECT_FALSE(compare(more, fewer, {}, true).identical()) << "it began long before the end";
}

// Call 1 began at 1 s and at 1.3 s, so call 2, at 9.8 s, would have begun past the end at 10 s.
TEST(TwinComparison, AClientThatIsLateMayMissItsLastCall) {
  const Stage more = stage_of({{1, trace("a = b", 1s)}, {2, trace("a = b", 9800ms)}});
  const Stage fewer = stage_of({{1, trace("a = b", 1300ms)}});
  const Comparison closed = compare(more, fewer, {}, true);
  EXPECT_TRUE(closed.identical());
  EXPECT_EQ(closed.past_the_end, 1U);
  EXPECT_FALSE(compare(more, fewer, {}, false).identical()) << "arrivals do not wait for answers";
}

TEST(TwinComparison, BreakersMustChangeAlikeWheneverTheyDo) {
  Stage simulated = stage_of({});
  Stage over_http = stage_of({});
  sim::BreakerResult breaker;
  breaker.name = "main";
  breaker.transitions = {{at(1s), BreakerState::open}};
  simulated.result.breakers = {breaker};
  breaker.transitions[0].at = at(1100ms);
  over_http.result.breakers = {breaker};
  EXPECT_TRUE(compare(simulated, over_http, {}, false).identical());
  over_http.result.breakers[0].transitions.push_back({at(2s), BreakerState::half_open});
  const Comparison comparison = compare(simulated, over_http, {}, false);
  EXPECT_FALSE(comparison.identical());
  EXPECT_THAT(text_of(comparison), HasSubstr("    over HTTP  closed, open, half_open\n"));
}

TEST(TwinComparison, TimesAreHeldAgainstTheNoise) {
  const Stage simulated = stage_of({{1, trace("a = b", 1s, 100ms)}});
  const Stage over_http = stage_of({{1, trace("a = b", 1s, 105ms)}});
  EXPECT_TRUE(compare(simulated, over_http, noise_up_to(6ms), false).within_noise);
  EXPECT_FALSE(compare(simulated, over_http, noise_up_to(4ms), false).within_noise);
  EXPECT_FALSE(compare(over_http, simulated, noise_up_to(4ms), false).within_noise)
      << "too soon is as wrong as too late";
  EXPECT_FALSE(compare(simulated, over_http, {}, false).within_noise) << "nothing was measured";
  Noise busy = noise_up_to(4ms);
  busy.timers.record(6ms);
  EXPECT_TRUE(compare(simulated, over_http, busy, false).within_noise)
      << "the machine was busier during the flight than before it";
}

// Call 7 is the first that differs, at 5.1 s; where others do something decides what explains it.
class TwinRaces : public ::testing::Test {
 protected:
  static std::string told(const Stage& simulated, const Stage& over_http, Duration late) {
    const Noise noise = noise_up_to(late);
    const Comparison comparison = compare(simulated, over_http, noise, true);
    EXPECT_EQ(comparison.first ? comparison.first->call : 0, 7U);
    return describe(comparison, simulated, over_http, noise, 1);
  }

  Stage simulated_ = stage_of({{7, trace("a = b", 5s)}, {8, trace("a = b", 8s)}});
  Stage over_http_ = stage_of({{7, trace("a = c", 5s)}, {8, trace("a = c", 8s)}});
};

TEST_F(TwinRaces, WhatNothingExplainsIsSaid) {
  EXPECT_THAT(told(simulated_, over_http_, 50ms),
              HasSubstr("they part at 5.1s, call 7: nothing there is closer than this machine was "
                        "late, 50ms at most"));
}

TEST_F(TwinRaces, AnotherCallsStepWithinTheLatenessExplains) {
  simulated_.calls[9] = over_http_.calls[9] = trace("a = b", 5130ms);
  EXPECT_THAT(told(simulated_, over_http_, 50ms),
              HasSubstr("another call does something 30ms from there, and this machine was late by "
                        "up to 50ms"));
  EXPECT_THAT(told(simulated_, over_http_, 20ms), HasSubstr("nothing there is closer"));
}

TEST_F(TwinRaces, TheEdgeOfAPhaseExplains) {
  simulated_.result.phases.emplace_back().name = "calm";
  simulated_.result.phases.emplace_back().begins = at(5020ms);
  EXPECT_THAT(told(simulated_, over_http_, 50ms), HasSubstr("a phase ends 20ms from there"));
}

TEST_F(TwinRaces, AClientThatCameBackLaterExplains) {
  over_http_.calls[7] = trace("a = c", 5200ms);
  EXPECT_THAT(told(simulated_, over_http_, 50ms), HasSubstr("it began 200ms later over HTTP, and"));
}

TEST_F(TwinRaces, ALimitThatRunsOutAsTheAnswerComesExplains) {
  over_http_.calls[7] = trace("x = c", 5s, 110ms);
  EXPECT_THAT(told(simulated_, over_http_, 50ms),
              HasSubstr("a limit and an answer come 10ms apart"));
}

TEST(TwinPace, AMachineThatFollowsIsNotMentioned) {
  const sim::Histogram late = noise_up_to(50ms).attempts;
  EXPECT_EQ(could_not_follow(late, 0.3, 10), "");
  EXPECT_EQ(could_not_follow({}, 0, 1), "") << "nothing was measured";
}

TEST(TwinPace, AMachineThatDoesNotIsToldASlowerSpeed) {
  const sim::Histogram late = noise_up_to(4s).attempts;  // 40 ms of real time
  EXPECT_THAT(could_not_follow(late, 0.3, 100), HasSubstr("39.8ms of its own; try --speed 20"));
  EXPECT_EQ(could_not_follow({}, 1, 50),
            "could not follow at that speed: it worked 100% of the time; try --speed 20");
  EXPECT_THAT(could_not_follow(late, 0.1, 1), HasSubstr("; it has other things to do"));
}

TEST(TwinPace, AFlightOfMoreThanAMinuteIsAnnounced) {
  EXPECT_EQ(how_long(60s, 1), "");
  EXPECT_EQ(how_long(2h, 120), "");
  EXPECT_EQ(how_long(61s, 1), "takes 1m01s at this speed");
  EXPECT_EQ(how_long(6h, 1), "takes 6h00m at this speed; --speed 100 takes 3m36s");
  EXPECT_EQ(how_long(20min, 1), "takes 20m00s at this speed; --speed 5 takes 4m00s");
  EXPECT_EQ(how_long(20h, 200), "takes 6m00s at this speed") << "and faster than most machines";
}

// Breakers: closed, then as many changes.
TEST(TwinComparison, ABreakerThatNeverCameToRestIsShownByItsEnds) {
  const auto with_changes = [](int changes) {
    Stage stage = stage_of({{1, trace("a = b")}});
    sim::BreakerResult& breaker = stage.result.breakers.emplace_back();
    breaker.name = "main";
    for (int i = 0; i < changes; ++i) {
      breaker.transitions.push_back(
          {at(1s), i % 2 == 0 ? BreakerState::open : BreakerState::half_open});
    }
    return stage;
  };
  const auto told = [&](int here, int there) {
    const Stage simulated = with_changes(here);
    const Stage over_http = with_changes(there);
    return describe(compare(simulated, over_http, {}, false), simulated, over_http, {}, 1);
  };
  EXPECT_THAT(told(10, 10),
              HasSubstr("breaker main: closed, open, half_open, open, half_open, open, half_open, "
                        "open, half_open, open, half_open on both stages"));
  EXPECT_THAT(told(400, 301),
              HasSubstr("simulated  closed, open, half_open, open, half_open, open, half_open, "
                        "open, … 391 more, open, half_open\n"));
  EXPECT_THAT(told(400, 301), HasSubstr("open, … 292 more, half_open, open\n"));
}

TEST(TwinComparison, NoCallsAreNoVerdict) {
  const Stage nothing = stage_of({});
  const Comparison comparison = compare(nothing, nothing, {}, false);
  EXPECT_TRUE(comparison.is_empty());
  const std::string text = describe(comparison, nothing, nothing, {}, 1);
  EXPECT_THAT(text, HasSubstr("NO VERDICT: no call was made"));
  EXPECT_EQ(text.find("IDENTICAL"), std::string::npos);
}

TEST(TwinComparison, LostPacketsAreNamedAsWhatASocketCannotDo) {
  Stage stage = stage_of({{1, trace("a = b")}});
  const auto told = [&] { return describe(compare(stage, stage, {}, false), stage, stage, {}, 1); };
  stage.result.faults.push_back({.phase = "all", .fault = "unreachable on *, share 1"});
  EXPECT_EQ(told().find("unreachable"), std::string::npos) << "it hit nobody";
  stage.result.faults[0].injected = 1;
  EXPECT_THAT(told(), HasSubstr("unreachable: over HTTP the connection comes about and then"));
}

TEST(TwinTraces, TellAttemptsRefusalsAndTheEndInOrder) {
  TraceKeeper keeper({"main", "backup"});
  keeper.on_call_start({5, at(1s)});
  keeper.on_attempt({.call = 5, .route = 0}, Outcome::failure(OutcomeKind::server_error, 500));
  keeper.on_rejection({.call = 5});
  Outcome served;
  served.served = Served::live;
  keeper.on_attempt({.call = 5, .route = 1}, served);
  keeper.on_call({.call = 5, .started = at(1s), .ended = at(3s)}, served);
  keeper.on_call_start({6, at(2s)});
  keeper.on_give_up({.call = 6});
  const CallTrace& trace = keeper.calls().at(5);
  EXPECT_EQ(trace.sequence, "main server_error, refused as breaker_open, backup success = success");
  EXPECT_EQ(trace.attempts, 2U);
  EXPECT_EQ(trace.took, 2s);
  EXPECT_EQ(keeper.calls().at(6).sequence, "gave up");
}

}  // namespace
}  // namespace brownout::twin
