#include "sim/recorder.hpp"

#include <xxhash.h>

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout::sim {
namespace {

std::int64_t nanoseconds(Instant at) {
  return at.time_since_epoch().count();
}

template <class Enum>
std::size_t index(Enum value) {
  return static_cast<std::size_t>(value);
}

}  // namespace

SemanticDigest::SemanticDigest() : state_(XXH3_createState()) {
  BROWNOUT_CHECK(state_ != nullptr);
  XXH3_64bits_reset(state_);
}

SemanticDigest::~SemanticDigest() {
  XXH3_freeState(state_);
}

void SemanticDigest::flush() {
  XXH3_64bits_update(state_, buffer_.data(), size_);
  size_ = 0;
}

std::uint64_t SemanticDigest::value() {
  flush();
  return XXH3_64bits_digest(state_);
}

Recorder::Recorder(const mock::Script& script, const Pipeline& pipeline, Observer* next)
    : script_(script), next_(next) {
  for (const mock::PhaseSpec& phase : script.phases) {
    PhaseResult& result = phases_.emplace_back();
    result.name = phase.name;
    result.begins = Instant{} + phase.begin;
    result.ends = Instant{} + phase.until;
    result.stats.served_by_route.resize(pipeline.routes().size());
    result.stats.attempts_by_route.resize(pipeline.routes().size());
    result.stats.rejected_by_breaker.resize(pipeline.breakers().size());
  }
  for (const auto& breaker : pipeline.breakers()) breakers_.emplace_back().name = breaker.name;
}

// A call belongs to the phase it arrived in; one that arrives at the very end, to the last.
CallStats& Recorder::stats_at(Instant arrival) {
  for (PhaseResult& phase : phases_) {
    if (arrival < phase.ends) return phase.stats;
  }
  return phases_.back().stats;
}

void Recorder::on_call_start(const CallStartEvent& event) {
  if (next_ != nullptr) next_->on_call_start(event);
}

void Recorder::on_attempt_start(const AttemptStartEvent& event) {
  if (next_ != nullptr) next_->on_attempt_start(event);
}

void Recorder::on_attempt(const AttemptEvent& event, const Outcome& outcome) {
  digest_.add('A', event.call, event.number, event.route, nanoseconds(event.started),
              nanoseconds(event.ended), static_cast<std::uint8_t>(outcome.kind), outcome.status,
              outcome.billed_input_tokens, outcome.billed_output_tokens,
              outcome.retry_after ? outcome.retry_after->count() : std::int64_t{-1});
  CallStats& stats = stats_at(event.call_started);
  ++stats.attempts;
  ++stats.attempts_as[index(outcome.kind)];
  ++stats.attempts_by_route[event.route];
  const mock::Price& price = script_.models[event.target].price;
  __extension__ using Wide = unsigned __int128;
  stats.cost_picodollars += static_cast<Wide>(price.input) * outcome.billed_input_tokens;
  stats.cost_picodollars += static_cast<Wide>(price.output) * outcome.billed_output_tokens;
  if (!outcome.ok()) count_error(event, outcome);
  if (next_ != nullptr) next_->on_attempt(event, outcome);
}

void Recorder::count_error(const AttemptEvent& event, const Outcome& outcome) {
  const auto alike = [&](const AttemptError& error) {
    return error.route == event.route && error.outcome == outcome.kind &&
           error.status == outcome.status;
  };
  const auto found = std::ranges::find_if(errors_, alike);
  if (found != errors_.end()) {
    ++found->count;
  } else {
    errors_.push_back({event.route, outcome.kind, outcome.status, 1, event.ended, event.call});
  }
}

void Recorder::on_wait(const WaitEvent& event) {
  digest_.add('W', event.call, event.route, nanoseconds(event.from), nanoseconds(event.until));
  CallStats& stats = stats_at(event.from);
  ++stats.waits;
  stats.wait.record(event.until - event.from);
  if (next_ != nullptr) next_->on_wait(event);
}

void Recorder::on_hedge(const HedgeEvent& event) {
  digest_.add('H', event.call, event.route, event.number, nanoseconds(event.at));
  ++stats_at(event.call_started).hedges;
  if (next_ != nullptr) next_->on_hedge(event);
}

void Recorder::on_lookup(const LookupEvent& event) {
  if (next_ != nullptr) next_->on_lookup(event);
}

void Recorder::on_breaker_failure(const BreakerFailureEvent& event) {
  if (next_ != nullptr) next_->on_breaker_failure(event);
}

void Recorder::on_breaker(const BreakerEvent& event) {
  digest_.add('B', event.breaker, static_cast<std::uint8_t>(event.to), nanoseconds(event.at));
  BreakerResult& breaker = breakers_[event.breaker];
  breaker.final_state = event.to;
  ++breaker.transition_count;
  if (event.to == BreakerState::open) ++breaker.openings;
  if (breaker.transitions.size() >= BreakerResult::transitions_kept_max) {
    breaker.transitions.pop_back();
  }
  breaker.transitions.push_back({event.at, event.to});
  if (next_ != nullptr) next_->on_breaker(event);
}

void Recorder::on_rejection(const RejectionEvent& event) {
  if (event.breaker == no_breaker) {
    digest_.add('R', event.call, event.breaker, nanoseconds(event.at),
                static_cast<std::uint8_t>(event.kind));
  } else {
    digest_.add('R', event.call, event.breaker, nanoseconds(event.at));
    ++stats_at(event.call_started).rejected_by_breaker[event.breaker];
  }
  if (next_ != nullptr) next_->on_rejection(event);
}

void Recorder::on_call(const CallEvent& event, const Outcome& outcome) {
  digest_.add('C', event.call, nanoseconds(event.started), nanoseconds(event.ended),
              static_cast<std::uint8_t>(outcome.kind), static_cast<std::uint8_t>(outcome.served),
              outcome.route, event.attempts, event.billed_tokens);
  const CallEnd end = end_of(outcome);
  CallStats& stats = stats_at(event.started);
  ++stats.calls;
  ++stats.ended[index(end)];
  if (event.rejected) ++stats.rejected;
  if (outcome.served == Served::shared) ++stats.shared;
  stats.billed_tokens += event.billed_tokens;
  stats.wasted_tokens += event.billed_tokens;
  const Duration latency = event.ended - event.started;
  switch (end) {
    case CallEnd::success:
      stats.wasted_tokens -=
          std::uint64_t{outcome.billed_input_tokens} + outcome.billed_output_tokens;
      ++stats.served_by_route[outcome.route];
      stats.success_latency.record(latency);
      if (outcome.served == Served::live && outcome.first_output != never) {
        stats.first_token.record(outcome.first_output - event.started);
      }
      break;
    case CallEnd::failed:
      ++stats.failed_as[index(outcome.kind)];
      stats.failed_latency.record(latency);
      if (outcome.retry_after) {
        ++stats.hinted;
        stats.hint.record(*outcome.retry_after);
      }
      break;
    case CallEnd::cached:
    case CallEnd::degraded:
      stats.other_latency.record(latency);
      break;
  }
  if (next_ != nullptr) next_->on_call(event, outcome);
}

void Recorder::on_give_up(const GiveUpEvent& event) {
  if (next_ != nullptr) next_->on_give_up(event);
}

void Recorder::finish(RunResult& result) {
  result.phases = phases_;
  for (const PhaseResult& phase : phases_) result.total.add(phase.stats);
  result.breakers = breakers_;
  result.errors = errors_;
  std::ranges::stable_sort(result.errors, std::greater{}, &AttemptError::count);
  result.semantic_digest = digest_.value();
}

}  // namespace brownout::sim
