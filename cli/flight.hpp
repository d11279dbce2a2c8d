#pragma once

// A policy and a scenario, loaded and fitted together: what run, test and compare fly.

#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/policy_file/policy.hpp"
#include "sim/result.hpp"
#include "sim/scenario.hpp"

namespace brownout::cli {

/// One flight, ready to begin.
struct Flight {
  sim::Scenario scenario;
  Policy policy;
  sim::BoundPolicy bound;
};

/// What to fly, as the command line says it.
struct FlightOptions {
  std::vector<std::string> paths;     ///< scenario files, or folders of them
  std::string policy;                 ///< policy file; empty: the scenario's own
  std::vector<std::string> bindings;  ///< "route=provider/model"
  bool random_ties = false;           ///< for replay commands
  sim::ForeignRoutes foreign = sim::ForeignRoutes::refuse;
};

/// Loads and binds one scenario.
Result<Flight> load_flight(const std::string& path, const FlightOptions& options);

/// Loads and binds all of them; an empty list where the folders hold no scenario. Errors:
/// everything wrong with any of them.
Result<std::vector<Flight>> load_flights(const FlightOptions& options);

/// The command that runs this again, ready to be pasted into a shell. `program` is how it is
/// called.
std::string replay_command(const std::string& program, const Flight& flight,
                           const FlightOptions& options, std::uint64_t seed);

/// Whether a seed is exact in every JSON reader: "" or what was expected. For CLI11's validators.
std::string check_seed(const std::string& text);

}  // namespace brownout::cli
