#include "sim/workload.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/complaints.hpp"
#include "tests/sim/lab.hpp"

namespace brownout::sim {
namespace {

using namespace std::chrono_literals;
using testing::at;
using testing::Complaint;
using ::testing::ElementsAre;

WorkloadSpec spec(const std::string& json) {
  const auto document = Document::parse("workload.json", json);
  Problems problems;
  WorkloadSpec result;
  EXPECT_TRUE(document && read_workload((*document)->root(), 10h, problems, result)) << json;
  for (const Error& error : problems.take()) ADD_FAILURE() << error.to_string();
  return result;
}

Workload workload(const std::string& members, std::uint64_t seed = 1) {
  return Workload(spec(R"({"arrivals": {"poisson": "20/s"}, )" + members + "}"), seed);
}

std::vector<std::uint64_t> zipf_counts(const ZipfLaw& law, std::uint32_t distinct, int draws) {
  const DrawFamily family(7, Purpose::prompt, "zipf");
  std::vector<std::uint64_t> counts(distinct);
  for (int call = 0; call < draws; ++call) {
    Draws words = family.at(static_cast<std::uint64_t>(call));
    ++counts[law.draw(words)];
  }
  return counts;
}

// Each count is binomial: of 50 of them, all lie within 5 standard deviations in all but one run of
// 30,000.
void expect_law(std::uint32_t distinct, double exponent) {
  constexpr int draws = 200'000;
  const auto counts = zipf_counts(ZipfLaw(distinct, exponent), distinct, draws);
  double sum = 0;
  for (std::uint32_t i = 1; i <= distinct; ++i) sum += std::pow(i, -exponent);
  for (std::uint32_t i = 0; i < distinct; ++i) {
    const double p = std::pow(i + 1.0, -exponent) / sum;
    EXPECT_NEAR(static_cast<double>(counts[i]), draws * p, 5 * std::sqrt(draws * p * (1 - p)) + 1)
        << i << " of " << distinct << ", exponent " << exponent;
  }
}

TEST(ZipfLaw, FrequenciesFollowTheLaw) {
  expect_law(50, 0);
  expect_law(50, 0.8);
  expect_law(50, 1.1);
  expect_law(20, 3);
}

TEST(ZipfLaw, OnePromptIsAlwaysDrawn) {
  EXPECT_THAT(zipf_counts(ZipfLaw(1, 1), 1, 100), ElementsAre(100));
}

// More items than the index over them has entries: every one can still be drawn.
TEST(ZipfLaw, LargeTablesReachTheirEnd) {
  constexpr std::uint32_t distinct = 20'000;
  const auto counts = zipf_counts(ZipfLaw(distinct, 0), distinct, 400'000);
  for (std::uint32_t i = 0; i < distinct; ++i) ASSERT_GT(counts[i], 0U) << i;
}

TEST(Workload, ACallHasTheSameShapeInWhateverOrderItIsAsked) {
  const Workload forwards = workload(
      R"("input_tokens": {"lognormal": {"median": 700, "sigma": 0.4}},
         "output_tokens": {"exponential": {"mean": 200}},
         "prompts": {"distinct": 100, "zipf": 1.1}, "stream": 0.5)");
  const Workload backwards = forwards;
  std::vector<CallShape> shapes;
  for (std::uint64_t call = 0; call < 500; ++call) shapes.push_back(forwards.shape(call));
  for (std::uint64_t call = 500; call-- > 0;) {
    const CallShape shape = backwards.shape(call);
    EXPECT_EQ(shape.request.key, shapes[call].request.key);
    EXPECT_EQ(shape.request.input_tokens, shapes[call].request.input_tokens);
    EXPECT_EQ(shape.request.stream, shapes[call].request.stream);
    EXPECT_EQ(shape.output_tokens, shapes[call].output_tokens);
  }
}

TEST(Workload, AnotherSeedMakesOtherCalls) {
  const std::string members =
      R"("input_tokens": 1, "output_tokens": {"exponential": {"mean": 1000000}})";
  const Workload one = workload(members, 1);
  const Workload two = workload(members, 2);
  int equal = 0;
  for (std::uint64_t call = 0; call < 100; ++call) {
    equal += one.shape(call).output_tokens == two.shape(call).output_tokens;
  }
  EXPECT_LT(equal, 3);
  EXPECT_NE(one.arrival(0, Instant{}), two.arrival(0, Instant{}));
}

TEST(Workload, APromptHasOneLengthHoweverOftenItIsAsked) {
  const Workload load = workload(R"("input_tokens": {"uniform": {"min": 1, "max": 1000000}},
      "output_tokens": {"uniform": {"min": 1, "max": 1000000}}, "prompts": {"distinct": 10})");
  std::set<std::uint64_t> prompts;
  std::set<std::uint32_t> inputs;
  std::set<std::uint32_t> outputs;
  for (std::uint64_t call = 0; call < 200; ++call) {
    const CallShape shape = load.shape(call);
    prompts.insert(shape.request.key.high);
    inputs.insert(shape.request.input_tokens);
    outputs.insert(shape.output_tokens);
  }
  EXPECT_EQ(prompts.size(), 10U);
  EXPECT_EQ(inputs.size(), 10U);
  EXPECT_GT(outputs.size(), 190U);
}

TEST(Workload, WithoutPromptsEveryCallAsksSomethingNew) {
  const Workload load = workload(R"("input_tokens": 1, "output_tokens": 1)");
  std::set<std::uint64_t> low;
  for (std::uint64_t call = 0; call < 1000; ++call) low.insert(load.shape(call).request.key.low);
  EXPECT_EQ(low.size(), 1000U);
}

// An exponential of mean 200, rounded, has standard deviation 200; 0 becomes 1 in one call of 400.
TEST(Workload, TokensFollowTheirDistributions) {
  const Workload load = workload(R"("input_tokens": {"constant": 800}, "max_tokens": 300,
      "output_tokens": {"exponential": {"mean": 200}}, "stream": 0.25)");
  constexpr int calls = 40'000;
  double sum = 0;
  int streams = 0;
  std::uint32_t least = 1000;
  for (std::uint64_t call = 0; call < calls; ++call) {
    const CallShape shape = load.shape(call);
    EXPECT_EQ(shape.request.input_tokens, 800U);
    EXPECT_EQ(shape.request.max_tokens, 300U);
    sum += shape.output_tokens;
    least = std::min(least, shape.output_tokens);
    streams += shape.request.stream;
  }
  EXPECT_NEAR(sum / calls, 200, 4 * 200 / std::sqrt(calls));
  EXPECT_EQ(least, 1U);
  EXPECT_NEAR(streams, calls * 0.25, 4 * std::sqrt(calls * 0.25 * 0.75));
}

// A Poisson process counts as much variance as mean in every window.
TEST(Workload, PoissonArrivalsAreIndependentOfEachOther) {
  const Workload load = workload(R"("input_tokens": 1, "output_tokens": 1)");
  constexpr std::size_t windows = 5000;
  std::vector<double> counts(windows);
  Instant time{};
  for (std::uint64_t call = 0;; ++call) {
    const Instant next = load.arrival(call, time);
    ASSERT_GT(next, time);
    time = next;
    const auto second = static_cast<std::size_t>((time - Instant{}) / 1s);
    if (second >= windows) break;
    ++counts[second];
  }
  double sum = 0;
  for (const double count : counts) sum += count;
  const double mean = sum / windows;
  EXPECT_NEAR(mean, 20, 4 * std::sqrt(20.0 / windows));
  double squares = 0;
  double lagged = 0;
  for (std::size_t i = 0; i < windows; ++i) squares += (counts[i] - mean) * (counts[i] - mean);
  for (std::size_t i = 1; i < windows; ++i) lagged += (counts[i] - mean) * (counts[i - 1] - mean);
  EXPECT_NEAR(squares / (windows - 1) / mean, 1, 4 * std::sqrt(2.0 / (windows - 1)));
  EXPECT_NEAR(lagged / squares, 0, 4 / std::sqrt(static_cast<double>(windows)));
}

TEST(Workload, ThinkTimesBelongToTheNumberOfTheCall) {
  const Workload load(spec(R"({"arrivals": {"clients": {"count": 2,
      "think_time": {"exponential": {"mean": "10s"}}}}, "input_tokens": 1, "output_tokens": 1})"),
                      1);
  EXPECT_EQ(load.spec().clients, 2U);
  const Duration second = load.think(1);
  load.think(0);
  EXPECT_EQ(load.think(1), second);
  EXPECT_NE(load.think(0), second);
}

// client 0   1s..1.22s      2.22s..2.44s   3.44s..3.66s    calls 0, 3, 6
// client 1   the same                                      calls 1, 4, 7
// client 2   the same                                      calls 2, 5, 8
TEST(Caller, EachClientOfAClosedLoopHasItsOwnNumbers) {
  testing::Lab lab;
  lab.duration = "4s";
  lab.arrivals = R"({"clients": {"count": 3, "think_time": "1s"}})";
  testing::EventList events;
  testing::fly(lab, "[]", testing::heard_by(events));
  ASSERT_EQ(events.calls.size(), 9U);
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(events.calls[i].event.call, i);
    EXPECT_EQ(events.calls[i].event.started, at(1s + (i / 3) * 1220ms));
    EXPECT_EQ(events.calls[i].event.ended, at(1220ms + (i / 3) * 1220ms));
  }
}

// client 0   1s ........................ 7.22s   8.22s..    calls 0, 3
// client 1   1s..1.22s  2.22s..2.44s  3.44s..               calls 1, 4, 7, …
TEST(Caller, OneClientsDelayDoesNotRenumberTheOthers) {
  testing::Lab lab;
  lab.duration = "9s";
  lab.arrivals = R"({"clients": {"count": 3, "think_time": "1s"}})";
  testing::EventList calm;
  testing::fly(lab, "[]", testing::heard_by(calm));
  lab.faults = R"([{"on": "*", "latency": {"add": "6s"}, "first": 1}])";
  testing::EventList delayed;
  testing::fly(lab, "[]", testing::heard_by(delayed));
  const auto times = [](const testing::EventList& events, std::uint64_t client) {
    std::vector<std::pair<CallId, Instant>> result;
    for (const auto& call : events.calls) {
      if (call.event.call % 3 == client) result.emplace_back(call.event.call, call.event.started);
    }
    return result;
  };
  EXPECT_THAT(times(delayed, 0),
              ElementsAre(std::pair(CallId{0}, at(1s)), std::pair(CallId{3}, at(8220ms))));
  EXPECT_EQ(times(delayed, 1), times(calm, 1));
  EXPECT_EQ(times(delayed, 2), times(calm, 2));
  EXPECT_EQ(times(calm, 1).size(), 7U);
}

std::vector<Complaint> refused(const std::string& json) {
  const auto document = Document::parse("workload.json", json);
  Problems problems;
  WorkloadSpec result;
  EXPECT_FALSE(read_workload((*document)->root(), 10h, problems, result)) << json;
  return testing::complaints_of(problems.take());
}

TEST(Workload, RefusesWhatMakesNoSense) {
  const auto arrivals = [](const std::string& json) {
    return refused(R"({"input_tokens": 1, "output_tokens": 1, "arrivals":
)" + json + "}");
  };
  EXPECT_THAT(
      arrivals("{}"),
      ElementsAre(Complaint{"expected exactly one of: constant, poisson, clients", "{}", ""}));
  EXPECT_THAT(arrivals(R"({"poison": "1/s"})"),
              ElementsAre(Complaint{R"(unknown key "poison")", R"("poison")",
                                    R"(did you mean "poisson"?)"}));
  EXPECT_THAT(arrivals(R"({"clients": {"count": 0, "think_time": "1s"}})"),
              ElementsAre(Complaint{"0 is out of range", "0", "expected 1 to 1000000"}));
  EXPECT_THAT(refused(R"({"input_tokens": 1, "output_tokens": 1, "arrivals": {"constant": "1/s"},
"stream": 2, "max_tokens": 0, "prompts": {"distinct": 0}})"),
              ::testing::SizeIs(3));
  EXPECT_THAT(refused(R"({"input_tokens": 1, "output_tokens": 1, "arrivals": {"constant": "1/s"},
"cancel": {"share": 2}})"),
              ::testing::SizeIs(2));
}

}  // namespace
}  // namespace brownout::sim
