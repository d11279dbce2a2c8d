// A breaker among many calls, for several keys, and behind several layers. On several threads:
// threads/shared_breaker_test.cpp.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/engine/breaker_witness.hpp"
#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::ElementsAre;
using Scope = BreakerOptions::Scope;

TEST(SharedBreaker, TellsFailuresAndChangesInOrderAndAfterItsLock) {
  SharedBreaker breaker({.consecutive_failures = 2}, 3, 1, "gpt-4");
  Witness witness;
  witness.asks = &breaker;
  Caller caller{breaker, witness};
  caller.call(server_error, 1s);
  caller.call(context_length, 1s);
  caller.call(server_error, 2s);
  EXPECT_EQ(witness.failures.size(), 2U) << "the neutral one is none";
  EXPECT_TRUE(caller.call(success, 62s));
  ASSERT_EQ(witness.changes.size(), 3U);
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(witness.changes[i].nth, i + 1);
    EXPECT_EQ(witness.changes[i].breaker, 3);
  }
  EXPECT_EQ(witness.changes[2].from, BreakerState::half_open);
  EXPECT_EQ(witness.changes[2].to, BreakerState::closed);
  EXPECT_EQ(witness.changes[2].at, at(62s));
}

TEST(SharedBreaker, ARefusalSaysWhenToComeBackWhereThatIsKnown) {
  SharedBreaker breaker({.consecutive_failures = 1}, 0, 1, "x");
  Witness witness;
  Caller caller{breaker, witness};
  caller.call(server_error, 0s);
  SharedBreaker::Refusal refusal;
  EXPECT_FALSE(breaker.acquire(0, at(20s), witness, refusal));
  EXPECT_EQ(refusal.retry_after, 40s);
  breaker.isolate(at(20s), witness);
  EXPECT_FALSE(breaker.acquire(0, at(21s), witness, refusal));
  EXPECT_EQ(refusal.retry_after, std::nullopt);
  breaker.close(at(22s), witness);
  EXPECT_TRUE(caller.call(success, 22s));
  EXPECT_EQ(witness.changes.back().to, BreakerState::closed);
}

TEST(SharedBreaker, WhatIsForgottenWasNeverThere) {
  BreakerOptions options{.consecutive_failures = 0, .window_calls = 10, .minimum_calls = 1};
  options.slow_call = 5s;
  options.slow_per_mille = 1;
  SharedBreaker breaker(options, 0, 1, "x");
  Witness witness;
  SharedBreaker::Refusal refusal;
  const auto pass = breaker.acquire(0, at(0s), witness, refusal);
  breaker.forget(*pass, at(60s));
  EXPECT_EQ(breaker.state(), BreakerState::closed);
  EXPECT_TRUE(Caller({breaker, witness}).call(success, 60s));
}

BreakerOptions by_key(std::uint32_t keys) {
  return {.scope = Scope::key, .keys = keys, .consecutive_failures = 1};
}

TEST(SharedBreaker, ByKeyEachCredentialHasItsOwn) {
  SharedBreaker breaker(by_key(64), 0, 1, "x");
  Witness witness;
  Caller caller{breaker, witness};
  caller.call(server_error, 0s, 7);
  EXPECT_FALSE(caller.call(success, 1s, 7));
  EXPECT_TRUE(caller.call(success, 1s, 8));
  EXPECT_TRUE(caller.call(success, 1s, 0));
  ASSERT_EQ(witness.changes.size(), 1U);
  EXPECT_EQ(witness.changes[0].credential, 7U);
  EXPECT_EQ(breaker.state(7), BreakerState::open);
  EXPECT_EQ(breaker.state(9), BreakerState::closed);
}

// Two places: 1 is open, 2 and then 3 come; 2 is forgotten, for 1 knows more.
TEST(SharedBreaker, ByKeyTheTableIsBoundedAndForgetsAClosedOneFirst) {
  SharedBreaker breaker(by_key(2), 0, 1, "x");
  Witness witness;
  Caller caller{breaker, witness};
  caller.call(server_error, 0s, 1);
  SharedBreaker::Refusal refusal;
  const auto two = breaker.acquire(2, at(1s), witness, refusal);
  EXPECT_TRUE(caller.call(success, 2s, 3));
  EXPECT_FALSE(caller.call(success, 3s, 1)) << "still known to be open";
  breaker.record(*two, Outcome::failure(server_error), 1, at(4s), witness);
  EXPECT_EQ(breaker.state(3), BreakerState::closed) << "the pass is not of the one in its place";
  EXPECT_EQ(witness.failures.size(), 1U);
}

TEST(SharedBreaker, ByKeyAModeIsForThoseYetToComeAsWell) {
  SharedBreaker breaker(by_key(8), 0, 1, "x");
  Witness witness;
  Caller caller{breaker, witness};
  breaker.isolate(at(0s), witness);
  EXPECT_FALSE(caller.call(success, 1s, 5));
  breaker.close(at(2s), witness);
  EXPECT_TRUE(caller.call(success, 3s, 5));
  EXPECT_TRUE(caller.call(success, 3s, 6));
}

TEST(SharedBreaker, TakesOverEveryKeyOfAnother) {
  SharedBreaker old(by_key(8), 0, 1, "x");
  Witness witness;
  Caller before{old, witness};
  before.call(server_error, 0s, 5);
  SharedBreaker fresh(by_key(8), 0, 1, "x");
  fresh.adopt(old);
  Caller caller{fresh, witness};
  EXPECT_FALSE(caller.call(success, 1s, 5));
  EXPECT_TRUE(caller.call(success, 1s, 6));
  EXPECT_TRUE(caller.call(success, 60s, 5));
}

std::string provider_breaker_in(const std::string& first, const std::string& second) {
  const std::string breaker =
      R"([ { "breaker": { "consecutive_failures": 2, "scope": "provider" } } ])";
  return R"([ { "fallback": { "routes": [
      { "name": "a", "to": ")" +
         first + R"(", "pipeline": )" + breaker + R"( },
      { "name": "b", "to": ")" +
         second + R"(", "pipeline": )" + breaker + " } ] } } ]";
}

TEST(BreakerOfAProvider, IsSharedByTheRoutesThatLeadThere) {
  Stage stage(policy_of(provider_breaker_in("openai/gpt-4", "openai/gpt-3.5"), ""));
  stage.script("gpt-4", {fails(server_error, 1s)});
  stage.script("gpt-3.5", {fails(server_error, 1s)});
  stage.call_at(0s, {.id = 1});
  stage.call_at(10s, {.id = 2});
  stage.run();
  EXPECT_THAT(stage.names().breakers, ElementsAre("openai"));
  EXPECT_THAT(stage.log_of(2),
              ElementsAre("10s call 2 is refused by openai", "10s call 2 is refused by openai",
                          "10s call 2 ends: breaker_open"));
}

TEST(BreakerOfAProvider, IsNotSharedWithRoutesToAnother) {
  Stage stage(policy_of(provider_breaker_in("openai/gpt-4", "anthropic/claude"), ""));
  EXPECT_THAT(stage.names().breakers, ElementsAre("openai", "anthropic"));
}

TEST(BreakerLayer, ARefusalInsideAnotherBreakerDoesNotFeedIt) {
  Stage stage(R"([ { "breaker": { "consecutive_failures": 2, "failures": [ "any" ] } },
                   { "breaker": { "consecutive_failures": 1, "failures": [ "any" ] } } ])");
  stage.script("gpt-4", {fails(server_error, 0s)});
  for (CallId id = 1; id <= 5; ++id) stage.call_at(1s * id, {.id = id});
  stage.run();
  EXPECT_EQ(stage.breaker("main").state(), BreakerState::closed);
  EXPECT_EQ(stage.breaker("main#2").state(), BreakerState::open);
}

TEST(BreakerLayer, CallsThatHangOpenItWhileTheyHang) {
  // 0s to 3s four calls hang | 8.5s all are slow: the next is refused
  Stage stage(R"([ { "breaker": { "window": { "calls": 10 }, "minimum_calls": 4,
                                  "slow_call": "5s", "slow_call_rate": 0.5 } } ])");
  stage.script("gpt-4", std::vector<Answer>(4, hangs()));
  for (CallId id = 1; id <= 4; ++id) stage.call_at(1s * (id - 1), {.id = id});
  stage.call_at(8500ms, {.id = 5});
  stage.run_until(9s);
  EXPECT_THAT(stage.log_of(5),
              ElementsAre("8.5s call 5 is refused by main", "8.5s call 5 ends: breaker_open"));
  EXPECT_EQ(stage.outcome(5).retry_after, 60s);
}

}  // namespace
}  // namespace brownout::testing
