#pragma once

#include "cli/request.hpp"

namespace brownout::cli {

/// brownout new NAME: writes NAME.json, a scenario that runs as it is, and beside it
/// NAME-policy.json, the policy it flies, unless there is one already or --policy names another.
/// Nothing is written that does not load and fit, and no file is overwritten without --force.
void add_new(CLI::App& program, Request& request);

}  // namespace brownout::cli
