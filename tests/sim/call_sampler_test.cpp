#include "sim/call_sampler.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace brownout::sim {
namespace {

using namespace std::chrono_literals;

Instant at(Duration since_start) {
  return Instant{} + since_start;
}

// Tells a sampler of a call with one attempt that ends with it.
void tell(CallSampler& sampler, CallId id, Duration latency,
          OutcomeKind kind = OutcomeKind::success) {
  Outcome outcome = Outcome::failure(kind);
  if (outcome.ok()) outcome.served = Served::live;
  const Instant started = at(1s * static_cast<std::int64_t>(id));
  AttemptEvent attempt;
  attempt.call = id;
  attempt.number = 1;
  attempt.started = started;
  attempt.ended = started + latency;
  sampler.on_attempt(attempt, outcome);
  sampler.on_call({id, started, started + latency, 1, 0, false}, outcome);
}

auto count_of(const std::vector<SampledCall>& calls, bool SampledCall::*why) {
  return static_cast<std::size_t>(std::ranges::count(calls, true, why));
}

TEST(CallSampler, OfFewCallsAllAreKept) {
  CallSampler sampler;
  for (CallId id = 0; id < 20; ++id) {
    tell(sampler, id, 1s, id % 2 == 0 ? OutcomeKind::timed_out : OutcomeKind::success);
  }
  const auto calls = sampler.finish();
  ASSERT_EQ(calls.size(), 20U);
  for (CallId id = 0; id < 20; ++id) {
    EXPECT_EQ(calls[id].call, id);
    EXPECT_TRUE(calls[id].is_random);
    EXPECT_EQ(calls[id].is_failed, id % 2 == 0);
    EXPECT_EQ(calls[id].is_slowest, id % 2 == 1);
    EXPECT_EQ(calls[id].attempts.size(), 1U);
  }
}

TEST(CallSampler, OfManyTheMostAreKeptAndTheSlowestAreTheSlowest) {
  CallSampler sampler;
  constexpr CallId calls_made = 5'000;
  for (CallId id = 0; id < calls_made; ++id) {
    tell(sampler, id, 1ms * static_cast<std::int64_t>(id * 7919 % calls_made),
         id % 3 == 0 ? OutcomeKind::server_error : OutcomeKind::success);
  }
  const auto calls = sampler.finish();
  EXPECT_EQ(count_of(calls, &SampledCall::is_failed), CallSampler::failed_max);
  EXPECT_EQ(count_of(calls, &SampledCall::is_random), CallSampler::random_max);
  EXPECT_EQ(count_of(calls, &SampledCall::is_slowest), CallSampler::slowest_max);

  Duration fastest_kept = 1h;
  for (const SampledCall& call : calls) {
    EXPECT_TRUE(call.is_failed || call.is_random || call.is_slowest);
    EXPECT_TRUE(!call.is_failed || call.end == CallEnd::failed);
    EXPECT_TRUE(!call.is_slowest || call.end == CallEnd::success);
    if (call.is_slowest) fastest_kept = std::min(fastest_kept, call.ended - call.started);
  }
  std::size_t slower = 0;
  for (CallId id = 0; id < calls_made; ++id) {
    const Duration latency = 1ms * static_cast<std::int64_t>(id * 7919 % calls_made);
    if (id % 3 != 0 && latency >= fastest_kept) ++slower;
  }
  EXPECT_EQ(slower, CallSampler::slowest_max);
}

// The kept ones are spread over the run: of each quarter of it about a quarter.
TEST(CallSampler, FailedCallsAreKeptFromTheWholeRun) {
  CallSampler sampler;
  for (CallId id = 0; id < 4'000; ++id) tell(sampler, id, 1s, OutcomeKind::overloaded);
  std::array<int, 4> of_quarter{};
  for (const SampledCall& call : sampler.finish()) {
    if (call.is_failed) ++of_quarter[call.call / 1'000];
  }
  for (const int kept : of_quarter) EXPECT_NEAR(kept, 50, 25);
}

TEST(CallSampler, WhichCallsAreDrawnDependsOnTheirNumberAlone) {
  CallSampler first;
  CallSampler second;
  for (CallId id = 0; id < 1'000; ++id) tell(first, id, 1s);
  for (CallId id = 1'000; id-- > 0;) tell(second, id, 2s, OutcomeKind::timed_out);
  const auto drawn = [](const std::vector<SampledCall>& calls) {
    std::vector<CallId> ids;
    for (const SampledCall& call : calls) {
      if (call.is_random) ids.push_back(call.call);
    }
    return ids;
  };
  EXPECT_EQ(drawn(first.finish()), drawn(second.finish()));
}

// A call that is told of in pieces while others come and go keeps its own story.
TEST(CallSampler, CallsUnderWayAtOnceAreNotMixed) {
  CallSampler sampler;
  for (CallId id = 0; id < 3; ++id) {
    sampler.on_wait({id, 0, at(1s * static_cast<std::int64_t>(id)), at(9s)});
    sampler.on_rejection({id, no_breaker, at(0s), at(1s), OutcomeKind::bulkhead_full});
  }
  tell(sampler, 1, 1s);
  tell(sampler, 3, 1s);
  sampler.on_wait({2, 0, at(10s), at(11s)});
  tell(sampler, 2, 1s);
  tell(sampler, 0, 1s);
  const auto calls = sampler.finish();
  ASSERT_EQ(calls.size(), 4U);
  EXPECT_EQ(calls[2].waits.size(), 2U);
  EXPECT_EQ(calls[2].waits[0].from, at(2s));
  EXPECT_EQ(calls[3].waits.size(), 0U);
  EXPECT_EQ(calls[3].rejections.size(), 0U);
}

TEST(CallSampler, AttemptsAreInOrderOfTheirNumber) {
  CallSampler sampler;
  for (const std::uint32_t number : {2U, 1U}) {
    AttemptEvent attempt;
    attempt.number = number;
    attempt.hedge = number == 2;
    sampler.on_attempt(attempt, Outcome{});
  }
  sampler.on_call({0, at(0s), at(1s), 2, 0, false}, Outcome{});
  const auto calls = sampler.finish();
  ASSERT_EQ(calls[0].attempts.size(), 2U);
  EXPECT_FALSE(calls[0].attempts[0].hedge);
  EXPECT_TRUE(calls[0].attempts[1].hedge);
}

}  // namespace
}  // namespace brownout::sim
