// Limits: an attempt that reaches one at the same instant as what it waited for has run out of
// time.

#include <gtest/gtest.h>

#include <string>

#include "tests/sim/attempts.hpp"

namespace brownout::sim {
namespace {

using namespace testing;

const std::string one_slot = R"({"concurrent": 1})";

std::string fault(const std::string& members) {
  return R"([{"on": "openai/gpt-4", )" + members + "}]";
}

TEST(SimTransportLimits, TheEndPassesAtItsInstant) {
  for (const bool stream : {true, false}) {
    Stage stage;
    const Probe& just = stage.start({.limits = {.end = at(220ms + 1ns)}, .stream = stream});
    const Probe& late = stage.start({.limits = {.end = at(220ms)}, .stream = stream, .call = 1});
    const Probe& early = stage.start({.limits = {.end = at(145ms)}, .stream = stream, .call = 2});
    stage.run();
    EXPECT_ENDED(just, 220ms, "success");
    EXPECT_ENDED(late, 220ms, "timed_out");
    EXPECT_BILLED(*late.outcome, 100, 11);
    EXPECT_EQ(late.outcome->committed, stream);
    EXPECT_ENDED(early, 145ms, "timed_out");
    EXPECT_BILLED(*early.outcome, 100, 4);
    EXPECT_EQ(early.outcome->committed, stream);
    EXPECT_TRUE(stage.at_rest());
  }
}

TEST(SimTransportLimits, ACapOnTheOutputHoldsInPlaceOfTheRequests) {
  Stage stage;
  const Probe& capped = stage.start({.limits = {.max_tokens = 4}});
  const Probe& loose = stage.start({.limits = {.max_tokens = 50}, .call = 1});
  stage.run();
  EXPECT_ENDED(capped, 150ms, "success");
  EXPECT_BILLED(*capped.outcome, 100, 4);
  EXPECT_BILLED(*loose.outcome, 100, 11);
}

TEST(SimTransportLimits, AnAnswerTellsWhatIsLeftOfTheProvidersLimits) {
  Stage stage(Scene{.gpt4_limits = R"({"rpm": 60, "tpm": 1000})"});
  const Probe& probe = stage.start();
  const Probe& lost = stage.start({.limits = {.end = at(50ms)}, .call = 1});
  stage.run();
  const RateLimits told{.requests = {.limit = 60, .remaining = 59, .reset_ns = 1'000'000'000},
                        .tokens = {.limit = 1000, .remaining = 900, .reset_ns = 6'000'000'000}};
  EXPECT_EQ(probe.outcome->limits, told);
  EXPECT_EQ(lost.outcome->limits, RateLimits{}) << "no answer came";
}

TEST(SimTransportLimits, AnEndBeforeTheFirstTokenLeavesTheCallerFree) {
  Stage stage;
  const Probe& at_first_token = stage.start({.limits = {.end = at(120ms)}, .call = 0});
  const Probe& before = stage.start({.limits = {.end = at(115ms)}, .call = 1});
  stage.run();
  EXPECT_ENDED(at_first_token, 120ms, "timed_out");
  EXPECT_FALSE(at_first_token.outcome->committed);
  EXPECT_BILLED(*at_first_token.outcome, 100, 2);
  EXPECT_ENDED(before, 115ms, "timed_out");
  EXPECT_FALSE(before.outcome->committed);
  EXPECT_BILLED(*before.outcome, 100, 1);
}

TEST(SimTransportLimits, TheFirstTokenMustBeHereBeforeItsLimit) {
  Stage stage;
  const Probe& just = stage.start({.limits = {.first_token = 120ms + 1ns}, .call = 0});
  const Probe& late = stage.start({.limits = {.first_token = 120ms}, .call = 1});
  const Probe& whole = stage.start({.limits = {.first_token = 120ms}, .stream = false, .call = 2});
  stage.run();
  EXPECT_ENDED(just, 220ms, "success");
  EXPECT_ENDED(late, 120ms, "timed_out");
  EXPECT_FALSE(late.outcome->committed);
  EXPECT_ENDED(whole, 220ms, "success");
}

TEST(SimTransportLimits, AnErrorThatComesAfterTheFirstTokenLimitIsATimeout) {
  Stage stage({.faults = fault(R"("error": "server_error")")});
  const Probe& just = stage.start({.limits = {.first_token = 70ms + 1ns}, .call = 0});
  const Probe& late = stage.start({.limits = {.first_token = 70ms}, .call = 1});
  stage.run();
  EXPECT_ENDED(just, 70ms, "server_error");
  EXPECT_ENDED(late, 70ms, "timed_out");
  EXPECT_BILLED(*late.outcome, 0, 0);
}

TEST(SimTransportLimits, TokensMustFollowEachOtherWithinTheIdleLimit) {
  Stage stage;
  const Probe& just = stage.start({.limits = {.idle = 10ms + 1ns}, .call = 0});
  const Probe& late = stage.start({.limits = {.idle = 10ms}, .call = 1});
  const Probe& earlier = stage.start({.limits = {.idle = 4ms}, .call = 2});
  const Probe& whole = stage.start({.limits = {.idle = 4ms}, .stream = false, .call = 3});
  const Probe& single = stage.start({.limits = {.idle = 4ms}, .call = 4, .output_tokens = 1});
  stage.run();
  EXPECT_ENDED(just, 220ms, "success");
  EXPECT_ENDED(late, 130ms, "timed_out");
  EXPECT_TRUE(late.outcome->committed);
  EXPECT_BILLED(*late.outcome, 100, 3);
  EXPECT_ENDED(earlier, 124ms, "timed_out");
  EXPECT_TRUE(earlier.outcome->committed);
  EXPECT_ENDED(whole, 220ms, "success");
  EXPECT_ENDED(single, 120ms, "success");
}

// One token is here at 120 ms; the break is known where the second would have been, at 130 ms.
TEST(SimTransportLimits, TheGapBeforeABreakCountsAsWell) {
  Stage stage({.faults = fault(R"("error": "stream_truncated", "after_share": 0.1)")});
  const Probe& just = stage.start({.limits = {.idle = 10ms + 1ns}, .call = 0});
  const Probe& late = stage.start({.limits = {.idle = 4ms}, .call = 1});
  stage.run();
  EXPECT_ENDED(just, 130ms, "stream_truncated");
  EXPECT_BILLED(*just.outcome, 100, 1);
  EXPECT_TRUE(just.outcome->committed);
  EXPECT_ENDED(late, 124ms, "timed_out");
  EXPECT_BILLED(*late.outcome, 100, 1);
  EXPECT_TRUE(late.outcome->committed);
}

TEST(SimTransportLimits, AStreamBrokenOffBeforeItsFirstTokenIsNeverCommitted) {
  Stage stage({.faults = fault(R"("error": "stream_truncated", "after_share": 0)")});
  const Probe& late = stage.start({.limits = {.end = at(120ms)}});
  stage.run();
  EXPECT_ENDED(late, 120ms, "timed_out");
  EXPECT_FALSE(late.outcome->committed);
  EXPECT_BILLED(*late.outcome, 100, 0);
}

TEST(SimTransportLimits, TheTightestLimitCounts) {
  Stage stage;
  const Probe& first =
      stage.start({.limits = {.end = at(200ms), .first_token = 50ms, .idle = 1ms}, .call = 0});
  const Probe& idle =
      stage.start({.limits = {.end = at(200ms), .first_token = 150ms, .idle = 1ms}, .call = 1});
  const Probe& end =
      stage.start({.limits = {.end = at(30ms), .first_token = 150ms, .idle = 1ms}, .call = 2});
  stage.run();
  EXPECT_ENDED(first, 50ms, "timed_out");
  EXPECT_ENDED(idle, 121ms, "timed_out");
  EXPECT_ENDED(end, 30ms, "timed_out");
}

TEST(SimTransportLimits, AHangEndsWithItsFirstLimit) {
  Stage stage({.faults = fault(R"("hang": true)")});
  const Probe& streamed =
      stage.start({.limits = {.end = at(2s), .first_token = 1s, .idle = 1ms}, .call = 0});
  const Probe& whole = stage.start(
      {.limits = {.end = at(2s), .first_token = 1s, .idle = 1ms}, .stream = false, .call = 1});
  stage.run();
  EXPECT_ENDED(streamed, 1s, "timed_out");
  EXPECT_ENDED(whole, 2s, "timed_out");
  for (const Probe* probe : {&streamed, &whole}) {
    EXPECT_BILLED(*probe->outcome, 0, 0);
    EXPECT_FALSE(probe->outcome->committed);
    EXPECT_EQ(probe->outcome->status, 0);
  }
}

// The request would arrive at 10 ms: at 5 ms it is given up, and the provider works for nobody.
TEST(SimTransportLimits, ALimitMayPassBeforeTheRequestArrives) {
  Stage stage({.gpt4_limits = R"({"rpm": 10})"});
  const Probe& end = stage.start({.limits = {.end = at(5ms)}, .call = 0});
  const Probe& first_token = stage.start({.limits = {.first_token = 5ms}, .call = 1});
  const Probe& on_arrival = stage.start({.limits = {.end = at(10ms)}, .call = 2});
  stage.run();
  EXPECT_ENDED(end, 5ms, "timed_out");
  EXPECT_ENDED(first_token, 5ms, "timed_out");
  EXPECT_ENDED(on_arrival, 10ms, "timed_out");
  EXPECT_EQ(stage.provider().bucket(gpt4, mock::LimitKind::requests)->remaining(at(10ms)), 10);
}

// The attempt before it was billed; this one never reached the provider.
TEST(SimTransportLimits, AnAttemptThatNeverArrivedBillsNothing) {
  Stage stage;
  stage.start({.call = 0});
  stage.run();
  const Probe& late = stage.start({.limits = {.end = at(225ms)}, .call = 1});
  stage.run();
  EXPECT_ENDED(late, 225ms, "timed_out");
  EXPECT_BILLED(*late.outcome, 0, 0);
  EXPECT_FALSE(late.outcome->committed);
}

// The second would start at 210 ms.
TEST(SimTransportLimits, AnAttemptMayRunOutOfTimeInTheQueue) {
  Stage stage({.gpt4_limits = one_slot});
  stage.start({.call = 0});
  const Probe& end = stage.start({.limits = {.end = at(200ms)}, .call = 1});
  const Probe& first_token = stage.start({.limits = {.first_token = 150ms}, .call = 2});
  const Probe& whole = stage.start({.limits = {.first_token = 150ms}, .stream = false, .call = 3});
  stage.run();
  EXPECT_ENDED(first_token, 150ms, "timed_out");
  EXPECT_ENDED(end, 200ms, "timed_out");
  EXPECT_BILLED(*end.outcome, 0, 0);
  EXPECT_ENDED(whole, 420ms, "success");
  EXPECT_TRUE(stage.at_rest());
}

// It starts at 210 ms, its first token is here at 320 ms, and its idle limit counts from there.
TEST(SimTransportLimits, TimeInTheQueueCountsForTheEndAndTheFirstTokenOnly) {
  const auto second = [](const Limits& limits) {
    Stage stage({.gpt4_limits = one_slot});
    stage.start({.call = 0});
    const Probe& probe = stage.start({.limits = limits, .call = 1});
    stage.run();
    EXPECT_TRUE(stage.at_rest());
    EXPECT_TRUE(probe.outcome);
    return std::pair(probe.ended - Instant{}, probe.outcome.value_or(Outcome{}));
  };
  const auto [end, ended] = second({.end = at(400ms)});
  EXPECT_EQ(end, 400ms);
  EXPECT_EQ(ended.kind, OutcomeKind::timed_out);
  EXPECT_BILLED(ended, 100, 10);
  EXPECT_EQ(second({.first_token = 320ms}).first, 320ms);
  EXPECT_EQ(second({.first_token = 320ms + 1ns}).first, 420ms);
  EXPECT_EQ(second({.idle = 5ms}).first, 325ms);
}

// The first runs out of time at 100 ms and the second has its slot at once.
TEST(SimTransportLimits, ATimeoutGivesTheSlotToWhoeverIsNext) {
  Stage stage({.gpt4_limits = one_slot});
  const Probe& first = stage.start({.limits = {.end = at(100ms)}, .call = 0});
  const Probe& second = stage.start({.call = 1});
  stage.run();
  EXPECT_ENDED(first, 100ms, "timed_out");
  EXPECT_BILLED(*first.outcome, 100, 0);
  EXPECT_ENDED(second, 310ms, "success");
  EXPECT_TRUE(stage.at_rest());
}

// The reply leaves at 210 ms, so that the slot is free; the limit passes while it is on its way.
TEST(SimTransportLimits, AReplyOnItsWayBackNoLongerHoldsItsSlot) {
  Stage stage({.gpt4_limits = one_slot});
  const Probe& first = stage.start({.limits = {.end = at(215ms)}, .call = 0});
  const Probe& second = stage.start({.call = 1});
  stage.run();
  EXPECT_ENDED(first, 215ms, "timed_out");
  EXPECT_BILLED(*first.outcome, 100, 11);
  EXPECT_ENDED(second, 420ms, "success");
}

// The request is there after 10 ms: a connection that takes as long as its limit has run out of it.
TEST(SimTransportLimits, TheConnectLimitPassesBeforeTheRequestArrivesAndNotAfter) {
  Stage stage;
  const Probe& just = stage.start({.limits = {.connect = 10ms + 1ns}});
  const Probe& late = stage.start({.limits = {.connect = 10ms}, .call = 1});
  stage.run();
  EXPECT_ENDED(just, 220ms, "success");
  EXPECT_ENDED(late, 10ms, "timed_out");
  EXPECT_BILLED(*late.outcome, 0, 0);
  EXPECT_TRUE(stage.at_rest());
}

TEST(SimTransportLimits, WithoutAConnectionTheConnectLimitPassesButNotInAHang) {
  const auto end_with = [](const char* effect, const Limits& limits) {
    Stage stage({.faults = fault(effect)});
    const Probe& probe = stage.start({.limits = limits});
    stage.run();
    EXPECT_TRUE(stage.at_rest());
    return probe.ended - Instant{};
  };
  const Limits limits{.end = at(30s), .connect = 5s};
  EXPECT_EQ(end_with(R"("unreachable": true)", limits), 5s);
  EXPECT_EQ(end_with(R"("hang": true)", limits), 30s);
  EXPECT_EQ(end_with(R"("unreachable": true)", {.end = at(3s), .connect = 5s}), 3s);
}

TEST(SimTransportLimits, WithoutAConnectionAndWithoutALimitNothingHappens) {
  Stage stage({.faults = fault(R"("unreachable": true)")});
  const Probe& probe = stage.start();
  stage.run();
  EXPECT_FALSE(probe.outcome);
  EXPECT_EQ(stage.detach(probe).kind, OutcomeKind::cancelled);
}

}  // namespace
}  // namespace brownout::sim
