#pragma once

// Results as a JSON document: what programs read, and what every other report can be made from
// again. scenarios/schema/result.schema.json describes it, docs/reference/result.md explains it.

#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "sim/result.hpp"

namespace brownout::reports {

/// Grows when a field changes its meaning or goes away; new fields may come without it.
inline constexpr int result_schema_version = 1;

/// All runs of one invocation. Durations are integer nanoseconds and end in `_ns`; shares are
/// counts over counts; digests are strings of 16 hexadecimal digits. Nothing in it depends on real
/// time, unless a run was flown in it (`stage`).
std::string to_json(const std::vector<sim::RunResult>& runs);

/// The runs of such a document: to_json() gives the same text again. `name` stands for the file in
/// errors. Errors: invalid, when the text is not JSON, not a result document, of another version,
/// or contradicts itself; each says where.
Result<std::vector<sim::RunResult>> from_json(const std::string& name, const std::string& text);

/// The same from a file. Errors: environment as well, when it cannot be read.
Result<std::vector<sim::RunResult>> load_results(const std::string& path);

}  // namespace brownout::reports
