#include "reports/trace/otlp.hpp"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "tests/reports/traced_run.hpp"
#include "tests/support/engine/event_script.hpp"
#include "tests/support/golden.hpp"

namespace brownout::reports {
namespace {

using namespace std::chrono_literals;
using testing::at;
using Json = nlohmann::json;

struct Flight {
  std::string text;
  sim::RunResult result;
};

Flight otlp_of(const sim::Scenario& scenario, const Policy& policy, TimeWindow window = {},
               TraceNames (*change)(TraceNames) = nullptr) {
  const auto bound = sim::testing::loaded(sim::bind(scenario, policy, {}));
  TraceNames names = testing::names_of(scenario, bound);
  if (change != nullptr) names = change(names);
  Flight run;
  OtlpTrace trace(names, window, [&](std::string_view text) { run.text += text; });
  run.result = testing::fly(scenario, policy, bound, trace);
  trace.finish();
  return run;
}

Flight eventful(TimeWindow window = {}) {
  return otlp_of(testing::eventful_scenario(), testing::eventful_policy(), window);
}

// Text, number or nothing.
std::string attribute(const Json& of, const std::string& key) {
  for (const Json& attribute : of["attributes"]) {
    if (attribute["key"] != key) continue;
    const Json& value = attribute["value"];
    EXPECT_EQ(value.size(), 1U) << attribute;
    return value.contains("stringValue") ? value["stringValue"] : value["intValue"];
  }
  return "";
}

std::int64_t time_of(const Json& of, const char* key) {
  EXPECT_TRUE(of[key].is_string()) << "integers of 64 bits are texts";
  return std::stoll(of[key].get<std::string>());
}

// All spans of a file, and what is true of every one.
std::vector<Json> spans_of(const std::string& text) {
  std::vector<Json> spans;
  std::set<std::string> traces;
  std::set<std::string> ids;
  std::map<std::string, Json> roots;  // by trace
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const Json data = Json::parse(line);
    EXPECT_EQ(data["resourceSpans"].size(), 1U);
    const Json& scope = data["resourceSpans"][0]["scopeSpans"][0];
    EXPECT_EQ(scope["schemaUrl"], semantic_conventions_url);
    EXPECT_FALSE(scope["spans"].empty());
    for (const Json& span : scope["spans"]) spans.push_back(span);
  }
  for (const Json& span : spans) {
    static const std::regex trace_id("[0-9a-f]{32}");
    static const std::regex span_id("[0-9a-f]{16}");
    EXPECT_TRUE(std::regex_match(span["traceId"].get<std::string>(), trace_id));
    EXPECT_TRUE(std::regex_match(span["spanId"].get<std::string>(), span_id));
    EXPECT_TRUE(ids.insert(span["spanId"]).second) << "an id twice: " << span;
    EXPECT_TRUE(span["kind"].is_number_integer());
    EXPECT_LE(time_of(span, "startTimeUnixNano"), time_of(span, "endTimeUnixNano"));
    if (!span.contains("parentSpanId")) {
      EXPECT_TRUE(roots.emplace(span["traceId"], span).second) << "two roots: " << span;
      for (const Json& event : span.value("events", Json::array())) {
        EXPECT_GE(time_of(event, "timeUnixNano"), time_of(span, "startTimeUnixNano"));
        EXPECT_LE(time_of(event, "timeUnixNano"), time_of(span, "endTimeUnixNano"));
      }
      continue;
    }
    const Json& root = roots.at(span["traceId"]);  // which comes first
    EXPECT_EQ(span["parentSpanId"], root["spanId"]);
    EXPECT_GE(time_of(span, "startTimeUnixNano"), time_of(root, "startTimeUnixNano"));
    EXPECT_LE(time_of(span, "endTimeUnixNano"), time_of(root, "endTimeUnixNano"));
  }
  return spans;
}

TEST(Otlp, OfARunInWhichEverythingHappens) {
  const Flight run =
      otlp_of(testing::eventful_scenario(), testing::eventful_policy(), {}, testing::hostile);
  spans_of(run.text);
  brownout::testing::expect_golden("otlp.jsonl", run.text);
}

TEST(Otlp, ACallIsATraceAndItsAttemptsAreClientSpans) {
  const Flight run = eventful();
  const auto spans = spans_of(run.text);
  EXPECT_EQ(spans.size(), run.result.total.calls + run.result.total.attempts);
  const Json& call = spans.at(0);
  EXPECT_EQ(call["name"], "brownout.call");
  EXPECT_EQ(call["kind"], 1);
  EXPECT_EQ(attribute(call, "brownout.attempts"), "2");
  EXPECT_FALSE(call.contains("status")) << "it succeeded";
  const Json& attempt = spans.at(1);
  EXPECT_EQ(attempt["name"], "chat model");
  EXPECT_EQ(attempt["kind"], 3);
  EXPECT_EQ(attempt["status"]["code"], 2);
  EXPECT_EQ(attribute(attempt, "gen_ai.operation.name"), "chat");
  EXPECT_EQ(attribute(attempt, "gen_ai.provider.name"), "lab");
  EXPECT_EQ(attribute(attempt, "gen_ai.request.model"), "model");
  EXPECT_EQ(attribute(attempt, "error.type"), "rate_limited");
  EXPECT_EQ(attribute(attempt, "http.response.status_code"), "429");
  EXPECT_EQ(attribute(spans.at(2), "gen_ai.usage.input_tokens"), "100");
  EXPECT_EQ(attribute(spans.at(2), "error.type"), "");
}

TEST(Otlp, WhatIsNobodysFaultIsNoError) {
  // The attempt that lost to its hedge.
  std::size_t cancelled = 0;
  for (const Json& span : spans_of(eventful().text)) {
    if (attribute(span, "brownout.outcome") != "cancelled") continue;
    ++cancelled;
    EXPECT_FALSE(span.contains("status"));
    EXPECT_EQ(attribute(span, "error.type"), "");
  }
  EXPECT_EQ(cancelled, 1U);
}

TEST(Otlp, TimesBeginWhenTheScenarioSays) {
  sim::Scenario scenario = testing::eventful_scenario();
  const auto early = spans_of(otlp_of(scenario, testing::eventful_policy()).text);
  scenario.starts_at = SystemTime{1'733'950'000s};
  const auto late = spans_of(otlp_of(scenario, testing::eventful_policy()).text);
  ASSERT_EQ(early.size(), late.size());
  for (std::size_t i = 0; i < early.size(); ++i) {
    EXPECT_EQ(time_of(late[i], "startTimeUnixNano") - time_of(early[i], "startTimeUnixNano"),
              1'733'950'000'000'000'000);
    EXPECT_EQ(late[i]["spanId"], early[i]["spanId"]);
  }
}

TEST(Otlp, IdsAreThoseOfTheSeed) {
  sim::Scenario scenario = testing::eventful_scenario();
  const auto first = spans_of(otlp_of(scenario, testing::eventful_policy()).text);
  scenario.seed = 2;
  const auto second = spans_of(otlp_of(scenario, testing::eventful_policy()).text);
  EXPECT_NE(first.at(0)["traceId"], second.at(0)["traceId"]);
  EXPECT_EQ(eventful().text, eventful().text);
}

TEST(Otlp, AStormIsToldInBatches) {
  testing::Storm storm;
  const Flight run = otlp_of(storm.scenario, storm.policy);
  const auto spans = spans_of(run.text);
  std::uint64_t calls = 0;
  std::uint64_t given_up = 0;
  std::uint64_t tokens = 0;
  for (const Json& span : spans) {
    calls += span["name"] == "brownout.call";
    given_up += !attribute(span, "brownout.given_up_by").empty();
    const std::string input = attribute(span, "gen_ai.usage.input_tokens");
    if (!input.empty()) {
      tokens += std::stoull(input) + std::stoull(attribute(span, "gen_ai.usage.output_tokens"));
    }
  }
  EXPECT_EQ(calls - given_up, run.result.total.calls);
  EXPECT_GT(given_up, 20U);
  EXPECT_EQ(spans.size() - calls, run.result.total.attempts);
  EXPECT_GE(tokens, run.result.total.billed_tokens) << "those of calls given up as well";
  const auto lines = static_cast<std::size_t>(std::ranges::count(run.text, '\n'));
  EXPECT_EQ(lines, (calls + OtlpTrace::calls_per_line - 1) / OtlpTrace::calls_per_line);
}

TEST(Otlp, ALineEndsBeforeItIsTooLongForACollector) {
  std::string text;
  OtlpTrace trace({}, {}, [&](std::string_view more) { text += more; });
  for (CallId call = 0; call < OtlpTrace::calls_per_line; ++call) {
    trace.on_call_start({call, at(1s)});
    for (int i = 0; i < 100; ++i) trace.on_lookup({call, LookupEvent::Result::miss, at(1s)});
    trace.on_call({call, at(1s), at(2s)}, Outcome{});
  }
  trace.finish();
  EXPECT_EQ(spans_of(text).size(), OtlpTrace::calls_per_line);
  std::istringstream lines(text);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_LT(line.size(), 600'000U);
  EXPECT_GT(count, 1U);
}

TEST(Otlp, AWindowHoldsTheCallsThatTouchIt) {
  testing::Storm storm;
  std::size_t calls = 0;
  for (const Json& span :
       spans_of(otlp_of(storm.scenario, storm.policy, {at(29s), at(31s)}).text)) {
    if (span["name"] != "brownout.call") continue;
    ++calls;
    EXPECT_LT(time_of(span, "startTimeUnixNano"), 31'000'000'000);
    EXPECT_GE(time_of(span, "endTimeUnixNano"), 29'000'000'000);
  }
  EXPECT_GT(calls, 50U);
}

TEST(Otlp, TellsEveryKindOfEvent) {
  std::string text;
  TraceNames names;
  names.routes = {{"gpt-4", "openai/gpt-4"}, {"backup", "anthropic/claude"}};
  names.breakers = {"pipeline", "gpt-4", "backup"};
  OtlpTrace trace(names, {}, [&](std::string_view more) { text += more; });
  brownout::testing::play_every_event(trace);
  trace.finish();
  const auto spans = spans_of(text);
  std::set<std::string> events;
  for (const Json& span : spans) {
    for (const Json& event : span.value("events", Json::array())) events.insert(event["name"]);
  }
  EXPECT_EQ(events, (std::set<std::string>{"brownout.wait", "brownout.hedge", "brownout.lookup",
                                           "brownout.rejection"}));
  EXPECT_EQ(attribute(spans.back(), "brownout.given_up_by"), "caller");
}

TEST(Otlp, OfNothingIsEmpty) {
  std::string text;
  OtlpTrace trace({}, {}, [&](std::string_view more) { text += more; });
  trace.finish();
  EXPECT_EQ(text, "");
}

}  // namespace
}  // namespace brownout::reports
