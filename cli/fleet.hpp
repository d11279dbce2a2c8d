#pragma once

// Many flights on all cores, each with several seeds: what test and compare fly.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "cli/flight.hpp"
#include "cli/seed_range.hpp"
#include "sim/result.hpp"

namespace brownout::cli {

/// One run to be made: which flight, with which seed.
struct Sortie {
  std::size_t flight = 0;
  std::uint64_t seed = 0;
};

/// Every flight with every seed, flight by flight.
std::vector<Sortie> every_seed(std::size_t flights, const SeedRange& seeds);

struct FleetOptions {
  std::size_t jobs = 1;                          ///< threads
  bool detail = false;                           ///< as sim::RunOptions::detail; of every run
  const std::atomic<bool>* interrupt = nullptr;  ///< runs under way stop; see sim::RunOptions
};

/// What came of a sortie, and how long it took on this machine.
struct Flown {
  std::size_t flight = 0;
  sim::RunResult result;
  std::chrono::nanoseconds real_time{};
};

/// Makes these runs, and hands what came of each to `take` on the calling thread, in the order of
/// `sorties`: the same for every number of jobs. Each run is a pure function of its flight and
/// seed; they share nothing but the flights, which they only read. Ends early where `take` answers
/// false. A run that throws ends all of it: std::runtime_error with the scenario and the seed.
void fly(const std::vector<Flight>& flights, const std::vector<Sortie>& sorties,
         const FleetOptions& options, const std::function<bool(Flown&&)>& take);

}  // namespace brownout::cli
