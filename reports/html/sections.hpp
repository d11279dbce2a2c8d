#pragma once

// The parts of a run's page, from top to bottom. All return HTML.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "reports/html/markup.hpp"

namespace brownout::reports::html {

/// Verdict, scenario, policy, seed, digest and the command that runs the same again.
std::string header(const RunView& view);

/// What was not met or could not be decided, and why. Empty when there is nothing of the kind.
std::string failures(const RunView& view);

/// Every expectation, with how much was left.
std::string expectations(const RunView& view);

/// The numbers that matter most.
std::string tiles(const RunView& view);

/// Frames for what panels.js draws over time, and the strips of breakers below.
std::string panels(const RunView& view);

/// What panels.js draws there: phases and series, as integers and what to divide them by.
nlohmann::ordered_json panel_data(const RunView& view);

/// A strip along the panels' time axis for each breaker.
std::string strips(const RunView& view);

/// Sampled calls, attempt by attempt.
std::string calls(const RunView& view);

/// Latencies as curves, with faults and without.
std::string distribution(const RunView& view);

/// Outcomes, and what failed with its first occurrence.
std::string outcomes(const RunView& view);

/// Pipeline, faults and phases as they really were.
std::string what_ran(const RunView& view);

/// What the words mean.
std::string glossary_section(const RunView& view);

}  // namespace brownout::reports::html
