#include "engine/policy/cache.hpp"

#include <gtest/gtest.h>

#include <string>

namespace brownout {
namespace {

using namespace std::chrono_literals;

constexpr Instant at(Duration since_start) {
  return Instant{} + since_start;
}

// 10s stored | 70s - 1ns last instant it answers | 70s no more
TEST(Cache, AReplyIsFreshUntilButNotAtItsTimeToLive) {
  const StoredReply stored{{}, at(10s)};
  EXPECT_TRUE(is_fresh(stored, at(10s), 60s));
  EXPECT_TRUE(is_fresh(stored, at(70s - 1ns), 60s));
  EXPECT_FALSE(is_fresh(stored, at(70s), 60s));
}

TEST(Cache, AnEndlessTimeToLiveKeepsRepliesFresh) {
  EXPECT_TRUE(is_fresh({{}, at(0s)}, never - 1ns, forever));
}

TEST(Cache, OnlyCompleteLiveRepliesAreWorthStoring) {
  Outcome outcome;
  for (const Served served : {Served::nothing, Served::live, Served::shared, Served::cached,
                              Served::fallback, Served::stale}) {
    outcome.served = served;
    EXPECT_EQ(is_worth_storing(outcome), served == Served::live);
  }
  outcome.served = Served::live;
  outcome.kind = OutcomeKind::stream_truncated;
  EXPECT_FALSE(is_worth_storing(outcome));
}

TEST(Cache, AnAnswerFromTheCacheIsASuccessThatBillsNothing) {
  StoredReply stored{{std::make_shared<const std::string>("text"), 10, 20}, at(1s)};
  const Outcome outcome = answer_from_cache(stored);
  EXPECT_TRUE(outcome.ok());
  EXPECT_EQ(end_of(outcome), CallEnd::cached);
  EXPECT_EQ(outcome.reply.text, stored.reply.text) << "shared, not copied";
  EXPECT_EQ(outcome.reply.output_tokens, 20U);
  EXPECT_EQ(outcome.billed_input_tokens + outcome.billed_output_tokens, 0U);
  EXPECT_EQ(outcome.route, no_route);
}

}  // namespace
}  // namespace brownout
