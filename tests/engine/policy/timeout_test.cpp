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
  const Limits tight{.end = at(20s), .first_token = 3s, .idle = 2s};
  const Limits limits = narrow(tight, {.attempt = 30s, .first_token = 10s, .idle = 5s}, at(5s));
  EXPECT_EQ(limits.end, at(20s));
  EXPECT_EQ(limits.first_token, 3s);
  EXPECT_EQ(limits.idle, 2s);
}

TEST(Timeout, NarrowsEachLimitOnItsOwn) {
  const Limits limits = narrow({.end = at(60s), .first_token = 3s, .idle = 8s},
                               {.attempt = 30s, .first_token = 10s, .idle = 5s}, at(5s));
  EXPECT_EQ(limits.end, at(35s));
  EXPECT_EQ(limits.first_token, 3s);
  EXPECT_EQ(limits.idle, 5s);
}

TEST(Timeout, BoundsTheConnection) {
  EXPECT_EQ(narrow({}, {.connect = 5s}, at(5s)).connect, 5s);
  EXPECT_EQ(narrow({.connect = 3s}, {.connect = 5s}, at(5s)).connect, 3s);
  EXPECT_EQ(narrow({}, {.attempt = 1s}, at(5s)).connect, forever);
}

TEST(Timeout, TotalBoundsLikeAttemptAndTheShorterCounts) {
  EXPECT_EQ(narrow({}, {.total = 30s}, at(5s)).end, at(35s));
  EXPECT_EQ(narrow({}, {.attempt = 10s, .total = 30s}, at(5s)).end, at(15s));
  EXPECT_EQ(narrow({}, {.attempt = 40s, .total = 30s}, at(5s)).end, at(35s));
  EXPECT_EQ(narrow({.end = at(20s)}, {.total = 30s}, at(5s)).end, at(20s));
}

TEST(Timeout, NoBoundStaysNoBoundHoweverLateItIs) {
  EXPECT_EQ(narrow({}, {}, never - 1ns).end, never);
  EXPECT_EQ(narrow({}, {.attempt = 1h}, never - 1ns).end, never);
}

}  // namespace
}  // namespace brownout
