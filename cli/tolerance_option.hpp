#pragma once

#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "reports/gate/regression.hpp"

namespace brownout::cli {

/// What --tolerance says: "2%" for everything, "latency.p99=5%" for one measure. `measures` are
/// those there are. Errors: invalid.
Result<reports::Tolerances> parse_tolerances(const std::vector<std::string>& texts,
                                             const std::vector<std::string>& measures);

}  // namespace brownout::cli
