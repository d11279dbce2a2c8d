#include "mockserver/foresight.hpp"

#include <algorithm>

namespace brownout::mock {
namespace {

bool refuses(const FaultSpec& fault) {
  return fault.effect == FaultEffect::outage ||
         (fault.effect == FaultEffect::wire && fault.wire == WireWord::refuse);
}

// When the share is another than now, or may be.
Duration changes(const Share& share, Duration elapsed) {
  if (share.shape != Share::Shape::flap || elapsed < Duration{0}) return forever;
  const Duration period = share.on + share.off;
  const Duration into = elapsed % period;
  return elapsed - into + (into < share.on ? share.on : period);
}

}  // namespace

Foresight foresee(const PhaseSpec& phase, ModelId model, Duration elapsed) {
  const Duration length = phase.until - phase.begin;
  // The last phase goes on after its end.
  Foresight result{.until = elapsed < length ? length : forever};
  for (const FaultSpec& fault : phase.faults) {
    if (!fault.affects(model) || fault.after_limits || fault.effect == FaultEffect::latency) {
      continue;
    }
    result.fate = Fate::depends;
    if (fault.trigger != FaultTrigger::share || fault.share.shape == Share::Shape::ramp) {
      return result;
    }
    result.until = std::min(result.until, changes(fault.share, elapsed));
    const std::int64_t share = fault.share.at(elapsed, length);
    if (share == billion && refuses(fault)) result.fate = Fate::refused;
    if (share > 0) return result;
    result.fate = Fate::undecided;
  }
  return result;
}

}  // namespace brownout::mock
