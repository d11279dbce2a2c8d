#include "mockserver/http/correlator.hpp"

#include <gtest/gtest.h>

#include "tests/mockserver/scripts.hpp"

namespace brownout::mock::http {
namespace {

using namespace std::chrono_literals;
using mock::testing::at;

struct Watched {
  std::vector<ServedCall> done;
  Correlator correlator{[this](const ServedCall& call) { done.push_back(call); }};

  Correlator::Attempt arrive(std::string_view body, std::string_view retries = "",
                             Duration when = 0s) {
    return correlator.arrive({.call = {},
                              .attempt = {},
                              .retry_count = retries,
                              .credential = "k",
                              .path = "/v1",
                              .body = body},
                             0, at(when));
  }
  Correlator::Attempt arrive_named(std::string_view call, ModelId model = 0) {
    return correlator.arrive({.call = call,
                              .attempt = {},
                              .retry_count = {},
                              .credential = "k",
                              .path = "/v1",
                              .body = "b"},
                             model, at(0s));
  }
  void end(const Correlator::Attempt& attempt, OutcomeKind outcome, Duration when = 1s,
           std::optional<Duration> retry_after = {}) {
    ServedAttempt served{.outcome = outcome, .arrived = at(0s), .ended = at(when)};
    served.retry_after = retry_after;
    correlator.ended(attempt, served);
  }
};

TEST(Correlator, TheSameBodyAfterAFailureIsTheNextTry) {
  Watched watched;
  const auto first = watched.arrive("a");
  watched.end(first, OutcomeKind::server_error);
  const auto second = watched.arrive("a", "", 2s);
  EXPECT_EQ(second.call, first.call);
  EXPECT_EQ(second.number, 2U);
  EXPECT_EQ(second.nth, 1U);
}

TEST(Correlator, TheSameBodyLongAfterAFailureIsAnotherCall) {
  // ends at 1 s           61 s     61 s + 1 ns: too late
  // ends, wait 10 s       71 s     71 s + 1 ns: too late
  for (const Duration told : {0s, 10s}) {
    Watched watched;
    const Duration last = 1s + told + content_window;
    const auto hint = told == 0s ? std::optional<Duration>{} : told;
    const auto begin = watched.arrive("a");
    watched.end(begin, OutcomeKind::rate_limited, 1s, hint);
    const auto in_time = watched.arrive("a", "", last);
    EXPECT_EQ(in_time.call, begin.call);
    EXPECT_EQ(watched.correlator.guessed(), 1U);
    watched.end(in_time, OutcomeKind::rate_limited, 1s, hint);
    const auto late = watched.arrive("a", "", last + 1ns);
    EXPECT_NE(late.call, begin.call);
    EXPECT_EQ(late.number, 1U);
    EXPECT_EQ(watched.correlator.guessed(), 1U);
    // What a client says itself holds at any time.
    watched.end(late, OutcomeKind::success, last + 2ns);
    EXPECT_EQ(watched.arrive("a", "2", 1h).call, begin.call);
  }
}

TEST(Correlator, TheSameBodyAfterASuccessOrBesideItIsAnotherCall) {
  Watched watched;
  const auto first = watched.arrive("a");
  const auto beside = watched.arrive("a");
  watched.end(first, OutcomeKind::success);
  watched.end(beside, OutcomeKind::success);
  const auto after = watched.arrive("a");
  EXPECT_NE(first.call, beside.call);
  EXPECT_NE(first.call, after.call);
  EXPECT_EQ(watched.correlator.calls(), 3U);
  EXPECT_EQ(watched.done.size(), 2U);
}

TEST(Correlator, CallsHaveTheSameNumbersWhateverComesBetween) {
  Watched one;
  Watched other;
  const auto a = one.arrive("a");
  const auto b = one.arrive("b");
  EXPECT_EQ(other.arrive("b").call, b.call);
  EXPECT_EQ(other.arrive("a").call, a.call);
}

TEST(Correlator, RetryCountsTellTriesOfConcurrentCallsApart) {
  // Two calls with one body; the first fails and comes back while the second is under way.
  Watched watched;
  const auto first = watched.arrive("a", "0");
  const auto second = watched.arrive("a", "0");
  EXPECT_NE(first.call, second.call);
  watched.end(first, OutcomeKind::server_error);
  watched.end(second, OutcomeKind::server_error);
  const auto again = watched.arrive("a", "1", 2s);
  const auto other = watched.arrive("a", "1", 2s);
  EXPECT_NE(again.call, other.call);
  EXPECT_EQ(again.number, 2U);
  EXPECT_EQ(watched.arrive("a", "0").number, 1U);
}

TEST(Correlator, ANumberTheClientGivesIsTheCalls) {
  Watched watched;
  const auto first = watched.arrive_named("17", 0);
  EXPECT_EQ(first.call, 17U);
  watched.end(first, OutcomeKind::server_error);
  const auto elsewhere = watched.arrive_named("17", 1);
  EXPECT_EQ(elsewhere.call, 17U);
  EXPECT_EQ(elsewhere.number, 2U);
  EXPECT_EQ(elsewhere.nth, 0U);  // the first at this model
}

TEST(Correlator, FindsWhatClientsHadBetterNotDo) {
  // a: tried again after 401. b: told to wait 5 s at 1 s, back at 3 s. c: back at 6 s.
  Watched watched;
  watched.end(watched.arrive("a"), OutcomeKind::authentication);
  EXPECT_EQ(watched.arrive("a", "", 2s).finding, Finding::retried_non_retryable);
  watched.end(watched.arrive("b"), OutcomeKind::rate_limited, 1s, 5s);
  EXPECT_EQ(watched.arrive("b", "", 3s).finding, Finding::came_back_early);
  watched.end(watched.arrive("c"), OutcomeKind::rate_limited, 1s, 5s);
  EXPECT_EQ(watched.arrive("c", "", 6s).finding, std::nullopt);
}

TEST(Correlator, AcceptingATruncatedStreamShowsOnlyAtTheEnd) {
  Watched watched;
  watched.end(watched.arrive("accepted"), OutcomeKind::stream_truncated);
  watched.end(watched.arrive("retried"), OutcomeKind::stream_truncated);
  watched.end(watched.arrive("retried", "", 2s), OutcomeKind::success, 3s);
  EXPECT_EQ(watched.correlator.truncated_waiting(), 1U);
  EXPECT_EQ(watched.correlator.count(Finding::accepted_truncated), 0U);
  watched.correlator.finish();
  EXPECT_EQ(watched.correlator.count(Finding::accepted_truncated), 1U);
  EXPECT_EQ(watched.done.size(), 2U);
}

TEST(Correlator, ForgetsTheOldestOfTooManyUnfinishedCalls) {
  Watched watched;
  for (std::size_t i = 0; i < Correlator::most_open + 5; ++i) {
    watched.end(watched.arrive("a", "0"), OutcomeKind::server_error);
  }
  EXPECT_EQ(watched.done.size(), 5U);
}

}  // namespace
}  // namespace brownout::mock::http
