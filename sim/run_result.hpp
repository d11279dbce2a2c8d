#pragma once

// What the results of all runs have in common, whichever stage they were flown on.

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/pipeline/engine.hpp"
#include "engine/policy_file/policy.hpp"
#include "mockserver/scripted_provider.hpp"
#include "sim/result.hpp"
#include "sim/scenario.hpp"

namespace brownout::sim {

/// The result of a run that has not begun: which scenario, which policy. Without one, what asked
/// the provider is not ours.
RunResult begin_result(const Scenario& scenario);
RunResult begin_result(const Scenario& scenario, const Policy& policy);

/// What the engine knows of its run when that is over: its routes, and calls that have not ended.
void report_engine(const Scenario& scenario, const Engine& engine, RunResult& result);

/// What came of the script's faults, by FaultId.
void report_faults(const mock::Script& script, const std::vector<mock::FaultCount>& counts,
                   RunResult& result);
void report_faults(const mock::ScriptedProvider& provider, RunResult& result);

/// The most attempts that were under way to a model at once, by phase.
using Peaks = std::function<std::uint32_t(std::size_t phase, TargetId target)>;

/// Routes to the same model see the same number. Requires: the result's phases and routes are
/// there.
void report_peaks(const BoundPolicy& bound, const Peaks& peaks, RunResult& result);

/// Judges the scenario's expectations, the last step to a result.
void judge_expectations(const Scenario& scenario, const BoundPolicy& bound, RunResult& result);

}  // namespace brownout::sim
