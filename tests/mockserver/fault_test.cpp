// Faults that decide the outcome: which requests they hit, and what becomes of those.

#include <gtest/gtest.h>

#include <map>

#include "tests/mockserver/scripts.hpp"

namespace brownout::mock {
namespace {

using namespace testing;

World with_faults(const std::string& faults, std::uint64_t seed = 1) {
  return World(Scene{.faults = faults}, seed);
}

std::map<OutcomeKind, int> outcomes(World& world, int requests, Duration time,
                                    ModelId model = gpt4) {
  std::map<OutcomeKind, int> counts;
  for (int call = 0; call < requests; ++call) {
    ++counts[world.serve(request(static_cast<CallId>(call), model), time).kind];
  }
  return counts;
}

std::vector<OutcomeKind> kinds(World& world, int requests, ModelId model = gpt4) {
  std::vector<OutcomeKind> result;
  for (int call = 0; call < requests; ++call) {
    result.push_back(world.serve(request(static_cast<CallId>(call), model), 0s).kind);
  }
  return result;
}

constexpr OutcomeKind ok = OutcomeKind::success;
constexpr OutcomeKind server_error = OutcomeKind::server_error;
constexpr OutcomeKind overloaded = OutcomeKind::overloaded;
constexpr OutcomeKind rate_limited = OutcomeKind::rate_limited;
using Kinds = std::vector<OutcomeKind>;

TEST(Fault, WithoutFaultsARequestSucceeds) {
  // 0ms arrives | 100ms first of 11 tokens | 200ms last
  World world(Scene{});
  const Plan plan = world.serve(request(1), 0s);
  EXPECT_EQ(plan.kind, ok);
  EXPECT_EQ(plan.status, 200);
  EXPECT_EQ(plan.first_byte, 100ms);
  EXPECT_EQ(plan.complete, 200ms);
  EXPECT_EQ(plan.output_tokens, 11u);
  EXPECT_EQ(plan.delivered_tokens, 11u);
  EXPECT_EQ(plan.billed_input_tokens, 100u);
  EXPECT_EQ(plan.fault, no_fault);
  EXPECT_FALSE(plan.cut());
}

TEST(Fault, WithoutStreamingTheFirstByteIsTheWholeReply) {
  World world(Scene{});
  ProviderRequest whole = request(1);
  whole.stream = false;
  const Plan plan = world.serve(whole, 0s);
  EXPECT_EQ(plan.first_byte, 200ms);
  EXPECT_EQ(plan.complete, 200ms);
  EXPECT_EQ(plan.first_token, 100ms) << "generation is billed from here, seen or not";
}

TEST(Fault, MaxTokensCapsTheOutput) {
  World world(Scene{});
  ProviderRequest capped = request(1);
  capped.max_tokens = 6;
  const Plan plan = world.serve(capped, 0s);
  EXPECT_EQ(plan.output_tokens, 6u);
  EXPECT_EQ(plan.complete, 150ms);
}

TEST(Fault, AnErrorAnswersInTheModelsPlace) {
  World world = with_faults(R"([{"on": "openai/gpt-4", "error": "overloaded"}])");
  const Plan plan = world.serve(request(1), 0s);
  EXPECT_EQ(plan.kind, overloaded);
  EXPECT_EQ(plan.status, 503);
  EXPECT_EQ(plan.first_byte, 50ms);
  EXPECT_EQ(plan.complete, 50ms);
  EXPECT_EQ(plan.billed_input_tokens, 0u);
  EXPECT_EQ(plan.fault, 0);
  EXPECT_FALSE(plan.holds_slot);
  EXPECT_EQ(world.serve(request(2, gpt35), 0s).kind, ok) << "the other model is not meant";
}

TEST(Fault, StatusAndRetryAfterCanBeChosen) {
  World world =
      with_faults(R"([{"on": "*", "error": "bad_gateway", "status": 530, "retry_after": "20s"}])");
  const Plan plan = world.serve(request(1), 0s);
  EXPECT_EQ(plan.kind, OutcomeKind::bad_gateway);
  EXPECT_EQ(plan.status, 530);
  EXPECT_EQ(plan.retry_after, 20s);
}

TEST(Fault, EachDialectHasItsOwnStatus) {
  World world = with_faults(R"([{"on": "*", "error": "overloaded"}])");
  EXPECT_EQ(world.serve(request(1, gpt4), 0s).status, 503);
  EXPECT_EQ(world.serve(request(1, claude), 0s).status, 529);
}

TEST(Fault, AnOutageRefusesTheConnectionAtOnce) {
  World world = with_faults(R"([{"on": "openai", "outage": true}])");
  const Plan plan = world.serve(request(1), 0s);
  EXPECT_EQ(plan.kind, OutcomeKind::connection);
  EXPECT_EQ(plan.status, 0);
  EXPECT_EQ(plan.complete, 0s);
  EXPECT_EQ(world.serve(request(1, claude), 0s).kind, ok);
}

TEST(Fault, AHangNeverAnswers) {
  World world = with_faults(R"([{"on": "*/*/chat", "hang": true}])");
  const Plan plan = world.serve(request(1), 0s);
  EXPECT_TRUE(plan.hang);
  EXPECT_EQ(plan.kind, OutcomeKind::timed_out);
  EXPECT_EQ(plan.first_byte, forever);
  EXPECT_EQ(plan.complete, forever);
}

TEST(Fault, OutOfReachIsAHangWithoutAConnection) {
  World world = with_faults(R"([{"on": "openai", "unreachable": true},
                                {"on": "anthropic", "hang": true}])");
  const Plan plan = world.serve(request(1), 0s);
  EXPECT_TRUE(plan.hang);
  EXPECT_FALSE(plan.connects);
  EXPECT_EQ(plan.kind, OutcomeKind::timed_out);
  EXPECT_EQ(plan.status, 0);
  EXPECT_TRUE(world.serve(request(1, claude), 0s).connects);
  EXPECT_EQ(world.script().phases[0].faults[0].to_string(), "unreachable on openai, share 1");
}

TEST(Fault, AnAnswerMaySayWhetherAndWhenToComeBack) {
  // C28: a hint of 55 hours; a hint of nothing.
  World world = with_faults(
      R"([{"on": "openai", "error": "rate_limited", "retry_after": "55h5m", "should_retry": false},
          {"on": "anthropic", "error": "invalid_request", "retry_after": "0s",
           "should_retry": true}])");
  const Plan long_hint = world.serve(request(1), 0s);
  EXPECT_EQ(long_hint.retry_after, 198'300s);
  EXPECT_EQ(long_hint.should_retry, false);
  const Plan no_hint = world.serve(request(1, claude), 0s);
  EXPECT_EQ(no_hint.retry_after, 0s);
  EXPECT_EQ(no_hint.should_retry, true);
  EXPECT_EQ(with_faults("[]").serve(request(1), 0s).should_retry, std::nullopt);
}

TEST(Fault, PatternsMatchByProviderModelAndEndpoint) {
  const auto hit = [](const char* pattern) {
    World world = with_faults(fmt::format(R"([{{"on": "{}", "error": "server_error"}}])", pattern));
    return world.script().phases[0].faults[0].models;
  };
  using Models = std::vector<ModelId>;
  EXPECT_EQ(hit("*"), (Models{gpt4, gpt35, claude}));
  EXPECT_EQ(hit("openai"), (Models{gpt4, gpt35}));
  EXPECT_EQ(hit("openai/*"), (Models{gpt4, gpt35}));
  EXPECT_EQ(hit("openai/gpt-3*"), (Models{gpt35}));
  EXPECT_EQ(hit("*/claude"), (Models{claude}));
  EXPECT_EQ(hit("*/*/chat"), (Models{gpt4, gpt35, claude}));
  EXPECT_EQ(hit("openai/gpt-4/*"), (Models{gpt4}));
}

TEST(Fault, SharesAreUnconditional) {
  // Chained dice would give 30 %, then 30 % of the rest, then 30 % of that.
  World world = with_faults(R"([{"on": "*", "error": "server_error", "share": 0.3},
                                {"on": "*", "error": "overloaded", "share": 0.3},
                                {"on": "*", "error": "rate_limited", "share": 0.3}])");
  auto counts = outcomes(world, 100'000, 0s);
  EXPECT_NEAR(counts[server_error], 30'000, 1'000);  // 7 standard deviations
  EXPECT_NEAR(counts[overloaded], 30'000, 1'000);
  EXPECT_NEAR(counts[rate_limited], 30'000, 1'000);
  EXPECT_NEAR(counts[ok], 10'000, 700);
}

TEST(Fault, SharesThatSumToOneLeaveNobodyOut) {
  World world = with_faults(R"([{"on": "*", "error": "server_error", "share": 0.7},
                                {"on": "*", "error": "overloaded", "share": 0.1},
                                {"on": "*", "error": "rate_limited", "share": 0.1},
                                {"on": "*", "hang": true, "share": 0.1}])");
  EXPECT_EQ(outcomes(world, 50'000, 0s).count(ok), 0u);
}

TEST(Fault, TheDrawIsPartitionedInFileOrder) {
  // The same draws decide in all three worlds: whoever the first fault hits alone, it hits
  // together with a second one, and the second hits others.
  World first = with_faults(R"([{"on": "*", "error": "server_error", "share": 0.4}])");
  World both = with_faults(R"([{"on": "*", "error": "server_error", "share": 0.4},
                               {"on": "*", "error": "overloaded", "share": 0.4}])");
  World wide = with_faults(R"([{"on": "*", "error": "server_error", "share": 0.8}])");
  for (CallId call = 0; call < 1'000; ++call) {
    const OutcomeKind in_both = both.serve(request(call), 0s).kind;
    EXPECT_EQ(first.serve(request(call), 0s).kind == server_error, in_both == server_error);
    EXPECT_EQ(wide.serve(request(call), 0s).kind == ok, in_both == ok);
  }
}

TEST(Fault, AFaultElsewhereMovesNoDrawHere) {
  World with = with_faults(R"([{"on": "openai/gpt-4", "error": "server_error", "share": 0.5},
                               {"on": "anthropic/claude", "error": "overloaded", "share": 0.5}])");
  World without =
      with_faults(R"([{"on": "anthropic/claude", "error": "overloaded", "share": 0.5}])");
  int hit = 0;
  for (CallId call = 0; call < 1'000; ++call) {
    with.serve(request(call, gpt4), 0s);
    const OutcomeKind kind = with.serve(request(call, claude), 0s).kind;
    EXPECT_EQ(kind, without.serve(request(call, claude), 0s).kind);
    hit += kind == overloaded;
  }
  EXPECT_NEAR(hit, 500, 110);
}

TEST(Fault, TheOrderOfArrivalsMovesNoDraw) {
  const std::string faults = R"([{"on": "*", "error": "server_error", "share": 0.5}])";
  World forwards = with_faults(faults);
  World backwards = with_faults(faults);
  std::map<CallId, OutcomeKind> seen;
  for (CallId call = 0; call < 200; ++call) seen[call] = forwards.serve(request(call), 0s).kind;
  for (CallId call = 200; call-- > 0;) {
    EXPECT_EQ(backwards.serve(request(call), 0s).kind, seen[call]);
  }
}

TEST(Fault, ModelsAttemptsAndSeedsDrawIndependently) {
  const std::string faults = R"([{"on": "*", "error": "server_error", "share": 0.5}])";
  World world = with_faults(faults, 1);
  World other_seed = with_faults(faults, 2);
  int models_agree = 0;
  int attempts_agree = 0;
  int seeds_agree = 0;
  for (CallId call = 0; call < 1'000; ++call) {
    const OutcomeKind kind = world.serve(request(call), 0s).kind;
    ProviderRequest retry = request(call);
    retry.nth = 1;
    models_agree += kind == world.serve(request(call, claude), 0s).kind;
    attempts_agree += kind == world.serve(retry, 0s).kind;
    seeds_agree += kind == other_seed.serve(request(call), 0s).kind;
  }
  for (const int agree : {models_agree, attempts_agree, seeds_agree}) EXPECT_NEAR(agree, 500, 110);
}

TEST(Fault, ARampSpansItsPhase) {
  // 0s 100 % | 30min 50 % | 45min 25 % | 1h (still the last phase) 0 %
  World world = with_faults(R"([{"on": "*", "error": "server_error", "share": {"ramp": [1, 0]}}])");
  EXPECT_EQ(outcomes(world, 2'000, 0s)[server_error], 2'000);
  EXPECT_NEAR(outcomes(world, 20'000, 30min)[server_error], 10'000, 500);
  EXPECT_NEAR(outcomes(world, 20'000, 45min)[server_error], 5'000, 430);
  EXPECT_EQ(outcomes(world, 2'000, 1h)[server_error], 0);
}

TEST(Share, RampsAreExactAtExactInstants) {
  Share share{.shape = Share::Shape::ramp, .from = 500'000'000, .to = 0};
  EXPECT_EQ(share.at(0s, 2h), 500'000'000);
  EXPECT_EQ(share.at(30min, 2h), 375'000'000);
  EXPECT_EQ(share.at(1h, 2h), 250'000'000);
  EXPECT_EQ(share.at(2h, 2h), 0);
  EXPECT_EQ(share.at(3h, 2h), 0) << "after its end it stays as it was";
}

TEST(Fault, AFlapStartsOnAndSwitchesAtExactInstants) {
  // 0s on | 60s off | 90s on | 150s off | 180s on
  World world = with_faults(R"([{"on": "*", "error": "server_error",
                                 "share": {"flap": {"on": "60s", "off": "30s"}}}])");
  CallId call = 0;
  const auto kind = [&](Duration time) { return world.serve(request(++call), time).kind; };
  EXPECT_EQ(kind(0s), server_error);
  EXPECT_EQ(kind(60s - 1ns), server_error);
  EXPECT_EQ(kind(60s), ok);
  EXPECT_EQ(kind(90s - 1ns), ok);
  EXPECT_EQ(kind(90s), server_error);
  EXPECT_EQ(kind(150s - 1ns), server_error);
  EXPECT_EQ(kind(150s), ok);
  EXPECT_EQ(kind(180s), server_error);
}

TEST(Fault, AFlapCanHitAShareWhileItIsOn) {
  World world = with_faults(R"([{"on": "*", "error": "server_error",
      "share": {"flap": {"on": "60s", "off": "30s", "share": 0.25}}}])");
  EXPECT_NEAR(outcomes(world, 20'000, 10s)[server_error], 5'000, 430);
  EXPECT_EQ(outcomes(world, 2'000, 70s)[server_error], 0);
}

TEST(Fault, TheFirstRequestsFail) {
  World world = with_faults(R"([{"on": "openai/*", "error": "server_error", "first": 2}])");
  EXPECT_EQ(world.serve(request(1, claude), 0s).kind, ok) << "no match, so it does not count";
  EXPECT_EQ(world.serve(request(1, gpt4), 0s).kind, server_error);
  EXPECT_EQ(world.serve(request(1, gpt35), 0s).kind, server_error);
  EXPECT_EQ(world.serve(request(2, gpt4), 0s).kind, ok);
}

TEST(Fault, ASequenceIsConsumedInOrderOfArrival) {
  World world = with_faults(
      R"([{"on": "openai/gpt-4", "sequence": ["server_error", "success", "rate_limited"],
           "retry_after": "3s"}])");
  EXPECT_EQ(kinds(world, 5), (Kinds{server_error, ok, rate_limited, ok, ok}));
}

TEST(Fault, ARepeatedSequenceBeginsAgain) {
  World world = with_faults(
      R"([{"on": "openai/gpt-4", "sequence": ["server_error", "success"], "repeat": true}])");
  EXPECT_EQ(kinds(world, 5), (Kinds{server_error, ok, server_error, ok, server_error}));
}

TEST(Fault, ASequenceHasFaultsOnTheWireAmongItsOutcomes) {
  // Tokens come after 100 ms, 110 ms, 120 ms and so on; each entry does what a fault of its own
  // would.
  World world = with_faults(R"([{"on": "openai/gpt-4", "retry_after": "3s", "sequence": [
      {"wire": "reset", "at": {"frames": 4}}, "success", {"wire": "refuse"}, "overloaded",
      {"wire": "stall", "at": {"time": "125ms"}}, {"wire": "crlf"}, {"wire": "html"}]}])");
  std::vector<Plan> plans;
  for (CallId i = 0; i < 8; ++i) plans.push_back(world.serve(request(i), 0s));
  EXPECT_EQ(plans[0].kind, OutcomeKind::stream_truncated);
  EXPECT_EQ(plans[0].delivered_tokens, 4u);
  EXPECT_EQ(plans[1].kind, OutcomeKind::success);
  EXPECT_EQ(plans[2].kind, OutcomeKind::connection);
  EXPECT_EQ(plans[2].wire.word, WireWord::refuse);
  EXPECT_EQ(plans[3].kind, OutcomeKind::overloaded);
  EXPECT_EQ(plans[3].retry_after, 3s);
  EXPECT_EQ(plans[4].kind, OutcomeKind::timed_out);
  EXPECT_EQ(plans[4].delivered_tokens, 3u);
  EXPECT_EQ(plans[5].kind, OutcomeKind::success);
  EXPECT_EQ(plans[5].wire.word, WireWord::crlf);
  EXPECT_EQ(plans[6].kind, OutcomeKind::malformed_reply);
  EXPECT_EQ(plans[7].fault, no_fault) << "the sequence is used up";
  EXPECT_EQ(world.provider().count(0).injected, 6u);
}

TEST(Fault, EachPhaseCountsItsOwnFirstRequests) {
  // 0s phase one: the first fails | 10s phase two: the first fails again | 30s over, stays in two
  World world(load(providers_json({}), R"([
      {"phase": "one", "until": "10s", "faults": [
          {"on": "*", "error": "server_error", "first": 1}]},
      {"phase": "two", "until": "30s", "faults": [
          {"on": "*", "error": "overloaded", "first": 1},
          {"on": "*", "error": "rate_limited", "share": {"ramp": [0, 1]}}]}])",
                   30s));
  EXPECT_EQ(world.serve(request(1), 0s).kind, server_error);
  EXPECT_EQ(world.serve(request(2), 10s - 1ns).kind, ok);
  EXPECT_EQ(world.serve(request(3), 10s).kind, overloaded);
  EXPECT_EQ(world.serve(request(4), 40s).kind, rate_limited);
}

TEST(Fault, TheFirstFaultInTheFileGetsTheRequestAndCountersAdvanceRegardless) {
  World world = with_faults(R"([{"on": "*", "error": "server_error", "first": 1},
                                {"on": "*", "sequence": ["overloaded", "rate_limited"]}])");
  EXPECT_EQ(kinds(world, 3), (Kinds{server_error, rate_limited, ok}));
  const auto& provider = world.provider();
  EXPECT_EQ(provider.count(0).matched, 3u);
  EXPECT_EQ(provider.count(0).injected, 1u);
  EXPECT_EQ(provider.count(1).asked(), 2.0);
  EXPECT_EQ(provider.count(1).injected, 1u) << "one of its two went to the first fault";
}

TEST(Fault, CountsTellAskedFromInjected) {
  World world = with_faults(R"([{"on": "openai/*", "error": "server_error", "share": 0.25}])");
  const int injected = outcomes(world, 4'000, 0s)[server_error];
  outcomes(world, 100, 0s, claude);
  const FaultCount& count = world.provider().count(0);
  EXPECT_EQ(count.matched, 4'000u);
  EXPECT_DOUBLE_EQ(count.asked(), 1'000.0);
  EXPECT_EQ(count.injected, static_cast<std::uint64_t>(injected));
}

TEST(Fault, AStreamIsCutAfterItsShareOfTheOutput) {
  // Tokens at 100, 110, … 200 ms; five of eleven leave, and at 150 ms the next one does not come.
  World world = with_faults(R"([{"on": "*", "error": "stream_truncated", "after_share": 0.5}])");
  const Plan plan = world.serve(request(1), 0s);
  EXPECT_TRUE(plan.cut());
  EXPECT_EQ(plan.kind, OutcomeKind::stream_truncated);
  EXPECT_EQ(plan.status, 200);
  EXPECT_EQ(plan.delivered_tokens, 5u);
  EXPECT_EQ(plan.first_byte, 100ms);
  EXPECT_EQ(plan.complete, 150ms);
  EXPECT_EQ(plan.billed_input_tokens, 100u);
  EXPECT_EQ(tokens_generated(plan, plan.complete), 5u);
}

TEST(Fault, AStreamMayBreakOffAfterItsLastTokenToo) {
  World world = with_faults(R"([{"on": "*", "error": "stream_truncated", "after_share": 1}])");
  const Plan plan = world.serve(request(1), 0s);
  EXPECT_EQ(plan.kind, OutcomeKind::stream_truncated);
  EXPECT_EQ(plan.delivered_tokens, 11u);
  EXPECT_EQ(plan.complete, 200ms);
}

TEST(Fault, WithoutAShareTheCutIsAnywhere) {
  World world = with_faults(R"([{"on": "*", "error": "stream_truncated"}])");
  std::map<std::uint32_t, int> cuts;
  for (CallId call = 0; call < 11'000; ++call) {
    ++cuts[world.serve(request(call), 0s).delivered_tokens];
  }
  EXPECT_EQ(cuts.size(), 11u) << "0 to 10 tokens of 11";
  for (const auto& [tokens, count] : cuts) EXPECT_NEAR(count, 1'000, 220) << tokens;
}

TEST(Fault, AnErrorInMidStreamComesUnder200) {
  World world =
      with_faults(R"([{"on": "*", "error": "overloaded", "after_share": 0, "retry_after": "9s"}])");
  const Plan plan = world.serve(request(1, claude), 0s);
  EXPECT_TRUE(plan.cut());
  EXPECT_EQ(plan.kind, overloaded);
  EXPECT_EQ(plan.status, 200);
  EXPECT_EQ(plan.complete, 100ms) << "instead of the first token";
  EXPECT_FALSE(plan.retry_after) << "the headers have left already";
}

TEST(Fault, WithoutStreamingABreakIsAPlainFailureAtThatTime) {
  World world = with_faults(R"([{"on": "openai/gpt-4", "error": "overloaded", "after_share": 0.5},
                                {"on": "openai/gpt-3.5", "error": "stream_truncated",
                                 "after_share": 0.5}])");
  ProviderRequest whole = request(1);
  whole.stream = false;
  const Plan error = world.serve(whole, 0s);
  EXPECT_EQ(error.kind, overloaded);
  EXPECT_EQ(error.status, 503);
  EXPECT_EQ(error.first_byte, 150ms);
  EXPECT_EQ(error.complete, 150ms);
  whole.model = gpt35;
  const Plan broken = world.serve(whole, 0s);
  EXPECT_EQ(broken.kind, OutcomeKind::connection);
  EXPECT_EQ(broken.status, 0);
  EXPECT_EQ(broken.delivered_tokens, 5u) << "generated and billed, though nobody saw it";
}

TEST(Fault, ReplyWithoutOutputCanBeCut) {
  World world = with_faults(R"([{"on": "*", "error": "stream_truncated"}])");
  ProviderRequest silent = request(1);
  silent.output_tokens = 0;
  const Plan plan = world.serve(silent, 0s);
  EXPECT_EQ(plan.kind, OutcomeKind::stream_truncated);
  EXPECT_EQ(plan.complete, 100ms);
}

TEST(Fault, AGarbledReplyIsA200WithoutTokens) {
  World world = with_faults(R"([{"on": "*", "error": "malformed_reply"}])");
  const Plan plan = world.serve(request(1), 0s);
  EXPECT_EQ(plan.kind, OutcomeKind::malformed_reply);
  EXPECT_EQ(plan.status, 200);
  EXPECT_EQ(plan.complete, 50ms);
  EXPECT_EQ(plan.billed_input_tokens, 0u);
}

}  // namespace
}  // namespace brownout::mock
