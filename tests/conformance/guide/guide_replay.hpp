#pragma once

// The same histories, played by our engine and by the guide's code.

#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/policy/breaker.hpp"
#include "engine/policy_file/policy.hpp"
#include "tests/conformance/guide/guide_cases.hpp"

namespace brownout::conformance {

/// What happened in a case, an event per line, in the spelling of guide_reference.py.
using Trace = std::vector<std::string>;

/// Plays the case through an Engine with this policy on virtual time.
Trace replay(const PolicyCase& history, const Policy& policy);

/// Plays the case on a Breaker with these options.
Trace replay(const BreakerCase& history, const BreakerOptions& options);

/// Has guide_reference.py play all cases (as to_json() spells them), in one process of the
/// interpreter that the environment's BROWNOUT_PYTHON names, /usr/bin/python3 by default. One trace
/// per case. Errors: environment when it does not run to its end.
Result<std::vector<Trace>> replay_in_python(const std::vector<std::string>& cases);

/// Both traces next to each other, lines that differ marked. Empty when they are equal.
std::string difference(const Trace& ours, const Trace& python);

}  // namespace brownout::conformance
