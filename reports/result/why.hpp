#pragma once

// Why an expectation was not met: what the counters say, by fixed rules.

#include <string>

#include "sim/result.hpp"

namespace brownout::reports {

/// One line that says what most likely lies behind `expectation`, one of `result`'s: how calls of
/// its phase failed, how attempts did, what was retried, refused or waited for, what its breakers
/// did, which quota was used up. Which of these are looked at depends on the metric; at most four
/// are told, joined by "; ", without a period at the end. They are observations, not proof of a
/// cause. Never empty.
std::string why(const sim::RunResult& result, const sim::ExpectationResult& expectation);

}  // namespace brownout::reports
