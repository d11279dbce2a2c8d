#include "engine/core/outcome.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace brownout {
namespace {

using enum OutcomeKind;

std::vector<OutcomeKind> every_kind() {
  std::vector<OutcomeKind> kinds;
  for (std::size_t i = 0; i < outcome_kind_count; ++i) {
    kinds.push_back(static_cast<OutcomeKind>(i));
  }
  return kinds;
}

std::set<OutcomeKind> failures_in(const OutcomeSet& set) {
  std::set<OutcomeKind> kinds;
  for (const OutcomeKind kind : every_kind()) {
    if (set.contains(kind)) kinds.insert(kind);
  }
  return kinds;
}

Outcome served(Served by) {
  Outcome outcome;
  outcome.served = by;
  return outcome;
}

TEST(OutcomeKind, EveryNameIsReadBack) {
  for (const OutcomeKind kind : every_kind()) {
    EXPECT_EQ(parse_outcome_kind(to_string(kind)), kind) << to_string(kind);
  }
}

TEST(OutcomeKind, NamesAreTheSpellingOfTheEnumerators) {
  EXPECT_EQ(to_string(success), "success");
  EXPECT_EQ(to_string(daily_limited), "daily_limited");
  EXPECT_EQ(to_string(bad_gateway), "bad_gateway");
  EXPECT_EQ(to_string(stream_truncated), "stream_truncated");
  EXPECT_EQ(to_string(invalid_request), "invalid_request");
  EXPECT_EQ(to_string(cancelled), "cancelled");
}

TEST(OutcomeKind, UnknownNamesAreNotRead) {
  for (const char* text : {"", "rate_limit", "RATE_LIMITED", "rate_limited ", "429"}) {
    EXPECT_EQ(parse_outcome_kind(text), std::nullopt) << text;
  }
}

TEST(Classify, TellsTheFiveMeaningsOf429Apart) {
  EXPECT_EQ(classify(rate_limited), ErrorClass::retryable);
  EXPECT_EQ(classify(slow_down), ErrorClass::retryable);
  EXPECT_EQ(classify(request_too_large), ErrorClass::non_retryable);
  EXPECT_EQ(classify(quota_exhausted), ErrorClass::critical);
  EXPECT_EQ(classify(daily_limited), ErrorClass::non_retryable);
}

TEST(Blame, ALimitThatPassesByWaitingIsNoSignOfIllHealth) {
  EXPECT_EQ(blame(rate_limited), Blame::neutral);
  EXPECT_EQ(blame(slow_down), Blame::neutral);
  EXPECT_EQ(blame(request_too_large), Blame::neutral);
  EXPECT_EQ(blame(quota_exhausted), Blame::provider);
  EXPECT_EQ(blame(daily_limited), Blame::provider);
}

TEST(Blame, SuccessAndDecisionsOfOursBlameNobody) {
  for (const OutcomeKind kind : {success, breaker_open, cancelled}) {
    EXPECT_EQ(blame(kind), Blame::neutral) << to_string(kind);
  }
}

TEST(Classify, TroubleOfTheProviderOrTheWireMayPass) {
  for (const OutcomeKind kind : {overloaded, server_error, bad_gateway, connection, timed_out,
                                 malformed_reply, stream_truncated}) {
    EXPECT_EQ(classify(kind), ErrorClass::retryable) << to_string(kind);
    EXPECT_EQ(blame(kind), Blame::provider) << to_string(kind);
  }
}

TEST(Classify, AccountsAndKeysAreCritical) {
  EXPECT_EQ(failures_in(OutcomeSet::of(ErrorClass::critical)),
            (std::set{quota_exhausted, authentication, permission}));
}

TEST(ClassifyDeathTest, SuccessHasNoClass) {
  EXPECT_EXIT(classify(success), testing::ExitedWithCode(70), "success does not hold");
}

TEST(ErrorClass, NamesAreTheSpellingOfTheEnumerators) {
  EXPECT_EQ(to_string(ErrorClass::retryable), "retryable");
  EXPECT_EQ(to_string(ErrorClass::non_retryable), "non_retryable");
  EXPECT_EQ(to_string(ErrorClass::critical), "critical");
}

TEST(EndOf, FollowsWhereTheAnswerCameFrom) {
  EXPECT_EQ(end_of(served(Served::live)), CallEnd::success);
  EXPECT_EQ(end_of(served(Served::shared)), CallEnd::success);
  EXPECT_EQ(end_of(served(Served::cached)), CallEnd::cached);
  EXPECT_EQ(end_of(served(Served::fallback)), CallEnd::degraded);
  EXPECT_EQ(end_of(served(Served::stale)), CallEnd::degraded);
  EXPECT_EQ(end_of(Outcome::failure(timed_out)), CallEnd::failed);
}

TEST(EndOf, HasANameForEachEnd) {
  EXPECT_EQ(to_string(CallEnd::success), "success");
  EXPECT_EQ(to_string(CallEnd::cached), "cached");
  EXPECT_EQ(to_string(CallEnd::degraded), "degraded");
  EXPECT_EQ(to_string(CallEnd::failed), "failed");
}

TEST(OutcomeSet, NoneHoldsNothingAndAnyHoldsEveryFailure) {
  EXPECT_EQ(failures_in(OutcomeSet::none()), std::set<OutcomeKind>{});
  EXPECT_EQ(failures_in(OutcomeSet::any()).size(), outcome_kind_count - 1);
  EXPECT_FALSE(OutcomeSet::any().contains(success));
}

TEST(OutcomeSet, TheThreeClassesAreAllFailuresWithoutOverlap) {
  std::size_t total = 0;
  OutcomeSet all;
  for (const ErrorClass error_class :
       {ErrorClass::retryable, ErrorClass::non_retryable, ErrorClass::critical}) {
    total += failures_in(OutcomeSet::of(error_class)).size();
    all.add(OutcomeSet::of(error_class));
  }
  EXPECT_EQ(total, outcome_kind_count - 1);
  EXPECT_EQ(failures_in(all), failures_in(OutcomeSet::any()));
}

TEST(OutcomeSet, BlamedOnProviderIsExactlyWhatBlameSays) {
  for (const OutcomeKind kind : every_kind()) {
    EXPECT_EQ(OutcomeSet::blamed_on_provider().contains(kind), blame(kind) == Blame::provider)
        << to_string(kind);
  }
}

TEST(OutcomeSet, MatchesAStatusWhateverTheKind) {
  const OutcomeSet set = OutcomeSet::of({timed_out}).add_status(500, 502);
  EXPECT_TRUE(set.contains(Outcome::failure(server_error, 500)));
  EXPECT_TRUE(set.contains(Outcome::failure(bad_gateway, 502)));
  EXPECT_TRUE(set.contains(Outcome::failure(timed_out)));
  EXPECT_FALSE(set.contains(Outcome::failure(server_error, 499)));
  EXPECT_FALSE(set.contains(Outcome::failure(server_error, 503)));
  EXPECT_FALSE(set.contains(Outcome::failure(server_error)));
  EXPECT_FALSE(set.contains(server_error));  // a kind alone has no status
}

TEST(OutcomeSet, IgnoresStatusesNoServerShouldSend) {
  const OutcomeSet set = OutcomeSet{}.add_status(1, 599);
  EXPECT_TRUE(set.contains(Outcome::failure(server_error, 599)));
  EXPECT_FALSE(set.contains(Outcome::failure(server_error, 600)));
  EXPECT_FALSE(set.contains(Outcome::failure(server_error, 65535)));
}

TEST(OutcomeSet, AddingASetAddsKindsAndStatuses) {
  OutcomeSet set = OutcomeSet::of({rate_limited});
  set.add(OutcomeSet::of({overloaded}).add_status(529, 529));
  EXPECT_TRUE(set.contains(rate_limited));
  EXPECT_TRUE(set.contains(overloaded));
  EXPECT_TRUE(set.contains(Outcome::failure(server_error, 529)));
}

TEST(OutcomeSet, DescribesItself) {
  EXPECT_EQ(OutcomeSet::none().to_string(), "none");
  EXPECT_EQ(OutcomeSet::of({timed_out, rate_limited}).add_status(500, 599).to_string(),
            "rate_limited, timed_out, status 500-599");
  EXPECT_EQ(OutcomeSet{}.add_status(408, 408).add_status(598, 599).to_string(),
            "status 408, status 598-599");
}

TEST(OutcomeSetDeathTest, SuccessAndImpossibleStatusesAreBugs) {
  EXPECT_EXIT(OutcomeSet{}.add(success), testing::ExitedWithCode(70), "does not hold");
  EXPECT_EXIT(OutcomeSet{}.add_status(500, 499), testing::ExitedWithCode(70), "does not hold");
  EXPECT_EXIT(OutcomeSet{}.add_status(500, 600), testing::ExitedWithCode(70), "does not hold");
}

}  // namespace
}  // namespace brownout
