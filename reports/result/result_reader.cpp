// Reads what result_writer.cpp writes.

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "reports/result/result_document.hpp"

namespace brownout::reports {
namespace {

using Json = nlohmann::ordered_json;

// Thrown by Cursor and caught in from_json(): a reader a hundred fields deep is clearer without a
// check after each.
struct Contradiction {
  std::string message;
};

// A value and the way to it, for errors: "runs[0].total.calls".
class Cursor {
 public:
  Cursor(const Json& json, std::string path) : json_(&json), path_(std::move(path)) {}

  [[noreturn]] void refuse(std::string_view expected) const {
    throw Contradiction{fmt::format("{} is not {}", path_, expected)};
  }

  Cursor operator[](const char* key) const {
    if (!json_->is_object()) refuse("an object");
    const auto found = json_->find(key);
    if (found == json_->end()) {
      throw Contradiction{fmt::format("{} lacks \"{}\"", path_, key)};
    }
    return {*found, path_ + "." + key};
  }
  bool has(const char* key) const { return json_->is_object() && json_->contains(key); }
  bool is_null() const { return json_->is_null(); }

  std::vector<Cursor> items() const {
    if (!json_->is_array()) refuse("a list");
    std::vector<Cursor> cursors;
    for (std::size_t i = 0; i < json_->size(); ++i) {
      cursors.emplace_back((*json_)[i], fmt::format("{}[{}]", path_, i));
    }
    return cursors;
  }
  std::vector<std::pair<std::string, Cursor>> members() const {
    if (!json_->is_object()) refuse("an object");
    std::vector<std::pair<std::string, Cursor>> cursors;
    for (const auto& [key, value] : json_->items()) {
      cursors.emplace_back(key, Cursor(value, path_ + "." + key));
    }
    return cursors;
  }

  std::string text() const {
    if (!json_->is_string()) refuse("a text");
    return json_->get<std::string>();
  }
  // A text that stands in a line of what people read.
  std::string line() const {
    const std::string read = text();
    const auto is_control = [](char letter) {
      return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F;
    };
    if (std::ranges::any_of(read, is_control)) refuse("a line of text");
    return read;
  }
  bool truth() const {
    if (!json_->is_boolean()) refuse("true or false");
    return json_->get<bool>();
  }
  template <class Number = std::uint64_t>
  Number count() const {
    const bool fits = json_->is_number_unsigned() &&
                      json_->get<std::uint64_t>() <= std::numeric_limits<Number>::max();
    if (!fits) refuse("a whole number of that size");
    return json_->get<Number>();
  }
  std::int64_t integer() const {
    const bool fits =
        json_->is_number_integer() &&
        !(json_->is_number_unsigned() && json_->get<std::uint64_t>() > std::uint64_t{INT64_MAX});
    if (!fits) refuse("a whole number");
    return json_->get<std::int64_t>();
  }
  double positive() const {
    if (!json_->is_number() || json_->get<double>() <= 0) refuse("a number above 0");
    return json_->get<double>();
  }
  Duration duration() const {
    const std::int64_t value = integer();
    if (value < 0) refuse("a duration");
    return Duration{value};
  }
  Instant instant() const { return Instant{} + duration(); }

  std::uint64_t digest() const {
    const std::string word = text();
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, 16);
    if (word.size() != 16 || error != std::errc{} || end != word.data() + word.size()) {
      refuse("16 hexadecimal digits");
    }
    return value;
  }

  // The enumerator that is spelled like that.
  template <class Enum>
  Enum one_of(std::size_t values) const {
    const std::string word = text();
    for (std::size_t i = 0; i < values; ++i) {
      if (to_string(static_cast<Enum>(i)) == word) return static_cast<Enum>(i);
    }
    refuse("a word known there");
  }

  // The index of the name that is spelled like that.
  std::size_t index_in(const std::vector<std::string>& names) const {
    const auto found = std::ranges::find(names, text());
    if (found == names.end()) refuse("a name of the run");
    return static_cast<std::size_t>(found - names.begin());
  }

 private:
  const Json* json_;
  std::string path_;
};

constexpr std::size_t verdict_count = 3;
constexpr std::size_t run_end_count = 4;
constexpr std::size_t run_stage_count = 2;

OutcomeKind outcome(const Cursor& at) {
  return at.one_of<OutcomeKind>(outcome_kind_count);
}

sim::Histogram histogram(const Cursor& at) {
  const auto count = at["count"].count();
  if (count == 0) return {};
  std::vector<sim::Histogram::Bucket> buckets;
  for (const Cursor& pair : at["buckets"].items()) {
    const auto numbers = pair.items();
    if (numbers.size() != 2 || numbers[0].integer() < 0) pair.refuse("a bucket");
    buckets.emplace_back(numbers[0].count(), numbers[1].count());
  }
  auto read = sim::Histogram::restore(buckets, at["min_ns"].duration(), at["max_ns"].duration(),
                                      at["sum_ns"].count());
  if (read.count() != count) at.refuse("a histogram whose buckets hold its count");
  return read;
}

sim::Quantity quantity(const Cursor& at) {
  const auto parts = at.items();
  if (parts.size() != 2 || parts[1].integer() <= 0) at.refuse("numerator and denominator");
  return {parts[0].integer(), parts[1].integer()};
}

class RunReader {
 public:
  explicit RunReader(const Cursor& at) : at_(at) {}

  sim::RunResult read() {
    read_head();
    read_names();
    for (const Cursor& item : at_["expectations"].items()) {
      run_.expectations.push_back(expectation(item));
    }
    run_.total = stats(at_["total"]);
    for (const Cursor& item : at_["phases"].items()) {
      run_.phases.push_back({item["name"].line(), item["begins_ns"].instant(),
                             item["ends_ns"].instant(), stats(item["stats"])});
    }
    for (const Cursor& item : at_["faults"].items()) {
      run_.faults.push_back({item["phase"].text(), item["fault"].text(), item["matched"].count(),
                             item["injected"].count(), item["asked_billionths"].integer()});
    }
    for (const Cursor& item : at_["errors"].items()) {
      run_.errors.push_back({route(item["route"]), outcome(item["outcome"]),
                             item["status"].count<std::uint16_t>(), item["count"].count(),
                             item["first_at_ns"].instant(), item["first_call"].count()});
    }
    run_.timeline = timeline(at_["timeline"]);
    for (const Cursor& item : at_["samples"].items()) run_.samples.push_back(sample(item));
    if (at_["verdict"].text() != to_string(run_.verdict())) {
      at_["verdict"].refuse("the verdict its expectations lead to");
    }
    return std::move(run_);
  }

 private:
  void read_head() {
    run_.scenario = at_["scenario"].line();
    run_.scenario_path = at_["scenario_path"].line();
    run_.scenario_description = at_["scenario_description"].text();
    run_.scenario_source = at_["scenario_source"].text();
    run_.scenario_digest = at_["scenario_digest"].digest();
    run_.policy = at_["policy"].line();
    run_.policy_path = at_["policy_path"].line();
    run_.policy_description = at_["policy_description"].text();
    run_.policy_digest = at_["policy_digest"].digest();
    run_.seed = at_["seed"].count();
    read_stage();
    if (at_.has("could_not_follow")) run_.could_not_follow = at_["could_not_follow"].line();
    run_.replay = at_["replay"].line();
    run_.end = at_["end"].one_of<sim::RunEnd>(run_end_count);
    run_.diagnosis = at_["diagnosis"].text();
    run_.unfinished_calls = at_["unfinished_calls"].count();
    run_.starts_at_unix_ns = at_["starts_at_unix_ns"].integer();
    run_.scenario_ends = at_["scenario_ends_ns"].instant();
    run_.ended = at_["ended_ns"].instant();
    run_.events = at_["events"].count();
    run_.has_prices = at_["has_prices"].truth();
    run_.semantic_digest = at_["semantic_digest"].digest();
    run_.schedule_digest = at_["schedule_digest"].digest();
  }

  // Results older than the field were simulated.
  void read_stage() {
    if (!at_.has("stage")) return;
    run_.stage = at_["stage"].one_of<sim::RunStage>(run_stage_count);
    if (run_.stage == sim::RunStage::http) {
      run_.speed = at_["speed"].positive();
    } else if (!at_["speed"].is_null()) {
      at_["speed"].refuse("null, and a simulated clock has no speed");
    }
  }

  void read_names() {
    for (const Cursor& item : at_["routes"].items()) {
      run_.routes.push_back(item["name"].line());
      run_.route_targets.push_back(item["target"].line());
    }
    for (const Cursor& item : at_["breakers"].items()) {
      run_.breakers.push_back(breaker(item));
      breakers_.push_back(run_.breakers.back().name);
    }
  }

  static sim::BreakerResult breaker(const Cursor& at) {
    sim::BreakerResult breaker;
    breaker.name = at["name"].line();
    breaker.openings = at["opened"].count();
    breaker.final_state = at["final_state"].one_of<BreakerState>(breaker_state_count);
    breaker.transition_count = at["transition_count"].count();
    for (const Cursor& item : at["transitions"].items()) {
      breaker.transitions.push_back(
          {item["at_ns"].instant(), item["to"].one_of<BreakerState>(breaker_state_count)});
    }
    return breaker;
  }

  static sim::ExpectationResult expectation(const Cursor& at) {
    sim::ExpectationResult read;
    read.expression = at["expression"].line();
    read.actual = at["actual"].line();
    read.verdict = at["verdict"].one_of<sim::Verdict>(verdict_count);
    read.metric = at["metric"].text();
    read.argument = at["argument"].text();
    read.part = at["part"].text();
    read.phase = at["phase"].text();
    read.unit = at["unit"].text();
    read.comparison = at["comparison"].text();
    read.threshold = quantity(at["threshold"]);
    if (!at["value"].is_null()) read.value = quantity(at["value"]);
    read.place = {at["path"].text(), at["line"].count<std::uint32_t>(),
                  at["column"].count<std::uint32_t>(), at["end_column"].count<std::uint32_t>()};
    read.excerpt = at["excerpt"].text();
    return read;
  }

  template <class Count>
  static std::vector<Count> named(const Cursor& at, const std::vector<std::string>& names) {
    std::vector<Count> counts;
    for (const std::string& name : names) counts.push_back(at[name.c_str()].count<Count>());
    return counts;
  }

  static std::array<std::uint64_t, outcome_kind_count> by_kind(const Cursor& at) {
    std::array<std::uint64_t, outcome_kind_count> counts{};
    for (const auto& [name, value] : at.members()) {
      const auto kind = parse_outcome_kind(name);
      if (!kind) value.refuse("an outcome's");
      counts[static_cast<std::size_t>(*kind)] = value.count();
    }
    return counts;
  }

  sim::CallStats stats(const Cursor& at) const {
    sim::CallStats stats;
    stats.calls = at["calls"].count();
    for (std::size_t i = 0; i < call_end_count; ++i) {
      stats.ended[i] = at[std::string(to_string(static_cast<CallEnd>(i))).c_str()].count();
    }
    stats.failed_as = by_kind(at["failed_as"]);
    stats.shared = at["shared"].count();
    stats.rejected = at["rejected"].count();
    stats.hedges = at["hedges"].count();
    stats.rejected_by_breaker = named<std::uint64_t>(at["rejected_by_breaker"], breakers_);
    stats.served_by_route = named<std::uint64_t>(at["served_by_route"], run_.routes);
    stats.attempts = at["attempts"].count();
    stats.attempts_as = by_kind(at["attempts_as"]);
    stats.attempts_by_route = named<std::uint64_t>(at["attempts_by_route"], run_.routes);
    stats.in_flight_max_by_route = named<std::uint32_t>(at["in_flight_max_by_route"], run_.routes);
    stats.billed_tokens = at["billed_tokens"].count();
    stats.wasted_tokens = at["wasted_tokens"].count();
    stats.cost_picodollars = at["cost_nanodollars"].count();
    stats.cost_picodollars *= 1000;
    stats.waits = at["waits"].count();
    stats.wait = histogram(at["wait"]);
    stats.hinted = at["hinted"].count();
    stats.hint = histogram(at["retry_after"]);
    stats.success_latency = histogram(at["latency"]["success"]);
    stats.failed_latency = histogram(at["latency"]["failed"]);
    stats.other_latency = histogram(at["latency"]["other"]);
    stats.first_token = histogram(at["first_token"]);
    return stats;
  }

  static sim::Timeline timeline(const Cursor& at) {
    sim::Timeline timeline;
    timeline.width = at["bucket_ns"].duration();
    timeline.buckets = at["buckets"].count<std::size_t>();
    if (timeline.width.count() == 0 && timeline.buckets > 0) {
      at["bucket_ns"].refuse("the width of a bucket");
    }
    for (const Cursor& item : at["series"].items()) {
      sim::Series& series = timeline.series.emplace_back();
      series.metric = item["metric"].text();
      series.of = item["of"].text();
      series.unit = item["unit"].text();
      if (item.has("full")) series.full = item["full"].integer();
      for (const Cursor& value : item["values"].items()) series.values.push_back(value.integer());
      if (series.values.size() != timeline.buckets) item["values"].refuse("one value per bucket");
    }
    return timeline;
  }

  sim::SampledCall sample(const Cursor& at) const {
    sim::SampledCall call;
    call.call = at["call"].count();
    for (const Cursor& item : at["kept_as"].items()) {
      const std::string why = item.text();
      if (why == "failed") call.is_failed = true;
      if (why == "slowest") call.is_slowest = true;
      if (why == "random") call.is_random = true;
    }
    call.started = at["started_ns"].instant();
    call.ended = at["ended_ns"].instant();
    call.end = at["end"].one_of<CallEnd>(call_end_count);
    call.outcome = outcome(at["outcome"]);
    call.served = at["served"].one_of<Served>(served_count);
    call.route = route(at["route"]);
    for (const Cursor& item : at["attempts"].items()) call.attempts.push_back(attempt(item));
    for (const Cursor& item : at["waits"].items()) {
      call.waits.push_back({route(item["route"]), item["from_ns"].instant(),
                            item["until_ns"].instant(),
                            item["reason"].one_of<WaitReason>(wait_reason_count)});
    }
    for (const Cursor& item : at["rejections"].items()) {
      const Cursor name = item["breaker"];
      const BreakerId id =
          name.is_null() ? no_breaker : static_cast<BreakerId>(name.index_in(breakers_));
      call.rejections.push_back({id, item["at_ns"].instant(), outcome(item["outcome"])});
    }
    return call;
  }

  sim::SampledAttempt attempt(const Cursor& at) const {
    sim::SampledAttempt read;
    read.number = at["number"].count<std::uint32_t>();
    read.route = route(at["route"]);
    read.hedge = at["hedge"].truth();
    read.started = at["started_ns"].instant();
    read.ended = at["ended_ns"].instant();
    if (!at["first_output_ns"].is_null()) read.first_output = at["first_output_ns"].instant();
    read.outcome = outcome(at["outcome"]);
    read.status = at["status"].count<std::uint16_t>();
    if (!at["retry_after_ns"].is_null()) read.retry_after = at["retry_after_ns"].duration();
    read.input_tokens = at["input_tokens"].count<std::uint32_t>();
    read.output_tokens = at["output_tokens"].count<std::uint32_t>();
    return read;
  }

  RouteId route(const Cursor& at) const {
    return at.is_null() ? no_route : static_cast<RouteId>(at.index_in(run_.routes));
  }

  const Cursor at_;
  sim::RunResult run_;
  std::vector<std::string> breakers_;
};

// What else somebody may have given us.
std::string what_it_is(const Json& json) {
  if (!json.is_object() || !json.contains("kind") || !json["kind"].is_string()) {
    return "it has no \"kind\"";
  }
  const std::string kind = json["kind"].get<std::string>();
  if (kind == "result") return "";
  const std::string what = fmt::format("its kind is \"{}\"", kind);
  return kind == "scenario" ? what + "; run it with --json to make one" : what;
}

}  // namespace

Result<std::vector<sim::RunResult>> from_json(const std::string& name, const std::string& text) {
  try {
    const Json json = Json::parse(text);
    const auto refuse = [&](const std::string& why) {
      return fail(ErrorKind::invalid, name + " is not a result document: " + why);
    };
    if (const std::string other = what_it_is(json); !other.empty()) return refuse(other);
    const Cursor document(json, name);
    const auto version = document["schema_version"].integer();
    if (version != result_schema_version) {
      return refuse(fmt::format("its schema_version is {}, this program reads {}", version,
                                result_schema_version));
    }
    std::vector<sim::RunResult> runs;
    for (const Cursor& run : document["runs"].items()) runs.push_back(RunReader(run).read());
    return runs;
  } catch (const Contradiction& found) {
    return fail(ErrorKind::invalid, found.message);
  } catch (const Json::exception& error) {
    const std::string_view what = error.what();
    const auto bracket = what.find("] ");
    return fail(ErrorKind::invalid,
                name + " is not JSON: " +
                    std::string(bracket == what.npos ? what : what.substr(bracket + 2)));
  }
}

Result<std::vector<sim::RunResult>> load_results(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return fail(ErrorKind::environment, "cannot read " + path + ": it is a folder");
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || errno != 0) {
    return fail(ErrorKind::environment, "cannot read " + path + ": " + std::strerror(errno));
  }
  return from_json(path, text);
}

}  // namespace brownout::reports
