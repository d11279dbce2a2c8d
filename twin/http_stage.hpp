#pragma once

// The other stage: the same policy through the same scenario, but over HTTP and in real time. The
// scenario's provider listens at a port of this machine, the engine asks it through the transport
// that programs use, and both live on a clock that may run faster than the machine's.

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"
#include "engine/telemetry/observer.hpp"
#include "sim/histogram.hpp"
#include "sim/result.hpp"
#include "sim/scenario.hpp"

namespace brownout::twin {

struct HttpOptions {
  /// Default: the scenario's.
  std::optional<std::uint64_t> seed;

  /// Seconds of scenario time in one second, from 0.001 to 100,000. What the machine takes longer
  /// than the script says counts as so many times as long.
  double speed = 1;

  /// Also keeps the timeline and sampled calls. The timeline has no levels of the provider.
  bool detail = false;

  /// Hears every event after the recorder, on the thread of fly(); null for nobody. Must outlive
  /// the run.
  Observer* events = nullptr;

  /// Gets every line of the server's journal (docs/reference/serve.md), on the server's thread and
  /// before fly() returns; null for nobody.
  std::function<void(std::string_view)> journal;

  /// When true, the run stops soon and its result says interrupted. Null: never.
  const std::atomic<bool>* interrupt = nullptr;

  /// Called now and then with the scenario time reached; null for nobody.
  std::function<void(Instant)> progress;
};

/// What became of a run, and of the sockets under it.
struct HttpFlight {
  sim::RunResult result;
  std::uint64_t requests = 0;     ///< that the server read
  std::uint64_t connections = 0;  ///< made by the engine
  std::uint64_t resent = 0;       ///< requests that met a kept connection just being closed
  sim::Histogram lateness;        ///< of timers, in scenario time, asked for while it flew
  double busy = 0;  ///< for which share of real time the busier of its two threads worked
};

/// What is to be said of a machine that did not follow, as what a sentence says of it: "could not
/// follow at that speed: …; try --speed 20". Empty when it did: timers rang late by no more than
/// 10 ms of real time, but for one in a hundred, and neither thread worked more than four fifths of
/// the time. `lateness` is in scenario time.
std::string could_not_follow(const sim::Histogram& lateness, double busy, double speed);

/// What is to be said before a flight that takes more than a minute of real time: "takes 6h00m at
/// this speed; --speed 100 takes 3m36s", the speed being one with which it takes five minutes or
/// less, up to 100. Empty for shorter ones.
std::string how_long(Duration scenario, double speed);

/// What differs from sim::run(): the scenario's network is left out, as a socket of this machine is
/// there instead; a call that has not ended some time after the last has begun (the scenario's
/// length, at least ten minutes of its time) is taken for one that never will, and the run for
/// deadlocked; digests and `events` mean nothing.
///
/// Errors: environment (no port; file descriptors that run out, before or while it flies).
/// *Threads*: blocks the caller's, on which the engine lives; the server has one of its own.
/// *Determinism*: draws are those of sim::run() with the same seed; what depends on time is not.
Result<HttpFlight> fly(const sim::Scenario& scenario, const Policy& policy,
                       const sim::BoundPolicy& bound, const HttpOptions& options);

}  // namespace brownout::twin
