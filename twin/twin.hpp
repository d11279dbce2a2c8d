#pragma once

// Two runs of one scenario, in virtual time and over HTTP, held against each other.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/telemetry/observer.hpp"
#include "sim/result.hpp"
#include "twin/http_stage.hpp"

namespace brownout::twin {

/// Something that happened to a call: the end of an attempt, a refusal, its own end.
struct TraceStep {
  std::string what;
  Instant began{};  ///< of attempts and of the call; else `at`
  Instant at{};
};

/// What is compared of a call.
struct CallTrace {
  /// Its attempts in the order they ended, and how it ended:
  /// "main server_error, main success = success". A call nobody waited for ends in "gave up".
  std::string sequence;
  std::vector<TraceStep> steps;
  std::uint32_t attempts = 0;
  Instant started{};
  Duration took{};
  bool over = false;
};

/// Keeps the traces of a run. *Memory*: grows with the number of calls. *Threads*: one.
class TraceKeeper final : public Observer {
 public:
  /// `routes`: their names, by RouteId.
  explicit TraceKeeper(std::vector<std::string> routes) : routes_(std::move(routes)) {}

  void on_call_start(const CallStartEvent& event) override;
  void on_attempt(const AttemptEvent& event, const Outcome& outcome) override;
  void on_rejection(const RejectionEvent& event) override;
  void on_call(const CallEvent& event, const Outcome& outcome) override;
  void on_give_up(const GiveUpEvent& event) override;

  const std::map<CallId, CallTrace>& calls() const { return calls_; }

 private:
  CallTrace& add(CallId call, TraceStep step);
  std::string name(RouteId route) const;

  std::vector<std::string> routes_;
  std::map<CallId, CallTrace> calls_;
};

/// One stage of a twin.
struct Stage {
  sim::RunResult result;
  std::map<CallId, CallTrace> calls;
};

/// How much later than scripted things happen on this machine.
struct Noise {
  sim::Histogram timers;    ///< how late timers rang while the scenario was flown
  sim::Histogram attempts;  ///< by how much attempts of a plain scenario took longer than scripted
  double busy = 0;          ///< HttpFlight::busy

  /// The larger of both quantiles; 0 where nothing was measured.
  Duration quantile(std::uint32_t per_mille) const;
};

struct Difference {
  CallId call = 0;
  std::string simulated;
  std::string over_http;
};

/// Where the stages part, in time.
struct FirstDifference {
  CallId call = 0;
  Instant at{};
  std::string race;  ///< what lateness decides there; empty: lateness does not explain it
};

struct BreakerComparison {
  std::string name;
  std::string simulated;  ///< "closed, open, half_open, closed"
  std::string over_http;
};

struct Comparison {
  std::uint64_t both = 0;  ///< calls that both stages made
  std::uint64_t same = 0;  ///< of them, those with one sequence
  std::uint64_t only_simulated = 0;
  std::uint64_t only_over_http = 0;

  /// Further calls of one stage only, by clients that come back after an answer: with answers that
  /// take longer, what would have been their last call comes after the scenario's end.
  std::uint64_t past_the_end = 0;
  std::vector<Difference> differences;  ///< the first of them
  static constexpr std::size_t differences_kept = 10;
  std::optional<FirstDifference> first;
  std::vector<BreakerComparison> breakers;  ///< by BreakerId

  sim::Histogram later;   ///< by how much calls took longer over HTTP, per attempt
  sim::Histogram sooner;  ///< the same of calls that took less
  bool within_noise = false;

  /// There was no call on either stage: no verdict, whatever identical() says.
  bool is_empty() const;

  /// Every call the same, the same calls (but for `past_the_end`), and the same changes of every
  /// breaker.
  bool identical() const;
};

/// Pure. A call of one stage only is past the end when it began so shortly before that the other
/// stage's largest delay so far, and four times the worst of the noise, explain it.
///
/// Times are compared of calls with one sequence and at least one attempt, per attempt: within the
/// noise means that half of them differ by no more than 99 % of plain attempts, or of timers, do,
/// and 99 % by no more than the worst of those.
Comparison compare(const Stage& simulated, const Stage& over_http, const Noise& noise,
                   bool closed_loop);

/// As text, for people.
std::string describe(const Comparison& comparison, const Stage& simulated, const Stage& over_http,
                     const Noise& noise, double speed);

/// What was done of a comparison that was interrupted, for people; `over_http` is null where that
/// stage had not begun.
std::string describe_interrupted(const sim::RunResult& simulated, const sim::RunResult* over_http);

/// Flies a plain scenario over HTTP, without faults and with constant times, for about a second of
/// real time, and tells by how much its attempts took longer than scripted. Errors: environment.
Result<sim::Histogram> measure_noise(double speed, const std::atomic<bool>* interrupt);

}  // namespace brownout::twin
