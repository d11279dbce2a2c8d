#pragma once

// Orders of layers that work, but not as their author is likely to think.

#include "engine/core/document.hpp"
#include "engine/policy_file/policy.hpp"

namespace brownout {

/// The traps in a policy, outermost first, each with its place and what would avoid it. A policy
/// may have reasons: these are warnings. Requires: the policy was loaded from a document.
Problems find_traps(const Policy& policy);

/// Adds what makes a pipeline impossible: layers in an order in which one of them can never do its
/// work. `pipeline` is the array of a policy or of a route.
void refuse_impossible_orders(const Node& pipeline, Problems& problems);

}  // namespace brownout
