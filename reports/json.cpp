#include "reports/json.hpp"

#include <nlohmann/json.hpp>

namespace brownout::reports {
namespace {

using Json = nlohmann::ordered_json;

std::int64_t ns(Instant at) {
  return at.time_since_epoch().count();
}

Json latency(const sim::Histogram& histogram) {
  if (histogram.count() == 0) return {{"count", 0}};
  return {{"count", histogram.count()},
          {"min_ns", histogram.min().count()},
          {"mean_ns", histogram.mean().count()},
          {"p50_ns", histogram.quantile(500).count()},
          {"p90_ns", histogram.quantile(900).count()},
          {"p95_ns", histogram.quantile(950).count()},
          {"p99_ns", histogram.quantile(990).count()},
          {"p999_ns", histogram.quantile(999).count()},
          {"max_ns", histogram.max().count()}};
}

Json by_kind(const std::array<std::uint64_t, outcome_kind_count>& counts) {
  Json json = Json::object();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) json[std::string(to_string(static_cast<OutcomeKind>(i)))] = counts[i];
  }
  return json;
}

Json named(const std::vector<std::string>& names, const std::vector<std::uint64_t>& counts) {
  Json json = Json::object();
  for (std::size_t i = 0; i < names.size(); ++i) json[names[i]] = counts[i];
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
          {"billed_tokens", stats.billed_tokens},
          {"wasted_tokens", stats.wasted_tokens},
          {"cost_nanodollars", stats.cost_nanodollars()},
          {"latency",
           {{"success", latency(stats.success_latency)},
            {"failed", latency(stats.failed_latency)},
            {"other", latency(stats.other_latency)}}}};
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

Json run_json(const sim::RunResult& run) {
  Json json{{"scenario", run.scenario},
            {"scenario_path", run.scenario_path},
            {"policy", run.policy},
            {"policy_path", run.policy_path},
            {"policy_description", run.policy_description},
            {"seed", run.seed},
            {"verdict", to_string(run.verdict())},
            {"end", to_string(run.end)},
            {"diagnosis", run.diagnosis},
            {"unfinished_calls", run.unfinished_calls},
            {"scenario_ends_ns", ns(run.scenario_ends)},
            {"ended_ns", ns(run.ended)},
            {"semantic_digest", sim::format_digest(run.semantic_digest)},
            {"schedule_digest", sim::format_digest(run.schedule_digest)}};
  for (const char* list : {"expectations", "routes"}) json[list] = Json::array();
  for (const auto& expectation : run.expectations) {
    json["expectations"].push_back({{"expression", expectation.expression},
                                    {"actual", expectation.actual},
                                    {"verdict", to_string(expectation.verdict)}});
  }
  for (std::size_t i = 0; i < run.routes.size(); ++i) {
    json["routes"].push_back({{"name", run.routes[i]}, {"target", run.route_targets[i]}});
  }
  json["total"] = stats_json(run.total, run);
  for (const char* list : {"phases", "breakers", "faults"}) json[list] = Json::array();
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
  return json;
}

}  // namespace

std::string to_json(const std::vector<sim::RunResult>& runs) {
  Json json{{"kind", "result"}, {"schema_version", result_schema_version}};
  json["runs"] = Json::array();
  for (const sim::RunResult& run : runs) json["runs"].push_back(run_json(run));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace brownout::reports
