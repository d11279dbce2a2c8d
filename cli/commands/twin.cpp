#include "cli/commands/twin.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cli/flight.hpp"
#include "cli/how_long.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/print_errors.hpp"
#include "cli/progress.hpp"
#include "sim/run.hpp"
#include "twin/twin.hpp"

namespace brownout::cli {
namespace {

struct TwinArguments {
  std::string path;
  FlightOptions what;
  std::optional<std::uint64_t> seed;
  double speed = 1;
};

class TwinCommand {
 public:
  explicit TwinCommand(const TwinArguments& arguments)
      : arguments_(arguments), interrupt_(watch_interrupts()) {}

  ExitCode execute() {
    auto flight = load_flight(arguments_.path, arguments_.what);
    if (!flight) return print_errors(flight.error());
    // A socket of this machine stands in its place, on neither stage beside it.
    flight->scenario.network_latency = {};
    print_how_long(flight->scenario, arguments_.speed);
    const twin::Stage simulated = simulate(*flight);
    if (*interrupt_) return interrupted(simulated.result, nullptr);
    auto plain = twin::measure_noise(arguments_.speed, interrupt_);
    if (!plain) return print_errors(plain.error());
    if (*interrupt_) return interrupted(simulated.result, nullptr);
    twin::Noise noise;
    noise.attempts = std::move(*plain);
    const auto over_http = fly(*flight, noise);
    if (!over_http) return print_errors(over_http.error());
    if (*interrupt_) return interrupted(simulated.result, &over_http->result);
    const twin::Comparison comparison =
        twin::compare(simulated, *over_http, noise, flight->scenario.workload.clients > 0);
    fmt::print("{}", twin::describe(comparison, simulated, *over_http, noise, arguments_.speed));
    if (comparison.is_empty()) return ExitCode::undecided;
    return comparison.identical() ? ExitCode::passed : ExitCode::failed;
  }

 private:
  static ExitCode interrupted(const sim::RunResult& simulated, const sim::RunResult* over_http) {
    fmt::print("{}", twin::describe_interrupted(simulated, over_http));
    return ExitCode::interrupted;
  }

  twin::Stage simulate(const Flight& flight) const {
    twin::TraceKeeper keeper(flight.bound.routes);
    sim::RunOptions options;
    options.seed = arguments_.seed;
    options.events = &keeper;
    options.interrupt = interrupt_;
    Progress progress(flight.scenario.duration, "simulated", true);
    options.progress = progress.callback();
    sim::RunResult result = sim::run(flight.scenario, flight.policy, flight.bound, options);
    progress.clear();
    return {std::move(result), keeper.calls()};
  }

  Result<twin::Stage> fly(const Flight& flight, twin::Noise& noise) const {
    twin::TraceKeeper keeper(flight.bound.routes);
    twin::HttpOptions options;
    options.seed = arguments_.seed;
    options.speed = arguments_.speed;
    options.events = &keeper;
    options.interrupt = interrupt_;
    Progress progress(flight.scenario.duration, "flown", true);
    options.progress = progress.callback();
    auto flown = twin::fly(flight.scenario, flight.policy, flight.bound, options);
    progress.clear();
    if (!flown) return tl::unexpected(std::move(flown.error()));
    noise.timers = flown->lateness;
    noise.busy = flown->busy;
    return twin::Stage{std::move(flown->result), keeper.calls()};
  }

  const TwinArguments& arguments_;
  const std::atomic<bool>* interrupt_;
};

}  // namespace

void add_twin(CLI::App& program, Request& request) {
  const auto arguments = std::make_shared<TwinArguments>();
  CLI::App* command = program.add_subcommand(
      "twin", "Fly a scenario in virtual time and over HTTP, and compare call by call");
  command->add_option("SCENARIO", arguments->path, "Scenario file")->required();
  add_policy_option(*command, arguments->what.policy);
  add_bind_option(*command, arguments->what.bindings);
  add_seed_option(*command, arguments->seed);
  command
      ->add_option("--speed", arguments->speed,
                   "Play the scenario over HTTP so many times as fast (1)")
      ->check(CLI::Validator(check_speed, ""))
      ->type_name("N");
  command->callback([arguments, &request] {
    request.action = [arguments] { return TwinCommand(*arguments).execute(); };
  });
}

}  // namespace brownout::cli
