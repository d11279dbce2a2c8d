#include "reports/trace/event_diff.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdio>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "reports/trace/event_words.hpp"
#include "sim/event_log.hpp"
#include "tests/reports/traced_run.hpp"
#include "tests/support/engine/event_script.hpp"
#include "tests/support/golden.hpp"

namespace brownout::reports {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

Result<EventDiff> diff(const std::string& a, const std::string& b) {
  std::istringstream text_a(a);
  std::istringstream text_b(b);
  return diff_event_logs({"a.jsonl", text_a}, {"b.jsonl", text_b});
}

EventDiff found(const std::string& a, const std::string& b) {
  auto result = diff(a, b);
  if (result) return *result;
  ADD_FAILURE() << result.error()[0].to_string();
  return {};
}

std::string refusal(const std::string& a, const std::string& b) {
  const auto result = diff(a, b);
  return result ? "compared" : result.error().at(0).message;
}

// What an observer writes to an event log.
template <class Play>
std::string log_of(sim::EventNames names, Play play) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  sim::EventLog log(file.get(), std::move(names));
  play(log);
  std::string text(static_cast<std::size_t>(std::ftell(file.get())), '\0');
  std::rewind(file.get());
  EXPECT_EQ(std::fread(text.data(), 1, text.size(), file.get()), text.size());
  return text;
}

std::string log_of_run(const Policy& policy) {
  const sim::Scenario scenario = testing::eventful_scenario();
  const auto bound = sim::testing::loaded(sim::bind(scenario, policy, {}));
  return log_of({bound.routes, bound.breakers},
                [&](Observer& log) { testing::fly(scenario, policy, bound, log); });
}

std::string arrival(std::uint64_t call, std::int64_t at_ms) {
  return fmt::format(R"({{"event":"call_started","at_ns":{},"call":{}}})", at_ms * 1'000'000, call);
}
std::string attempt(std::uint64_t call, std::int64_t at_ms, const char* outcome, int status) {
  return fmt::format(
      R"({{"event":"attempt","at_ns":{},"call":{},"attempt":1,"copy":0,"route":"gpt-4",)"
      R"("started_ns":0,"outcome":"{}","status":{}}})",
      at_ms * 1'000'000, call, outcome, status);
}
std::string end(std::uint64_t call, std::int64_t at_ms) {
  return fmt::format(
      R"({{"event":"call","at_ns":{},"call":{},"started_ns":0,"end":"success",)"
      R"("outcome":"success","served":"live","route":"gpt-4","attempts":1,"billed_tokens":5}})",
      at_ms * 1'000'000, call);
}
std::string opening(std::int64_t at_ms) {
  return fmt::format(
      R"({{"event":"breaker","at_ns":{},"breaker":"gpt-4","from":"closed","to":"open"}})",
      at_ms * 1'000'000);
}

TEST(EventDiff, OfTwoPoliciesInOneScenario) {
  const std::string a = log_of_run(testing::eventful_policy());
  const std::string b = log_of_run(sim::testing::branching_policy(
      R"([{"cache": {"ttl": "1ms"}}, {"fallback": {"routes": [
          {"name": "main", "to": "lab/model", "pipeline": [
              {"retry": {"max_attempts": 2, "wait": {"fixed": "100ms"}}},
              {"breaker": {"consecutive_failures": 5, "open_for": "1m"}},
              {"hedge": {"delay": "400ms", "on_failure": "wait_for_others"}}]},
          {"name": "backup", "to": "lab/other", "pipeline": []}]}}])"));
  const EventDiff difference = found(a, b);
  EXPECT_FALSE(difference.same);
  brownout::testing::expect_golden("diff.txt", difference.text);
}

TEST(EventDiff, TheSameRunIsTheSame) {
  const std::string log = log_of_run(testing::eventful_policy());
  const EventDiff difference = found(log, log);
  EXPECT_TRUE(difference.same);
  EXPECT_EQ(difference.text,
            fmt::format("a.jsonl and b.jsonl tell the same run: {} events.\n", split(log).size()));
}

TEST(EventDiff, TwoEmptyLogsAreNotTheSameRun) {
  EXPECT_EQ(refusal("", ""), "a.jsonl and b.jsonl are empty: there is nothing to compare");
}

TEST(EventDiff, ABeginningSaysWhatFollows) {
  const std::vector<std::string> lines{arrival(1, 0), arrival(2, 5), end(1, 100),
                                       end(2, 3'602'656)};
  const EventDiff difference = found(joined({lines[0]}), joined(lines));
  EXPECT_FALSE(difference.same);
  EXPECT_EQ(difference.text,
            "A  a.jsonl\nB  b.jsonl\n\n"
            "a.jsonl is the beginning of b.jsonl: 1 event, then it ends. What follows there:\n\n"
            "  B  00:00:00.005  call 2  arrives\n"
            "  B  00:00:00.100  call 1  is answered (live) at gpt-4 after 100ms, attempts: 1\n"
            "  B  01:00:02.656  call 2  is answered (live) at gpt-4 after 1h00m, attempts: 1\n");
  EXPECT_THAT(found(joined(lines), joined({lines[0]})).text, HasSubstr("  A  00:00:00.005"));
}

TEST(EventDiff, NamesTheFieldsThatDiffer) {
  const std::string text = found(joined({arrival(1, 0), attempt(1, 70, "server_error", 500)}),
                                 joined({arrival(1, 0), attempt(1, 70, "server_error", 503)}))
                               .text;
  EXPECT_THAT(text, HasSubstr("  They differ in status: 500 and 503.\n"));
}

TEST(EventDiff, WhatLedThereIsOfTheCallsInvolvedAndOfBreakers) {
  // Call 9 has nothing to do with it, and of call 1 only the last lines are shown.
  std::vector<std::string> shared{arrival(1, 0), arrival(9, 1), opening(2)};
  for (int i = 0; i < 20; ++i) shared.push_back(attempt(1, 10 + i, "server_error", 500));
  shared.push_back(arrival(2, 50));
  std::vector<std::string> a = shared;
  std::vector<std::string> b = shared;
  a.push_back(end(1, 60));
  b.push_back(end(2, 60));
  const std::string text = found(joined(a), joined(b)).text;
  EXPECT_THAT(text, HasSubstr("Before that, in both, of calls 1 and 2 and of breakers:\n"
                              "     00:00:00.002  breaker gpt-4: closed -> open\n"
                              "     00:00:00.022  call 1  attempt 1"));
  EXPECT_THAT(text, HasSubstr("     00:00:00.050  call 2  arrives\n"));
  EXPECT_THAT(text, Not(HasSubstr("call 9")));
}

TEST(EventDiff, AnotherOrderOfTheSameEventsIsToldAsSuch) {
  const std::vector<std::string> a{arrival(1, 0), arrival(2, 5), arrival(3, 5), arrival(4, 6)};
  const std::vector<std::string> b{arrival(1, 0), arrival(3, 5), arrival(2, 5), arrival(4, 6)};
  EXPECT_THAT(found(joined(a), joined(b)).text, HasSubstr("the same events, in another order"));
  const std::vector<std::string> c{arrival(1, 0), arrival(3, 5), arrival(7, 5), arrival(4, 6)};
  EXPECT_THAT(found(joined(a), joined(c)).text, Not(HasSubstr("in another order")));
}

TEST(EventDiff, WhatIsNoLogIsRefusedWithItsLine) {
  const std::string log = joined({arrival(1, 0)});
  EXPECT_EQ(refusal(log + "calls\n", log + "calls\n"),
            "a.jsonl:2: this line is no event of brownout run … --events");
  EXPECT_EQ(refusal(log, log + R"({"event":"call","at_ns":)"),
            "b.jsonl:2: the log ends in the middle of an event");
  EXPECT_EQ(refusal(log, R"({"event":"call"})"
                         "\n"),
            "b.jsonl:1: this line is no event of brownout run … --events")
      << "an event has a time";
}

TEST(EventDiff, NothingInALogReachesATerminal) {
  const std::string b = R"({"event":"rest","at_ns":1,"call":1,"note":"\u001b[2J"})"
                        "\n";
  const std::string text = found(joined({arrival(1, 0)}), b).text;
  EXPECT_EQ(text.find('\033'), text.npos);
  EXPECT_THAT(text, HasSubstr("call 1  rest note=\uFFFD[2J"))
      << "events of later versions are told";
}

TEST(EventDiff, ThePlaceIsTheFirstLineThatDiffers) {
  const auto log = split(log_of_run(testing::eventful_policy()));
  for (std::size_t i = 0; i < log.size(); ++i) {
    std::vector<std::string> other = log;
    other[i] = opening(123'456);
    const std::string text = found(joined(log), joined(other)).text;
    EXPECT_THAT(text,
                HasSubstr(i == 0 ? "at their first event" : fmt::format("after {} event", i)));
    EXPECT_THAT(text, HasSubstr("B  00:02:03.456  breaker gpt-4: closed -> open\n"));
  }
}

TEST(EventWords, EveryEventHasWordsOfItsOwn) {
  const sim::EventNames names{{"gpt-4", "backup"}, {"pipeline", "gpt-4", "backup"}};
  const std::string log =
      log_of(names, [](Observer& to) { brownout::testing::play_every_event(to); });
  std::string told;
  for (const std::string& line : split(log)) {
    ASSERT_TRUE(looks_like_event(line)) << line;
    const auto event = read_event(line);
    ASSERT_TRUE(event) << line;
    EXPECT_EQ(event_at_a_glance(line), event->event);
    EXPECT_EQ(call_at_a_glance(line), event->call);
    told += in_words(*event) + "\n";
  }
  brownout::testing::expect_golden("event-words.txt", told);
}

}  // namespace
}  // namespace brownout::reports
