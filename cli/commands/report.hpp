#pragma once

#include "cli/request.hpp"

namespace brownout::cli {

/// brownout report RESULT…: writes results that were kept with --json in other forms.
void add_report(CLI::App& program, Request& request);

}  // namespace brownout::cli
