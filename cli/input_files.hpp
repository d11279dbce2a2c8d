#pragma once

#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/policy_file/policy.hpp"
#include "sim/scenario.hpp"

namespace brownout::cli {

/// The kinds of file brownout reads, by their "kind".
enum class FileKind { scenario, policy, connections, other };

/// The kind a file claims to be, without looking any further. Errors: as Document::load.
Result<FileKind> kind_of(const std::string& path);

/// The files that `paths` stand for, in order: a file for itself, a folder for the files of these
/// kinds below it, sorted by path. Files of other kinds in folders are passed over; what ends in
/// .json there but cannot be parsed is an error. A file named twice, however spelled, is there
/// once. Errors: environment for a folder that cannot be read; invalid for a name with control
/// characters.
Result<std::vector<std::string>> expand(const std::vector<std::string>& paths,
                                        const std::vector<FileKind>& kinds);

/// The policy a scenario names. Errors: as load_policy; one that cannot be read is shown where the
/// scenario names it. Requires: it names one.
Result<Policy> load_policy_of(const sim::Scenario& scenario);

/// "route=provider/model" each. Errors: invalid.
Result<std::vector<sim::Binding>> parse_bindings(const std::vector<std::string>& texts);

}  // namespace brownout::cli
