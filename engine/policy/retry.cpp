#include "engine/policy/retry.hpp"

#include <algorithm>

namespace brownout {
namespace {

RetryStop reason_to_stop(const RetryOptions& options, const RetryState& state,
                         const Outcome& outcome, Instant now) {
  if (outcome.ok()) return RetryStop::succeeded;
  if (outcome.committed) return RetryStop::committed;
  if (!options.on.contains(outcome) && !(options.when && options.when(outcome))) {
    return RetryStop::not_retryable;
  }
  if (options.max_attempts != 0 && state.attempts >= options.max_attempts) {
    return RetryStop::attempts_spent;
  }
  if (now - state.first_started >= options.give_up_after) return RetryStop::time_spent;
  return RetryStop::no;
}

}  // namespace

std::string_view to_string(RetryStop stop) {
  switch (stop) {
    case RetryStop::no:
      return "no";
    case RetryStop::succeeded:
      return "succeeded";
    case RetryStop::committed:
      return "committed";
    case RetryStop::not_retryable:
      return "not_retryable";
    case RetryStop::attempts_spent:
      return "attempts_spent";
    case RetryStop::time_spent:
      return "time_spent";
    case RetryStop::deadline:
      return "deadline";
  }
  return "";
}

RetryDecision next_retry(const RetryOptions& options, const RetryState& state,
                         const Outcome& outcome, Instant now, Instant deadline, Draws& draws) {
  const RetryStop stop = reason_to_stop(options, state, outcome, now);
  if (stop != RetryStop::no) return {stop, {}};

  Duration wait = backoff_delay(options.wait, state.attempts - 1, draws);
  if (options.retry_after == HintUse::at_least && outcome.retry_after) {
    wait = std::max(wait, *outcome.retry_after);
  }
  const Instant at = after(now, wait);
  if (at >= deadline) return {RetryStop::deadline, {}};
  return {RetryStop::no, at};
}

}  // namespace brownout
