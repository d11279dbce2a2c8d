#pragma once

#include "cli/request.hpp"

namespace brownout::cli {

/// brownout explain [WORD…]: what metrics, outcomes, exit codes and the words of reports mean.
void add_explain(CLI::App& program, Request& request);

}  // namespace brownout::cli
