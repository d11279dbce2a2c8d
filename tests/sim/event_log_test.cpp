#include "sim/event_log.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/sim/lab.hpp"

namespace brownout::sim {
namespace {

using namespace std::chrono_literals;
using testing::at;
using Json = nlohmann::json;

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

std::string text_of(std::FILE* file) {
  std::string text;
  std::rewind(file);
  char buffer[4096];
  for (std::size_t size; (size = std::fread(buffer, 1, sizeof buffer, file)) > 0;) {
    text.append(buffer, size);
  }
  return text;
}

std::vector<Json> lines_of(std::FILE* file) {
  std::vector<Json> lines;
  std::istringstream text(text_of(file));
  for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
  return lines;
}

const EventNames names{{"main", "gpt-3.5_x"}, {"pipeline", "gpt-3.5_x#2"}};

TEST(EventLog, EveryEventIsAnObjectWithItsFields) {
  const File file(std::tmpfile());
  EventLog log(file.get(), names);
  Outcome limited = Outcome::failure(OutcomeKind::rate_limited, 429);
  limited.retry_after = 250ms;
  limited.route = 1;
  log.on_call_start({7, at(1s)});
  log.on_lookup({7, LookupEvent::Result::miss, at(1s)});
  log.on_attempt({7, 1, 0, 2, at(1s), at(2s), at(3s), true, 1}, limited);
  log.on_wait({7, 0, at(3s), at(4s), WaitReason::retry, OutcomeKind::rate_limited, 1});
  log.on_hedge({7, 0, 1, at(1s), at(4s)});
  log.on_breaker({1, BreakerState::closed, BreakerState::half_open, at(5s)});
  log.on_rejection({7, 1, at(1s), at(6s)});
  log.on_call({7, at(1s), at(8s), 2, 150, true}, limited);
  log.on_give_up({8, at(2s), at(9s), 3, 20, true});
  EXPECT_TRUE(log.ok());
  const auto lines = lines_of(file.get());
  ASSERT_EQ(lines.size(), 9U);
  EXPECT_EQ(lines[0], Json::parse(R"({"event": "call_started", "at_ns": 1000000000, "call": 7})"));
  EXPECT_EQ(lines[1], Json::parse(R"({"event": "lookup", "at_ns": 1000000000, "call": 7,
      "result": "miss"})"));
  EXPECT_EQ(lines[2], Json::parse(R"({"event": "attempt", "at_ns": 3000000000, "call": 7,
      "attempt": 2, "copy": 1, "route": "gpt-3.5_x", "started_ns": 2000000000,
      "outcome": "rate_limited", "status": 429, "retry_after_ns": 250000000,
      "input_tokens": 0, "output_tokens": 0})"));
  EXPECT_EQ(lines[3], Json::parse(R"({"event": "wait", "at_ns": 3000000000, "call": 7,
      "copy": 1, "route": "main", "until_ns": 4000000000, "reason": "retry",
      "cause": "rate_limited"})"));
  EXPECT_EQ(lines[4], Json::parse(R"({"event": "hedge", "at_ns": 4000000000, "call": 7,
      "route": "main", "number": 1})"));
  EXPECT_EQ(lines[5], Json::parse(R"({"event": "breaker", "at_ns": 5000000000,
      "breaker": "gpt-3.5_x#2", "from": "closed", "to": "half_open"})"));
  EXPECT_EQ(lines[6], Json::parse(R"({"event": "rejection", "at_ns": 6000000000, "call": 7,
      "breaker": "gpt-3.5_x#2", "outcome": "breaker_open"})"));
  EXPECT_EQ(lines[7], Json::parse(R"({"event": "call", "at_ns": 8000000000, "call": 7,
      "started_ns": 1000000000, "end": "failed", "outcome": "rate_limited", "served": "nothing",
      "route": "gpt-3.5_x", "attempts": 2, "billed_tokens": 150})"));
  EXPECT_EQ(lines[8], Json::parse(R"({"event": "given_up", "at_ns": 9000000000, "call": 8,
      "started_ns": 2000000000, "by": "caller", "attempts": 3, "billed_tokens": 20})"));
}

TEST(EventLog, ARefusalThatIsNoBreakersSaysWhatTheCallWasTold) {
  const File file(std::tmpfile());
  EventLog log(file.get(), names);
  log.on_rejection({7, no_breaker, at(1s), at(6s), OutcomeKind::bulkhead_full});
  EXPECT_EQ(lines_of(file.get()).at(0), Json::parse(R"({"event": "rejection",
      "at_ns": 6000000000, "call": 7, "breaker": null, "outcome": "bulkhead_full"})"));
}

TEST(EventLog, WhatIsAbsentIsNull) {
  const File file(std::tmpfile());
  EventLog log(file.get(), names);
  Outcome served;
  served.served = Served::fallback;
  log.on_attempt({}, Outcome{});
  log.on_wait({});
  log.on_call({}, served);
  const auto lines = lines_of(file.get());
  EXPECT_TRUE(lines[0]["route"].is_null());
  EXPECT_TRUE(lines[0]["retry_after_ns"].is_null());
  EXPECT_TRUE(lines[1]["route"].is_null());
  EXPECT_EQ(lines[1]["reason"], "retry");
  EXPECT_TRUE(lines[1]["cause"].is_null()) << "a wait for no failure";
  EXPECT_TRUE(lines[2]["route"].is_null());
  EXPECT_EQ(lines[2]["end"], "degraded");
  EXPECT_EQ(lines[2]["served"], "default");
}

TEST(EventLog, EveryWayOfBeingServedHasAName) {
  const File file(std::tmpfile());
  EventLog log(file.get(), names);
  Outcome outcome;
  for (const Served served :
       {Served::nothing, Served::live, Served::shared, Served::cached, Served::stale}) {
    outcome.served = served;
    log.on_call({}, outcome);
  }
  std::vector<std::string> found;
  for (const Json& line : lines_of(file.get())) found.push_back(line["served"]);
  EXPECT_EQ(found, (std::vector<std::string>{"nothing", "live", "shared", "cached", "stale"}));
}

// Names are all that comes from files; policies that need escapes in them are refused.
TEST(EventLog, NamesThatWouldNeedEscapesCannotBeLoaded) {
  for (const char* name : {R"(a\"b)", R"(a\\b)", R"(a\nb)", "a b", "ü"}) {
    const auto policy = parse_policy(
        "policy.json", std::string(R"({"kind": "policy", "version": 1, "name": "p", "route": ")") +
                           name + R"(", "to": "lab/model", "pipeline": []})");
    EXPECT_FALSE(policy) << name;
  }
}

TEST(EventLog, AWholeRunIsReadableLineByLine) {
  const File file(std::tmpfile());
  const Scenario scenario = testing::scenario(
      {.duration = "10m",
       .faults = R"([{"on": "lab/model", "error": "server_error", "share": 0.7}])"});
  const Policy policy = testing::branching_policy(R"([{"fallback": {"routes": [
      {"name": "main", "to": "lab/model", "pipeline": [
          {"retry": {"max_attempts": 2, "wait": {"fixed": "1s"}}},
          {"breaker": {"consecutive_failures": 3, "open_for": "5s"}}]},
      {"name": "backup", "to": "lab/other", "pipeline": []}],
      "then": [{"default": {}}]}}])");
  const BoundPolicy bound = testing::loaded(sim::bind(scenario, policy, {}));
  EventLog log(file.get(), {bound.routes, bound.breakers});
  const RunResult result = run(scenario, policy, bound, testing::heard_by(log));
  std::map<std::string, std::uint64_t> counts;
  std::int64_t last = 0;
  for (const Json& line : lines_of(file.get())) {
    ++counts[line["event"]];
    const std::int64_t at_ns = line["at_ns"];
    EXPECT_GE(at_ns, last);
    last = at_ns;
  }
  EXPECT_EQ(counts["call"], result.total.calls);
  EXPECT_EQ(counts["call_started"], result.total.calls);
  EXPECT_EQ(counts["attempt"], result.total.attempts);
  EXPECT_EQ(counts["breaker"], result.breakers[0].transition_count);
  EXPECT_EQ(counts["rejection"], result.total.rejected_by_breaker[0]);
  for (const char* event : {"wait", "breaker", "rejection"}) EXPECT_GT(counts[event], 0U) << event;
}

TEST(EventLog, KnowsWhenItCouldNotWrite) {
  const File full(std::fopen("/dev/full", "w"));
  ASSERT_TRUE(full);
  std::setvbuf(full.get(), nullptr, _IONBF, 0);
  EventLog log(full.get(), names);
  EXPECT_TRUE(log.ok());
  log.on_wait({});
  EXPECT_FALSE(log.ok());
}

}  // namespace
}  // namespace brownout::sim
