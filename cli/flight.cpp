#include "cli/flight.hpp"

#include <fmt/format.h>

#include "cli/input_files.hpp"
#include "cli/shell_word.hpp"

namespace brownout::cli {

Result<Flight> load_flight(const std::string& path, const FlightOptions& options) {
  const auto bindings = parse_bindings(options.bindings);
  if (!bindings) return tl::unexpected(bindings.error());
  auto scenario = sim::load_scenario(path);
  if (!scenario) return tl::unexpected(scenario.error());
  if (options.policy.empty() && scenario->policy_path.empty()) {
    return fail(ErrorKind::invalid, path + " names no policy; choose one with --policy FILE");
  }
  auto policy = options.policy.empty() ? load_policy_of(*scenario) : load_policy(options.policy);
  if (!policy) return tl::unexpected(policy.error());
  auto bound = sim::bind(*scenario, *policy, *bindings, options.foreign);
  if (!bound) return tl::unexpected(bound.error());
  return Flight{std::move(*scenario), std::move(*policy), std::move(*bound)};
}

Result<std::vector<Flight>> load_flights(const FlightOptions& options) {
  const auto bindings = parse_bindings(options.bindings);
  if (!bindings) return tl::unexpected(bindings.error());
  const auto files = expand(options.paths, {FileKind::scenario});
  if (!files) return tl::unexpected(files.error());
  std::vector<Flight> flights;
  Errors errors;
  for (const std::string& file : *files) {
    auto flight = load_flight(file, options);
    if (flight) {
      flights.push_back(std::move(*flight));
    } else {
      errors.insert(errors.end(), flight.error().begin(), flight.error().end());
    }
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  return flights;
}

std::string replay_command(const std::string& program, const Flight& flight,
                           const FlightOptions& options, std::uint64_t seed) {
  std::string command = shell_word(program) + " run " + shell_word(flight.scenario.path) +
                        " --seed " + std::to_string(seed);
  if (!options.policy.empty()) command += " --policy " + shell_word(options.policy);
  for (const std::string& binding : options.bindings) command += " --bind " + shell_word(binding);
  if (options.random_ties) command += " --ties random";
  return command;
}

// Without this, -1 would be taken for 2^64 - 1.
std::string check_seed(const std::string& text) {
  constexpr std::string_view most = "9007199254740991";
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  const bool small = text.size() < most.size() || (text.size() == most.size() && text <= most);
  return digits && small ? "" : fmt::format("expected a whole number from 0 to {}", most);
}

}  // namespace brownout::cli
