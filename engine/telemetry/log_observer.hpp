#pragma once

// What engines do, as log lines. By default only what an operator wants to hear: that a breaker
// changed its state, and that a call was given up.
//
// One event is one line (logfmt): a sentence, and then the same as key=value pairs, whose values
// are words, names and numbers that need no quotes.
//
//     msg="Breaker gpt-4 is open" event=breaker breaker=gpt-4 from=closed to=open
//     msg="Call 17 failed with timed_out after 3 attempts" event=call call=17 end=failed
//         outcome=timed_out class=retryable route=gpt-4 status=0 attempts=3 billed_tokens=0
//         took=98s
//
// Nothing of a request or a reply but its size in tokens, and no key, is ever written: events do
// not carry requests, and the text of replies is not looked at.

#include <memory>
#include <string>

#include "engine/telemetry/names.hpp"
#include "engine/telemetry/observer.hpp"

namespace spdlog {
class logger;
}

namespace brownout {

struct LogOptions {
  /// Whether each wait is logged, at level warning, when it begins: "Retrying call 17 in 2s as it
  /// failed with rate_limited", as tenacity's before_sleep_log does. Default false.
  bool before_sleep = false;

  /// Whether everything else is logged too, at level debug: attempts, lookups, hedges, failures
  /// that breakers count, rejections, calls that were answered, and waits unless `before_sleep`
  /// logs them already. Default false. Loggers drop level debug unless told otherwise.
  bool everything = false;
};

/// Levels: *warning* for a breaker that opens and a call that fails, *error* for a call whose
/// failure is critical (wrong key, empty account: a person must act), *info* for a breaker that
/// closes or probes, else as the options say.
///
/// *Ownership*: shares the logger. *Threads*: as its logger's sinks; nothing of its own changes.
/// *Determinism*: reads no clock; the logger stamps lines as it pleases.
class LogObserver final : public Observer {
 public:
  /// Requires: logger != nullptr.
  LogObserver(std::shared_ptr<spdlog::logger> logger, PipelineNames names,
              const LogOptions& options = {});
  ~LogObserver() override;

  void on_attempt(const AttemptEvent& event, const Outcome& outcome) override;
  void on_wait(const WaitEvent& event) override;
  void on_hedge(const HedgeEvent& event) override;
  void on_lookup(const LookupEvent& event) override;
  void on_breaker(const BreakerEvent& event) override;
  void on_breaker_failure(const BreakerFailureEvent& event) override;
  void on_rejection(const RejectionEvent& event) override;
  void on_call(const CallEvent& event, const Outcome& outcome) override;

 private:
  bool logs_everything() const;
  const std::string& breaker(BreakerId id) const;

  std::shared_ptr<spdlog::logger> logger_;
  PipelineNames names_;
  LogOptions options_;
};

}  // namespace brownout
