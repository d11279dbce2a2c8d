#pragma once

// Whether, and when, to try again.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/core/draw.hpp"
#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"
#include "engine/policy/backoff.hpp"
#include "engine/policy/server_hint.hpp"

namespace brownout {

/// A wait of its own for certain failures.
struct SpecialWait {
  OutcomeSet on;
  BackoffOptions wait{};
};

struct RetryOptions {
  /// Attempts in all, the first one included; 1 means no retry, 0 no bound. Default 3.
  std::uint32_t max_attempts = 3;

  /// No retry is scheduled once this much time has passed since the first attempt began; looked at
  /// when an attempt has failed, so that the last wait may overshoot it (as tenacity's
  /// stop_after_delay does; a deadline does not overshoot). Default: no bound.
  Duration give_up_after = forever;

  BackoffOptions wait{};

  /// Failures after which the wait is another one, as the AWS SDKs have for throttling; the first
  /// that names the failure counts. All share the number of retries so far. Default: none.
  std::vector<SpecialWait> special_waits{};

  /// Which failures are tried again. Default: the retryable ones.
  OutcomeSet on = OutcomeSet::of(ErrorClass::retryable);

  /// A further failure to retry on, for programs; null for none. Not available in policy files.
  std::function<bool(const Outcome&)> when{};

  /// What the server's retry-after does to the wait, and its x-should-retry to the retry. Default:
  /// never back before it, and not back at all when it asks for more than 120 s or says no.
  HintOptions hint{};

  /// Name of the retry budget to ask before each retry; empty for none (default). Ignored by
  /// next_retry: whoever carries out the decision asks.
  std::string budget{};
};

/// What retrying remembers of one call.
struct RetryState {
  std::uint32_t attempts = 0;  ///< begun so far
  Instant first_started{};
  BackoffState backoff{};
};

/// Why there is no further attempt.
enum class RetryStop : std::uint8_t {
  no,  ///< there is one
  succeeded,
  committed,      ///< output has reached the caller
  not_retryable,  ///< the failure is not one to retry on
  attempts_spent,
  time_spent,     ///< give_up_after has passed
  deadline,       ///< the wait would not end before the deadline
  hint_too_long,  ///< the server asked for a longer wait than the policy obeys
  refused,        ///< the server said not to
  budget_spent,   ///< the retry budget refused (decided by whoever carries out the decision)
};
std::string_view to_string(RetryStop stop);

struct RetryDecision {
  RetryStop stop = RetryStop::no;
  Instant at{};  ///< when the next attempt begins; meaningful when stop is `no`

  bool retries() const { return stop == RetryStop::no; }
};

/// Decides after an attempt that ended at `now` with `outcome`. The outcome itself is never
/// touched: when retrying stops, the caller gets the error the provider gave.
///
/// A wait that would not end before `deadline` is not begun: failing now with the real error beats
/// failing later with a timeout. *Determinism*: consumes from `draws` what next_backoff does, and
/// only when nothing but the hint and the deadline is left to stop it.
RetryDecision next_retry(const RetryOptions& options, RetryState& state, const Outcome& outcome,
                         Instant now, Instant deadline, Draws& draws);

}  // namespace brownout
