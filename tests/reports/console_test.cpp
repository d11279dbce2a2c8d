#include "reports/console.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/reports/results.hpp"
#include "tests/support/golden.hpp"

namespace brownout::reports {
namespace {

using namespace testing;

const std::string replay = "brownout run scenarios/by-hand.json --seed 42";

TEST(Console, SummaryOfAPass) {
  brownout::testing::expect_golden("console-passed.txt",
                                   console_summary(passing(), {.color = false, .replay = replay}));
}

TEST(Console, SummaryOfAFailure) {
  brownout::testing::expect_golden("console-failed.txt",
                                   console_summary(failing(), {.color = false, .replay = replay}));
}

TEST(Console, SummaryOfARunWithoutData) {
  brownout::testing::expect_golden(
      "console-undecided.txt", console_summary(undecided(), {.color = false, .replay = replay}));
}

TEST(Console, SummaryOfADeadlock) {
  brownout::testing::expect_golden(
      "console-deadlock.txt", console_summary(deadlocked(), {.color = false, .replay = replay}));
}

TEST(Console, ColorsMarkVerdictsAndNothingElse) {
  const std::string plain = console_summary(failing(), {.color = false, .replay = ""});
  std::string colored = console_summary(failing(), {.color = true, .replay = ""});
  EXPECT_NE(colored.find("\033[31;1mFAIL\033[0m"), std::string::npos);
  EXPECT_EQ(plain.find('\033'), std::string::npos);
  for (std::size_t begin; (begin = colored.find('\033')) != std::string::npos;) {
    colored.erase(begin, colored.find('m', begin) - begin + 1);
  }
  EXPECT_EQ(colored, plain);
}

TEST(Console, OneLineForTheVerdict) {
  const auto verdict = [](const RunResult& result) { return console_verdict(result, {}); };
  EXPECT_EQ(verdict(passing()), "PASS  by-hand  with policy two-routes: 2 of 2 expectations met\n");
  EXPECT_EQ(verdict(failing()), "FAIL  by-hand  with policy two-routes: 1 of 3 expectations met\n");
  EXPECT_EQ(verdict(undecided()),
            "NO VERDICT  by-hand  with policy two-routes: 0 of 1 expectations met\n");
  EXPECT_EQ(verdict(deadlocked()),
            "NO VERDICT  by-hand  with policy two-routes: deadlock; 0 of 1 expectations met\n");
  EXPECT_EQ(verdict(over_http(passing())),
            "PASS  by-hand  with policy two-routes, over HTTP, 5 times as fast: 2 of 2 "
            "expectations met\n");
  EXPECT_EQ(verdict(over_http(passing(), 1)),
            "PASS  by-hand  with policy two-routes, over HTTP in real time: 2 of 2 "
            "expectations met\n");
  RunResult silent = passing();
  silent.expectations.clear();
  EXPECT_EQ(verdict(silent), "PASS  by-hand  with policy two-routes: nothing was expected\n");
}

TEST(Console, TheReplayIsOfferedWhenSomethingFailed) {
  const auto offers = [](const RunResult& result) {
    return console_summary(result, {.color = false, .replay = replay}).find("replay: " + replay) !=
           std::string::npos;
  };
  EXPECT_FALSE(offers(passing()));
  EXPECT_TRUE(offers(failing()));
  EXPECT_TRUE(offers(deadlocked()));
}

TEST(Console, SpeedIsOfTheWholeRun) {
  EXPECT_EQ(console_speed(passing(), 914ms), "  2h00m simulated in 0.91 s (1.2 M events)\n");
}

TEST(Console, FewEventsAreCounted) {
  sim::RunResult small = passing();
  small.events = 21'034;
  EXPECT_EQ(console_speed(small, 1ms), "  2h00m simulated in 0.00 s (21,034 events)\n");
}

}  // namespace
}  // namespace brownout::reports
