#pragma once

#include <string>
#include <vector>

#include "engine/core/result.hpp"

namespace brownout::cli {

/// The kinds of file brownout reads, by their "kind".
enum class FileKind { scenario, policy, other };

/// The kind a file claims to be, without looking any further. Errors: as Document::load.
Result<FileKind> kind_of(const std::string& path);

/// The files that `paths` stand for, in order: a file for itself, a folder for the scenarios below
/// it, sorted by path. Files of other kinds in folders are passed over; what ends in .json there
/// but cannot be parsed is an error. Errors: environment for a path that does not exist.
Result<std::vector<std::string>> expand(const std::vector<std::string>& paths);

}  // namespace brownout::cli
