#pragma once

// Results as a JSON document for programs.

#include <string>
#include <vector>

#include "sim/result.hpp"

namespace brownout::reports {

/// All runs of one invocation. Durations are integer nanoseconds and end in `_ns`; shares are
/// counts over counts; digests are strings of 16 hexadecimal digits. Nothing in it depends on real
/// time. `schema_version` grows when a field changes its meaning or goes away.
std::string to_json(const std::vector<sim::RunResult>& runs);

inline constexpr int result_schema_version = 1;

}  // namespace brownout::reports
