#include <gtest/gtest.h>

#include "tests/mockserver/scripts.hpp"

namespace brownout::mock {
namespace {

using namespace testing;

Plan serve_with(const std::string& faults, ModelId model = gpt4) {
  World world(Scene{.faults = faults});
  return world.serve(request(1, model), 0s);
}

TEST(LatencyFault, AddingDelaysEveryByteAlike) {
  // 100 ms to the first token and 100 ms of tokens, all 30 s later.
  const Plan plan = serve_with(R"([{"on": "openai/*", "latency": {"add": "30s"}}])");
  EXPECT_EQ(plan.kind, OutcomeKind::success);
  EXPECT_EQ(plan.first_byte, 30s + 100ms);
  EXPECT_EQ(plan.complete, 30s + 200ms);
}

TEST(LatencyFault, MultiplyingStretchesGenerationToo) {
  const Plan plan = serve_with(R"([{"on": "*", "latency": {"multiply": 2.5}}])");
  EXPECT_EQ(plan.first_byte, 250ms);
  EXPECT_EQ(plan.complete, 500ms);
}

TEST(LatencyFault, FaultsComposeByMultiplyingFirstAndAddingThen) {
  const Plan plan = serve_with(R"([{"on": "*", "latency": {"add": "1s"}},
                                   {"on": "*", "latency": {"multiply": 2, "add": "3s"}},
                                   {"on": "*", "latency": {"multiply": 3}}])");
  EXPECT_EQ(plan.first_byte, 4s + 6 * 100ms);
  EXPECT_EQ(plan.complete, 4s + 6 * 200ms);
}

TEST(LatencyFault, SlowsErrorsDownWithoutTakingPartOfTheirShare) {
  const Plan plan = serve_with(R"([{"on": "*", "latency": {"multiply": 2, "add": "1s"}},
                                   {"on": "*", "error": "server_error"}])");
  EXPECT_EQ(plan.kind, OutcomeKind::server_error);
  EXPECT_EQ(plan.complete, 1s + 2 * 50ms);
}

TEST(LatencyFault, LeavesOutagesAndHangsAlone) {
  EXPECT_EQ(serve_with(R"([{"on": "*", "latency": {"add": "1s"}}, {"on": "*", "outage": true}])")
                .complete,
            0s);
  EXPECT_EQ(
      serve_with(R"([{"on": "*", "latency": {"add": "1s"}}, {"on": "*", "hang": true}])").complete,
      forever);
}

TEST(LatencyFault, MovesTheCutOfAStream) {
  const Plan plan = serve_with(R"([{"on": "*", "latency": {"multiply": 2, "add": "1s"}},
                     {"on": "*", "error": "stream_truncated", "after_share": 0.5}])");
  EXPECT_EQ(plan.first_byte, 1200ms);
  EXPECT_EQ(plan.complete, 1300ms);
}

TEST(LatencyFault, HitsItsShareIndependentlyOfErrors) {
  World world(Scene{.faults = R"([{"on": "*", "error": "server_error", "share": 0.5},
                                  {"on": "*", "latency": {"add": "1s"}, "share": 0.5}])"});
  int slow[2] = {0, 0};
  for (CallId call = 0; call < 20'000; ++call) {
    const Plan plan = world.serve(request(call), 0s);
    if (plan.complete >= 1s) ++slow[plan.kind == OutcomeKind::success];
  }
  EXPECT_NEAR(slow[0], 5'000, 430);
  EXPECT_NEAR(slow[1], 5'000, 430);
  EXPECT_EQ(world.provider().count(1).matched, 20'000u);
  EXPECT_EQ(world.provider().count(1).injected, static_cast<std::uint64_t>(slow[0] + slow[1]));
}

TEST(LatencyFault, CanHitTheFirstRequestsOnly) {
  World world(Scene{.faults = R"([{"on": "*", "latency": {"add": "1s"}, "first": 1}])"});
  EXPECT_EQ(world.serve(request(1), 0s).first_byte, 1100ms);
  EXPECT_EQ(world.serve(request(2), 0s).first_byte, 100ms);
}

TEST(LatencyFault, DrawsItsDistributionPerRequest) {
  const std::string faults =
      R"([{"on": "*", "latency": {"add": {"uniform": {"min": "1s", "max": "2s"}}}}])";
  World world(Scene{.faults = faults});
  Duration least = forever;
  Duration most{};
  for (CallId call = 0; call < 1'000; ++call) {
    const Duration first = world.serve(request(call), 0s).first_byte;
    least = std::min(least, first);
    most = std::max(most, first);
  }
  EXPECT_GE(least, 1100ms);
  EXPECT_LT(least, 1150ms);
  EXPECT_GT(most, 2050ms);
  EXPECT_LE(most, 2100ms);
}

TEST(LatencyFault, AnotherOneDoesNotMoveTheDrawsOfTheFirst) {
  const std::string one = R"({"on": "*", "latency": {"add": {"exponential": {"mean": "1s"}}}})";
  World alone(Scene{.faults = "[" + one + "]"});
  World together(Scene{.faults = "[" + one + R"(, {"on": "*", "latency": {"add": "5s"}}])"});
  for (CallId call = 0; call < 100; ++call) {
    EXPECT_EQ(alone.serve(request(call), 0s).first_byte + 5s,
              together.serve(request(call), 0s).first_byte);
  }
}

TEST(LatencyFault, ExtremesSaturateInsteadOfOverflowing) {
  const Plan plan = serve_with(R"([{"on": "*", "latency": {"multiply": 1000000, "add": "365d"}},
                                   {"on": "*", "latency": {"multiply": 1000000, "add": "365d"}},
                                   {"on": "*", "latency": {"multiply": 1000000, "add": "365d"}}])");
  EXPECT_EQ(plan.complete, Duration{Distribution::max_value});
  EXPECT_LE(plan.first_byte, plan.complete);
}

}  // namespace
}  // namespace brownout::mock
