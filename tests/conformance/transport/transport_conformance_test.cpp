// One engine, two transports: whatever may become of an attempt, the simulator's and the one over
// HTTP tell the same of it.
//
// All cases of the table are played at once, so that their limits pass together, and then looked at
// one by one. Virtual time is kept exactly. Real time is never early, but as late as the machine
// likes: what is compared there is what came, and that it came in time.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "mockserver/wire/completion.hpp"
#include "tests/conformance/transport/cases.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;

constexpr Duration late_at_most = 1min;  // of the script's

const Played& played(World world) {
  static std::map<World, Played> all;
  if (!all.contains(world)) {
    std::vector<Part> parts;
    for (const Case& one : cases()) parts.push_back(one.part);
    all[world] = play(world, parts);
  }
  return all[world];
}

class BothTransports : public ::testing::TestWithParam<std::tuple<World, std::size_t>> {
 protected:
  World world() const { return std::get<0>(GetParam()); }
  const Case& expected_case() const { return cases()[std::get<1>(GetParam())]; }
  const Seen& seen() const { return played(world()).seen[std::get<1>(GetParam())]; }

  void expect_at(Duration seen, Duration expected) const {
    if (expected == forever || world() == World::simulated) {
      EXPECT_EQ(format_duration(seen), format_duration(expected));
      return;
    }
    // Who waits for another has waited less when it came late.
    const bool follows = expected_case().part.after_previous.has_value();
    EXPECT_GE(seen, expected - (follows ? this->seen().late : 0s));
    EXPECT_LE(seen - expected, late_at_most);
  }

  void expect_bill(const Outcome& outcome, const Expected& wanted) const {
    Expected::Told bill{wanted.input, wanted.output};
    if (carries_text(world())) bill = wanted.told.value_or(bill);
    EXPECT_EQ(outcome.billed_input_tokens, bill.input);
    EXPECT_EQ(outcome.billed_output_tokens, bill.output);
    if (!outcome.ok()) return;
    EXPECT_EQ(outcome.reply.input_tokens, wanted.input);
    EXPECT_EQ(outcome.reply.output_tokens, wanted.output);
  }

  // A bucket goes on filling while the machine is late, for the first request or the second.
  void expect_limit(const RateLimit& limit, const RateLimit& wanted) const {
    EXPECT_EQ(limit.limit, wanted.limit);
    EXPECT_EQ(limit.remaining, wanted.remaining);
    if (world() == World::simulated || wanted.reset_ns < 0) {
      EXPECT_EQ(limit.reset_ns, wanted.reset_ns);
      return;
    }
    const Duration off{limit.reset_ns - wanted.reset_ns};
    EXPECT_LE(std::chrono::abs(off), late_at_most);
  }

  void expect_text(const Outcome& outcome, const Expected& wanted) const {
    if (!carries_text(world())) return;
    const std::size_t call = std::get<1>(GetParam());
    const bool speaks = outcome.committed || outcome.ok();
    const std::string text = mock::wire::completion_text(call, speaks ? wanted.output : 0);
    if (outcome.ok()) {
      EXPECT_EQ(*outcome.reply.text, text);
    }
    if (seen().pieces > 0) {
      EXPECT_EQ(seen().text, text);
    }
  }
};

TEST_P(BothTransports, TellTheSameOf) {
  const Expected& wanted = expected_case().expected;
  EXPECT_EQ(seen().breaches, std::vector<std::string>{});
  ASSERT_TRUE(seen().outcome);
  const Outcome& outcome = *seen().outcome;
  EXPECT_EQ(to_string(outcome.kind), to_string(wanted.kind));
  EXPECT_EQ(outcome.status, wanted.status);
  EXPECT_EQ(outcome.retry_after, wanted.retry_after);
  EXPECT_EQ(outcome.should_retry, wanted.should_retry);
  EXPECT_FALSE(outcome.refused);
  expect_at(seen().ended, wanted.at);
  expect_at(seen().first_output, wanted.first_output);
  expect_bill(outcome, wanted);
  expect_limit(outcome.limits.requests, wanted.limits.requests);
  expect_limit(outcome.limits.tokens, wanted.limits.tokens);
  expect_text(outcome, wanted);
}

INSTANTIATE_TEST_SUITE_P(Outcomes, BothTransports,
                         ::testing::Combine(::testing::Values(World::simulated, World::real),
                                            ::testing::Range(std::size_t{0}, cases().size())),
                         [](const auto& one) {
                           return cases()[std::get<1>(one.param)].part.name + "_" +
                                  name_of(std::get<0>(one.param));
                         });

class EachTransport : public ::testing::TestWithParam<World> {};

// A new kind of outcome fails here until the table has a case of it, or an engine refuses by it in
// refusals_conformance_test.cpp.
TEST_P(EachTransport, ComesToEveryKindOfOutcomeThatIsNotTheEnginesOwn) {
  std::set<OutcomeKind> reached;
  for (const Seen& one : played(GetParam()).seen) {
    if (one.outcome) reached.insert(one.outcome->kind);
  }
  for (std::size_t i = 0; i < outcome_kind_count; ++i) {
    const auto kind = static_cast<OutcomeKind>(i);
    const bool ours = is_own_refusal(kind) || kind == OutcomeKind::deadline_exceeded;
    EXPECT_EQ(reached.contains(kind), !ours) << to_string(kind);
  }
}

TEST_P(EachTransport, LeavesNothingBehind) {
  EXPECT_EQ(played(GetParam()).leftovers, std::vector<std::string>{});
  EXPECT_EQ(played(GetParam()).files_left, 0);
}

INSTANTIATE_TEST_SUITE_P(Outcomes, EachTransport, ::testing::Values(World::simulated, World::real),
                         [](const auto& one) { return name_of(one.param); });

}  // namespace
}  // namespace brownout::testing
