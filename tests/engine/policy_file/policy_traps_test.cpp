// Orders of layers that a policy's author should hear about.

#include "engine/policy_file/policy_traps.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace brownout {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> traps_of(std::string_view pipeline, std::string_view rest = "") {
  const auto policy = parse_policy(
      "test.json",
      fmt::format(R"({{ "kind": "policy", "version": 1, "name": "test", "to": "openai/gpt-4"{},
                       "pipeline": [{}] }})",
                  rest, pipeline));
  EXPECT_TRUE(policy.has_value()) << (policy ? "" : policy.error().front().to_string());
  std::vector<std::string> messages;
  if (!policy) return messages;
  for (const Error& error : find_traps(*policy).take()) messages.push_back(error.message);
  return messages;
}

constexpr std::string_view timeout = R"({ "timeout": { "attempt": "30s" } })";

std::string with_timeout(std::string_view layers) {
  return fmt::format("{}, {}", layers, timeout);
}

TEST(PolicyTraps, AGoodOrderHasNone) {
  EXPECT_THAT(traps_of(with_timeout(R"({ "cache": {} }, { "retry": {} }, { "breaker": {} })")),
              IsEmpty());
}

TEST(PolicyTraps, ABreakerOutsideARetryIsOne) {
  EXPECT_THAT(traps_of(with_timeout(R"({ "breaker": {} }, { "retry": {} })")),
              ElementsAre("this breaker counts a whole retry as one failure"));
}

TEST(PolicyTraps, AnUnboundedAttemptIsOneUnlessTheCallHasADeadline) {
  EXPECT_THAT(traps_of(R"({ "retry": {} })"),
              ElementsAre("nothing bounds how long an attempt may take"));
  EXPECT_THAT(traps_of(""), ElementsAre("nothing bounds how long a call may take"));
  EXPECT_THAT(traps_of(R"({ "retry": {} })", R"(, "deadline": "60s")"), IsEmpty());
}

TEST(PolicyTraps, ALeadersTimeoutIsNotItsFollowersUnlessARetryStandsBetween) {
  const std::string_view flight = R"({ "cache": { "single_flight": true } })";
  EXPECT_THAT(traps_of(with_timeout(flight)), ElementsAre(HasSubstr("all its followers fail")));
  EXPECT_THAT(traps_of(with_timeout(fmt::format(R"({}, {{ "retry": {{}} }})", flight))), IsEmpty());
  EXPECT_THAT(traps_of(fmt::format(R"({}, {{ "retry": {{}} }}, {})", timeout, flight)),
              ElementsAre("every retry looks into this cache again"));
}

TEST(PolicyTraps, ATokenLimitThatRoutesNeedsARouteToGoTo) {
  EXPECT_THAT(traps_of(with_timeout(R"({ "token_limit": { "on_too_long": "route" } })")),
              ElementsAre("no route above this token limit leads to a larger window"));
  EXPECT_THAT(traps_of(with_timeout(R"({ "token_limit": { "on_too_long": "fail" } })")), IsEmpty());
}

TEST(PolicyTraps, EveryTrapIsToldOnceWithItsPlace) {
  const auto policy = parse_policy("test.json", R"({
  "kind": "policy", "version": 1, "name": "test", "deadline": "60s",
  "pipeline": [
    { "retry": {} },
    { "fallback": { "routes": [
        { "name": "a", "to": "openai/gpt-4", "pipeline": [ { "retry": {} } ] },
        { "name": "b", "to": "openai/gpt-4", "pipeline": [ { "retry": {} } ] } ] } } ] })");
  ASSERT_TRUE(policy.has_value());
  const Errors warnings = find_traps(*policy).take();
  ASSERT_EQ(warnings.size(), 2U);
  EXPECT_EQ(warnings[0].message, "this retry repeats every route below it");
  EXPECT_EQ(warnings[1].message, "this retry multiplies the attempts of the retry below it");
  EXPECT_THAT(warnings[0].to_string("warning"), HasSubstr("test.json:4:7"));
}

TEST(PolicyTraps, AHedgeAboveASharedFlightIsRefused) {
  const auto policy = parse_policy("test.json", R"({
  "kind": "policy", "version": 1, "name": "test", "to": "openai/gpt-4",
  "pipeline": [ { "hedge": {} }, { "cache": { "single_flight": true } } ] })");
  ASSERT_FALSE(policy.has_value());
  EXPECT_EQ(policy.error().front().message,
            "a hedge below which calls share one flight never asks anybody");
}

}  // namespace
}  // namespace brownout
