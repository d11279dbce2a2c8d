#include "cli/fleet.hpp"

#include <fmt/format.h>

#include <memory>
#include <stdexcept>
#include <utility>

#include "cli/in_parallel.hpp"
#include "sim/run.hpp"

namespace brownout::cli {
namespace {

Flown fly_one(const std::vector<Flight>& flights, const Sortie& sortie,
              const FleetOptions& options) {
  const Flight& flight = flights[sortie.flight];
  sim::RunOptions run_options;
  run_options.seed = sortie.seed;
  run_options.detail = options.detail;
  run_options.interrupt = options.interrupt;
  const auto begun = std::chrono::steady_clock::now();
  try {
    sim::RunResult result = sim::run(flight.scenario, flight.policy, flight.bound, run_options);
    return {sortie.flight, std::move(result), std::chrono::steady_clock::now() - begun};
  } catch (const std::exception& error) {
    throw std::runtime_error(
        fmt::format("{} with seed {}: {}", flight.scenario.path, sortie.seed, error.what()));
  }
}

}  // namespace

std::vector<Sortie> every_seed(std::size_t flights, const SeedRange& seeds) {
  std::vector<Sortie> sorties;
  sorties.reserve(flights * seeds.size());
  for (std::size_t flight = 0; flight < flights; ++flight) {
    for (std::size_t i = 0; i < seeds.size(); ++i) sorties.push_back({flight, seeds[i]});
  }
  return sorties;
}

void fly(const std::vector<Flight>& flights, const std::vector<Sortie>& sorties,
         const FleetOptions& options, const std::function<bool(Flown&&)>& take) {
  std::vector<std::unique_ptr<Flown>> flown(sorties.size());
  const auto run = [&](std::size_t i) {
    flown[i] = std::make_unique<Flown>(fly_one(flights, sorties[i], options));
  };
  in_parallel(flown.size(), options.jobs, run, [&](std::size_t i) {
    const std::unique_ptr<Flown> one = std::move(flown[i]);
    return take(std::move(*one));
  });
}

}  // namespace brownout::cli
