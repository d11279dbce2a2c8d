// Sequences of events against the breaker: all short ones, and long random ones.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/support/engine/breaker_pair.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum BreakerCommand;
using LateResults = BreakerOptions::LateResults;

constexpr std::size_t longest = 6;

// A lease shorter than the open period, and so that no sum of the three steps of time hits a
// boundary by chance: only `pass_open_for` and `pass_lease` do.
BreakerOptions small(std::uint32_t close_after, std::uint32_t probes, LateResults late_results) {
  return {.consecutive_failures = 2,
          .open_for = 60s,
          .close_after = close_after,
          .probes = probes,
          .probe_lease = 17s,
          .late_results = late_results};
}

class EverySequence {
 public:
  /// Follows every sequence of at most `length` commands from where `pair` stands.
  void follow(const BreakerPair& pair, std::size_t length, std::size_t depth = 0) {
    for (std::size_t i = 0; i < breaker_command_count && wrong_.empty(); ++i) {
      const auto command = static_cast<BreakerCommand>(i);
      if (!pair.can(command)) continue;
      path_[depth] = command;
      BreakerPair next = pair;
      const char* wrong = next.apply(command);
      if (wrong == nullptr) wrong = next.heals();
      ++steps_;
      reached_[static_cast<std::size_t>(next.breaker().state())] = true;
      if (wrong != nullptr) return blame(wrong, depth);
      if (depth + 1 < length) follow(next, length, depth + 1);
    }
  }

  const std::string& wrong() const { return wrong_; }
  std::uint64_t steps() const { return steps_; }
  bool reached_every_state() const { return reached_[0] && reached_[1] && reached_[2]; }

 private:
  void blame(const char* wrong, std::size_t depth) {
    wrong_ = std::string(wrong) + " after:";
    for (std::size_t i = 0; i <= depth; ++i) {
      wrong_ += " " + std::string(to_string(path_[i]));
    }
  }

  std::array<BreakerCommand, longest> path_{};
  std::array<bool, 3> reached_{};
  std::uint64_t steps_ = 0;
  std::string wrong_;
};

struct Start {
  const char* name;
  std::vector<BreakerCommand> prefix;
  std::size_t length;
};

// The last two stand where six events from new hardly get: a call of an earlier state is still out.
const std::array<Start, 3> starts{
    {{"new", {}, longest},
     {"just opened", {acquire, acquire, acquire, newest_fails, newest_fails}, longest},
     {"half-open",
      {acquire, acquire, acquire, newest_fails, newest_fails, pass_open_for, acquire},
      longest - 1}}};

class BreakerSequences : public ::testing::TestWithParam<std::size_t> {};

TEST_P(BreakerSequences, OfUpToSixEventsAllKeepTheLaws) {
  const Start& start = starts[GetParam()];
  for (const LateResults late_results :
       {LateResults::ignored, LateResults::extend_open, LateResults::counted}) {
    for (const std::uint32_t close_after : {1U, 2U}) {
      for (const std::uint32_t probes : {1U, 2U, 0U}) {
        const BreakerOptions options = small(close_after, probes, late_results);
        BreakerPair pair(options);
        for (const BreakerCommand command : start.prefix) {
          ASSERT_EQ(pair.apply(command), nullptr) << start.name;
        }
        EverySequence every;
        every.follow(pair, start.length);
        EXPECT_EQ(every.wrong(), "") << describe(options) << ", from " << start.name;
        EXPECT_TRUE(every.reached_every_state()) << describe(options) << ", from " << start.name;
        EXPECT_GT(every.steps(), 10'000U);
        RecordProperty("steps", static_cast<int>(every.steps()));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(From, BreakerSequences, ::testing::Range<std::size_t>(0, starts.size()));

// Longer sequences over every size of option, shrunk to the shortest that fails.
RC_GTEST_PROP(BreakerProperty, RandomSequencesKeepTheLawsAsWell, ()) {
  BreakerOptions options;
  options.consecutive_failures = *rc::gen::inRange<std::uint32_t>(1, 5);
  options.close_after = *rc::gen::inRange<std::uint32_t>(1, 5);
  options.probes = *rc::gen::inRange<std::uint32_t>(0, 5);
  options.open_for = *rc::gen::element<Duration>(1ns, 1s, 60s);
  options.probe_lease = *rc::gen::element<Duration>(1ns, 17s, 60s, 10min);
  options.late_results =
      *rc::gen::element(LateResults::ignored, LateResults::extend_open, LateResults::counted);
  using Step = std::pair<std::size_t, std::int64_t>;
  const auto step =
      rc::gen::pair(rc::gen::weightedOneOf<std::size_t>(
                        {{3, rc::gen::just<std::size_t>(0)},
                         {5, rc::gen::inRange<std::size_t>(1, breaker_command_count)}}),
                    rc::gen::inRange<std::int64_t>(0, 20));
  const auto commands = *rc::gen::scale(5, rc::gen::container<std::vector<Step>>(step));
  BreakerPair pair(options);
  for (const auto& [number, seconds] : commands) {
    const auto command = static_cast<BreakerCommand>(number);
    if (!pair.can(command)) continue;
    const char* wrong = pair.pass(std::chrono::seconds{seconds});
    if (wrong == nullptr) wrong = pair.apply(command);
    if (wrong == nullptr) wrong = pair.heals();
    if (wrong != nullptr) {
      RC_FAIL(std::string(wrong) + " at " + std::string(to_string(command)) + ", " +
              describe(options));
    }
  }
}

}  // namespace
}  // namespace brownout::testing
