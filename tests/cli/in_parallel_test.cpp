#include "cli/in_parallel.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/fleet.hpp"
#include "cli/seed_range.hpp"

namespace brownout::cli {
namespace {

RC_GTEST_PROP(InParallel, EverythingIsDoneOnceAndToldInOrder, ()) {
  const auto count = *rc::gen::inRange<std::size_t>(0, 300);
  const auto jobs = *rc::gen::inRange<std::size_t>(1, 9);
  std::vector<std::atomic<int>> worked(count);
  std::vector<std::size_t> told;
  in_parallel(
      count, jobs, [&](std::size_t i) { ++worked[i]; },
      [&](std::size_t i) {
        told.push_back(i);
        return true;
      });
  RC_ASSERT(told.size() == count);
  RC_ASSERT(std::ranges::is_sorted(told));
  RC_ASSERT(std::ranges::all_of(worked, [](const auto& times) { return times == 1; }));
}

TEST(InParallel, StopsWhereItIsTold) {
  std::atomic<std::size_t> worked = 0;
  std::size_t told = 0;
  in_parallel(
      100'000, 4, [&](std::size_t) { ++worked; }, [&](std::size_t) { return ++told < 10; });
  EXPECT_EQ(told, 10U);
  EXPECT_LT(worked, 1'000U) << "threads run only so far ahead";
}

TEST(InParallel, AnExceptionComesInItsTurn) {
  std::vector<std::size_t> told;
  const auto work = [](std::size_t i) {
    if (i == 5) throw std::runtime_error("the fifth");
  };
  const auto done = [&](std::size_t i) {
    told.push_back(i);
    return true;
  };
  for (const std::size_t jobs : {1U, 3U}) {
    told.clear();
    EXPECT_THROW(in_parallel(20, jobs, work, done), std::runtime_error);
    EXPECT_EQ(told, (std::vector<std::size_t>{0, 1, 2, 3, 4}));
  }
}

TEST(InParallel, DoneMayThrowAsWell) {
  EXPECT_THROW(in_parallel(
                   50, 3, [](std::size_t) {},
                   [](std::size_t i) -> bool {
                     if (i == 3) throw std::runtime_error("no more");
                     return true;
                   }),
               std::runtime_error);
}

// Runs of one flight share its policy and its scenario, and nothing else.
TEST(Fleet, RunsOnSeveralThreadsAreThoseOnOne) {
  const auto flights =
      load_flights({{"scenarios/templates/rate-limit.json", "scenarios/templates/storm.json"},
                    "scenarios/policies/recommended.json",
                    {},
                    false});
  ASSERT_TRUE(flights) << flights.error().front().to_string();
  const auto digests = [&](std::size_t jobs) {
    std::vector<std::uint64_t> found;
    fly(*flights, every_seed(flights->size(), {1, 2}), {jobs, true, nullptr}, [&](Flown&& flown) {
      found.push_back(flown.result.semantic_digest);
      found.push_back(flown.result.schedule_digest);
      return true;
    });
    return found;
  };
  const auto one = digests(1);
  EXPECT_EQ(one.size(), 8U);
  EXPECT_EQ(digests(4), one);
}

TEST(Fleet, FliesEachFlightWithEachSeed) {
  const std::vector<Sortie> sorties = every_seed(2, {7, 9});
  ASSERT_EQ(sorties.size(), 6U);
  EXPECT_EQ(sorties[2].flight, 0U);
  EXPECT_EQ(sorties[2].seed, 9U);
  EXPECT_EQ(sorties[3].flight, 1U);
  EXPECT_EQ(sorties[3].seed, 7U);
}

std::string complaint(const std::string& text) {
  const auto range = parse_seed_range(text);
  return range ? "" : range.error().front().message;
}

TEST(SeedRange, IsOneSeedOrTwoEnds) {
  EXPECT_EQ(parse_seed_range("7")->size(), 1U);
  EXPECT_EQ(parse_seed_range("1..20")->size(), 20U);
  EXPECT_EQ((*parse_seed_range("5..9"))[4], 9U);
  EXPECT_EQ(parse_seed_range("0..999999")->size(), 1'000'000U);
  EXPECT_EQ(complaint("0..1000000"), "--seeds 0..1000000: at most 1000000 seeds can be run");
  EXPECT_EQ(complaint("9..1"), "--seeds 9..1: the range is reversed; did you mean 1..9?");
  for (const char* text : {"", "..", "1..", "..2", "1...2", "-1", "+1", "1..2..3", "a", " 1"}) {
    EXPECT_NE(complaint(text), "") << text;
  }
}

}  // namespace
}  // namespace brownout::cli
