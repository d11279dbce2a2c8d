#include "reports/gate/baseline.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/reports/suites.hpp"
#include "tests/support/golden.hpp"

namespace brownout::reports {
namespace {

using namespace testing;

TEST(Baseline, IsALineForEachScenarioAndSeed) {
  brownout::testing::expect_golden("baseline.json", to_text(baseline_of(mixed_suites())));
}

TEST(Baseline, ReadsWhatItWrites) {
  const Baseline written = baseline_of(mixed_suites());
  const auto read = parse_baseline("b.json", to_text(written));
  ASSERT_TRUE(read) << read.error().front().to_string();
  EXPECT_EQ(to_text(*read), to_text(written));
  EXPECT_EQ(read->policy, "two-routes");
  EXPECT_EQ(read->scenarios, written.scenarios);
}

TEST(Baseline, IsSortedAndLeavesOutWhatDidNotComplete) {
  RunResult broken = steady(3);
  broken.end = sim::RunEnd::deadlock;
  const Baseline baseline = baseline_of(suites_of({steady(2), failing(), steady(1), broken}));
  ASSERT_EQ(baseline.scenarios.size(), 2U);
  EXPECT_EQ(baseline.scenarios[0].name, "by-hand");
  ASSERT_EQ(baseline.scenarios[1].runs.size(), 2U);
  EXPECT_EQ(baseline.scenarios[1].runs[0].seed, 1U);
  EXPECT_NE(baseline.find("steady"), nullptr);
  EXPECT_EQ(baseline.find("another"), nullptr);
}

std::string complaint(const std::string& scenarios) {
  const auto read = parse_baseline(
      "b.json", R"({"kind": "baseline", "version": 1, "policy": "p", "policy_digest": )"
                R"("0000000000000001", "scenarios": [)" +
                    scenarios + "]}");
  return read ? "" : read.error().front().message;
}

std::string scenario(const std::string& seeds) {
  return R"({"scenario": "s", "digest": "00000000000000ff", "measures": ["calls", "cost"], )"
         R"("seeds": [)" +
         seeds + "]}";
}

TEST(Baseline, SaysWhatIsWrongWithAFile) {
  const std::string good = R"({"seed": 1, "digest": "0000000000000001", "values": [1, [1, 2]]})";
  EXPECT_EQ(complaint(scenario(good)), "");
  EXPECT_EQ(complaint(scenario(good + "," + good)), "seed 1 is there twice");
  EXPECT_EQ(complaint(scenario(good) + "," + scenario(good)), "scenario s is there twice");
  EXPECT_EQ(complaint(scenario(R"({"seed": 1, "digest": "1", "values": [1, null]})")),
            "this is no digest");
  EXPECT_EQ(complaint(scenario(R"({"seed": 1, "digest": "0000000000000001", "values": [1]})")),
            "1 values for 2 measures");
  EXPECT_EQ(
      complaint(scenario(R"({"seed": 1, "digest": "0000000000000001", "values": [1, "soon"]})")),
      "this is no value");
  EXPECT_NE(
      complaint(scenario(R"({"seed": 1, "digest": "0000000000000001", "values": [1, [1, 0]]})")),
      "");
  EXPECT_NE(complaint(scenario(R"({"seed": -1, "digest": "0000000000000001", "values": [1, 2]})")),
            "");
}

TEST(Baseline, AnotherKindOfFileIsNone) {
  const auto read = parse_baseline("b.json", R"({"kind": "policy", "version": 1})");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().front().message, "this file is a policy, not a baseline");
  EXPECT_FALSE(parse_baseline("b.json", "[]"));
  EXPECT_FALSE(parse_baseline("b.json", ""));
  EXPECT_EQ(load_baseline("no/such/file").error().front().kind, ErrorKind::environment);
}

}  // namespace
}  // namespace brownout::reports
