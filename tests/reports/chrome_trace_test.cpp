#include "reports/trace/chrome_trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "tests/reports/traced_run.hpp"
#include "tests/support/engine/event_script.hpp"
#include "tests/support/golden.hpp"

namespace brownout::reports {
namespace {

using namespace std::chrono_literals;
using testing::at;
using ::testing::ElementsAre;
using ::testing::Pair;
using Json = nlohmann::json;

// Microseconds with three decimals, as nanoseconds.
std::int64_t ns(const Json& us) {
  return std::llround(us.get<double>() * 1000);
}

// A trace, and what is true of every one.
class Trace {
 public:
  explicit Trace(const std::string& text) : document_(Json::parse(text)) {
    EXPECT_EQ(document_["displayTimeUnit"], "ms");
    for (const Json& event : document_["traceEvents"]) {
      const std::string phase = event["ph"];
      if (phase == "X") slices_[event["tid"]].push_back(event);
      if (phase == "s" || phase == "f") arrows_[event["id"]].push_back(event);
      if (phase == "M" && event["name"] == "thread_name") name_thread(event);
      if (phase == "M" && event["name"] == "process_name") {
        processes_[event["pid"]] = event["args"]["name"];
      }
      if (phase != "M") used_.insert({event["pid"], event.value("tid", 0)});
    }
    expect_names();
    expect_nesting();
    expect_arrows();
  }

  const Json& events() const { return document_["traceEvents"]; }

  // In order of the file.
  std::vector<Json> named(const std::string& name) const {
    std::vector<Json> found;
    for (const Json& event : events()) {
      if (event.value("name", "") == name && event["ph"] != "M") found.push_back(event);
    }
    return found;
  }
  std::vector<Json> of_category(const std::string& category) const {
    std::vector<Json> found;
    for (const Json& event : events()) {
      if (event.value("cat", "") == category) found.push_back(event);
    }
    return found;
  }
  // What a counter showed: nanosecond and value.
  std::vector<std::pair<std::int64_t, std::int64_t>> counter(const std::string& process,
                                                             const std::string& name,
                                                             const std::string& value) const {
    std::vector<std::pair<std::int64_t, std::int64_t>> shown;
    for (const Json& event : events()) {
      if (event["ph"] != "C" || event["name"] != name || !event["args"].contains(value)) continue;
      if (processes_.at(event["pid"]) == process) {
        shown.emplace_back(ns(event["ts"]), event["args"][value]);
      }
    }
    return shown;
  }
  std::string thread_of(const Json& event) const { return threads_.at(event["tid"]); }
  std::set<std::string> threads() const {
    std::set<std::string> names;
    for (const auto& [thread, name] : threads_) names.insert(name);
    return names;
  }
  std::set<std::string> processes() const {
    std::set<std::string> names;
    for (const auto& [process, name] : processes_) names.insert(name);
    return names;
  }

 private:
  void name_thread(const Json& event) {
    EXPECT_TRUE(threads_.emplace(event["tid"], event["args"]["name"]).second)
        << "a thread's number is its own: " << event;
  }

  void expect_names() const {
    for (const auto& [process, thread] : used_) {
      EXPECT_TRUE(processes_.contains(process)) << process;
      EXPECT_TRUE(thread == 0 || threads_.contains(thread)) << thread;
    }
    for (const auto& [process, name] : processes_) EXPECT_FALSE(threads_.contains(process)) << name;
  }

  // Sorted by time, and of one time in the order of the file, as readers take them.
  void expect_nesting() {
    for (auto& [thread, slices] : slices_) {
      std::ranges::stable_sort(slices, {}, [](const Json& slice) { return ns(slice["ts"]); });
      std::vector<std::int64_t> ends;
      for (const Json& slice : slices) {
        const std::int64_t begin = ns(slice["ts"]);
        const std::int64_t end = begin + ns(slice["dur"]);
        EXPECT_LE(begin, end) << slice;
        while (!ends.empty() && ends.back() <= begin) ends.pop_back();
        const bool inside = ends.empty() || end <= ends.back();
        EXPECT_TRUE(inside) << threads_.at(thread) << slice;
        ends.push_back(end);
      }
    }
  }

  // Each begins within one attempt and ends where another begins.
  void expect_arrows() const {
    for (const auto& [id, ends] : arrows_) {
      ASSERT_EQ(ends.size(), 2U) << id;
      EXPECT_EQ(ends[0]["ph"], "s");
      EXPECT_EQ(ends[1]["ph"], "f");
      EXPECT_EQ(ends[1]["bp"], "e");
      EXPECT_LE(ns(ends[0]["ts"]), ns(ends[1]["ts"]));
      EXPECT_TRUE(hits_attempt(ends[0], false)) << ends[0];
      EXPECT_TRUE(hits_attempt(ends[1], true)) << ends[1];
    }
  }
  bool hits_attempt(const Json& arrow, bool at_begin) const {
    return std::ranges::any_of(slices_.at(arrow["tid"]), [&](const Json& slice) {
      const std::int64_t begin = ns(slice["ts"]);
      const std::int64_t at = ns(arrow["ts"]);
      if (slice["cat"] != "attempt") return false;
      return at_begin ? at == begin : at >= begin && at < begin + ns(slice["dur"]);
    });
  }

  Json document_;
  std::map<std::int64_t, std::string> processes_;
  std::map<std::int64_t, std::string> threads_;
  std::map<std::int64_t, std::vector<Json>> slices_;  // by thread
  std::map<std::int64_t, std::vector<Json>> arrows_;  // by id
  std::set<std::pair<std::int64_t, std::int64_t>> used_;
};

struct Flight {
  std::string text;
  sim::RunResult result;
};

Flight trace_of(const sim::Scenario& scenario, const Policy& policy, TimeWindow window = {},
                TraceNames (*change)(TraceNames) = nullptr,
                const std::atomic<bool>* interrupt = nullptr) {
  const auto bound = sim::testing::loaded(sim::bind(scenario, policy, {}));
  TraceNames names = testing::names_of(scenario, bound);
  if (change != nullptr) names = change(names);
  Flight run;
  ChromeTrace trace(names, window, [&](std::string_view text) { run.text += text; });
  run.result = testing::fly(scenario, policy, bound, trace, interrupt);
  trace.finish(run.result.ended);
  return run;
}

TraceNames one_route() {
  TraceNames names;
  names.routes = {{"main", "lab/model"}};
  return names;
}

std::string eventful(TimeWindow window = {}) {
  return trace_of(testing::eventful_scenario(), testing::eventful_policy(), window).text;
}

TEST(ChromeTrace, OfARunInWhichEverythingHappens) {
  const std::string text =
      trace_of(testing::eventful_scenario(), testing::eventful_policy(), {}, testing::hostile).text;
  const Trace trace(text);
  brownout::testing::expect_golden("trace.json", text);
}

TEST(ChromeTrace, ARetryLiesInItsCallWithItsWaitBeforeIt) {
  const Trace trace(eventful());
  const auto limited = trace.named("main: rate_limited").at(0);
  const auto wait = trace.named("wait: retry").at(0);
  const auto arrow = trace.of_category("retry").at(0);
  EXPECT_EQ(limited["tid"], wait["tid"]);
  EXPECT_EQ(ns(limited["ts"]) + ns(limited["dur"]), ns(wait["ts"]));
  EXPECT_EQ(wait["args"]["cause"], "rate_limited");
  EXPECT_EQ(ns(arrow["ts"]), ns(wait["ts"]) - 1) << "the last instant of what failed";
  EXPECT_EQ(trace.of_category("retry").at(1)["tid"], wait["tid"]);
}

TEST(ChromeTrace, AHedgeLiesBesideItsCallAndAnArrowLeadsThere) {
  const Trace trace(eventful());
  const auto arrow = trace.of_category("hedge");
  ASSERT_EQ(arrow.size(), 2U);
  EXPECT_EQ(trace.thread_of(arrow[0]), "slot 1");
  EXPECT_EQ(trace.thread_of(arrow[1]), "slot 1, hedges");
  EXPECT_EQ(arrow[0]["ts"], arrow[1]["ts"]);
}

TEST(ChromeTrace, AnAttemptElsewhereIsAFallback) {
  const Trace trace(eventful());
  const auto arrows = trace.of_category("fallback");
  ASSERT_EQ(arrows.size(), 2U);
  EXPECT_EQ(trace.named("backup").at(0)["args"]["target"], "lab/other");
}

TEST(ChromeTrace, BreakersHaveAStateAndCountTheirOpenings) {
  const Trace trace(eventful());
  const auto opening = trace.named("open").at(0);
  EXPECT_EQ(trace.thread_of(opening), "main");
  EXPECT_THAT(trace.counter("breakers", "main", "state"),
              ElementsAre(Pair(0, 0), Pair(ns(opening["ts"]), 2)));
  EXPECT_THAT(trace.counter("breakers", "main", "openings"),
              ElementsAre(Pair(0, 0), Pair(ns(opening["ts"]), 1)));
  const auto rejections = trace.named("rejected: breaker_open");
  ASSERT_EQ(rejections.size(), 2U);
  EXPECT_EQ(rejections[0]["args"]["breaker"], "main");
  EXPECT_EQ(trace.thread_of(rejections[0]), "slot 1") << "of the call that was refused";
}

TEST(ChromeTrace, ACallWhoseCallerLeftEndsThere) {
  sim::Scenario scenario = sim::testing::scenario(
      {.duration = "2s", .workload = R"(, "cancel": {"share": 1, "after": "150ms"})"});
  const Flight run = trace_of(scenario, sim::testing::policy("[]"));
  const Trace trace(run.text);
  const auto calls = trace.named("call: given up");
  ASSERT_FALSE(calls.empty());
  EXPECT_EQ(ns(calls[0]["dur"]), 150'000'000);
  EXPECT_EQ(calls[0]["args"]["given up by"], "caller");
  EXPECT_EQ(trace.counter("calls", "calls", "in flight").back().second, 0);
}

TEST(ChromeTrace, AWaitThatIsCutShortEndsWithItsCall) {
  std::string text;
  ChromeTrace trace(one_route(), {}, [&](std::string_view more) { text += more; });
  trace.on_call_start({1, at(1s)});
  trace.on_wait({1, 0, at(1s), at(9s), WaitReason::quota});
  trace.on_attempt_start({1, 0, 0, 1, 0, at(2s)});
  trace.on_attempt({1, 0, 0, 1, at(1s), at(2s), at(3s)}, Outcome{});
  trace.on_wait({1, 0, at(3s), at(30s), WaitReason::retry});
  trace.on_give_up({1, at(1s), at(5s), 1, 0, true});
  trace.finish(at(5s));
  const Trace read(text);
  EXPECT_EQ(ns(read.named("wait: quota").at(0)["dur"]), 1'000'000'000) << "until the attempt";
  EXPECT_EQ(ns(read.named("wait: retry").at(0)["dur"]), 2'000'000'000) << "until the call's end";
}

TEST(ChromeTrace, CopiesThatOverlapHaveAThreadEach) {
  // 1s asks | 2s and 3s hedges, both until 5s | 6s another hedge, which may follow on the first's
  std::string text;
  ChromeTrace trace(one_route(), {}, [&](std::string_view more) { text += more; });
  const auto attempt = [&](std::uint32_t number, std::uint32_t copy, Duration from,
                           Duration until) {
    trace.on_attempt_start({1, 0, 0, number, copy, at(from)});
    trace.on_attempt({1, 0, 0, number, at(1s), at(from), at(until), copy != 0, copy}, Outcome{});
  };
  trace.on_call_start({1, at(1s)});
  for (const std::uint32_t copy : {1U, 2U}) {
    trace.on_hedge({1, 0, copy, at(1s), at(1s + copy * 1s)});
    attempt(1 + copy, copy, 1s + copy * 1s, 5s);
  }
  trace.on_hedge({1, 0, 3, at(1s), at(6s)});
  attempt(4, 3, 6s, 7s);
  attempt(1, 0, 1s, 7s);
  trace.on_call({1, at(1s), at(7s), 4}, Outcome{});
  trace.finish(at(7s));
  const Trace read(text);
  std::vector<std::string> threads;
  for (const Json& slice : read.of_category("attempt")) threads.push_back(read.thread_of(slice));
  EXPECT_THAT(threads,
              ElementsAre("slot 1", "slot 1, hedges", "slot 1, hedges 2", "slot 1, hedges"));
  EXPECT_EQ(read.of_category("hedge").size(), 6U);
}

TEST(ChromeTrace, NanosecondsSurvive) {
  std::string text;
  ChromeTrace trace({}, {}, [&](std::string_view more) { text += more; });
  trace.on_call_start({1, at(6h + 1ns)});
  trace.on_call({1, at(6h + 1ns), at(6h + 1us)}, Outcome{});
  trace.on_call_start({2, at(7h + 1us)});
  trace.on_call({2, at(7h + 1us), at(7h + 3us)}, Outcome{});
  trace.finish(at(8h));
  EXPECT_NE(text.find(R"("ts":21600000000.001,"dur":0.999)"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("ts":25200000001,"dur":2)"), std::string::npos);
}

TEST(ChromeTrace, AStormHasOneThreadPerCallInFlight) {
  testing::Storm storm;
  const Flight run = trace_of(storm.scenario, storm.policy);
  const Trace trace(run.text);
  const auto calls = trace.of_category("call");
  EXPECT_GT(calls.size(), 1'900U);
  EXPECT_GT(run.result.total.hedges, 100U);
  EXPECT_EQ(trace.of_category("attempt").size(), run.result.total.attempts);
  EXPECT_EQ(trace.of_category("wait").size(), run.result.total.waits);
  EXPECT_EQ(trace.named("rejected: breaker_open").size(), run.result.total.rejected_by_breaker[0]);
  EXPECT_GT(trace.named("rejected: breaker_open").size(), 20U);
  for (const char* arrow : {"retry", "hedge", "fallback"}) {
    EXPECT_GT(trace.of_category(arrow).size(), 20U) << arrow;
  }
  const auto in_flight = trace.counter("calls", "calls", "in flight");
  std::int64_t most = 0;
  for (const auto& [when, count] : in_flight) most = std::max(most, count);
  EXPECT_EQ(in_flight.back().second, 0);
  std::size_t slots = 0;
  for (const std::string& name : trace.threads()) {
    slots += name.starts_with("slot") && name.find(',') == name.npos;
  }
  EXPECT_GE(slots, static_cast<std::size_t>(most));
  EXPECT_LE(slots, static_cast<std::size_t>(most) + 1) << "calls may come and go at one instant";
}

TEST(ChromeTrace, AWindowShowsTheCallsThatTouchItAndNothingElse) {
  testing::Storm storm;
  const TimeWindow window{at(29s), at(31s)};
  const Flight run = trace_of(storm.scenario, storm.policy, window);
  const Trace trace(run.text);
  const Trace whole(trace_of(storm.scenario, storm.policy).text);
  std::set<std::uint64_t> expected;
  std::set<std::uint64_t> found;
  for (const Json& call : whole.of_category("call")) {
    const std::int64_t begin = ns(call["ts"]);
    if (begin < 31'000'000'000 && begin + ns(call["dur"]) >= 29'000'000'000) {
      expected.insert(call["args"]["call"].get<std::uint64_t>());
    }
  }
  for (const Json& call : trace.of_category("call")) {
    found.insert(call["args"]["call"].get<std::uint64_t>());
  }
  EXPECT_EQ(found, expected);
  EXPECT_GT(found.size(), 50U);
  for (const Json& event : trace.events()) {
    if (event["ph"] != "C") continue;
    EXPECT_GE(ns(event["ts"]), 29'000'000'000);
    EXPECT_LT(ns(event["ts"]), 31'000'000'000);
  }
  EXPECT_GT(trace.counter("calls", "calls", "in flight").front().second, 1)
      << "what is in flight where the window begins";
  const auto phases = trace.of_category("phase");
  ASSERT_EQ(phases.size(), 2U) << "cut to the window";
  EXPECT_EQ(ns(phases[0]["ts"]), 29'000'000'000);
  EXPECT_EQ(ns(phases[1]["dur"]), 1'000'000'000);
  EXPECT_EQ(phases[1]["args"]["begins"], "30s");
}

TEST(ChromeTrace, OfAnInterruptedRunIsWholeAndTellsOfNothingLater) {
  testing::Storm storm;
  std::atomic<bool> interrupt = true;
  const Flight run = trace_of(storm.scenario, storm.policy, {}, nullptr, &interrupt);
  EXPECT_EQ(run.result.end, sim::RunEnd::interrupted);
  const Trace trace(run.text);
  EXPECT_TRUE(trace.of_category("phase").empty());
}

TEST(ChromeTrace, TellsEveryKindOfEvent) {
  std::string text;
  TraceNames names;
  names.routes = {{"gpt-4", "openai/gpt-4"}, {"backup", "anthropic/claude"}};
  names.breakers = {"pipeline", "gpt-4", "backup"};
  ChromeTrace trace(names, {}, [&](std::string_view more) { text += more; });
  brownout::testing::play_every_event(trace);
  trace.finish(at(99s));
  const Trace read(text);
  EXPECT_EQ(read.of_category("call").size(), 10U);
  EXPECT_EQ(read.processes(), (std::set<std::string>{"calls", "breakers", "faults", "openai/gpt-4",
                                                     "anthropic/claude"}));
  for (const char* name :
       {"call", "call: cached", "call: degraded", "call: timed_out", "call: given up",
        "gpt-4: rate_limited", "wait: quota", "wait: route", "lookup: miss", "lookup: hit",
        "lookup: stale", "lookup: shared", "rejected: throttled", "open", "half_open", "closed"}) {
    EXPECT_FALSE(read.named(name).empty()) << name;
  }
}

TEST(ChromeTrace, OfNothingIsADocument) {
  std::string text;
  ChromeTrace trace({}, {}, [&](std::string_view more) { text += more; });
  trace.finish(Instant{});
  const Trace read(text);
  EXPECT_TRUE(read.of_category("call").empty());
}

TEST(ChromeTrace, TheSameRunGivesTheSameBytes) {
  EXPECT_EQ(eventful(), eventful());
}

}  // namespace
}  // namespace brownout::reports
