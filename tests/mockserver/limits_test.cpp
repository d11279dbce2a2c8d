// Limits, queues and their order relative to faults.

#include <gtest/gtest.h>

#include "tests/mockserver/scripts.hpp"

namespace brownout::mock {
namespace {

using namespace testing;

World openai(const std::string& limits, const std::string& faults = "[]") {
  return World(Scene{.gpt4_limits = limits, .faults = faults});
}

World anthropic(const std::string& limits) {
  return World(Scene{.claude_limits = limits});
}

TEST(Limits, RequestsPerMinuteRefuseAndRefill) {
  // 0s three pass, the fourth is told 20s | 20s one passes again
  World world = openai(R"({"rpm": 3})");
  for (CallId call = 0; call < 3; ++call) {
    EXPECT_EQ(world.serve(request(call), 0s).kind, OutcomeKind::success);
  }
  const Plan refused = world.serve(request(3), 0s);
  EXPECT_EQ(refused.kind, OutcomeKind::rate_limited);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.hit.limit, LimitKind::requests);
  EXPECT_EQ(refused.retry_after, 20s);
  EXPECT_EQ(refused.complete, 50ms);
  EXPECT_EQ(refused.billed_input_tokens, 0u);
  EXPECT_EQ(world.serve(request(4), 20s - 1ns).kind, OutcomeKind::rate_limited);
  EXPECT_EQ(world.serve(request(5), 20s).kind, OutcomeKind::success);
}

TEST(Limits, OpenAiReservesTheLargerOfInputAndMaxTokens) {
  World world = openai(R"({"tpm": 1000})");
  ProviderRequest large = request(1);
  large.max_tokens = 700;
  world.serve(large, 0s);
  EXPECT_EQ(world.provider().bucket(gpt4, LimitKind::tokens)->remaining(at(0s)), 300);
  world.serve(request(2), 0s);
  EXPECT_EQ(world.provider().bucket(gpt4, LimitKind::tokens)->remaining(at(0s)), 200)
      << "100 of input and nothing settled for the output";
}

TEST(Limits, ATokenRefusalTellsTheFactsOfItsMessage) {
  World world = openai(R"({"tpm": 30000})");
  ProviderRequest first = request(1);
  first.input_tokens = 29'937;
  world.serve(first, 0s);
  ProviderRequest second = request(2);
  second.input_tokens = 385;
  const Plan plan = world.serve(second, 0s);
  EXPECT_EQ(plan.hit.limit, LimitKind::tokens);
  EXPECT_EQ(plan.retry_after, 644ms);
  EXPECT_EQ(
      error_message(
          DialectId::openai,
          {.model = "gpt-4o", .kind = plan.kind, .hit = plan.hit, .retry_after = plan.retry_after}),
      "Rate limit reached for gpt-4o in organization org-brownout on tokens per min (TPM): "
      "Limit 30000, Used 29937, Requested 385. Please try again in 644ms. Visit "
      "https://platform.openai.com/account/rate-limits to learn more.");
}

TEST(Limits, ARequestAboveTheLimitIsTooLargeForever) {
  World world = openai(R"({"tpm": 99})");
  const Plan plan = world.serve(request(1), 0s);
  EXPECT_EQ(plan.kind, OutcomeKind::request_too_large);
  EXPECT_EQ(plan.status, 429);
  EXPECT_FALSE(plan.retry_after);
  EXPECT_EQ(world.serve(request(2), 59min).kind, OutcomeKind::request_too_large);
}

TEST(Limits, RefusedRequestsAreNotChargedTokensButUseUpARequestAtOpenAi) {
  World world = openai(R"({"rpm": 10, "tpm": 150})");
  world.serve(request(1), 0s);
  EXPECT_EQ(world.serve(request(2), 0s).hit.limit, LimitKind::tokens);
  EXPECT_EQ(world.provider().bucket(gpt4, LimitKind::tokens)->remaining(at(0s)), 50);
  EXPECT_EQ(world.provider().bucket(gpt4, LimitKind::requests)->remaining(at(0s)), 8);
}

TEST(Limits, RefusedRequestsAreFreeAtAnthropic) {
  World world = anthropic(R"({"rpm": 10, "itpm": 150})");
  world.serve(request(1, claude), 0s);
  const Plan refused = world.serve(request(2, claude), 0s);
  EXPECT_EQ(refused.hit.limit, LimitKind::input_tokens);
  EXPECT_EQ(refused.hit.refusal.wait, 20s);
  EXPECT_EQ(world.provider().bucket(claude, LimitKind::requests)->remaining(at(0s)), 9);
}

TEST(Limits, AnthropicSendsWholeSecondsRoundedUp) {
  World world = anthropic(R"({"itpm": 1700})");
  ProviderRequest first = request(1, claude);
  first.input_tokens = 1700;
  world.serve(first, 0s);
  const Plan refused = world.serve(request(2, claude), 0s);
  EXPECT_EQ(refused.retry_after, 4s);  // 3.53 s
  EXPECT_EQ(world.serve(request(3, claude), 4s).kind, OutcomeKind::success);
}

TEST(Limits, AnthropicSettlesOutputWhenItHasBeenGenerated) {
  // 0s runs, 11 of 10 output tokens once finished | 1s in debt: refused | 12s paid back
  World world = anthropic(R"({"otpm": 10})");
  const Plan plan = world.arrive(request(1, claude), 0s).plan;
  EXPECT_EQ(world.provider().bucket(claude, LimitKind::output_tokens)->remaining(at(0s)), 10);
  world.provider().finish(plan, at(200ms));
  EXPECT_EQ(world.provider().bucket(claude, LimitKind::output_tokens)->remaining(at(1s)), 0);
  const Plan refused = world.serve(request(2, claude), 1s);
  EXPECT_EQ(refused.hit.limit, LimitKind::output_tokens);
  EXPECT_EQ(world.serve(request(3, claude), 13s).kind, OutcomeKind::success);
}

TEST(Limits, LeavingEarlySettlesOnlyWhatWasGenerated) {
  // tokens at 100, 110, …; the client leaves at 125 ms with three of them
  World world = anthropic(R"({"otpm": 1000})");
  const Plan plan = world.arrive(request(1, claude), 0s).plan;
  world.provider().abandon(plan, 125ms, at(125ms));
  const Bucket* output = world.provider().bucket(claude, LimitKind::output_tokens);
  EXPECT_EQ(output->limit() - output->remaining(at(125ms)), 3);
}

TEST(Limits, AnswersAndRefusalsTellWhatIsLeft) {
  World world = openai(R"({"rpm": 2, "tpm": 400})");
  const RateLimits after_one{
      .requests = {.limit = 2, .remaining = 1, .reset_ns = 30'000'000'000},
      .tokens = {.limit = 400, .remaining = 300, .reset_ns = 15'000'000'000}};
  EXPECT_EQ(world.serve(request(1), 0s).told, after_one);
  world.serve(request(2), 0s);
  const Plan refused = world.serve(request(3), 0s);
  EXPECT_EQ(refused.kind, OutcomeKind::rate_limited);
  EXPECT_EQ(refused.told.requests.remaining, 0);
  EXPECT_EQ(refused.told.tokens.remaining, 200);
}

TEST(Limits, AnthropicsTokensAreInputAndOutputTogether) {
  World world = anthropic(R"({"itpm": 1000, "otpm": 600})");
  ProviderRequest asked = request(1);
  asked.model = claude;
  const RateLimits told{.requests = {},
                        .tokens = {.limit = 1600, .remaining = 1500, .reset_ns = 6'000'000'000}};
  EXPECT_EQ(world.serve(asked, 0s).told, told);
}

TEST(Limits, AFaultBeforeTheLimitsTellsNothingAndOneAfterThemDoes) {
  World before = openai(R"({"rpm": 9})", R"([{"on": "openai/gpt-4", "error": "server_error"}])");
  EXPECT_EQ(before.serve(request(1), 0s).told, RateLimits{});
  World later = openai(R"({"rpm": 9})", R"([{"on": "openai/gpt-4", "error": "server_error",
                                             "after_limits": true}])");
  EXPECT_EQ(later.serve(request(1), 0s).told.requests.remaining, 8);
}

TEST(Limits, FaultsComeFirstAndChargeNothing) {
  World world =
      openai(R"({"rpm": 1})", R"([{"on": "openai/gpt-4", "error": "server_error", "first": 3}])");
  for (CallId call = 0; call < 3; ++call) {
    EXPECT_EQ(world.serve(request(call), 0s).kind, OutcomeKind::server_error);
  }
  EXPECT_EQ(world.serve(request(3), 0s).kind, OutcomeKind::success);
  EXPECT_EQ(world.serve(request(4), 0s).kind, OutcomeKind::rate_limited);
}

TEST(Limits, AFaultAfterLimitsHitsOnlyWhoPassesThem) {
  World world = openai(R"({"rpm": 2})", R"([{"on": "openai/gpt-4", "error": "server_error",
                                             "after_limits": true}])");
  EXPECT_EQ(world.serve(request(1), 0s).kind, OutcomeKind::server_error);
  EXPECT_EQ(world.serve(request(2), 0s).kind, OutcomeKind::server_error);
  EXPECT_EQ(world.serve(request(3), 0s).kind, OutcomeKind::rate_limited);
  EXPECT_EQ(world.provider().count(0).matched, 2u);
  EXPECT_EQ(world.provider().count(0).injected, 2u);
}

TEST(Limits, FaultsOnEitherSideOfTheLimitsShareOneDraw) {
  World world = openai("{}", R"([
      {"on": "openai/gpt-4", "error": "server_error", "share": 0.5, "after_limits": true},
      {"on": "openai/gpt-4", "error": "overloaded", "share": 0.5}])");
  for (CallId call = 0; call < 1'000; ++call) {
    EXPECT_NE(world.serve(request(call), 0s).kind, OutcomeKind::success);
  }
}

TEST(Limits, ARequestWhoseReplyWillBreakOffStillPassesTheLimits) {
  World world = openai(R"({"rpm": 1})", R"([{"on": "openai/gpt-4", "error": "stream_truncated"}])");
  EXPECT_EQ(world.serve(request(1), 0s).kind, OutcomeKind::stream_truncated);
  EXPECT_EQ(world.serve(request(2), 0s).kind, OutcomeKind::rate_limited);
  EXPECT_EQ(world.provider().count(0).matched, 2u);
  EXPECT_EQ(world.provider().count(0).injected, 1u);
}

TEST(Limits, ABreakDecidedBeforeTheLimitsIsNotOverruledAfterThem) {
  World world = openai("{}", R"([
      {"on": "openai/gpt-4", "error": "stream_truncated", "first": 2},
      {"on": "openai/gpt-4", "sequence": ["server_error"], "after_limits": true}])");
  EXPECT_EQ(world.serve(request(1), 0s).kind, OutcomeKind::stream_truncated);
  EXPECT_EQ(world.serve(request(2), 0s).kind, OutcomeKind::stream_truncated);
  EXPECT_EQ(world.serve(request(3), 0s).kind, OutcomeKind::success) << "its turn has passed";
}

TEST(Concurrency, AFullModelQueuesInOrderOfArrival) {
  // 0s one runs, two and three wait | 1s one ends, two starts | 2s two ends, three starts
  World world = openai(R"({"concurrent": 1})");
  const Plan one = world.arrive(request(1), 0s).plan;
  ProviderRequest longer = request(2);
  longer.output_tokens = 21;
  const Arrival two = world.arrive(longer, 0s);
  const Arrival three = world.arrive(request(3), 0s);
  EXPECT_TRUE(two.queued && three.queued);
  EXPECT_EQ(world.provider().running(gpt4), 1u);
  EXPECT_EQ(world.provider().queued(gpt4), 2u);

  const auto second = world.provider().finish(one, at(1s));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->ticket, two.ticket);
  EXPECT_EQ(second->plan.output_tokens, 21u);
  EXPECT_EQ(second->plan.complete, 300ms) << "counted from its start, not from its arrival";

  const auto third = world.provider().finish(second->plan, at(2s));
  ASSERT_TRUE(third);
  EXPECT_EQ(third->ticket, three.ticket);
  EXPECT_FALSE(world.provider().finish(third->plan, at(3s)));
  EXPECT_EQ(world.provider().running(gpt4), 0u);
}

TEST(Concurrency, AFullQueueRefusesAndGivesTokensBack) {
  World world = openai(R"({"concurrent": 1, "queue": 1, "tpm": 1000})");
  world.arrive(request(1), 0s);
  EXPECT_TRUE(world.arrive(request(2), 0s).queued);
  const Plan refused = world.serve(request(3), 0s);
  EXPECT_EQ(refused.kind, OutcomeKind::overloaded);
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.hit.limit, LimitKind::concurrency);
  EXPECT_FALSE(refused.retry_after);
  EXPECT_EQ(world.provider().bucket(gpt4, LimitKind::tokens)->remaining(at(0s)), 800);
}

TEST(Concurrency, AModelMayRefuseInsteadOfQueueing) {
  World world = openai(R"({"concurrent": 1, "when_full": "refuse"})");
  const Plan one = world.arrive(request(1), 0s).plan;
  EXPECT_EQ(world.serve(request(2), 0s).kind, OutcomeKind::overloaded);
  world.provider().finish(one, at(1s));
  EXPECT_EQ(world.serve(request(3), 1s).kind, OutcomeKind::success);
}

TEST(Concurrency, LeavingTheQueueLetsTheNextOneMoveUp) {
  // queue: two, three, four; three leaves first, then two
  World world = openai(R"({"concurrent": 1, "queue": 3})");
  const Plan one = world.arrive(request(1), 0s).plan;
  const Ticket two = world.arrive(request(2), 0s).ticket;
  const Ticket three = world.arrive(request(3), 0s).ticket;
  const Ticket four = world.arrive(request(4), 0s).ticket;
  world.provider().abandon(three);
  EXPECT_EQ(world.provider().queued(gpt4), 2u);
  const Ticket five = world.arrive(request(5), 0s).ticket;
  world.provider().abandon(two);
  const auto next = world.provider().finish(one, at(1s));
  ASSERT_TRUE(next);
  EXPECT_EQ(next->ticket, four);
  const auto last = world.provider().finish(next->plan, at(2s));
  ASSERT_TRUE(last);
  EXPECT_EQ(last->ticket, five);
}

TEST(Concurrency, LeavingWhileRunningStartsTheNextOne) {
  World world = openai(R"({"concurrent": 1})");
  const Plan one = world.arrive(request(1), 0s).plan;
  const Ticket two = world.arrive(request(2), 0s).ticket;
  const auto next = world.provider().abandon(one, 50ms, at(50ms));
  ASSERT_TRUE(next);
  EXPECT_EQ(next->ticket, two);
  EXPECT_EQ(world.provider().running(gpt4), 1u);
}

TEST(Concurrency, AnsweredFaultsTakeNoSlot) {
  World world =
      openai(R"({"concurrent": 1})", R"([{"on": "openai/gpt-4", "hang": true, "first": 5}])");
  for (CallId call = 0; call < 5; ++call) {
    const Arrival arrival = world.arrive(request(call), 0s);
    EXPECT_TRUE(arrival.plan.hang);
    EXPECT_FALSE(arrival.plan.holds_slot);
  }
  EXPECT_EQ(world.provider().running(gpt4), 0u);
  EXPECT_FALSE(world.arrive(request(5), 0s).queued);
}

TEST(Concurrency, ALongQueueKeepsItsOrderThroughGrowthAndGaps) {
  // 100 wait, every third leaves, the rest start in order; twice, so that the ring wraps.
  World world = openai(R"({"concurrent": 1})");
  CallId call = 0;
  for (int round = 0; round < 2; ++round) {
    Plan running = world.arrive(request(++call), 0s).plan;
    std::vector<Ticket> expected;
    for (int i = 0; i < 100; ++i) {
      const Arrival arrival = world.arrive(request(++call), 0s);
      ASSERT_TRUE(arrival.queued);
      if (i % 3 != 0) expected.push_back(arrival.ticket);
      if (i % 3 == 0) world.provider().abandon(arrival.ticket);
    }
    std::vector<Ticket> started;
    while (const auto next = world.provider().finish(running, at(0s))) {
      started.push_back(next->ticket);
      running = next->plan;
    }
    EXPECT_EQ(started, expected);
    EXPECT_EQ(world.provider().running(gpt4), 0u);
  }
}

}  // namespace
}  // namespace brownout::mock
