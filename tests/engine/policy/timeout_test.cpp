#include "engine/policy/timeout.hpp"

#include <gtest/gtest.h>

namespace brownout {
namespace {

using namespace std::chrono_literals;

constexpr Instant at(Duration since_start) {
  return Instant{} + since_start;
}

TEST(Timeout, BoundsTheAttemptFromNow) {
  const Limits limits = narrow({}, {.attempt = 30s}, at(5s));
  EXPECT_EQ(limits.end, at(35s));
  EXPECT_EQ(limits.first_token, forever);
  EXPECT_EQ(limits.idle, forever);
}

TEST(Timeout, BoundsTheFirstTokenAndTheSilenceBetweenTokens) {
  const Limits limits = narrow({}, {.first_token = 10s, .idle = 5s}, at(5s));
  EXPECT_EQ(limits.end, never);
  EXPECT_EQ(limits.first_token, 10s);
  EXPECT_EQ(limits.idle, 5s);
}

TEST(Timeout, NeverWidensWhatItInherits) {
  const Limits tight{at(20s), 3s, 2s};
  const Limits limits = narrow(tight, {.attempt = 30s, .first_token = 10s, .idle = 5s}, at(5s));
  EXPECT_EQ(limits.end, at(20s));
  EXPECT_EQ(limits.first_token, 3s);
  EXPECT_EQ(limits.idle, 2s);
}

TEST(Timeout, NarrowsEachLimitOnItsOwn) {
  const Limits limits =
      narrow({at(60s), 3s, 8s}, {.attempt = 30s, .first_token = 10s, .idle = 5s}, at(5s));
  EXPECT_EQ(limits.end, at(35s));
  EXPECT_EQ(limits.first_token, 3s);
  EXPECT_EQ(limits.idle, 5s);
}

TEST(Timeout, NoBoundStaysNoBoundHoweverLateItIs) {
  EXPECT_EQ(narrow({}, {}, never - 1ns).end, never);
  EXPECT_EQ(narrow({}, {.attempt = 1h}, never - 1ns).end, never);
}

}  // namespace
}  // namespace brownout
