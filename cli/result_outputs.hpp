#pragma once

// The forms in which results can be written: --json and its neighbours, the same for every command
// that has results.

#include <vector>

#include "cli/outputs.hpp"
#include "reports/gate/regression.hpp"
#include "reports/gate/suite.hpp"
#include "sim/result.hpp"

namespace brownout::cli {

/// Adds an option for each form.
void add_result_outputs(CLI::App& command, Outputs& outputs);

/// Whether any form was asked for.
bool want_results(const Outputs& outputs);

/// Whether a form was asked for that shows what sim::RunOptions::detail keeps.
bool want_detail(const Outputs& outputs);

/// Writes the results in every form that was asked for. Requires: outputs are open.
void write_results(const std::vector<sim::RunResult>& results, Outputs& outputs);

/// The same in two parts, for whoever has many runs of one scenario: the forms that show detail,
/// for which some runs stand for all, …
void write_detailed(const std::vector<sim::RunResult>& results, Outputs& outputs);

/// … and those that list every scenario's findings. `review` is by suite; null: there is no
/// baseline.
void write_findings(const std::vector<reports::Suite>& suites,
                    const reports::BaselineReview* review, Outputs& outputs);

}  // namespace brownout::cli
