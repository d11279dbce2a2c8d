// Faults on the wire as a simulated client sees them: outcome, instant and bill.

#include <gtest/gtest.h>

#include <string>

#include "tests/sim/attempts.hpp"

namespace brownout::sim {
namespace {

using namespace testing;

Scene with(const std::string& fault) {
  return Scene{.faults = R"([{"on": "openai/gpt-4", )" + fault + "}]"};
}

TEST(SimTransportWire, AResetInTheStreamTruncatesItAndBillsWhatCame) {
  // 110ms first token | 140ms the fourth would come: reset | 150ms it is here
  Stage stage(with(R"("wire": "reset", "at": {"frames": 3})"));
  const Probe& streamed = stage.start();
  const Probe& whole = stage.start({.stream = false, .call = 1});
  stage.run();
  EXPECT_ENDED(streamed, 150ms, "stream_truncated");
  EXPECT_TRUE(streamed.outcome->committed);
  EXPECT_BILLED(*streamed.outcome, 100, 3);
  EXPECT_ENDED(whole, 150ms, "connection");
  EXPECT_FALSE(whole.outcome->committed);
  EXPECT_BILLED(*whole.outcome, 100, 3);
  EXPECT_TRUE(stage.at_rest());
}

TEST(SimTransportWire, AConnectionThatBreaksOnceItIsAcceptedCostsNothing) {
  Stage stage(with(R"("wire": "close", "at": "after_accept")"));
  const Probe& probe = stage.start();
  stage.run();
  EXPECT_ENDED(probe, 20ms, "connection");
  EXPECT_BILLED(*probe.outcome, 0, 0);
}

TEST(SimTransportWire, AReplyThatIsLostAtItsHeadersIsBilledAllTheSame) {
  Stage stage(with(R"("wire": "reset")"));
  const Probe& streamed = stage.start();
  const Probe& whole = stage.start({.stream = false, .call = 1});
  stage.run();
  EXPECT_ENDED(streamed, 120ms, "connection");
  EXPECT_FALSE(streamed.outcome->committed);
  EXPECT_BILLED(*streamed.outcome, 100, 0);
  EXPECT_ENDED(whole, 220ms, "connection");
  EXPECT_BILLED(*whole.outcome, 100, 11);
}

TEST(SimTransportWire, AStallIsSeenByTheIdleLimit) {
  // 120ms first token is here | 140ms the third, and no more | 1140ms idle for a second
  Stage stage(with(R"("wire": "stall", "at": {"frames": 3})"));
  const Probe& watched = stage.start({.limits = {.idle = 1s}});
  const Probe& strict = stage.start({.limits = {.idle = 10ms}, .call = 1});
  const Probe& ended = stage.start({.limits = {.end = at(5s)}, .call = 2});
  const Probe& first = stage.start({.limits = {.end = at(9s), .first_token = 1s}, .call = 3});
  stage.run();
  EXPECT_ENDED(watched, 1140ms, "timed_out");
  EXPECT_TRUE(watched.outcome->committed);
  EXPECT_BILLED(*watched.outcome, 100, 3);
  EXPECT_ENDED(strict, 130ms, "timed_out");
  EXPECT_ENDED(ended, 5s, "timed_out");
  EXPECT_BILLED(*ended.outcome, 100, 3);
  EXPECT_ENDED(first, 9s, "timed_out");  // its first token came in time
  EXPECT_TRUE(stage.at_rest());
}

TEST(SimTransportWire, AStallBeforeAnyOutputIsSeenByTheFirstTokenLimit) {
  Stage stage(with(R"("wire": "stall", "at": "after_headers")"));
  const Probe& probe = stage.start({.limits = {.end = at(9s), .first_token = 1s, .idle = 10ms}});
  const Probe& whole =
      stage.start({.limits = {.end = at(9s), .idle = 10ms}, .stream = false, .call = 1});
  stage.run();
  EXPECT_ENDED(probe, 1s, "timed_out");
  EXPECT_FALSE(probe.outcome->committed);
  EXPECT_BILLED(*probe.outcome, 100, 0);
  EXPECT_ENDED(whole, 9s, "timed_out");
  EXPECT_BILLED(*whole.outcome, 100, 11);
}

TEST(SimTransportWire, AStallWithoutAnyLimitNeverEndsAndHoldsItsSlot) {
  Scene scene = with(R"("wire": "stall", "at": {"frames": 1}, "first": 1)");
  scene.gpt4_limits = R"({"concurrent": 1})";
  Stage stage(scene);
  const Probe& stalled = stage.start();
  const Probe& next = stage.start({.call = 1});
  stage.run();
  EXPECT_FALSE(stalled.outcome);
  EXPECT_FALSE(next.outcome) << "it queues behind";
  stage.run_until(1s);
  const Outcome left = stage.detach(stalled);
  EXPECT_BILLED(left, 100, 1);
  stage.run();
  EXPECT_TRUE(next.outcome && next.outcome->ok());
}

TEST(SimTransportWire, WhatAnIntermediaryAnswersIsMalformedAndFree) {
  for (const char* word : {"html", "empty_body", "garbage"}) {
    Stage stage(with(R"("wire": ")" + std::string(word) + '"'));
    const Probe& probe = stage.start();
    stage.run();
    EXPECT_ENDED(probe, 70ms, "malformed_reply");
    EXPECT_BILLED(*probe.outcome, 0, 0);
    EXPECT_EQ(probe.outcome->status, word == std::string("garbage") ? 0 : 200);
  }
}

TEST(SimTransportWire, ADamagedReplyIsMalformedAndPaidFor) {
  Stage mislabelled(with(R"("wire": "wrong_content_type")"));
  const Probe& streamed = mislabelled.start();
  mislabelled.run();
  EXPECT_ENDED(streamed, 220ms, "malformed_reply");
  EXPECT_FALSE(streamed.outcome->committed) << "nothing of it was output";
  EXPECT_BILLED(*streamed.outcome, 100, 11);

  Stage broken(with(R"("wire": "invalid_json", "at": {"frames": 2})"));
  const Probe& frame = broken.start();
  const Probe& whole = broken.start({.stream = false, .call = 1});
  broken.run();
  EXPECT_ENDED(frame, 140ms, "malformed_reply");
  EXPECT_TRUE(frame.outcome->committed);
  EXPECT_BILLED(*frame.outcome, 100, 2);
  EXPECT_ENDED(whole, 220ms, "malformed_reply");
  EXPECT_BILLED(*whole.outcome, 100, 11);
}

TEST(SimTransportWire, WhatLooksOddButIsRightIsASuccess) {
  for (const char* word :
       {"sliced", "slow_bytes", "crlf", "comments", "duplicate_frame", "unknown_event"}) {
    for (const bool stream : {true, false}) {
      SCOPED_TRACE(word);
      Stage stage(with(R"("wire": ")" + std::string(word) + '"'));
      const Probe& probe = stage.start({.stream = stream});
      stage.run();
      EXPECT_ENDED(probe, 220ms, "success");
      EXPECT_BILLED(*probe.outcome, 100, 11);
    }
  }
}

TEST(SimTransportWire, OnlyTheLastFrameOfAnthropicMatters) {
  Stage openai(with(R"("wire": "missing_done")"));
  const Probe& done = openai.start();
  openai.run();
  EXPECT_ENDED(done, 220ms, "success");
  Stage anthropic(Scene{.faults = R"([{"on": "anthropic", "wire": "missing_done"}])"});
  const Probe& stop = anthropic.start({.model = claude});
  anthropic.run();
  EXPECT_ENDED(stop, 220ms, "stream_truncated");
  EXPECT_BILLED(*stop.outcome, 100, 11);
}

TEST(SimTransportWire, AnErrorComesWhereTheFileSays) {
  // 110ms first token | 135ms: two more have come, and then the error
  Stage stage(with(R"("error": "overloaded", "at": {"time": "125ms"})"));
  const Probe& streamed = stage.start();
  const Probe& whole = stage.start({.stream = false, .call = 1});
  stage.run();
  EXPECT_ENDED(streamed, 145ms, "overloaded");
  EXPECT_EQ(streamed.outcome->status, 200);
  EXPECT_BILLED(*streamed.outcome, 100, 3);
  EXPECT_ENDED(whole, 145ms, "overloaded");
  EXPECT_EQ(whole.outcome->status, 503);
}

TEST(SimTransportWire, APointThatAReplyDoesNotReachChangesNothing) {
  for (const char* point : {R"({"frames": 12})", R"({"bytes": 89})", R"({"time": "1h"})"}) {
    SCOPED_TRACE(point);
    Stage stage(with(R"("wire": "close", "at": )" + std::string(point)));
    const Probe& probe = stage.start();
    stage.run();
    EXPECT_ENDED(probe, 220ms, "success");
  }
}

}  // namespace
}  // namespace brownout::sim
