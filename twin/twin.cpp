#include "twin/twin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/core/check.hpp"
#include "twin/race.hpp"

namespace brownout::twin {
namespace {

std::string states_of(const sim::BreakerResult& breaker) {
  std::string text(to_string(BreakerState::closed));
  for (const sim::BreakerTransition& transition : breaker.transitions) {
    text += fmt::format(", {}", to_string(transition.to));
  }
  return text;
}

// As people are shown it: of a breaker that never came to rest, how it began and how it ended.
std::string shortened(const std::string& states) {
  constexpr std::ptrdiff_t first = 8;
  constexpr std::ptrdiff_t last = 2;
  constexpr std::string_view comma = ", ";
  std::vector<std::size_t> ends;  // of each state
  for (std::size_t at = states.find(comma); at != states.npos; at = states.find(comma, at + 1)) {
    ends.push_back(at);
  }
  const auto count = std::ssize(ends) + 1;
  if (count <= first + last + 1) return states;
  const std::size_t tail = ends[static_cast<std::size_t>(count - last - 1)];
  return fmt::format("{}, … {} more{}", states.substr(0, ends[first - 1]), count - first - last,
                     states.substr(tail));
}

class Comparer {
 public:
  Comparer(const Stage& simulated, const Stage& over_http, const Noise& noise)
      : simulated_(simulated), over_http_(over_http), noise_(noise) {}

  Comparison compare(bool closed_loop) {
    for (const auto& [call, trace] : simulated_.calls) {
      const auto other = over_http_.calls.find(call);
      if (other != over_http_.calls.end()) compare_call(call, trace, other->second);
    }
    compare_breakers();
    out_.first = first_difference(simulated_, over_http_, noise_);
    if (!closed_loop) delay_ = Duration{-1};
    out_.only_simulated = only_one(simulated_, over_http_);
    out_.only_over_http = only_one(over_http_, simulated_);
    compare_times();
    return std::move(out_);
  }

 private:
  void compare_call(CallId call, const CallTrace& here, const CallTrace& there) {
    ++out_.both;
    delay_ = std::max(delay_, abs(there.started - here.started));
    if (here.sequence != there.sequence) {
      if (out_.differences.size() < Comparison::differences_kept) {
        out_.differences.push_back({call, here.sequence, there.sequence});
      }
      return;
    }
    ++out_.same;
    if (here.attempts == 0 || !here.over) return;
    const Duration difference = (there.took - here.took) / here.attempts;
    (difference >= Duration{} ? out_.later : out_.sooner).record(abs(difference));
  }

  std::uint64_t only_one(const Stage& stage, const Stage& other) {
    const Instant ends = stage.result.scenario_ends;
    const Duration noise = noise_.quantile(1000);
    std::uint64_t only = 0;
    for (const auto& [call, trace] : stage.calls) {
      if (other.calls.contains(call)) continue;
      const bool explained = delay_ >= Duration{} && trace.started + delay_ + 4 * noise >= ends;
      ++(explained ? out_.past_the_end : only);
    }
    return only;
  }

  void compare_breakers() {
    const auto& breakers = simulated_.result.breakers;
    BROWNOUT_CHECK(breakers.size() == over_http_.result.breakers.size());
    for (std::size_t i = 0; i < breakers.size(); ++i) {
      out_.breakers.push_back(
          {breakers[i].name, states_of(breakers[i]), states_of(over_http_.result.breakers[i])});
    }
  }

  void compare_times() {
    sim::Histogram all = out_.later;
    all.add(out_.sooner);
    out_.within_noise = all.count() > 0 && all.quantile(500) <= noise_.quantile(990) &&
                        all.quantile(990) <= noise_.quantile(1000);
  }

  const Stage& simulated_;
  const Stage& over_http_;
  const Noise& noise_;
  Duration delay_{};  // the most by which one call began later on one stage; negative: no excuse
  Comparison out_;
};

std::string quantiles(const sim::Histogram& values) {
  if (values.count() == 0) return "nothing to measure";
  return fmt::format("p50 {}, p99 {}, max {}", format_duration_short(values.quantile(500)),
                     format_duration_short(values.quantile(990)),
                     format_duration_short(values.max()));
}

std::string signed_duration(Duration duration) {
  return (duration < Duration{} ? "-" : "+") + format_duration_short(abs(duration));
}

void describe_latency(const sim::Histogram& simulated, const sim::Histogram& over_http,
                      std::string& text) {
  if (simulated.count() == 0 || over_http.count() == 0) return;
  for (const auto& [name, per_mille] :
       {std::pair{"p50", 500U}, std::pair{"p95", 950U}, std::pair{"p99", 990U}}) {
    const Duration here = simulated.quantile(per_mille);
    const Duration there = over_http.quantile(per_mille);
    text += fmt::format("  {:<18}{:>14}{:>14}  {}\n", fmt::format("latency {}", name),
                        format_duration_short(here), format_duration_short(there),
                        signed_duration(there - here));
  }
}

void describe_differences(const Comparison& comparison, std::string& text) {
  for (const Difference& difference : comparison.differences) {
    text += fmt::format("  call {}\n    simulated  {}\n    over HTTP  {}\n", difference.call,
                        difference.simulated, difference.over_http);
  }
  const std::uint64_t more = comparison.both - comparison.same - comparison.differences.size();
  if (more > 0) text += fmt::format("  and {} more\n", more);
  for (const BreakerComparison& breaker : comparison.breakers) {
    if (breaker.simulated == breaker.over_http) {
      text += fmt::format("  breaker {}: {} on both stages\n", breaker.name,
                          shortened(breaker.simulated));
    } else {
      text += fmt::format("  breaker {}\n    simulated  {}\n    over HTTP  {}\n", breaker.name,
                          shortened(breaker.simulated), shortened(breaker.over_http));
    }
  }
}

void describe_first(const Comparison& comparison, const Noise& noise, std::string& text) {
  if (!comparison.first) return;
  const FirstDifference& first = *comparison.first;
  text += fmt::format("  they part at {}, call {}: ", format_duration_short(first.at - Instant{}),
                      first.call);
  const std::string late = format_duration_short(noise.quantile(1000));
  if (first.race.empty()) {
    text += fmt::format("nothing there is closer than this machine was late, {} at most\n", late);
  } else {
    text += fmt::format("{}, and this machine was late by up to {}\n", first.race, late);
  }
}

}  // namespace

std::string TraceKeeper::name(RouteId route) const {
  return route < routes_.size() ? routes_[route] : "nobody";
}

CallTrace& TraceKeeper::add(CallId call, TraceStep step) {
  CallTrace& trace = calls_[call];
  const bool is_end = step.what.starts_with('=');
  if (!trace.sequence.empty()) trace.sequence += is_end ? " " : ", ";
  trace.sequence += step.what;
  trace.steps.push_back(std::move(step));
  return trace;
}

void TraceKeeper::on_call_start(const CallStartEvent& event) {
  calls_[event.call].started = event.at;
}

void TraceKeeper::on_attempt(const AttemptEvent& event, const Outcome& outcome) {
  ++add(event.call, {name(event.route) + " " + std::string(to_string(outcome.kind)), event.started,
                     event.ended})
        .attempts;
}

void TraceKeeper::on_rejection(const RejectionEvent& event) {
  add(event.call, {"refused as " + std::string(to_string(event.kind)), event.at, event.at});
}

void TraceKeeper::on_call(const CallEvent& event, const Outcome& outcome) {
  std::string end =
      fmt::format("= {}", to_string(outcome.ok() ? OutcomeKind::success : outcome.kind));
  if (outcome.served != Served::live && outcome.served != Served::nothing) {
    end += fmt::format(" ({})", to_string(outcome.served));
  }
  CallTrace& trace = add(event.call, {std::move(end), event.started, event.ended});
  trace.took = event.ended - event.started;
  trace.over = true;
}

void TraceKeeper::on_give_up(const GiveUpEvent& event) {
  add(event.call, {"gave up", event.at, event.at});
}

Duration Noise::quantile(std::uint32_t per_mille) const {
  Duration largest{};
  for (const sim::Histogram* each : {&timers, &attempts}) {
    if (each->count() > 0) largest = std::max(largest, each->quantile(per_mille));
  }
  return largest;
}

bool Comparison::is_empty() const {
  return both + only_simulated + only_over_http + past_the_end == 0;
}

bool Comparison::identical() const {
  return same == both && only_simulated == 0 && only_over_http == 0 &&
         std::ranges::all_of(breakers, [](const BreakerComparison& breaker) {
           return breaker.simulated == breaker.over_http;
         });
}

Comparison compare(const Stage& simulated, const Stage& over_http, const Noise& noise,
                   bool closed_loop) {
  return Comparer(simulated, over_http, noise).compare(closed_loop);
}

namespace {

// What cannot be the same over a socket.
void describe_losses(const sim::RunResult& over_http, std::string& text) {
  const bool is_lost = std::ranges::any_of(over_http.faults, [](const sim::FaultResult& fault) {
    return fault.injected > 0 && fault.fault.starts_with("unreachable");
  });
  if (!is_lost) return;
  text +=
      "  unreachable: over HTTP the connection comes about and then hangs, so no connect limit\n"
      "    passes there as it does simulated\n";
}

}  // namespace

std::string describe(const Comparison& comparison, const Stage& simulated, const Stage& over_http,
                     const Noise& noise, double speed) {
  const sim::CallStats& here = simulated.result.total;
  const sim::CallStats& there = over_http.result.total;
  std::string text =
      fmt::format("{} under {}, seed {}, {} times as fast over HTTP\n", simulated.result.scenario,
                  simulated.result.policy, simulated.result.seed, speed);
  text += fmt::format("  {:<18}{:>14}{:>14}\n", "", "simulated", "over HTTP");
  text += fmt::format("  {:<18}{:>14}{:>14}\n", "calls", here.calls, there.calls);
  text += fmt::format("  {:<18}{:>14}{:>14}\n", "attempts", here.attempts, there.attempts);
  for (std::size_t i = 0; i < call_end_count; ++i) {
    if (here.ended[i] + there.ended[i] == 0) continue;
    text += fmt::format("  {:<18}{:>14}{:>14}\n", to_string(static_cast<CallEnd>(i)), here.ended[i],
                        there.ended[i]);
  }
  describe_latency(here.success_latency, there.success_latency, text);
  text += fmt::format("  {} of {} calls had the same sequence of outcomes\n", comparison.same,
                      comparison.both);
  if (comparison.only_simulated > 0) {
    text += fmt::format("  {} calls were simulated only\n", comparison.only_simulated);
  }
  if (comparison.only_over_http > 0) {
    text += fmt::format("  {} calls were made over HTTP only\n", comparison.only_over_http);
  }
  if (comparison.past_the_end > 0) {
    text += fmt::format("  {} more began on one stage only, just before the end\n",
                        comparison.past_the_end);
  }
  describe_differences(comparison, text);
  text += fmt::format("  later over HTTP, per attempt   {}\n", quantiles(comparison.later));
  if (comparison.sooner.count() > 0) {
    text += fmt::format("  sooner, per attempt            {}\n", quantiles(comparison.sooner));
  }
  text += fmt::format("  this machine: plain attempts   {}\n", quantiles(noise.attempts));
  text += fmt::format("                timers           {}\n", quantiles(noise.timers));
  describe_first(comparison, noise, text);
  describe_losses(over_http.result, text);
  if (const std::string behind = could_not_follow(noise.timers, noise.busy, speed);
      !behind.empty()) {
    text += "  this machine " + behind + "\n";
  }
  if (comparison.is_empty()) return text + "  NO VERDICT: no call was made\n";
  text += fmt::format("  {}; times are {} this machine's noise\n",
                      comparison.identical() ? "IDENTICAL" : "DIFFERENT",
                      comparison.within_noise ? "within" : "not within");
  return text;
}

std::string describe_interrupted(const sim::RunResult& simulated, const sim::RunResult* over_http) {
  const auto part = [](const sim::RunResult& result) {
    return fmt::format("{} calls, up to {} of {}", result.total.calls,
                       format_duration_short(result.ended - Instant{}),
                       format_duration_short(result.scenario_ends - Instant{}));
  };
  return fmt::format(
      "{} under {}, seed {}: interrupted\n  simulated  {}\n  over HTTP  {}\n"
      "  NO VERDICT: nothing was compared\n",
      simulated.scenario, simulated.policy, simulated.seed, part(simulated),
      over_http == nullptr ? "nothing" : part(*over_http));
}

Result<sim::Histogram> measure_noise(double speed, const std::atomic<bool>* interrupt) {
  const auto scaled = [&](double milliseconds) {
    return Duration{static_cast<std::int64_t>(milliseconds * 1e6 * speed)};
  };
  const Duration takes = scaled(4);
  const std::string text = fmt::format(
      R"({{"kind": "scenario", "version": 1, "name": "plain", "duration": "{}",
          "roles": {{"primary": "plain/plain"}},
          "providers": {{"plain": {{"dialect": "openai", "models": {{
              "plain": {{"ttft": "{}", "inter_token": "0ms"}}}}}}}},
          "timeline": [{{"phase": "all", "until": "{}"}}],
          "workload": {{"arrivals": {{"clients": {{"count": 1, "think_time": "{}"}}}},
                        "input_tokens": 1, "output_tokens": 1}}}})",
      format_duration(scaled(1000)), format_duration(takes), format_duration(scaled(1000)),
      format_duration(scaled(3)));
  const auto scenario = sim::parse_scenario("plain", text);
  if (!scenario) return tl::unexpected(scenario.error());
  const auto policy = parse_policy(
      "plain", R"({"kind": "policy", "version": 1, "name": "plain", "to": "plain/plain",
                   "pipeline": []})");
  if (!policy) return tl::unexpected(policy.error());
  const auto bound = sim::bind(*scenario, *policy, {});
  if (!bound) return tl::unexpected(bound.error());
  TraceKeeper keeper(bound->routes);
  HttpOptions options;
  options.speed = speed;
  options.events = &keeper;
  options.interrupt = interrupt;
  const auto flight = fly(*scenario, *policy, *bound, options);
  if (!flight) return tl::unexpected(flight.error());
  sim::Histogram noise;
  for (const auto& [call, trace] : keeper.calls()) {
    if (trace.over) noise.record(std::max(Duration{}, trace.took - takes));
  }
  return noise;
}

}  // namespace brownout::twin
