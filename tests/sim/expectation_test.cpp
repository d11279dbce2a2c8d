// What can be claimed, and what is said about claims that make no sense.

#include "sim/expectation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim/expectation_value.hpp"
#include "tests/sim/complaints.hpp"

namespace brownout::sim {
namespace {

using namespace std::chrono_literals;
using testing::Complaint;

const std::vector<std::string> phases{"healthy", "collapse"};

bool operator==(const Quantity& a, const Quantity& b) {
  return a.numerator == b.numerator && a.denominator == b.denominator;
}

Expectation accepted(const std::string& text) {
  const auto document = Document::parse("scenario.json", '"' + text + '"');
  Problems problems;
  Expectation result;
  EXPECT_TRUE(read_expectation((*document)->root(), phases, 6h, problems, result)) << text;
  for (const Error& error : problems.take()) ADD_FAILURE() << error.to_string();
  return result;
}

Complaint refused(const std::string& text) {
  const auto document = Document::parse("scenario.json", '"' + text + '"');
  Problems problems;
  Expectation result;
  EXPECT_FALSE(read_expectation((*document)->root(), phases, 6h, problems, result)) << text;
  const auto complaints = testing::complaints_of(problems.take());
  EXPECT_EQ(complaints.size(), 1U) << text;
  return complaints.empty() ? Complaint{} : complaints[0];
}

#define EXPECT_REFUSED(text, ...) EXPECT_EQ(refused(text), (Complaint{__VA_ARGS__})) << (text)

struct Claim {
  std::string text;
  Metric metric;
  std::string argument;
  std::string part;
  Comparison comparison;
  Quantity threshold;
};

TEST(Expectation, EveryMetricIsUnderstood) {
  using enum Metric;
  using enum Comparison;
  const std::vector<Claim> claims{
      {"availability >= 99.5%", availability, "", "", greater_equal, {995, 1000}},
      {"answered == 100%", answered, "", "", equal, {100, 100}},
      {"calls != 12", calls, "", "", not_equal, {12, 1}},
      {"failed < 3", failed, "", "", less, {3, 1}},
      {"failed(timed_out) <= 0", failed, "timed_out", "", less_equal, {0, 1}},
      {"share(backup) > 0.5%", share, "backup", "", greater, {5, 1000}},
      {"share(cache) > 5%", share, "cache", "", greater, {5, 100}},
      {"latency.p50 <= 2.5s", latency, "", "p50", less_equal, {2'500'000'000, 1}},
      {"latency(all).mean <= 1m", latency, "all", "mean", less_equal, {60'000'000'000, 1}},
      {"latency(failed).p999 <= 1m", latency, "failed", "p999", less_equal, {60'000'000'000, 1}},
      {"attempts <= 7", attempts, "", "", less_equal, {7, 1}},
      {"attempts(gpt-4) <= 7", attempts, "gpt-4", "", less_equal, {7, 1}},
      {"attempts_per_call <= 1.2", attempts_per_call, "", "", less_equal, {12, 10}},
      {"breaker(gpt-4).opened >= 1", breaker_opened, "gpt-4", "", greater_equal, {1, 1}},
      {"breaker(gpt-4#2).opened >= 1", breaker_opened, "gpt-4#2", "", greater_equal, {1, 1}},
      {"time_to_open(gpt-4) <= 30s", time_to_open, "gpt-4", "", less_equal, {30'000'000'000, 1}},
      {"time_to_recover(gpt-3.5) == 0s", time_to_recover, "gpt-3.5", "", equal, {0, 1}},
      {"rejected <= 3", rejected, "", "", less_equal, {3, 1}},
      {"rejected(gpt-4) <= 3", rejected, "gpt-4", "", less_equal, {3, 1}},
      {"wasted_tokens <= 1000", wasted_tokens, "", "", less_equal, {1000, 1}},
      {"cost <= 12.50", cost, "", "", less_equal, {1250, 100}},
      {"waits == 2", waits, "", "", equal, {2, 1}},
      {"wait.max <= 1s", wait, "", "max", less_equal, {1'000'000'000, 1}},
      {"hinted >= 1", hinted, "", "", greater_equal, {1, 1}},
      {"retry_after.min > 0s", retry_after, "", "min", greater, {0, 1}},
      {"max_in_flight(gpt-4) <= 2", max_in_flight, "gpt-4", "", less_equal, {2, 1}},
  };
  for (const Claim& claim : claims) {
    const Expectation found = accepted(claim.text);
    EXPECT_EQ(found.text, claim.text);
    EXPECT_EQ(found.metric, claim.metric) << claim.text;
    EXPECT_EQ(found.argument, claim.argument) << claim.text;
    EXPECT_EQ(found.part, claim.part) << claim.text;
    EXPECT_EQ(found.comparison, claim.comparison) << claim.text;
    EXPECT_TRUE(found.threshold == claim.threshold) << claim.text;
    EXPECT_EQ(found.phase, "") << claim.text;
  }
}

TEST(Expectation, AStateIsClaimedOfAnInstant) {
  const Expectation found = accepted("breaker(gpt-4).state at 3h20m != half_open");
  EXPECT_EQ(found.metric, Metric::breaker_state);
  EXPECT_EQ(found.argument, "gpt-4");
  EXPECT_EQ(found.at, Instant{} + 3h + 20min);
  EXPECT_EQ(found.comparison, Comparison::not_equal);
  EXPECT_EQ(found.state, BreakerState::half_open);
  EXPECT_EQ(accepted("breaker(m).state at 6h == closed").at, Instant{} + 6h);
}

TEST(Expectation, AClaimCanBeAboutOnePhase) {
  EXPECT_EQ(accepted("availability during collapse >= 98%").phase, "collapse");
  EXPECT_EQ(accepted("latency(all).p99 during healthy <= 2s").phase, "healthy");
  EXPECT_EQ(accepted("breaker(gpt-4).opened during collapse >= 1").phase, "collapse");
}

TEST(Expectation, SpacesDoNotMatter) {
  const Expectation found = accepted("  availability   during  collapse >=   98%  ");
  EXPECT_EQ(found.phase, "collapse");
  EXPECT_TRUE(found.threshold == (Quantity{98, 100}));
}

TEST(Expectation, MetricsThatDoNotExistAreRefused) {
  const std::string all =
      "expected one of: availability, answered, calls, failed, share, latency, attempts, "
      "attempts_per_call, breaker, time_to_open, time_to_recover, rejected, hedges, "
      "wasted_tokens, cost, waits, wait, hinted, retry_after, max_in_flight";
  EXPECT_REFUSED("availabilty >= 99%", R"(unknown metric "availabilty")", "availabilty",
                 R"(did you mean "availability"?)");
  EXPECT_REFUSED("speed >= 99%", R"(unknown metric "speed")", "speed", all);
  EXPECT_REFUSED("", R"(unknown metric "")", "\"", all);
  EXPECT_REFUSED("breaker(m) >= 1", "what of the breaker?", "breaker(m)",
                 "expected one of: opened, state");
  EXPECT_REFUSED("breaker(m).opend >= 1", R"(a breaker has no "opend")", "opend",
                 R"(did you mean "opened"?)");
}

TEST(Expectation, ArgumentsAreRequiredOrForbidden) {
  EXPECT_REFUSED("availability(gpt-4) >= 99%", R"("availability" takes no argument)", "gpt-4", "");
  EXPECT_REFUSED("breaker.opened >= 1", R"("breaker" needs a route)", "breaker",
                 "as in breaker(main).opened");
  EXPECT_REFUSED("time_to_open >= 1s", R"("time_to_open" needs a route)", "time_to_open",
                 "as in time_to_open(main)");
  EXPECT_REFUSED("max_in_flight <= 1", R"("max_in_flight" needs a route)", "max_in_flight",
                 "as in max_in_flight(main)");
  EXPECT_REFUSED("share >= 1%", "whose share?", "share",
                 "expected a route, cache or default, as in share(main)");
  EXPECT_REFUSED("share() >= 1%", "nothing between the brackets", "()", "");
  EXPECT_REFUSED("breaker(main)x >= 1", "only a part, as in .p99, can follow the brackets", "x",
                 "");
  EXPECT_REFUSED("failed(success) >= 1", R"("success" is no outcome a call can fail with)",
                 "success",
                 "expected one of: rate_limited, slow_down, request_too_large, quota_exhausted, "
                 "daily_limited, overloaded, server_error, bad_gateway, connection, timed_out, "
                 "malformed_reply, stream_truncated, authentication, permission, not_found, "
                 "context_length, content_policy, invalid_request, breaker_open, cancelled, "
                 "deadline_exceeded, throttled, bulkhead_full, client_rate_limited");
  EXPECT_REFUSED("failed(timedout) >= 1", R"("timedout" is no outcome a call can fail with)",
                 "timedout", R"(did you mean "timed_out"?)");
  EXPECT_REFUSED("latency(sucess).p50 <= 1s", R"(no latency is kept of "sucess" calls)", "sucess",
                 R"(did you mean "success"?)");
  EXPECT_REFUSED("latency(all.p50 <= 1s", "a bracket is not closed", "latency(all.p50", "");
}

TEST(Expectation, PartsBelongToLatencies) {
  EXPECT_REFUSED("latency <= 1s", "which latency?", " ",
                 "add one of: .p50, .p90, .p95, .p99, .p999, .mean, .min, .max");
  EXPECT_REFUSED("latency. <= 1s", "a part is missing after the point", ".", "");
  EXPECT_REFUSED("latency.p98 <= 1s", R"(a latency has no "p98")", "p98", R"(did you mean "p90"?)");
  EXPECT_REFUSED("latency.total <= 1s", R"(a latency has no "total")", "total",
                 "expected one of: p50, p90, p95, p99, p999, mean, min, max");
  EXPECT_REFUSED("calls.p50 <= 1", R"("calls" has no parts)", "p50", "");
  EXPECT_REFUSED("wait <= 1s", "which wait?", " ",
                 "add one of: .p50, .p90, .p95, .p99, .p999, .mean, .min, .max");
  EXPECT_REFUSED("retry_after.total <= 1s", R"(a retry_after has no "total")", "total",
                 "expected one of: p50, p90, p95, p99, p999, mean, min, max");
}

TEST(Expectation, QualifiersFitTheirMetric) {
  EXPECT_REFUSED("availability during colapse >= 98%", R"(there is no phase "colapse")", "colapse",
                 R"(did you mean "collapse"?)");
  EXPECT_REFUSED("availability during", R"(there is no phase "")", "\"",
                 "expected one of: healthy, collapse");
  EXPECT_REFUSED("time_to_open(m) during collapse <= 1s", R"("time_to_open" is not kept by phase)",
                 "during", "");
  EXPECT_REFUSED("breaker(m).state during collapse == open",
                 R"("breaker.state" is not kept by phase)", "during", "");
  EXPECT_REFUSED("calls at 1h == 2", "only breaker(…).state is judged at an instant", "at", "");
  EXPECT_REFUSED("breaker(m).state == open", "a state is that of an instant",
                 "==", "as in breaker(main).state at 1h == open");
  EXPECT_REFUSED("breaker(m).state at noon == open", R"("noon" is not a time)", "noon",
                 "expected one such as 1h30m");
  EXPECT_REFUSED("breaker(m).state at 7h == open", R"("7h" is after the end of the scenario)", "7h",
                 "it ends at 6h");
}

TEST(Expectation, ComparisonsAndValuesFitTheirMetric) {
  const std::string all = "expected one of: <, <=, ==, !=, >=, >";
  EXPECT_REFUSED("calls", "expected a comparison", "\"", all);
  EXPECT_REFUSED("calls = 1", R"("=" is no comparison)", "=", all);
  EXPECT_REFUSED("breaker(m).state at 1h >= open", "states have no order",
                 ">=", "expected == or !=");
  EXPECT_REFUSED("breaker(m).state at 1h == opened", R"(a breaker is never "opened")", "opened",
                 R"(did you mean "open"?)");
  EXPECT_REFUSED("calls >=", "the value to compare with is missing", "\"", "");
  EXPECT_REFUSED("availability>=99%", "a comparison stands between two spaces", ">=99%", "");
  EXPECT_REFUSED("availability >= 0.99", R"("0.99" is not a percentage)", "0.99",
                 "a share is written with its sign, as in 99.5%");
  EXPECT_REFUSED("availability >= %", R"("%" is not a percentage)", "%",
                 "expected one such as 99.5%");
  EXPECT_REFUSED("availability >= 100.1%", "no share is more than 100%", "100.1%", "");
  EXPECT_REFUSED("latency.p99 <= 5", R"("5" is not a duration)", "5", "did you mean 5s or 5ms?");
  EXPECT_REFUSED("latency.p99 <= soon", R"("soon" is not a duration)", "soon",
                 "expected one such as 2.5s");
  const std::string number = "expected one such as 1.2, of at most nine digits before the point";
  EXPECT_REFUSED("calls >= many", R"("many" is not a number)", "many", number);
  EXPECT_REFUSED("calls >= -1", R"("-1" is not a number)", "-1", number);
  EXPECT_REFUSED("calls >= 1 or so", "nothing can follow the value", "or", "");
}

TEST(Expectation, AnErrorIsShownWhereItStands) {
  const auto document = Document::parse("scenarios/x.json", R"({
  "expect": [ "availability >= 99%", "latency.p98 <= 1s" ]
})");
  Problems problems;
  Expectation ignored;
  EXPECT_FALSE(read_expectation((*document)->root().find("expect")->items[1], phases, 6h, problems,
                                ignored));
  EXPECT_EQ(problems.take().front().to_string(), R"(error: a latency has no "p98"
 --> scenarios/x.json:2:47
  |
2 |   "expect": [ "availability >= 99%", "latency.p98 <= 1s" ]
  |                                               ^^^ did you mean "p90"?
)");
}

// An escape makes the text shorter than what stands in the file: the whole string is marked.
TEST(Expectation, EscapesDoNotShiftTheCaret) {
  EXPECT_EQ(refused(R"(\u0061vailability >= 99)").marked, R"("\u0061vailability >= 99")");
}

TEST(Expectation, RoutesAreCheckedAgainstThePolicy) {
  const auto document = Document::parse("scenario.json", R"(["share(gpt4) >= 1%",
"share(cache) >= 1%", "share(default) >= 1%", "share(pipeline) >= 1%", "share(gpt-4) >= 1%",
"rejected(pipeline) == 0", "rejected == 0", "time_to_open(pipeline) <= 1s",
"breaker(gpt-4#2).opened == 0", "time_to_recover(cache) <= 1s",
"breaker(bakup).state at 1h == open"])");
  Problems problems;
  std::vector<Expectation> expectations;
  for (const Node& item : (*document)->root().items) {
    read_expectation(item, phases, 6h, problems, expectations.emplace_back());
  }
  ASSERT_TRUE(problems.empty());
  const std::vector<std::string> routes{"gpt-4", "backup"};
  const std::vector<std::string> breakers{"pipeline", "gpt-4", "gpt-4#2"};
  for (const Expectation& expectation : expectations) {
    if (applies(expectation, routes, breakers)) continue;
    refuse_route(expectation, **document, routes, breakers, problems);
  }
  const std::string known = "expected one of: gpt-4, backup, pipeline, gpt-4#2";
  EXPECT_THAT(
      testing::complaints_of(problems.take()),
      ::testing::ElementsAre(
          Complaint{R"(the policy has no route "gpt4")", "gpt4", R"(did you mean "gpt-4"?)"},
          Complaint{R"(the policy has no route "pipeline")", "pipeline",
                    "expected one of: gpt-4, backup, cache, default"},
          Complaint{R"(the policy has no route "cache")", "cache", known},
          Complaint{R"(the policy has no route "bakup")", "bakup", R"(did you mean "backup"?)"}));
}

TEST(ParseDecimal, ReadsWhatIsExact) {
  const auto is = [](const char* text, std::int64_t numerator, std::int64_t denominator) {
    const auto found = parse_decimal(text);
    return found && *found == Quantity{numerator, denominator};
  };
  EXPECT_TRUE(is("0", 0, 1));
  EXPECT_TRUE(is("12", 12, 1));
  EXPECT_TRUE(is("0.5", 5, 10));
  EXPECT_TRUE(is("99.95", 9995, 100));
  EXPECT_TRUE(is("007", 7, 1));
  EXPECT_TRUE(is("999999999.999999999", 999'999'999'999'999'999, 1'000'000'000));
  for (const char* text : {"", ".", ".5", "5.", "-1", "+1", "1e3", "1,5", " 1", "1 ", "1.2.3",
                           "1234567890", "0.1234567890"}) {
    EXPECT_FALSE(parse_decimal(text)) << text;
  }
}

// 2/3 of the calls against 66.6666666 %, which is a little less, and against 0.6666666667.
TEST(Compare, IsExactAtTheThreshold) {
  using enum Comparison;
  const auto relations = [](Quantity actual, Quantity threshold) {
    std::string text;
    for (const Comparison c : {less, less_equal, equal, not_equal, greater_equal, greater}) {
      text += compare(actual, c, threshold) ? '1' : '0';
    }
    return text;
  };
  EXPECT_EQ(relations({99, 100}, {990, 1000}), "011010");
  EXPECT_EQ(relations({2, 3}, {666'666'666, 1'000'000'000}), "000111");
  EXPECT_EQ(relations({2, 3}, {666'666'667, 1'000'000'000}), "110100");
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(relations({most, 1}, {most - 1, 1}), "000111");
  EXPECT_EQ(relations({most - 1, most}, {most, most}), "110100");
}

}  // namespace
}  // namespace brownout::sim
