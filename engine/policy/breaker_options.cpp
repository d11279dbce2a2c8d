#include "engine/policy/breaker_options.hpp"

namespace brownout {

Verdict judge(const BreakerOptions& options, const Outcome& outcome) {
  if (outcome.ok()) return Verdict::success;
  if (is_own_refusal(outcome)) return Verdict::refused;
  if (outcome.kind == OutcomeKind::cancelled) return Verdict::neutral;
  const bool failed = options.failures.contains(outcome) || options.trip_on.contains(outcome);
  return failed ? Verdict::failure : Verdict::neutral;
}

Finding finding_of(const BreakerOptions& options, const Outcome& outcome) {
  Finding finding;
  finding.verdict = judge(options, outcome);
  if (finding.verdict == Verdict::failure) {
    finding.trips = options.trip_on.contains(outcome);
    finding.retry_after = outcome.retry_after;
  }
  return finding;
}

}  // namespace brownout
