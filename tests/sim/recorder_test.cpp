#include "sim/recorder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/sim/lab.hpp"

namespace brownout::sim {
namespace {

using namespace std::chrono_literals;
using testing::at;
using ::testing::ElementsAre;

// Two phases of an hour, a cache before two routes with a breaker each; prices of 2 and 10
// picodollars per token at lab/model, and none at lab/other.
class RecorderTest : public ::testing::Test {
 protected:
  RecorderTest() { forget(); }

  void forget() {
    recorder_ = std::make_unique<Recorder>(scenario_.script, pipeline_, &next_);
    next_ = {};
  }

  RunResult finish() {
    RunResult result;
    recorder_->finish(result);
    return result;
  }

  struct Call {
    Instant started{};
    Duration took = 1s;
    OutcomeKind kind = OutcomeKind::success;
    Served served = Served::live;
    RouteId route = 0;
    std::uint32_t input = 0;
    std::uint32_t output = 0;
    std::uint64_t billed = 0;
    bool rejected = false;
  };
  void call(const Call& call) {
    Outcome outcome = Outcome::failure(call.kind);
    outcome.served = call.served;
    outcome.route = call.route;
    outcome.billed_input_tokens = call.input;
    outcome.billed_output_tokens = call.output;
    recorder_->on_call(
        {number_++, call.started, call.started + call.took, 1, call.billed, call.rejected},
        outcome);
  }
  void attempt(Instant call_started, RouteId route, OutcomeKind kind, std::uint32_t input = 0,
               std::uint32_t output = 0) {
    Outcome outcome = Outcome::failure(kind);
    outcome.billed_input_tokens = input;
    outcome.billed_output_tokens = output;
    const auto target = static_cast<TargetId>(route);
    recorder_->on_attempt(
        {number_, route, target, 1, call_started, call_started, call_started + 1s}, outcome);
  }

  Scenario scenario_ = testing::scenario(
      {.duration = "2h",
       .model = R"("ttft": "1s", "inter_token": "1ms",
                   "price": {"input_per_million": 0.000002, "output_per_million": 0.00001})",
       .timeline = R"([{"phase": "early", "until": "1h"}, {"phase": "late", "until": "2h"}])"});
  Policy policy_ = testing::branching_policy(R"([{"fallback": {"routes": [
      {"name": "main", "to": "lab/model", "pipeline": [{"breaker": {}}]},
      {"name": "backup", "to": "lab/other", "pipeline": [{"breaker": {}}]}]}}])");
  BoundPolicy bound_ = testing::loaded(sim::bind(scenario_, policy_, {}));
  Pipeline pipeline_{policy_, bound_.targets, bound_.target_ids, 1};
  testing::EventList next_;
  std::unique_ptr<Recorder> recorder_;
  CallId number_ = 0;
};

TEST_F(RecorderTest, ACallBelongsToThePhaseItArrivedIn) {
  call({.started = at(0s)});
  call({.started = at(1h - 1ns), .took = 30min});
  call({.started = at(1h)});
  call({.started = at(2h)});
  attempt(at(1h - 1ns), 0, OutcomeKind::success);
  recorder_->on_rejection({7, 1, at(1h - 1ns), at(90min)});
  const RunResult result = finish();
  ASSERT_EQ(result.phases.size(), 2U);
  EXPECT_EQ(result.phases[0].name, "early");
  EXPECT_EQ(result.phases[1].begins, at(1h));
  EXPECT_EQ(result.phases[1].ends, at(2h));
  EXPECT_EQ(result.phases[0].stats.calls, 2U);
  EXPECT_EQ(result.phases[1].stats.calls, 2U);
  EXPECT_EQ(result.phases[0].stats.attempts, 1U);
  EXPECT_THAT(result.phases[0].stats.rejected_by_breaker, ElementsAre(0, 1));
  EXPECT_EQ(result.total.calls, 4U);
  EXPECT_EQ(result.total.attempts, 1U);
}

TEST_F(RecorderTest, EndsAndLatenciesAreKeptApart) {
  call({.took = 1s});
  call({.took = 2s, .route = 1});
  call({.took = 3s, .kind = OutcomeKind::overloaded, .served = Served::nothing});
  call({.took = 4s, .served = Served::cached, .route = no_route});
  call({.took = 5s, .served = Served::fallback, .route = no_route});
  const RunResult result = finish();
  EXPECT_THAT(result.total.ended, ElementsAre(2, 1, 1, 1));
  EXPECT_THAT(result.total.served_by_route, ElementsAre(1, 1));
  EXPECT_EQ(result.total.failed_as[static_cast<std::size_t>(OutcomeKind::overloaded)], 1U);
  EXPECT_EQ(result.total.success_latency.mean(), 1500ms);
  EXPECT_EQ(result.total.failed_latency.mean(), 3s);
  EXPECT_EQ(result.total.other_latency.mean(), 4500ms);
}

// The same call once: two attempts billed 100 + 0 and 100 + 50, of which the second was served.
TEST_F(RecorderTest, TokensAreWastedUnlessTheirReplyReachedTheCaller) {
  call({.input = 100, .output = 50, .billed = 250});
  EXPECT_EQ(finish().total.billed_tokens, 250U);
  EXPECT_EQ(finish().total.wasted_tokens, 100U);
  forget();
  call({.kind = OutcomeKind::timed_out,
        .served = Served::nothing,
        .input = 100,
        .output = 50,
        .billed = 250});
  EXPECT_EQ(finish().total.wasted_tokens, 250U);
  forget();
  call({.served = Served::fallback, .route = no_route, .billed = 250});
  EXPECT_EQ(finish().total.wasted_tokens, 250U);
  forget();
  call({.served = Served::shared, .billed = 0});
  EXPECT_EQ(finish().total.wasted_tokens, 0U);
}

TEST_F(RecorderTest, CostIsThatOfEveryAttempt) {
  attempt(at(0s), 0, OutcomeKind::success, 100, 7);
  attempt(at(0s), 0, OutcomeKind::timed_out, 100, 3);
  attempt(at(0s), 1, OutcomeKind::success, 100, 7);
  const RunResult result = finish();
  EXPECT_TRUE(result.total.cost_picodollars == 2 * 200 + 10 * 10U);
  EXPECT_THAT(result.total.attempts_by_route, ElementsAre(2, 1));
  EXPECT_EQ(result.total.attempts_as[0], 2U);
  EXPECT_EQ(result.total.attempts_as[static_cast<std::size_t>(OutcomeKind::timed_out)], 1U);
}

TEST_F(RecorderTest, SharedRepliesAndRejectedCallsAreCounted) {
  call({.served = Served::shared, .route = 1});
  call({.rejected = true});
  call({.kind = OutcomeKind::breaker_open, .served = Served::nothing, .rejected = true});
  const RunResult result = finish();
  EXPECT_EQ(result.total.shared, 1U);
  EXPECT_EQ(result.total.rejected, 2U);
  EXPECT_THAT(result.total.served_by_route, ElementsAre(1, 1));
}

TEST_F(RecorderTest, BreakersKeepTheirFirstTransitionsAndTheLast) {
  const std::uint64_t count = BreakerResult::transitions_kept_max + 5;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto to = i % 2 == 0 ? BreakerState::open : BreakerState::half_open;
    recorder_->on_breaker({1, BreakerState::closed, to, at(i * 1s)});
  }
  const RunResult result = finish();
  const BreakerResult& breaker = result.breakers[1];
  EXPECT_EQ(breaker.name, "backup");
  EXPECT_EQ(breaker.transition_count, count);
  EXPECT_EQ(breaker.openings, (count + 1) / 2);
  EXPECT_EQ(breaker.final_state, BreakerState::open);
  ASSERT_EQ(breaker.transitions.size(), BreakerResult::transitions_kept_max);
  EXPECT_EQ(breaker.transitions[1].at, at(1s));
  EXPECT_EQ(breaker.transitions.back().at, at((count - 1) * 1s));
  EXPECT_EQ(result.breakers[0].transition_count, 0U);
}

TEST_F(RecorderTest, PassesEveryEventOn) {
  call({});
  attempt(at(0s), 0, OutcomeKind::success);
  recorder_->on_breaker({0, BreakerState::closed, BreakerState::open, at(1s)});
  recorder_->on_hedge({.call = 1});
  recorder_->on_lookup({.call = 2});
  recorder_->on_breaker_failure({.call = 3});
  EXPECT_EQ(next_.hedges.size(), 1U);
  EXPECT_EQ(next_.lookups.size(), 1U);
  EXPECT_EQ(next_.breaker_failures.size(), 1U);
  EXPECT_EQ(next_.calls.size(), 1U);
  EXPECT_EQ(next_.attempts.size(), 1U);
  EXPECT_EQ(next_.transitions.size(), 1U);
}

TEST_F(RecorderTest, TheDigestTakesInEveryRecordAndItsOrder) {
  const auto digest_of = [&](const auto& events) {
    forget();
    number_ = 0;
    events();
    return finish().semantic_digest;
  };
  const auto a = [&] { call({.took = 1s}); };
  const auto b = [&] { recorder_->on_wait({1, 0, at(1s), at(2s)}); };
  const auto both = digest_of([&] { a(), b(); });
  EXPECT_EQ(digest_of([&] { a(), b(); }), both);
  EXPECT_NE(digest_of([&] { b(), a(); }), both);
  EXPECT_NE(digest_of([&] { a(); }), both);
  EXPECT_NE(digest_of([&] { call({.took = 1s + 1ns}), b(); }), both);
  EXPECT_NE(digest_of([&] { a(), recorder_->on_rejection({1, 0, at(1s), at(2s)}); }), both);
  const auto refused = [&](OutcomeKind kind) {
    return digest_of([&] { recorder_->on_rejection({1, no_breaker, at(1s), at(2s), kind}); });
  };
  EXPECT_NE(refused(OutcomeKind::throttled), refused(OutcomeKind::bulkhead_full));
}

TEST_F(RecorderTest, AWaitBelongsToThePhaseItBeginsIn) {
  recorder_->on_wait({1, 0, at(59min), at(61min)});
  recorder_->on_wait({2, 0, at(61min), at(62min)});
  const RunResult result = finish();
  EXPECT_EQ(result.phases[0].stats.waits, 1U);
  EXPECT_EQ(result.phases[0].stats.wait.max(), 2min);
  EXPECT_EQ(result.phases[1].stats.wait.max(), 1min);
  EXPECT_EQ(result.total.waits, 2U);
  EXPECT_EQ(result.total.wait.min(), 1min);
}

TEST_F(RecorderTest, OfFailedCallsItKeepsWhatTheyWereTold) {
  Outcome told = Outcome::failure(OutcomeKind::rate_limited);
  told.retry_after = 20s;
  recorder_->on_call({1, at(0s), at(1s), 1, 0, false}, told);
  call({.kind = OutcomeKind::rate_limited});
  told.kind = OutcomeKind::success;
  told.served = Served::live;
  told.route = 0;
  recorder_->on_call({3, at(0s), at(1s), 1, 0, false}, told);
  const RunResult result = finish();
  EXPECT_EQ(result.total.hinted, 1U);
  EXPECT_EQ(result.total.hint.max(), 20s);
}

TEST_F(RecorderTest, ARefusalThatIsNoBreakersIsCountedAtNone) {
  recorder_->on_rejection({7, no_breaker, at(1s), at(2s), OutcomeKind::throttled});
  for (const std::uint64_t count : finish().total.rejected_by_breaker) EXPECT_EQ(count, 0U);
}

// More records than the buffer before the hash holds.
TEST(SemanticDigest, LongSequencesCountFromTheirFirstRecord) {
  const auto digest_of = [](std::uint64_t first) {
    SemanticDigest digest;
    digest.add('A', first);
    for (std::uint64_t i = 0; i < 10'000; ++i) digest.add('A', i);
    return digest.value();
  };
  EXPECT_EQ(digest_of(1), digest_of(1));
  EXPECT_NE(digest_of(1), digest_of(2));
}

}  // namespace
}  // namespace brownout::sim
