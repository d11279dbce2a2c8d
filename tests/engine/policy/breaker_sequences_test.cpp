// Sequences of events against the breaker: all short ones, and long random ones.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "engine/policy_file/describe_breaker.hpp"
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
  for (const LateResults late_results : {LateResults::ignored, LateResults::extend_open,
                                         LateResults::counted, LateResults::unless_open}) {
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

using Step = std::pair<std::size_t, std::int64_t>;

rc::Gen<std::vector<Step>> steps(std::size_t commands, std::int64_t seconds_max) {
  const auto step = rc::gen::pair(
      rc::gen::weightedOneOf<std::size_t>(
          {{3, rc::gen::just<std::size_t>(0)}, {5, rc::gen::inRange<std::size_t>(1, commands)}}),
      rc::gen::inRange<std::int64_t>(0, seconds_max));
  return rc::gen::scale(5, rc::gen::container<std::vector<Step>>(step));
}

void follow(const BreakerOptions& options, const std::vector<Step>& commands) {
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

// Longer sequences over every size of option, shrunk to the shortest that fails.
RC_GTEST_PROP(BreakerProperty, RandomSequencesKeepTheLawsAsWell, ()) {
  BreakerOptions options;
  options.consecutive_failures = *rc::gen::inRange<std::uint32_t>(1, 5);
  options.close_after = *rc::gen::inRange<std::uint32_t>(1, 5);
  options.probes = *rc::gen::inRange<std::uint32_t>(0, 5);
  options.open_for = *rc::gen::element<Duration>(1ns, 1s, 60s);
  options.probe_lease = *rc::gen::element<Duration>(1ns, 17s, 60s, 10min);
  options.neutral_probes = *rc::gen::inRange<std::uint32_t>(0, 4);
  options.late_results = *rc::gen::element(LateResults::ignored, LateResults::extend_open,
                                           LateResults::counted, LateResults::unless_open);
  follow(options, *steps(breaker_command_count, 20));
}

BreakerOptions any_rules() {
  BreakerOptions options;
  const auto upto = [](std::uint32_t most) { return *rc::gen::inRange<std::uint32_t>(0, most); };
  const auto share = [] { return *rc::gen::element<std::uint32_t>(1, 200, 333, 500, 900, 1000); };
  if (*rc::gen::arbitrary<bool>()) {
    options.window_calls = 1 + upto(12);
  } else {
    options.window_time = *rc::gen::element<Duration>(10s, 30s, 101s);
  }
  options.consecutive_failures = upto(6);
  options.minimum_calls = 1 + upto(6);
  if (*rc::gen::arbitrary<bool>()) options.failure_per_mille = share();
  if (*rc::gen::arbitrary<bool>()) options.failures_in_window = 1 + upto(5);
  options.require_both = options.failure_per_mille != 0 && options.failures_in_window != 0 &&
                         *rc::gen::arbitrary<bool>();
  if (*rc::gen::arbitrary<bool>()) {
    options.slow_call = *rc::gen::element<Duration>(1s, 12s, 90s);
    options.slow_per_mille = share();
  }
  options.comparison =
      *rc::gen::element(BreakerOptions::Comparison::at_least, BreakerOptions::Comparison::above);
  options.evaluate =
      *rc::gen::element(BreakerOptions::Evaluate::failures, BreakerOptions::Evaluate::results);
  return options;
}

void draw_open_time(BreakerOptions& options) {
  OpenTimeOptions& open_time = options.open_time;
  options.open_for = *rc::gen::element<Duration>(1s, 7s, 60s);
  open_time.factor_per_mille = *rc::gen::element<std::uint32_t>(1000, 1500, 2000, 3333);
  open_time.add = *rc::gen::weightedElement<Duration>({{3, 0s}, {1, 9s}});
  open_time.max = *rc::gen::element<Duration>(60s, 100s, 300s);
  using Reset = OpenTimeOptions::Reset;
  open_time.reset = *rc::gen::element(Reset::on_close, Reset::after, Reset::step);
  open_time.obey_retry_after = *rc::gen::arbitrary<bool>();
  open_time.hint_max = *rc::gen::element<Duration>(10s, 300s);
}

void draw_half_open(BreakerOptions& options) {
  using Kind = CloseRule::Kind;
  CloseRule& rule = options.close_rule;
  rule.kind = *rc::gen::element(Kind::successes, Kind::m_of_n, Kind::ratio, Kind::ramp, Kind::none);
  rule.calls = *rc::gen::inRange<std::uint32_t>(1, 6);
  rule.successes = *rc::gen::inRange<std::uint32_t>(1, rule.calls + 1);
  rule.failure_per_mille = *rc::gen::element<std::uint32_t>(1, 300, 500, 999);
  rule.ramp = *rc::gen::element<Duration>(1s, 30s);
  rule.ramp_from_per_mille = *rc::gen::element<std::uint32_t>(1, 100, 1000);
  options.close_after = *rc::gen::inRange<std::uint32_t>(1, 4);
  options.probes = *rc::gen::inRange<std::uint32_t>(0, 5);
  options.probe_lease = *rc::gen::element<Duration>(1ns, 17s, 60s);
  options.neutral_probes = *rc::gen::inRange<std::uint32_t>(0, 4);
}

// Every rule with every other, and an operator who interferes.
RC_GTEST_PROP(BreakerProperty, AnyRulesUnderAnySequenceDoWhatTheModelDoes, ()) {
  BreakerOptions options = any_rules();
  draw_open_time(options);
  draw_half_open(options);
  options.late_results = *rc::gen::element(LateResults::ignored, LateResults::extend_open,
                                           LateResults::counted, LateResults::unless_open);
  follow(options, *steps(all_breaker_commands, 8));
}

// The same without the operator, who brings every sequence back to closed before it gets far.
RC_GTEST_PROP(BreakerProperty, AnyRulesLeftAloneDoWhatTheModelDoes, ()) {
  BreakerOptions options = any_rules();
  draw_open_time(options);
  draw_half_open(options);
  options.mode = *rc::gen::weightedElement<Breaker::Mode>({{8, Breaker::Mode::automatic},
                                                           {1, Breaker::Mode::disabled},
                                                           {1, Breaker::Mode::metrics_only}});
  const auto before_operator = static_cast<std::size_t>(isolate);
  follow(options, *steps(before_operator, 8));
}

}  // namespace
}  // namespace brownout::testing
