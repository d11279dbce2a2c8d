#include "sim/served.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "sim/run_result.hpp"

namespace brownout::sim {
namespace {

using mock::http::ServedAttempt;
using mock::http::ServedCall;
__extension__ using Wide = unsigned __int128;

// The success that ended first, or null: tries of a call that its client numbers may overlap.
const ServedAttempt* answer_of(const ServedCall& call) {
  const ServedAttempt* answer = nullptr;
  for (const ServedAttempt& attempt : call.attempts) {
    if (attempt.outcome != OutcomeKind::success || attempt.ended == never) continue;
    if (answer == nullptr || attempt.ended < answer->ended) answer = &attempt;
  }
  return answer;
}

// Breakers, hedges, waits and caches are the client's, and leave no sign that is theirs alone.
bool is_seen(const Expectation& expectation, const std::vector<std::string>& models) {
  switch (expectation.metric) {
    case Metric::availability:
    case Metric::answered:
    case Metric::calls:
    case Metric::failed:
    case Metric::latency:
    case Metric::attempts_per_call:
    case Metric::wasted_tokens:
    case Metric::cost:
    case Metric::hinted:
    case Metric::retry_after:
      return true;
    case Metric::attempts:
    case Metric::share:
      return expectation.argument.empty() ||
             std::ranges::find(models, expectation.argument) != models.end();
    case Metric::breaker_opened:
    case Metric::breaker_state:
    case Metric::time_to_open:
    case Metric::time_to_recover:
    case Metric::rejected:
    case Metric::hedges:
    case Metric::waits:
    case Metric::wait:
    case Metric::max_in_flight:
      return false;
  }
  return false;
}

std::size_t index(OutcomeKind kind) {
  return static_cast<std::size_t>(kind);
}

void add_attempt(CallStats& stats, const ServedAttempt& attempt, const mock::Price& price) {
  ++stats.attempts;
  ++stats.attempts_as[index(attempt.outcome)];
  ++stats.attempts_by_route[attempt.model];
  const std::uint64_t billed = std::uint64_t{attempt.input_tokens} + attempt.output_tokens;
  stats.billed_tokens += billed;
  if (attempt.outcome != OutcomeKind::success) stats.wasted_tokens += billed;
  stats.cost_picodollars += static_cast<Wide>(price.input) * attempt.input_tokens;
  stats.cost_picodollars += static_cast<Wide>(price.output) * attempt.output_tokens;
}

void size(CallStats& stats, std::size_t models) {
  stats.served_by_route.resize(models);
  stats.attempts_by_route.resize(models);
  stats.in_flight_max_by_route.resize(models);
}

}  // namespace

ServedRecorder::ServedRecorder(const Scenario& scenario)
    : scenario_(scenario), result_(begin_result(scenario)) {
  result_.policy = "of its clients";
  const std::vector<mock::ModelSpec>& models = scenario.script.models;
  result_.has_prices = std::ranges::any_of(models, [](const mock::ModelSpec& model) {
    return model.price.input > 0 || model.price.output > 0;
  });
  for (const mock::ModelSpec& model : models) {
    result_.routes.push_back(model.name);
    result_.route_targets.push_back(model.full_name);
  }
  for (const mock::PhaseSpec& phase : scenario.script.phases) {
    result_.phases.push_back({.name = phase.name,
                              .begins = Instant{} + phase.begin,
                              .ends = Instant{} + phase.until,
                              .stats = {}});
    size(result_.phases.back().stats, models.size());
  }
  size(result_.total, models.size());
  kept_ = empty();
}

ServedRecorder::Tally ServedRecorder::empty() const {
  Tally tally{.phases = std::vector<CallStats>(scenario_.script.phases.size())};
  for (CallStats& stats : tally.phases) size(stats, scenario_.script.models.size());
  return tally;
}

void ServedRecorder::add(const Tally& from, Tally& to) {
  to.unfinished += from.unfinished;
  for (std::size_t i = 0; i < from.phases.size(); ++i) to.phases[i].add(from.phases[i]);
}

void ServedRecorder::forget(std::string_view session) {
  const auto found = sessions_.find(session);
  if (found != sessions_.end()) sessions_.erase(found);
}

void ServedRecorder::keep(std::string_view session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  add(found->second, kept_);
  sessions_.erase(found);
}

void ServedRecorder::add(std::string_view session, const ServedCall& call, std::size_t phase) {
  auto found = sessions_.find(session);
  if (found == sessions_.end()) found = sessions_.emplace(session, empty()).first;
  Tally& tally = found->second;
  const ServedAttempt* const answer = answer_of(call);
  const bool is_answered = answer != nullptr;
  const ServedAttempt& last =
      is_answered ? *answer : *std::ranges::max_element(call.attempts, {}, &ServedAttempt::ended);
  if (last.ended == never) {
    ++tally.unfinished;
    return;
  }
  CallStats& stats = tally.phases[phase];
  ++stats.calls;
  for (const ServedAttempt& attempt : call.attempts) {
    add_attempt(stats, attempt, scenario_.script.models[attempt.model].price);
  }
  const Instant began = call.attempts.front().arrived;
  const CallEnd end = is_answered ? CallEnd::success : CallEnd::failed;
  ++stats.ended[static_cast<std::size_t>(end)];
  const Duration latency = std::max(last.ended - began, Duration{0});
  if (!is_answered) {
    ++stats.failed_as[index(last.outcome)];
    stats.failed_latency.record(latency);
    if (!last.retry_after) return;
    ++stats.hinted;
    stats.hint.record(*last.retry_after);
    return;
  }
  ++stats.served_by_route[last.model];
  stats.success_latency.record(latency);
  if (last.first_output != never) {
    stats.first_token.record(std::max(last.first_output - began, Duration{0}));
  }
}

RunResult ServedRecorder::finish(std::uint64_t seed, double speed, Instant ended,
                                 std::vector<std::string>& not_judged) {
  result_.stage = RunStage::http;
  result_.speed = speed;
  result_.seed = seed;
  result_.ended = ended;
  for (const auto& [session, tally] : sessions_) add(tally, kept_);
  sessions_.clear();
  result_.unfinished_calls = kept_.unfinished;
  for (std::size_t i = 0; i < result_.phases.size(); ++i) {
    result_.phases[i].stats.add(kept_.phases[i]);
    result_.total.add(kept_.phases[i]);
  }
  judge_seen(not_judged);
  return std::move(result_);
}

void ServedRecorder::judge_seen(std::vector<std::string>& not_judged) {
  const std::vector<FaultWindow> windows(result_.routes.size());
  const auto is_seen_here = [&](const Expectation& expectation) {
    return is_seen(expectation, result_.routes);
  };
  const bool any_seen = std::ranges::any_of(scenario_.expectations, is_seen_here);
  for (const Expectation& expectation : scenario_.expectations) {
    const bool seen = is_seen_here(expectation);
    if (!seen) not_judged.push_back(expectation.text);
    if (!seen && any_seen) continue;
    ExpectationResult judged = judge(expectation, result_, windows);
    if (!seen) {
      judged.verdict = Verdict::undecided;
      judged.actual = "only a client can know";
      judged.value.reset();
    } else if (judged.verdict == Verdict::passed && result_.total.calls == 0) {
      judged.verdict = Verdict::undecided;
      judged.actual += ", but nobody called";
    }
    result_.expectations.push_back(std::move(judged));
  }
}

}  // namespace brownout::sim
