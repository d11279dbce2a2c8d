// The read-through cache and single flights on the stage.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::ElementsAre;

constexpr std::string_view plain = R"([{ "cache": { "ttl": "1m" } }])";
constexpr std::string_view single_flight =
    R"([{ "cache": { "ttl": "1m", "single_flight": true } }])";

TEST(CacheLayer, AnswersTheSamePromptUntilTheReplyIsTooOld) {
  // 0s asked, stored at 1s | 1m1s - 1ns cached | 1m1s asked anew, stored at 1m2s | 2m cached
  Stage stage(plain);
  stage.call_at(0s, {.id = 1});
  stage.call_at(61s - 1ns, {.id = 2});
  stage.call_at(61s, {.id = 3});
  stage.call_at(120s, {.id = 4});
  stage.run();
  EXPECT_EQ(stage.transport().started(), 2U);
  EXPECT_EQ(stage.outcome(2).served, Served::cached);
  EXPECT_EQ(stage.outcome(2).reply.text, stage.outcome(1).reply.text);
  EXPECT_EQ(stage.outcome(3).served, Served::live);
  EXPECT_EQ(*stage.outcome(4).reply.text, "reply 1 from openai/gpt-4");
}

TEST(CacheLayer, AnswersWithoutAskingWheneverTheStoreDoes) {
  Stage stage(plain);
  stage.store().replies().put({0, 0}, {}, at(0s), 1h);
  stage.call({.id = 1});
  EXPECT_FALSE(stage.has_ended(1)) << "not from inside start()";
  stage.run();
  stage.store().set_delay(3s);
  stage.call({.id = 2});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 ends: cached reply", "3s call 2 ends: cached reply"));
}

TEST(CacheLayer, SaysWhatItsLookupsFound) {
  // 0s calls 1 and 2 for one prompt: a miss, and a flight to share | 5s call 3: a hit
  Stage stage(R"([{ "cache": { "single_flight": true } }])");
  stage.call_at(0s, {.id = 1});
  stage.call_at(0s, {.id = 2});
  stage.call_at(5s, {.id = 3});
  stage.run();
  std::vector<std::pair<CallId, LookupEvent::Result>> found;
  for (const Event& event : stage.events()) {
    if (event.what == Event::What::looked) found.emplace_back(event.call, event.lookup);
  }
  using enum LookupEvent::Result;
  EXPECT_THAT(found, ElementsAre(std::pair(CallId{1}, miss), std::pair(CallId{2}, shared),
                                 std::pair(CallId{3}, hit)));
}

TEST(CacheLayer, DoesNotKeepFailuresOrCutStreams) {
  Stage stage(plain);
  stage.script("gpt-4", {fails(server_error, 1s),
                         {.kind = stream_truncated, .takes = 1s, .first_token = 0s}});
  stage.call({.id = 1});
  stage.run();
  stage.call({.id = 2, .stream = true});
  stage.run();
  EXPECT_EQ(stage.store().replies().size(), 0U);
}

TEST(CacheLayer, WithoutSingleFlightEveryCallAsks) {
  Stage stage(plain);
  for (CallId id = 1; id <= 3; ++id) stage.call({.id = id});
  stage.run();
  EXPECT_EQ(stage.transport().started(), 3U);
}

TEST(CacheLayer, ACallCancelledWhileItLooksLeavesNoLookupBehind) {
  Stage stage(plain);
  stage.store().set_delay(5s);
  stage.call({});
  stage.run_until(2s);
  stage.cancel(1);
  EXPECT_EQ(stage.store().waiting(), 0U);
  stage.run();
  EXPECT_THAT(stage.full_log(), ElementsAre());
  EXPECT_TRUE(stage.is_quiet());
}

TEST(SingleFlight, FollowersShareTheLeadersReply) {
  // 0s call 1 asks | 1s and 2s calls 2 and 3 follow | 4s all have it
  Stage stage(single_flight);
  stage.script("gpt-4", {{.takes = 4s, .billed_tokens = 10}});
  stage.call_at(0s, {.id = 1, .prompt = 5});
  stage.call_at(1s, {.id = 2, .prompt = 5});
  stage.call_at(2s, {.id = 3, .prompt = 5});
  stage.run();
  EXPECT_THAT(stage.log(), ElementsAre("0s call 1 asks gpt-4", "4s call 1 succeeds at gpt-4",
                                       "4s call 1 ends: success", "4s call 2 ends: shared reply",
                                       "4s call 3 ends: shared reply"));
  EXPECT_EQ(stage.outcome(1).billed_input_tokens, 10U);
  for (const CallId id : {CallId{2}, CallId{3}}) {
    EXPECT_EQ(stage.outcome(id).reply.text, stage.outcome(1).reply.text);
    EXPECT_EQ(stage.outcome(id).billed_input_tokens, 0U) << "billed once";
    EXPECT_EQ(end_of(stage.outcome(id)), CallEnd::success);
  }
}

TEST(SingleFlight, OtherPromptsFlyOnTheirOwn) {
  Stage stage(single_flight);
  stage.call({.id = 1, .prompt = 5});
  stage.call({.id = 2, .prompt = 6});
  stage.run();
  EXPECT_EQ(stage.transport().started(), 2U);
}

TEST(SingleFlight, TheNextCallAfterTheFlightLeadsAgain) {
  Stage stage(single_flight);
  stage.script("gpt-4", {fails(server_error, 1s)});
  stage.call_at(0s, {.id = 1});
  stage.call_at(1s, {.id = 2});  // at the very end: before it, as armed earlier
  stage.call_at(2s, {.id = 3});
  stage.run();
  EXPECT_EQ(stage.transport().started(), 2U);
  EXPECT_EQ(stage.outcome(2).kind, server_error);
  EXPECT_EQ(stage.outcome(3).served, Served::live);
}

TEST(SingleFlight, TheLeadersErrorIsSharedWithItsFacts) {
  Stage stage(single_flight);
  stage.script("gpt-4", {{.kind = rate_limited, .takes = 1s, .retry_after = 9s, .status = 429}});
  stage.call({.id = 1});
  stage.call({.id = 2});
  stage.run();
  EXPECT_EQ(stage.transport().started(), 1U);
  EXPECT_EQ(stage.outcome(2).kind, rate_limited);
  EXPECT_EQ(stage.outcome(2).status, 429);
  EXPECT_EQ(stage.outcome(2).retry_after, 9s);
  EXPECT_EQ(end_of(stage.outcome(2)), CallEnd::failed);
}

TEST(SingleFlight, WhatTheLeadersCallerHasSeenTheFollowersHasNot) {
  // The stream breaks after its first token: call 1 may not start again, call 2 may.
  Stage stage(R"([{ "retry": { "max_attempts": 2, "wait": { "fixed": "1s" } } },
                  { "cache": { "single_flight": true } }])");
  stage.script("gpt-4", {{.kind = stream_truncated, .takes = 3s, .first_token = 1s}});
  stage.call({.id = 1, .stream = true});
  stage.call({.id = 2, .stream = true});
  stage.run();
  EXPECT_EQ(stage.outcome(1).kind, stream_truncated);
  EXPECT_TRUE(stage.outcome(1).committed);
  EXPECT_THAT(stage.log_of(2),
              ElementsAre("3s call 2 waits until 4s", "4s call 2 asks gpt-4",
                          "5s call 2 succeeds at gpt-4", "5s call 2 ends: success"));
}

TEST(SingleFlight, AFollowerKeepsItsOwnDeadline) {
  // 0s call 1 leads | 3s call 2 cannot wait longer | 9s call 1 is answered, and call 3 with it
  Stage stage(single_flight);
  stage.script("gpt-4", {succeeds(9s)});
  stage.call({.id = 1});
  stage.call({.id = 2, .deadline = at(3s)});
  stage.call({.id = 3});
  stage.run();
  EXPECT_THAT(stage.log(), ElementsAre("0s call 1 asks gpt-4", "3s call 2 ends: deadline_exceeded",
                                       "9s call 1 succeeds at gpt-4", "9s call 1 ends: success",
                                       "9s call 3 ends: shared reply"));
  EXPECT_TRUE(stage.is_quiet());
}

TEST(SingleFlight, AnAttemptTimeoutIsEverybodysFailure) {
  // 0s call 1 leads | 3s its attempt times out, and call 2 does not try the same in its turn
  Stage stage(R"([{ "cache": { "single_flight": true } }, { "timeout": { "attempt": "3s" } }])");
  stage.script("gpt-4", {succeeds(9s)});
  stage.call({.id = 1});
  stage.call({.id = 2});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "3s call 1 fails at gpt-4: timed_out",
                          "3s call 1 ends: timed_out", "3s call 2 ends: timed_out"));
  EXPECT_TRUE(stage.is_quiet());
}

TEST(SingleFlight, WhenTheLeadersTimeIsUpTheFirstFollowerLeads) {
  // 0s call 1 leads until 3s | 3s call 2 asks instead | 4s calls 2 and 3 have it
  Stage stage(single_flight);
  stage.script("gpt-4", {hangs(), succeeds(1s)});
  stage.call({.id = 1, .deadline = at(3s)});
  stage.call({.id = 2});
  stage.call({.id = 3});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "3s call 1 fails at gpt-4: timed_out",
                          "3s call 1 ends: timed_out", "3s call 2 asks gpt-4",
                          "4s call 2 succeeds at gpt-4", "4s call 2 ends: success",
                          "4s call 3 ends: shared reply"));
}

TEST(SingleFlight, WhenTheLeaderIsCancelledTheFirstFollowerLeads) {
  Stage stage(single_flight);
  stage.script("gpt-4", {hangs(), succeeds(1s)});
  stage.call({.id = 1});
  stage.call({.id = 2});
  stage.call({.id = 3});
  stage.later(2s, [&] { stage.cancel(1); });
  stage.run();
  EXPECT_THAT(stage.log_of(2), ElementsAre("2s call 2 asks gpt-4", "3s call 2 succeeds at gpt-4",
                                           "3s call 2 ends: success"));
  EXPECT_THAT(stage.log_of(3), ElementsAre("3s call 3 ends: shared reply"));
}

TEST(SingleFlight, AnHeirGivenUpBeforeItHasTakenOverPassesTheLeadOn) {
  // 2s call 1 is cancelled, which promotes call 2, which is cancelled before it has noticed
  Stage stage(single_flight);
  stage.script("gpt-4", {hangs(), succeeds(1s)});
  for (CallId id = 1; id <= 4; ++id) stage.call({.id = id});
  stage.later(2s, [&] {
    stage.cancel(1);
    stage.cancel(2);
  });
  stage.run();
  EXPECT_EQ(stage.ends(2), 0U);
  EXPECT_THAT(stage.log_of(3), ElementsAre("2s call 3 asks gpt-4", "3s call 3 succeeds at gpt-4",
                                           "3s call 3 ends: success"));
  EXPECT_THAT(stage.log_of(4), ElementsAre("3s call 4 ends: shared reply"));
  EXPECT_TRUE(stage.is_quiet());
}

TEST(SingleFlight, WhenEveryoneIsGivenUpTheFlightIsOver) {
  Stage stage(single_flight);
  stage.script("gpt-4", {hangs()});
  for (CallId id = 1; id <= 3; ++id) stage.call({.id = id});
  stage.later(2s, [&] {
    for (CallId id = 1; id <= 3; ++id) stage.cancel(id);
  });
  stage.call_at(5s, {.id = 4});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 asks gpt-4", "2s call 1 fails at gpt-4: cancelled",
                          "5s call 4 asks gpt-4", "6s call 4 succeeds at gpt-4",
                          "6s call 4 ends: success"));
}

TEST(SingleFlight, AFollowerGivenUpAfterTheGrantDisturbsNobody) {
  // 1s the reply is granted to calls 2 and 3; call 1's listener gives call 2 up before it wakes
  Stage stage(single_flight);
  for (CallId id = 1; id <= 3; ++id) stage.call({.id = id});
  stage.on_end = [&](CallId id) {
    if (id == 1) stage.cancel(2);
  };
  stage.run();
  EXPECT_EQ(stage.ends(2), 0U);
  EXPECT_EQ(stage.outcome(3).served, Served::shared);
  EXPECT_TRUE(stage.is_quiet());
}

TEST(SingleFlight, FollowersMayLeaveFromAnywhereInTheLine) {
  for (const CallId gone : {CallId{2}, CallId{3}, CallId{4}}) {
    Stage stage(single_flight);
    stage.script("gpt-4", {succeeds(4s)});
    for (CallId id = 1; id <= 4; ++id) stage.call({.id = id});
    stage.later(1s, [&] { stage.cancel(gone); });
    stage.call_at(2s, {.id = 5});
    stage.run();
    for (CallId id = 2; id <= 5; ++id) EXPECT_EQ(stage.ends(id), id == gone ? 0U : 1U) << gone;
    EXPECT_EQ(stage.transport().started(), 1U);
  }
}

}  // namespace
}  // namespace brownout::testing
