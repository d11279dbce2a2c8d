#include <nlohmann/json.hpp>

#include "reports/result/result_document.hpp"
#include "reports/text/json_text.hpp"

namespace brownout::reports {
namespace {

using Json = nlohmann::ordered_json;

std::int64_t ns(Instant at) {
  return at.time_since_epoch().count();
}

Json histogram_json(const sim::Histogram& histogram) {
  if (histogram.count() == 0) return {{"count", 0}};
  return {{"count", histogram.count()},
          {"min_ns", histogram.min().count()},
          {"mean_ns", histogram.mean().count()},
          {"p50_ns", histogram.quantile(500).count()},
          {"p90_ns", histogram.quantile(900).count()},
          {"p95_ns", histogram.quantile(950).count()},
          {"p99_ns", histogram.quantile(990).count()},
          {"p999_ns", histogram.quantile(999).count()},
          {"max_ns", histogram.max().count()},
          {"sum_ns", histogram.sum()},
          {"buckets", histogram.buckets()}};
}

Json by_kind(const std::array<std::uint64_t, outcome_kind_count>& counts) {
  Json json = Json::object();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) json[std::string(to_string(static_cast<OutcomeKind>(i)))] = counts[i];
  }
  return json;
}

template <class Count>
Json named(const std::vector<std::string>& names, const std::vector<Count>& counts) {
  Json json = Json::object();
  for (std::size_t i = 0; i < names.size(); ++i) json[names[i]] = i < counts.size() ? counts[i] : 0;
  return json;
}

Json stats_json(const sim::CallStats& stats, const sim::RunResult& run) {
  std::vector<std::string> breakers;
  for (const auto& breaker : run.breakers) breakers.push_back(breaker.name);
  return {{"calls", stats.calls},
          {"success", stats.ended_as(CallEnd::success)},
          {"cached", stats.ended_as(CallEnd::cached)},
          {"degraded", stats.ended_as(CallEnd::degraded)},
          {"failed", stats.ended_as(CallEnd::failed)},
          {"failed_as", by_kind(stats.failed_as)},
          {"shared", stats.shared},
          {"rejected", stats.rejected},
          {"hedges", stats.hedges},
          {"rejected_by_breaker", named(breakers, stats.rejected_by_breaker)},
          {"served_by_route", named(run.routes, stats.served_by_route)},
          {"attempts", stats.attempts},
          {"attempts_as", by_kind(stats.attempts_as)},
          {"attempts_by_route", named(run.routes, stats.attempts_by_route)},
          {"in_flight_max_by_route", named(run.routes, stats.in_flight_max_by_route)},
          {"billed_tokens", stats.billed_tokens},
          {"wasted_tokens", stats.wasted_tokens},
          {"cost_nanodollars", stats.cost_nanodollars()},
          {"waits", stats.waits},
          {"wait", histogram_json(stats.wait)},
          {"hinted", stats.hinted},
          {"retry_after", histogram_json(stats.hint)},
          {"latency",
           {{"success", histogram_json(stats.success_latency)},
            {"failed", histogram_json(stats.failed_latency)},
            {"other", histogram_json(stats.other_latency)}}},
          {"first_token", histogram_json(stats.first_token)}};
}

Json expectation_json(const sim::ExpectationResult& expectation) {
  Json json{{"expression", expectation.expression},
            {"actual", expectation.actual},
            {"verdict", to_string(expectation.verdict)},
            {"metric", expectation.metric},
            {"argument", expectation.argument},
            {"part", expectation.part},
            {"phase", expectation.phase},
            {"unit", expectation.unit},
            {"comparison", expectation.comparison},
            {"threshold", {expectation.threshold.numerator, expectation.threshold.denominator}},
            {"value", nullptr},
            {"path", expectation.place.path},
            {"line", expectation.place.line},
            {"column", expectation.place.column},
            {"end_column", expectation.place.end_column},
            {"excerpt", expectation.excerpt}};
  if (expectation.value) {
    json["value"] = {expectation.value->numerator, expectation.value->denominator};
  }
  return json;
}

Json breaker_json(const sim::BreakerResult& breaker) {
  Json transitions = Json::array();
  for (const auto& transition : breaker.transitions) {
    transitions.push_back({{"at_ns", ns(transition.at)}, {"to", to_string(transition.to)}});
  }
  return {{"name", breaker.name},
          {"opened", breaker.openings},
          {"final_state", to_string(breaker.final_state)},
          {"transition_count", breaker.transition_count},
          {"transitions", std::move(transitions)}};
}

Json timeline_json(const sim::Timeline& timeline) {
  Json series = Json::array();
  for (const sim::Series& one : timeline.series) {
    Json json{{"metric", one.metric}, {"of", one.of}, {"unit", one.unit}};
    if (one.full) json["full"] = *one.full;
    json["values"] = one.values;
    series.push_back(std::move(json));
  }
  return {{"bucket_ns", timeline.width.count()},
          {"buckets", timeline.buckets},
          {"series", std::move(series)}};
}

class SampleWriter {
 public:
  explicit SampleWriter(const sim::RunResult& run) : run_(run) {}

  Json write(const sim::SampledCall& call) const {
    Json kept = Json::array();
    if (call.is_failed) kept.push_back("failed");
    if (call.is_slowest) kept.push_back("slowest");
    if (call.is_random) kept.push_back("random");
    Json json{{"call", call.call},
              {"kept_as", std::move(kept)},
              {"started_ns", ns(call.started)},
              {"ended_ns", ns(call.ended)},
              {"end", to_string(call.end)},
              {"outcome", to_string(call.outcome)},
              {"served", to_string(call.served)},
              {"route", route(call.route)}};
    for (const char* list : {"attempts", "waits", "rejections"}) json[list] = Json::array();
    for (const auto& attempt : call.attempts) json["attempts"].push_back(write(attempt));
    for (const auto& wait : call.waits) {
      json["waits"].push_back({{"route", route(wait.route)},
                               {"from_ns", ns(wait.from)},
                               {"until_ns", ns(wait.until)},
                               {"reason", to_string(wait.reason)}});
    }
    for (const auto& rejection : call.rejections) {
      json["rejections"].push_back({{"breaker", rejection.breaker == no_breaker
                                                    ? Json(nullptr)
                                                    : Json(run_.breakers[rejection.breaker].name)},
                                    {"at_ns", ns(rejection.at)},
                                    {"outcome", to_string(rejection.outcome)}});
    }
    return json;
  }

  Json route(RouteId id) const { return id == no_route ? Json(nullptr) : Json(run_.routes[id]); }

 private:
  Json write(const sim::SampledAttempt& attempt) const {
    Json json{{"number", attempt.number},
              {"route", route(attempt.route)},
              {"hedge", attempt.hedge},
              {"started_ns", ns(attempt.started)},
              {"ended_ns", ns(attempt.ended)},
              {"first_output_ns", nullptr},
              {"outcome", to_string(attempt.outcome)},
              {"status", attempt.status},
              {"retry_after_ns", nullptr},
              {"input_tokens", attempt.input_tokens},
              {"output_tokens", attempt.output_tokens}};
    if (attempt.first_output != never) json["first_output_ns"] = ns(attempt.first_output);
    if (attempt.retry_after) json["retry_after_ns"] = attempt.retry_after->count();
    return json;
  }

  const sim::RunResult& run_;
};

// Whole ones as whole numbers. A simulated clock has none.
Json speed_json(const sim::RunResult& run) {
  if (run.stage == sim::RunStage::sim) return nullptr;
  const auto whole = static_cast<std::uint64_t>(run.speed);
  return static_cast<double>(whole) == run.speed ? Json(whole) : Json(run.speed);
}

Json head_json(const sim::RunResult& run) {
  return {{"scenario", run.scenario},
          {"scenario_path", run.scenario_path},
          {"scenario_description", run.scenario_description},
          {"scenario_source", run.scenario_source},
          {"scenario_digest", sim::format_digest(run.scenario_digest)},
          {"policy", run.policy},
          {"policy_path", run.policy_path},
          {"policy_description", run.policy_description},
          {"policy_digest", sim::format_digest(run.policy_digest)},
          {"seed", run.seed},
          {"stage", to_string(run.stage)},
          {"speed", speed_json(run)},
          {"could_not_follow", run.could_not_follow},
          {"replay", run.replay},
          {"verdict", to_string(run.verdict())},
          {"end", to_string(run.end)},
          {"diagnosis", run.diagnosis},
          {"unfinished_calls", run.unfinished_calls},
          {"starts_at_unix_ns", run.starts_at_unix_ns},
          {"scenario_ends_ns", ns(run.scenario_ends)},
          {"ended_ns", ns(run.ended)},
          {"events", run.events},
          {"has_prices", run.has_prices},
          {"semantic_digest", sim::format_digest(run.semantic_digest)},
          {"schedule_digest", sim::format_digest(run.schedule_digest)}};
}

Json run_json(const sim::RunResult& run) {
  const SampleWriter samples(run);
  Json json = head_json(run);
  for (const char* list : {"expectations", "routes"}) json[list] = Json::array();
  for (const auto& expectation : run.expectations) {
    json["expectations"].push_back(expectation_json(expectation));
  }
  for (std::size_t i = 0; i < run.routes.size(); ++i) {
    json["routes"].push_back({{"name", run.routes[i]}, {"target", run.route_targets[i]}});
  }
  json["total"] = stats_json(run.total, run);
  for (const char* list : {"phases", "breakers", "faults", "errors"}) json[list] = Json::array();
  for (const auto& phase : run.phases) {
    json["phases"].push_back({{"name", phase.name},
                              {"begins_ns", ns(phase.begins)},
                              {"ends_ns", ns(phase.ends)},
                              {"stats", stats_json(phase.stats, run)}});
  }
  for (const auto& breaker : run.breakers) json["breakers"].push_back(breaker_json(breaker));
  for (const auto& fault : run.faults) {
    json["faults"].push_back({{"phase", fault.phase},
                              {"fault", fault.fault},
                              {"matched", fault.matched},
                              {"injected", fault.injected},
                              {"asked_billionths", fault.asked_billionths}});
  }
  for (const auto& error : run.errors) {
    json["errors"].push_back({{"route", samples.route(error.route)},
                              {"outcome", to_string(error.outcome)},
                              {"status", error.status},
                              {"count", error.count},
                              {"first_at_ns", ns(error.first_at)},
                              {"first_call", error.first_call}});
  }
  json["timeline"] = timeline_json(run.timeline);
  json["samples"] = Json::array();
  for (const auto& call : run.samples) json["samples"].push_back(samples.write(call));
  return json;
}

}  // namespace

std::string to_json(const std::vector<sim::RunResult>& runs) {
  Json json{{"kind", "result"}, {"schema_version", result_schema_version}};
  json["runs"] = Json::array();
  for (const sim::RunResult& run : runs) json["runs"].push_back(run_json(run));
  return pretty(json);
}

}  // namespace brownout::reports
