#include "engine/policy/retry.hpp"

#include <algorithm>

namespace brownout {
namespace {

RetryStop reason_to_stop(const RetryOptions& options, const RetryState& state,
                         const Outcome& outcome, Instant now) {
  if (outcome.ok()) return RetryStop::succeeded;
  if (outcome.committed) return RetryStop::committed;
  if (!options.on.contains(outcome) && !makes_retryable(options.hint, outcome.should_retry) &&
      !(options.when && options.when(outcome))) {
    return RetryStop::not_retryable;
  }
  const HintOptions& hint = options.hint;
  if (hint.required_of.contains(outcome) && !(outcome.retry_after && hint.of.contains(outcome))) {
    return RetryStop::not_retryable;
  }
  if (options.max_attempts != 0 && state.attempts >= options.max_attempts) {
    return RetryStop::attempts_spent;
  }
  if (now - state.first_started >= options.give_up_after) return RetryStop::time_spent;
  return RetryStop::no;
}

const BackoffOptions& wait_after(const RetryOptions& options, const Outcome& outcome) {
  for (const SpecialWait& special : options.special_waits) {
    if (special.on.contains(outcome)) return special.wait;
  }
  return options.wait;
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
    case RetryStop::hint_too_long:
      return "hint_too_long";
    case RetryStop::refused:
      return "refused";
    case RetryStop::budget_spent:
      return "budget_spent";
  }
  return "";
}

RetryDecision next_retry(const RetryOptions& options, RetryState& state, const Outcome& outcome,
                         Instant now, Instant deadline, Draws& draws) {
  const RetryStop stop = reason_to_stop(options, state, outcome, now);
  if (stop != RetryStop::no) return {stop, {}};

  ServerHint hint;
  if (options.hint.of.contains(outcome)) hint.wait = outcome.retry_after;
  hint.should_retry = outcome.should_retry;
  const Duration computed = next_backoff(wait_after(options, outcome), state.backoff, draws);
  const HintDecision hinted = apply_hint(options.hint, computed, hint);
  if (!hinted.retries()) {
    const bool refused = hinted.stop == HintStop::refused;
    return {refused ? RetryStop::refused : RetryStop::hint_too_long, {}};
  }
  const Instant at = after(now, hinted.wait);
  if (at >= deadline) return {RetryStop::deadline, {}};
  return {RetryStop::no, at};
}

}  // namespace brownout
