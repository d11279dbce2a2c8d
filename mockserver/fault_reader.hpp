#pragma once

// One object of a phase's `faults`.

#include "engine/core/document.hpp"
#include "mockserver/script.hpp"

namespace brownout::mock {

/// Reads a fault; what is wrong with it goes to `problems`. `script` must hold its providers.
FaultSpec read_fault(const Node& node, const Script& script, Problems& problems);

}  // namespace brownout::mock
