// The layer that keeps requests longer than the model's window from being sent.

#include "engine/pipeline/layers/token_limit_layer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/policy/model_windows.hpp"
#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using ::testing::ElementsAre;

std::uint32_t sent_cap(const Stage& stage) {
  for (const Event& event : stage.events()) {
    if (event.what == Event::What::asked) return event.limits.max_tokens;
  }
  ADD_FAILURE() << "nobody was asked";
  return 0;
}

TEST(TokenLimitLayer, WhatIsLongerThanTheWindowOfTheRoutesModelFailsWithoutBeingSent) {
  Stage stage(R"([{ "token_limit": {} }])");
  stage.call({.id = 1, .input_tokens = 8000, .max_tokens = 192});
  stage.call({.id = 2, .input_tokens = 8000, .max_tokens = 193});
  stage.run();
  EXPECT_TRUE(stage.outcome(1).ok());
  EXPECT_THAT(stage.log_of(2), ElementsAre("0s call 2 is refused: context_length",
                                           "0s call 2 ends: context_length"));
  EXPECT_EQ(stage.layer<TokenLimitLayer>().window(), 8192U) << "of gpt-4";
  EXPECT_TRUE(is_own_refusal(stage.outcome(2)));
}

TEST(TokenLimitLayer, TheFilesWindowIsTakenInPlaceOfTheModels) {
  Stage stage(R"([{ "token_limit": { "window": 100, "reserve": 10 } }])");
  stage.call({.id = 1, .input_tokens = 90});
  stage.call({.id = 2, .input_tokens = 91});
  stage.run();
  EXPECT_TRUE(stage.outcome(1).ok());
  EXPECT_EQ(stage.outcome(2).kind, context_length);
}

TEST(TokenLimitLayer, AModelNobodyKnowsHasNoLimit) {
  Stage stage(policy_of(R"([{ "token_limit": {} }])", R"("to": "mine/unheard-of")"));
  stage.call({.input_tokens = 4'000'000'000, .max_tokens = 4'000'000'000});
  stage.run();
  EXPECT_TRUE(stage.outcome(1).ok());
}

TEST(TokenLimitLayer, ReduceSendsASmallerCapOnTheOutput) {
  Stage stage(R"([{ "token_limit": { "window": 1000, "on_too_long": "reduce",
                                     "reserve": 100 } }])");
  stage.call({.input_tokens = 800, .max_tokens = 500});
  stage.run();
  EXPECT_EQ(sent_cap(stage), 200U);
  stage.call({.id = 2, .input_tokens = 901, .max_tokens = 500});
  stage.run();
  EXPECT_EQ(stage.outcome(2).kind, context_length) << "less than the reserve would remain";
}

TEST(TokenLimitLayer, TheCapOfOneRouteIsNotThatOfTheNext) {
  Stage stage(policy_of(R"([{ "fallback": { "on": [ "any" ], "routes": [
      { "name": "small", "to": "x/a", "pipeline": [
          { "token_limit": { "window": 1000, "on_too_long": "reduce" } } ] },
      { "name": "large", "to": "x/b", "pipeline": [
          { "token_limit": { "window": 9000, "on_too_long": "reduce" } } ] } ] } }])",
                        ""));
  stage.script("a", {fails(server_error, 0s)});
  stage.call({.input_tokens = 500, .max_tokens = 2000});
  stage.run();
  std::vector<std::uint32_t> caps;
  for (const Event& event : stage.events()) {
    if (event.what == Event::What::asked) caps.push_back(event.limits.max_tokens);
  }
  EXPECT_THAT(caps, ElementsAre(500U, 0U)) << "0: as asked";
}

TEST(TokenLimitLayer, RouteLeavesItToTheFallbackAboveToMoveOn) {
  Stage stage(policy_of(R"([{ "fallback": { "on": [ "context_length" ], "routes": [
      { "name": "small", "to": "openai/gpt-4", "pipeline": [
          { "breaker": { "consecutive_failures": 1, "failures": [ "any" ] } },
          { "token_limit": { "on_too_long": "route" } } ] },
      { "name": "large", "to": "openai/gpt-4.1", "pipeline": [ { "token_limit": {} } ] } ] } }])",
                        ""));
  stage.call({.input_tokens = 50'000, .max_tokens = 100});
  stage.run();
  EXPECT_THAT(stage.log(),
              ElementsAre("0s call 1 is refused: context_length", "0s call 1 asks gpt-4.1",
                          "1s call 1 succeeds at gpt-4.1", "1s call 1 ends: success"));
  EXPECT_EQ(stage.breaker("small").state(), BreakerState::closed)
      << "nobody was asked: a refusal of ours feeds no breaker, whatever its failures are";
}

TEST(TokenLimitLayer, AnEstimateIsTakenWithAMargin) {
  const auto outcome = [](bool estimated) {
    Stage stage(R"([{ "token_limit": { "window": 1000, "estimate_margin_percent": 20 } }])");
    stage.call({.input_tokens = 800, .max_tokens = 100, .tokens_estimated = estimated});
    stage.run();
    return stage.outcome(1).kind;
  };
  EXPECT_EQ(outcome(false), success);
  EXPECT_EQ(outcome(true), context_length) << "960 and 100";
}

TEST(ModelWindows, AreFoundByTheLongestBeginningOfTheName) {
  EXPECT_EQ(model_window("openai/gpt-4"), 8192U);
  EXPECT_EQ(model_window("openai/gpt-4-0613"), 8192U);
  EXPECT_EQ(model_window("openai/gpt-4-32k-0613"), 32'768U);
  EXPECT_EQ(model_window("azure/gpt-4-turbo-2024-04-09"), 128'000U) << "whoever serves it";
  EXPECT_EQ(model_window("openai/gpt-4o-mini"), 128'000U);
  EXPECT_EQ(model_window("openai/gpt-4.1-nano"), 1'047'576U);
  EXPECT_EQ(model_window("anthropic/claude-3-5-sonnet-20241022"), 200'000U);
  EXPECT_EQ(model_window("vertex/claude-opus-4-6@20260205"), 1'000'000U);
  EXPECT_EQ(model_window("anthropic/claude-sonnet-4-5-20250929"), 200'000U);
}

TEST(ModelWindows, OfModelsNobodyKnowsAreNotGuessed) {
  EXPECT_EQ(model_window("openai/gpt-4.5-preview"), 0U) << "not a gpt-4";
  EXPECT_EQ(model_window("openai/gpt-5.1"), 0U);
  EXPECT_EQ(model_window("anthropic/claude"), 0U);
  EXPECT_EQ(model_window("anthropic/claude-opus-4-9"), 0U);
  EXPECT_EQ(model_window("role/primary"), 0U);
  EXPECT_EQ(model_window(""), 0U);
}

}  // namespace
}  // namespace brownout::testing
