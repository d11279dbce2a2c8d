// What is wrong with a script is said with a message, a place and a hint.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/mockserver/scripts.hpp"

namespace brownout::mock {
namespace {

using namespace testing;

struct Complaint {
  std::string message;
  std::string marked;  // what the caret stands under
  std::string note;
  bool operator==(const Complaint&) const = default;
};

void PrintTo(const Complaint& complaint, std::ostream* out) {
  *out << "{R\"(" << complaint.message << ")\", R\"(" << complaint.marked << ")\", R\"("
       << complaint.note << ")\"}";
}

// Takes an excerpt apart: its last two lines are the text and the carets with the note.
Complaint complaint_of(const Error& error) {
  std::vector<std::string> lines{""};
  for (const char c : error.excerpt) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += c;
    }
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  Complaint result{error.message, "", ""};
  if (lines.size() < 2) return result;
  const std::string& text = lines[lines.size() - 2];
  const std::string& carets = lines.back();
  const std::size_t from = carets.find('^');
  if (from == std::string::npos) return result;
  const std::size_t to = std::min(carets.find_first_not_of('^', from), carets.size());
  result.marked = text.substr(from, to - from);
  if (to < carets.size()) result.note = carets.substr(to + 1);
  return result;
}

using Complaints = std::vector<Complaint>;

Complaints complaints(Problems& problems) {
  Complaints result;
  for (const Error& error : problems.take()) result.push_back(complaint_of(error));
  return result;
}

Complaints of_providers(const std::string& json) {
  const auto document = Document::parse("scenario.json", json);
  EXPECT_TRUE(document) << json;
  if (!document) return {};
  Problems problems;
  Script script;
  EXPECT_FALSE(read_providers((*document)->root(), problems, script));
  return complaints(problems);
}

// The members of one model of the openai dialect.
Complaints of_model(const std::string& members) {
  return of_providers(R"({"openai": {"dialect": "openai", "models": {"gpt-4": {
)" + members + "}}}}");
}

Complaints of_limits(const std::string& limits) {
  return of_model(R"("ttft": "1s", "inter_token": "1ms", "limits":
)" + limits);
}

Complaints of_timeline(const std::string& json) {
  const auto document = Document::parse("scenario.json", json);
  EXPECT_TRUE(document) << json;
  if (!document) return {};
  Problems problems;
  Script script = load(providers_json({}), hour_json({}), 1h);
  script.phases.clear();
  EXPECT_FALSE(read_timeline((*document)->root(), 1h, problems, script));
  return complaints(problems);
}

Complaints of_faults(const std::string& faults) {
  return of_timeline(R"([{"phase": "p", "until": "1h", "faults": [
)" + faults + "]}]");
}

#define EXPECT_COMPLAINT(actual, ...) EXPECT_EQ(actual, (Complaints{__VA_ARGS__}))

TEST(ScriptErrors, Providers) {
  EXPECT_COMPLAINT(of_providers("[]"), {"expected an object but found an array", "[]",
                                        "provider names and what they offer"});
  EXPECT_COMPLAINT(of_providers("{}"), {"a scenario needs at least one provider", "{}", ""});
  EXPECT_COMPLAINT(
      of_providers(R"({"a/b": {"dialect": "openai", "models": {"m": {
      "ttft": "1s", "inter_token": "1ms"}}}})"),
      {R"("a/b" cannot be the name of a provider)", R"("a/b")", "letters, digits and . _ - : @ +"});
  EXPECT_COMPLAINT(of_providers(R"({"x": {"dialect": "opnai", "models": {"m": {
      "ttft": "1s", "inter_token": "1ms"}}}})"),
                   {R"(unexpected value "opnai")", R"("opnai")", R"(did you mean "openai"?)"});
  EXPECT_COMPLAINT(of_providers(R"({"x": {"dialect": "openai", "models": {}}})"),
                   {"a provider needs at least one model", "{}", ""});
  EXPECT_COMPLAINT(
      of_providers(R"({"x": {"dialect": "openai", "models": {"": {
      "ttft": "1s", "inter_token": "1ms"}}}})"),
      {R"("" cannot be the name of a model)", R"("")", "letters, digits and . _ - : @ +"});
}

TEST(ScriptErrors, Models) {
  EXPECT_COMPLAINT(of_model(R"("ttfs": "1s", "inter_token": "1ms")"),
                   {R"(unknown key "ttfs")", R"("ttfs")", R"(did you mean "ttft"?)"});
  EXPECT_COMPLAINT(of_model(R"("ttft": 640, "inter_token": "1ms")"),
                   {R"(expected a duration such as "250ms" but found the number 640)", "640",
                    R"(did you mean "640s" or "640ms"?)"});
  EXPECT_COMPLAINT(of_model(R"("ttft": "1s", "inter_token": "1ms", "error_latency": [])"),
                   {R"(expected a duration such as "250ms" but found an array)", "[]", ""});
  EXPECT_COMPLAINT(of_model(R"("ttft": "1s", "inter_token": "1ms", "price": {
      "input_per_million": -1})"),
                   {"-1 is out of range", "-1", "expected 0 to 100000"},
                   {R"(missing key "output_per_million")", "{", "expected in this object"});
}

TEST(ScriptErrors, Limits) {
  EXPECT_COMPLAINT(of_limits(R"({"rpm": 0})"),
                   {"0 is out of range", "0", "expected 1 to 1000000000000"});
  EXPECT_COMPLAINT(of_limits(R"({"rpn": 10})"),
                   {R"(unknown key "rpn")", R"("rpn")", R"(did you mean "rpm"?)"});
  EXPECT_COMPLAINT(of_limits(R"({"itpm": 10})"),
                   {R"("itpm" is no limit of the openai dialect)", "10", R"(use "tpm")"});
  EXPECT_COMPLAINT(of_limits(R"({"when_full": "refuse"})"),
                   {R"("when_full" has no effect without "concurrent")", R"("refuse")", ""});
  EXPECT_COMPLAINT(of_limits(R"({"concurrent": 1, "when_full": "refuse", "queue": 3})"),
                   {R"("queue" has no effect when "when_full" is "refuse")", "3", ""});
  EXPECT_COMPLAINT(of_limits(R"({"concurrent": 1, "when_full": "drop"})"),
                   {R"(unexpected value "drop")", R"("drop")", "expected one of: queue, refuse"});
}

TEST(ScriptErrors, Distributions) {
  const auto ttft = [](const std::string& json) {
    return of_model(R"("inter_token": "1ms", "ttft":
)" + json);
  };
  EXPECT_COMPLAINT(ttft("{}"),
                   {"a distribution has exactly one member, its shape", "{}",
                    "one of: constant, uniform, normal, lognormal, exponential, mixture"});
  EXPECT_COMPLAINT(ttft(R"({"gauss": 1})"),
                   {R"(unknown distribution "gauss")", R"("gauss")",
                    "expected one of: constant, uniform, normal, lognormal, exponential, mixture"});
  EXPECT_COMPLAINT(
      ttft(R"({"lognormall": 1})"),
      {R"(unknown distribution "lognormall")", R"("lognormall")", R"(did you mean "lognormal"?)"});
  EXPECT_COMPLAINT(ttft(R"({"uniform": {"min": "2s", "max": "1s"}})"),
                   {R"("min" is greater than "max")", R"("2s")", ""});
  EXPECT_COMPLAINT(ttft(R"({"normal": {"mean": "2s"}})"),
                   {R"(missing key "stddev")", "{", "expected in this object"});
  EXPECT_COMPLAINT(ttft(R"({"lognormal": {"median": "2s", "sigma": 11}})"),
                   {"11 is out of range", "11", "expected 0 to 10"});
  EXPECT_COMPLAINT(
      ttft(R"({"mixture": [[0.9, "1s"], [0.2, "2s"]]})"),
      {"the shares of this mixture sum to 1.1, not to 1", R"([[0.9, "1s"], [0.2, "2s"]])", ""});
  EXPECT_COMPLAINT(ttft(R"({"mixture": []})"),
                   {"a mixture needs at least one part", "[]", "[[share, distribution], …]"});
  EXPECT_COMPLAINT(ttft(R"({"mixture": [["1s", 1]]})"),
                   {R"(expected a number but found the string "1s")", R"("1s")", ""},
                   {R"(expected a duration such as "250ms" but found the number 1)", "1",
                    R"(did you mean "1s"?)"});
  EXPECT_COMPLAINT(ttft(R"({"mixture": [{"constant": "1s"}]})"),
                   {"a part of a mixture is a pair of a share and a distribution",
                    R"({"constant": "1s"})", "[share, distribution]"});
}

TEST(ScriptErrors, Timelines) {
  EXPECT_COMPLAINT(of_timeline("{}"), {"expected an array but found an object", "{}", ""});
  EXPECT_COMPLAINT(of_timeline("[]"), {"a timeline needs at least one phase", "[]", ""});
  EXPECT_COMPLAINT(
      of_timeline(R"([{"phase": "a", "until": "30m"}])"),
      {"the last phase ends at 30m, the scenario at 1h", R"("30m")", R"(expected "1h")"});
  EXPECT_COMPLAINT(of_timeline(R"([{"phase": "a", "until": "30m"},
      {"phase": "a", "until": "1h"}])"),
                   {R"(there is a phase "a" already)", R"("a")", ""});
  EXPECT_COMPLAINT(of_timeline(R"([{"phase": "a", "until": "30m"}, {"phase": "b", "until": "20m"},
      {"phase": "c", "until": "1h"}])"),
                   {"the phase ends at 20m but begins at 30m", R"("20m")",
                    R"("until" counts from the scenario's start)"});
  EXPECT_COMPLAINT(
      of_timeline(R"([{"phase": "a", "until": "1h30"}])"),
      {R"(expected a duration such as "250ms" but found the string "1h30")", R"("1h30")",
       R"(expected numbers with units (d, h, m, s, ms, us, ns), such as "3h20m")"});
  EXPECT_COMPLAINT(of_timeline(R"([{"phase": "", "until": "1h"}])"),
                   {R"("" is not a name)", R"("")", "a name is made of letters, digits and . - _"});
  EXPECT_COMPLAINT(of_timeline(R"([{"name": "a", "until": "1h"}])"),
                   {R"(missing key "phase")", "{", "expected in this object"},
                   {R"(unknown key "name")", R"("name")", "expected one of: phase, faults"});
}

TEST(ScriptErrors, Patterns) {
  const auto on = [](const std::string& pattern) {
    return of_faults(R"({"error": "server_error", "on": ")" + pattern + "\"}");
  };
  EXPECT_COMPLAINT(on("opnai/*"), {R"(no provider of this scenario matches "opnai")",
                                   R"("opnai/*")", R"(did you mean "openai"?)"});
  EXPECT_COMPLAINT(on("openai/gpt4"), {R"(no model of openai matches "gpt4")", R"("openai/gpt4")",
                                       R"(did you mean "gpt-4"?)"});
  EXPECT_COMPLAINT(on("openai/claude"), {R"(no model of openai matches "claude")",
                                         R"("openai/claude")", "expected one of: gpt-4, gpt-3.5"});
  EXPECT_COMPLAINT(on("openai/gpt-4/caht"), {R"(unknown endpoint "caht")", R"("openai/gpt-4/caht")",
                                             R"(did you mean "chat"?)"});
  EXPECT_COMPLAINT(on("openai//chat"),
                   {R"("openai//chat" is not a pattern of models)", R"("openai//chat")",
                    "provider[/model[/endpoint]], each a name or *"});
  EXPECT_COMPLAINT(on("a/b/c/d"), {R"("a/b/c/d" is not a pattern of models)", R"("a/b/c/d")",
                                   "provider[/model[/endpoint]], each a name or *"});
}

TEST(ScriptErrors, Effects) {
  EXPECT_COMPLAINT(of_faults(R"({"on": "*"})"),
                   {"this fault does nothing", R"({"on": "*"})",
                    "add one of: error, outage, unreachable, hang, latency, sequence, wire"});
  EXPECT_COMPLAINT(of_faults(R"({"error": "server_error"})"),
                   {R"(missing key "on")", "{", "expected in this object"});
  EXPECT_COMPLAINT(
      of_faults(R"({"on": "*", "error": "server_err"})"),
      {R"(unexpected value "server_err")", R"("server_err")", R"(did you mean "server_error"?)"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "error": "timed_out"})"),
                   {R"(a provider cannot cause "timed_out")", R"("timed_out")",
                    R"(for one that never answers: "hang": true)"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "error": "overloaded", "hang": true})"),
                   {R"(a fault is either "error" or "hang")", "true", "make two faults of it"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "outage": false})"),
                   {"this fault does nothing", "false", "leave it out, or say true"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "latency": {}})"),
                   {"this latency changes nothing", "{}", "add one of: add, multiply"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "latency": {"multiply": -1}})"),
                   {"-1 is out of range", "-1", "expected 0 to 1000000"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "sequence": []})"),
                   {"a sequence needs at least one entry", "[]", ""});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "sequence": ["sucess"]})"),
                   {R"(unexpected value "sucess")", R"("sucess")", R"(did you mean "success"?)"});
}

TEST(ScriptErrors, WireInASequence) {
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "sequence": ["success", {"wire": "stal"}]})"),
                   {R"(unexpected value "stal")", R"("stal")", R"(did you mean "stall"?)"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "sequence": [{"at": "final_frame"}]})"),
                   {R"(missing key "wire")", "{", "expected in this object"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "sequence": [{"wire": "html", "at": "final_frame"}]})"),
                   {R"("at" has no effect on this fault)", R"("final_frame")", ""});
  EXPECT_COMPLAINT(
      of_faults(R"({"on": "*", "sequence": [{"wire": "hang", "at": "after_header"}]})"),
      {R"(unexpected value "after_header")", R"("after_header")",
       "expected one of: after_accept, before_headers"});
  EXPECT_COMPLAINT(
      of_faults(R"({"on": "*", "sequence": [{"wire": "refuse"}], "after_limits": true})"),
      {R"("after_limits" has no effect on this fault)", "true",
       "a refused connection meets no limits"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "sequence": [{"wire": "html"}], "retry_after": "1s"})"),
                   {R"("retry_after" has no effect on this fault)", R"("1s")",
                    "only errors that are answers carry it"});
}

TEST(ScriptErrors, Wire) {
  EXPECT_COMPLAINT(
      of_faults(R"({"on": "*", "wire": "half_frames"})"),
      {R"(unexpected value "half_frames")", R"("half_frames")", R"(did you mean "half_frame"?)"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "wire": "crlf", "at": "final_frame"})"),
                   {R"("at" has no effect on this fault)", R"("final_frame")", ""});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "outage": true, "at": "before_accept"})"),
                   {R"("at" has no effect on this fault)", R"("before_accept")", ""});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "error": "connection", "at": {"frames": 1}})"),
                   {"a connection fails before the reply begins", R"({"frames": 1})",
                    R"(for one that breaks later: "wire": "reset")"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "wire": "hang", "at": "after_header"})"),
                   {R"(unexpected value "after_header")", R"("after_header")",
                    "expected one of: after_accept, before_headers"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "wire": "half_frame", "at": {"bytes": 9}})"),
                   {R"(this fault cannot happen at "bytes")", R"("bytes")", "expected \"frames\""});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "wire": "duplicate_frame", "at": "final_frame"})"),
                   {"expected an object but found a string", R"("final_frame")", "one of: frames"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "wire": "reset", "at": {"frames": 1, "time": "2s"}})"),
                   {"a point has exactly one measure", R"({"frames": 1, "time": "2s"})",
                    "one of: frames, bytes, time"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "wire": "reset", "at": {"frames": 0}})"),
                   {"0 is out of range", "0", "expected 1 to 1000000000"});
  EXPECT_COMPLAINT(
      of_faults(R"({"on": "*", "wire": "reset", "after_share": 0.5, "at": "after_headers"})"),
      {R"(a fault has either "after_share" or "at")", R"("after_headers")", ""});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "wire": "html", "after_share": 0.5})"),
                   {R"("after_share" has no effect on this fault)", "0.5", ""});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "wire": "refuse", "after_limits": true})"),
                   {R"("after_limits" has no effect on this fault)", "true", ""});
}

TEST(ScriptErrors, Answers) {
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "error": "bad_gateway", "status": 200})"),
                   {"200 is out of range", "200", "expected 400 to 599"});
  EXPECT_COMPLAINT(
      of_faults(R"({"on": "*", "error": "connection", "status": 500})"),
      {R"("status" has no effect on this fault)", "500", "only errors that are answers have one"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "error": "connection", "should_retry": true})"),
                   {R"("should_retry" has no effect on this fault)", "true",
                    "only errors that are answers carry it"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "hang": true, "retry_after": "1s"})"),
                   {R"("retry_after" has no effect on this fault)", R"("1s")",
                    "only errors that are answers carry it"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "error": "overloaded", "retry_after": 20})"),
                   {R"(expected a duration such as "250ms" but found the number 20)", "20",
                    R"(did you mean "20s"?)"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "outage": true, "after_share": 0.5})"),
                   {R"("after_share" has no effect on this fault)", "0.5", ""});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "error": "connection", "after_share": 0.5})"),
                   {"a connection fails before the reply begins", "0.5",
                    R"(for a reply that breaks off: "error": "stream_truncated")"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "error": "overloaded", "after_share": 2})"),
                   {"2 is out of range", "2", "expected 0 to 1"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "error": "overloaded", "after_share": "unifrom"})"),
                   {R"(unexpected value "unifrom")", R"("unifrom")", R"(did you mean "uniform"?)"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "latency": {"add": "1s"}, "after_limits": true})"),
                   {R"("after_limits" has no effect on this fault)", "true", ""});
}

TEST(ScriptErrors, Triggers) {
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "hang": true, "share": 1.5})"),
                   {"1.5 is out of range", "1.5", "expected 0 to 1"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "hang": true, "share": {"rmap": [0, 1]}})"),
                   {R"(unknown share "rmap")", R"("rmap")", R"(did you mean "ramp"?)"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "hang": true, "share": {"ramp": [0]}})"),
                   {"a ramp is a pair of shares", "[0]", "[at the phase's beginning, at its end]"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "hang": true, "share": {}})"),
                   {"a share has exactly one shape", "{}", "a number, or one of: ramp, flap"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "hang": true, "share": {"flap": {"on": "0s",
      "off": "1s"}}})"),
                   {R"("0s" is out of range)", R"("0s")", "expected 1ns to 8760h"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "hang": true, "share": 0.5, "first": 3})"),
                   {R"(a fault has either "share" or "first")", "3", "make two faults of it"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "hang": true, "first": 0})"),
                   {"0 is out of range", "0", "expected 1 to 1000000000"});
  EXPECT_COMPLAINT(
      of_faults(R"({"on": "*", "sequence": ["server_error"], "share": 0.5})"),
      {"a sequence decides by itself which requests fail", "0.5", "make two faults of it"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "hang": true, "repeat": true})"),
                   {R"("repeat" has no effect without "sequence")", "true", ""});
}

TEST(ScriptErrors, SharesThatDoNotFitIntoOne) {
  EXPECT_COMPLAINT(of_faults(R"({"on": "openai/*", "hang": true, "share": 0.6},
      {"on": "anthropic", "hang": true, "share": 0.9},
      {"on": "*/gpt-4", "error": "server_error", "share": 0.5})"),
                   {R"(the shares of the faults on openai/gpt-4 can add up to 1.1 in phase "p")",
                    "0.5", "a request is hit by one fault at most: shares must fit into 1"});
  EXPECT_COMPLAINT(
      of_faults(R"({"on": "*", "hang": true, "share": {"ramp": [0, 0.6]}},
      {"on": "*", "error": "server_error", "share": {"ramp": [0.2, 0.5]}})"),
      {R"(the shares of the faults on openai/gpt-4 can add up to 1.1 in phase "p")",
       R"({"ramp": [0.2, 0.5]})", "a request is hit by one fault at most: shares must fit into 1"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "hang": true},
      {"on": "*", "outage": true})"),
                   {R"(the shares of the faults on openai/gpt-4 can add up to 2 in phase "p")",
                    R"({"on": "*", "outage": true})",
                    "a request is hit by one fault at most: shares must fit into 1"});
  EXPECT_COMPLAINT(of_faults(R"({"on": "*", "hang": true, "share": {"flap": {"on": "1s",
      "off": "1s"}}}, {"on": "*", "outage": true, "share": 0.1})"),
                   {R"(the shares of the faults on openai/gpt-4 can add up to 1.1 in phase "p")",
                    "0.1", "a request is hit by one fault at most: shares must fit into 1"});
}

TEST(ScriptErrors, SharesThatOnlyPassEachOtherAreFine) {
  load(providers_json({}), R"([{"phase": "p", "until": "1h", "faults": [
      {"on": "*", "hang": true, "share": {"ramp": [1, 0]}},
      {"on": "*", "outage": true, "share": {"ramp": [0, 1]}},
      {"on": "*", "error": "server_error", "first": 3},
      {"on": "*", "latency": {"add": "1s"}, "share": 0.5}]}])",
       1h);
}

TEST(ScriptErrors, AreAllReportedAtOnce) {
  EXPECT_EQ(of_faults(R"({"on": "opnai", "error": "server_err", "share": 2, "shaer": 1})").size(),
            4u);
}

}  // namespace
}  // namespace brownout::mock
