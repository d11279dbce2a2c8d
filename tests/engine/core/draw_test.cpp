#include "engine/core/draw.hpp"

#include <Random123/philox.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace brownout {
namespace {

using namespace std::chrono_literals;
using Philox = r123::Philox4x32;

constexpr std::size_t count_drawn = 5;

std::vector<std::uint64_t> first_of(Draws draws) {
  std::vector<std::uint64_t> words(count_drawn);
  std::generate(words.begin(), words.end(), [&] { return draws(); });
  return words;
}

// Known answers published with Random123 (kat_vectors, philox4x32 with 10 rounds).
TEST(Philox, GivesThePublishedAnswers) {
  Philox philox;
  EXPECT_EQ(philox(Philox::ctr_type{{0, 0, 0, 0}}, Philox::key_type{{0, 0}}),
            (Philox::ctr_type{{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}));
  constexpr std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox(Philox::ctr_type{{ones, ones, ones, ones}}, Philox::key_type{{ones, ones}}),
            (Philox::ctr_type{{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}));
  EXPECT_EQ(philox(Philox::ctr_type{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
                   Philox::key_type{{0xa4093822, 0x299f31d0}}),
            (Philox::ctr_type{{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}));
}

TEST(Draws, AreThePublishedAnswersLowWordFirst) {
  Draws draws(0, 0, 0);
  EXPECT_EQ(draws(), 0xe169c58d6627e8d5U);
  EXPECT_EQ(draws(), 0x9b00dbd8bc57ac4cU);
}

// Call, nth and block fill the counter and the family fills the key, each low half first.
TEST(Draws, PlaceTheAddressInCounterAndKey) {
  Draws draws(0x299f31d0a4093822U, 0x85a308d3243f6a88U, 0x13198a2e);
  Philox philox;
  const Philox::key_type key{{0xa4093822, 0x299f31d0}};
  for (std::uint32_t block = 0; block < 3; ++block) {
    const auto words = philox(Philox::ctr_type{{0x243f6a88, 0x85a308d3, 0x13198a2e, block}}, key);
    EXPECT_EQ(draws(), std::uint64_t{words[1]} << 32 | words[0]);
    EXPECT_EQ(draws(), std::uint64_t{words[3]} << 32 | words[2]);
  }
}

// Every digest of every scenario rests on these numbers.
TEST(DrawFamily, GivesThePinnedNumbers) {
  EXPECT_EQ(
      first_of(DrawFamily(1, Purpose::ttft, "openai/gpt-4").at(0)),
      (std::vector<std::uint64_t>{1151780012013826830U, 5908469981915941690U, 7177988725356804565U,
                                  18047648836240539245U, 15743673545404191179U}));
  EXPECT_EQ(first_of(DrawFamily(7, Purpose::backoff_jitter, "backup").at(123456789, 2)),
            (std::vector<std::uint64_t>{11970316467535912410U, 11577839340618770036U,
                                        8100628609981804979U, 15657180559870577958U,
                                        3469271938046922175U}));
}

RC_GTEST_PROP(DrawFamily, GivesTheSameNumbersAtTheSameAddress, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const auto call = *rc::gen::arbitrary<std::uint64_t>();
  const auto nth = *rc::gen::arbitrary<std::uint32_t>();
  const auto entity = *rc::gen::arbitrary<std::string>();
  const DrawFamily one(seed, Purpose::fault, entity);
  const DrawFamily other(seed, Purpose::fault, entity);
  const std::vector<std::uint64_t> expected = first_of(one.at(call, nth));
  first_of(other.at(call, nth + 1));  // draws elsewhere move nothing
  RC_ASSERT(first_of(other.at(call, nth)) == expected);
}

TEST(DrawFamily, GivesOtherNumbersAtEveryOtherAddress) {
  const DrawFamily family(1, Purpose::ttft, "openai/gpt-4");
  const auto base = first_of(family.at(10, 0));
  EXPECT_NE(first_of(family.at(11, 0)), base);
  EXPECT_NE(first_of(family.at(10, 1)), base);
  EXPECT_NE(first_of(family.at(10 + (std::uint64_t{1} << 32), 0)), base);
  EXPECT_NE(first_of(DrawFamily(1, Purpose::fault, "openai/gpt-4").at(10, 0)), base);
  EXPECT_NE(first_of(DrawFamily(1, Purpose::ttft, "openai/gpt-5").at(10, 0)), base);
  EXPECT_NE(first_of(DrawFamily(2, Purpose::ttft, "openai/gpt-4").at(10, 0)), base);
}

// Purposes and seeds that lie close together must not be mapped onto each other.
TEST(DrawFamily, SharesNoFirstWordBetweenSmallSeedsAndAllPurposes) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    for (std::uint32_t purpose = 1; purpose <= 15; ++purpose) {
      for (const char* entity : {"", "a", "openai/gpt-4"}) {
        seen.insert(DrawFamily(seed, static_cast<Purpose>(purpose), entity).at(0)());
      }
    }
  }
  EXPECT_EQ(seen.size(), 64U * 15 * 3);
}

TEST(Draws, BelowTakesOneWordAndScalesIt) {
  Draws words(9, 8, 7);
  Draws draws(9, 8, 7);
  __extension__ using Wide = unsigned __int128;
  for (const std::uint64_t bound : {1ULL, 2ULL, 1'000'000ULL, 1ULL << 63, ~0ULL}) {
    const std::uint64_t word = words();
    EXPECT_EQ(draws.below(bound), static_cast<std::uint64_t>(Wide{word} * bound >> 64)) << bound;
  }
}

TEST(Draws, BelowFillsItsRangeEvenly) {
  constexpr std::uint64_t bound = 10;
  constexpr int draws_made = 100'000;
  const DrawFamily family(3, Purpose::prompt, "test");
  std::vector<int> counts(bound);
  for (std::uint64_t call = 0; call < draws_made; ++call) ++counts.at(family.at(call).below(bound));
  // The numbers are fixed, so this cannot be flaky: five standard deviations are 474.
  for (const int count : counts) EXPECT_NEAR(count, draws_made / 10, 474);
}

TEST(Draws, BetweenReachesBothEndsAndNothingElse) {
  const DrawFamily family(1, Purpose::tie, "ends");
  std::set<Duration> seen;
  for (std::uint64_t call = 0; call < 200; ++call) seen.insert(family.at(call).between(3ns, 5ns));
  EXPECT_EQ(seen, (std::set<Duration>{3ns, 4ns, 5ns}));
}

TEST(Draws, BetweenEqualEndsIsThatEndAndStillTakesOneWord) {
  Draws words(1, 2, 3);
  Draws draws(1, 2, 3);
  EXPECT_EQ(draws.between(7s, 7s), 7s);
  words();
  EXPECT_EQ(draws(), words());
}

RC_GTEST_PROP(Draws, BetweenStaysWithinItsEnds, ()) {
  const auto ends = *rc::gen::pair(rc::gen::nonNegative<int>(), rc::gen::positive<int>());
  const Duration low{ends.first};
  const Duration high = low + Duration{ends.second};
  Draws draws(*rc::gen::arbitrary<std::uint64_t>(), 0, 0);
  for (int i = 0; i < 20; ++i) {
    const Duration drawn = draws.between(low, high);
    RC_ASSERT(low <= drawn && drawn <= high);
  }
}

TEST(Draws, BetweenCoversTheWholeRangeOfDurations) {
  Draws draws(1, 1, 1);
  for (int i = 0; i < 100; ++i) EXPECT_GE(draws.between(0ns, forever), 0ns);
}

TEST(Draws, ChanceOfNothingIsNeverAndOfAllIsAlways) {
  Draws draws(5, 5, 5);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(draws.chance(0));
    EXPECT_TRUE(draws.chance(1'000'000));
  }
}

TEST(Draws, ChanceIsMetAboutAsOftenAsItSays) {
  const DrawFamily family(1, Purpose::fault, "collapse");
  int met = 0;
  for (std::uint64_t call = 0; call < 100'000; ++call)
    met += family.at(call).chance(30'000) ? 1 : 0;
  EXPECT_NEAR(met, 3'000, 270);  // five standard deviations
}

TEST(DrawsDeathTest, BelowZeroAndBetweenReversedEndsAreBugs) {
  Draws draws(0, 0, 0);
  EXPECT_EXIT(draws.below(0), testing::ExitedWithCode(70), "bound > 0 does not hold");
  EXPECT_EXIT(draws.between(2s, 1s), testing::ExitedWithCode(70), "low <= high does not hold");
}

}  // namespace
}  // namespace brownout
