#include "twin/race.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace brownout::twin {
namespace {

// A step of a call as both stages had it; where one had none, its end there.
struct Parting {
  CallId call = 0;
  TraceStep simulated;
  TraceStep over_http;

  Instant at() const { return std::min(simulated.at, over_http.at); }
};

TraceStep step_or_end(const CallTrace& trace, std::size_t step) {
  if (step < trace.steps.size()) return trace.steps[step];
  const Instant end = trace.steps.empty() ? trace.started : trace.steps.back().at;
  return {"", end, end};
}

Parting parting_of(CallId call, const CallTrace& here, const CallTrace& there) {
  std::size_t step = 0;
  while (step < here.steps.size() && step < there.steps.size() &&
         here.steps[step].what == there.steps[step].what) {
    ++step;
  }
  return {call, step_or_end(here, step), step_or_end(there, step)};
}

std::optional<Parting> first_parting(const Stage& simulated, const Stage& over_http) {
  std::optional<Parting> first;
  for (const auto& [call, here] : simulated.calls) {
    const auto there = over_http.calls.find(call);
    if (there == over_http.calls.end() || there->second.sequence == here.sequence) continue;
    const Parting parting = parting_of(call, here, there->second);
    if (!first || parting.at() < first->at()) first = parting;
  }
  return first;
}

// How far the nearest step of another call of one stage is from an instant.
Duration nearest_step(const Stage& stage, CallId call, Instant at) {
  Duration nearest = forever;
  for (const auto& [other, trace] : stage.calls) {
    if (other == call) continue;
    nearest = std::min(nearest, abs(trace.started - at));
    for (const TraceStep& step : trace.steps) {
      nearest = std::min({nearest, abs(step.began - at), abs(step.at - at)});
    }
  }
  return nearest;
}

Duration nearest_edge(const Stage& stage, Instant at) {
  Duration nearest = forever;
  for (const sim::PhaseResult& phase : stage.result.phases) {
    if (phase.begins != Instant{}) nearest = std::min(nearest, abs(phase.begins - at));
  }
  return nearest;
}

template <class Distance>
Duration over(const Parting& parting, const Distance& distance) {
  return std::min({distance(parting.simulated.began), distance(parting.simulated.at),
                   distance(parting.over_http.began), distance(parting.over_http.at)});
}

// What was closer to it than `late`; empty when nothing was.
std::string race_of(const Parting& parting, const Stage& simulated, const Stage& over_http,
                    Duration late) {
  const Duration began =
      over_http.calls.at(parting.call).started - simulated.calls.at(parting.call).started;
  if (abs(began) > late) {
    return fmt::format("it began {} {} over HTTP", format_duration_short(abs(began)),
                       began > Duration{} ? "later" : "sooner");
  }
  const Duration edge = over(parting, [&](Instant at) { return nearest_edge(simulated, at); });
  if (edge <= late) {
    return fmt::format("a phase ends {} from there", format_duration_short(edge));
  }
  const Duration other =
      over(parting, [&](Instant at) { return nearest_step(simulated, parting.call, at); });
  if (other <= late) {
    return fmt::format("another call does something {} from there", format_duration_short(other));
  }
  const Duration own = abs(parting.over_http.at - parting.simulated.at);
  if (own <= late && parting.simulated.what != parting.over_http.what && own > Duration{}) {
    return fmt::format("a limit and an answer come {} apart", format_duration_short(own));
  }
  return "";
}

}  // namespace

std::optional<FirstDifference> first_difference(const Stage& simulated, const Stage& over_http,
                                                const Noise& noise) {
  const auto parting = first_parting(simulated, over_http);
  if (!parting) return std::nullopt;
  const Duration late = noise.quantile(1000);
  return FirstDifference{parting->call, parting->at(),
                         race_of(*parting, simulated, over_http, late)};
}

}  // namespace brownout::twin
