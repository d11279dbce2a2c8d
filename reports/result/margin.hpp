#pragma once

// How near a miss, or how far a failure.

#include <optional>
#include <string>

#include "sim/result.hpp"

namespace brownout::reports {

/// How much of what an expectation allows was left: 1 is all of it, 0 is just met, below 0 is not
/// met. Of a share that is to be high, what is allowed is the rest: 99.5 % where 99 % are wanted
/// leaves half. Absent where nothing can be left: for states, `==`, `!=`, without a value, and
/// where 0 is the most, or all of it the least.
std::optional<double> margin_left(const sim::ExpectationResult& expectation);

/// The same in words: "4.10s of 5.00s allowed, 18% left"; for what was not met, "6.81s of 5.00s
/// allowed, 36% over". Where no margin_left() exists, what else can be said; empty without a value.
std::string margin(const sim::ExpectationResult& expectation);

}  // namespace brownout::reports
