#include "cli/commands/run.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/flight.hpp"
#include "cli/interrupt.hpp"
#include "cli/metrics.hpp"
#include "cli/options.hpp"
#include "cli/print_errors.hpp"
#include "cli/progress.hpp"
#include "cli/result_outputs.hpp"
#include "cli/terminal.hpp"
#include "cli/traces.hpp"
#include "engine/telemetry/observers.hpp"
#include "reports/console.hpp"
#include "sim/event_log.hpp"
#include "sim/run.hpp"

#ifdef BROWNOUT_HTTP
#include "cli/how_long.hpp"
#include "twin/http_stage.hpp"
#else
#include "cli/without_http.hpp"
#endif

namespace brownout::cli {
namespace {

struct RunArguments {
  std::string program;  // as it was called, for replay commands
  FlightOptions what;
  std::optional<std::uint64_t> seed;
  Outputs outputs;
  TraceWindow window;
  bool over_http = false;
  double speed = 1;
  bool verify = false;
  bool quiet = false;
};

class RunCommand {
 public:
  explicit RunCommand(RunArguments& arguments)
      : arguments_(arguments),
        interrupt_(watch_interrupts()),
        report_(arguments.outputs.take_standard_output() ? stderr : stdout),
        color_(wants_color(report_)) {}

  ExitCode execute() {
    if (!makes_sense()) return ExitCode::invalid;
    const auto flights = load_flights(arguments_.what);
    if (!flights) return print_errors(flights.error());
    if (flights->empty()) {
      fmt::print(stderr, "no scenarios found\n");
      return ExitCode::nothing_ran;
    }
    const auto window = read_window(arguments_.window, arguments_.outputs);
    if (!window) return print_errors(window.error());
    window_ = *window;
    std::vector<std::string> inputs;
    for (const Flight& flight : *flights) {
      inputs.push_back(flight.scenario.path);
      inputs.push_back(flight.policy.document->name());
    }
    const auto opened = arguments_.outputs.open(flights->size(), inputs);
    if (!opened) return print_errors(opened.error());

    ExitCode code = ExitCode::passed;
    for (const Flight& flight : *flights) {
      code = worse(code, fly(flight));
      if (*interrupt_) break;
    }
    write_results(results_, arguments_.outputs);
    return worse(code, arguments_.outputs.commit());
  }

 private:
  // What needs two equal runs, or an order of events that is ours to choose.
  bool makes_sense() const {
    if (!arguments_.over_http) {
      if (arguments_.speed == 1) return true;
      fmt::print(stderr, "error: --speed needs --stage http: a simulated clock knows no hurry\n");
      return false;
    }
    if (!arguments_.verify && !arguments_.what.random_ties) return true;
    fmt::print(stderr, "error: {} is for simulated runs, and --stage is http\n",
               arguments_.verify ? "--verify" : "--ties random");
    return false;
  }

  std::string replay(const std::string& program, const Flight& flight, std::uint64_t seed) const {
    std::string command = replay_command(program, flight, arguments_.what, seed);
    if (arguments_.over_http) command += fmt::format(" --stage http --speed {}", arguments_.speed);
    return command;
  }

#ifdef BROWNOUT_HTTP
  Result<sim::RunResult> run_over_http(const Flight& flight, Observer* events) {
    if (!arguments_.quiet) print_how_long(flight.scenario, arguments_.speed);
    Progress progress(flight.scenario.duration, "flown", !arguments_.quiet);
    twin::HttpOptions options;
    options.seed = arguments_.seed;
    options.speed = arguments_.speed;
    options.events = events;
    options.detail = want_detail(arguments_.outputs);
    options.interrupt = interrupt_;
    options.progress = progress.callback();
    auto flown = twin::fly(flight.scenario, flight.policy, flight.bound, options);
    progress.clear();
    if (!flown) return tl::unexpected(std::move(flown.error()));
    sockets_ = fmt::format("  {} requests over {} connections of this machine, {} times as fast",
                           flown->requests, flown->connections, arguments_.speed);
    if (flown->lateness.count() > 0) {
      sockets_ += fmt::format("; timers rang late by p50 {}, max {}",
                              format_duration_short(flown->lateness.quantile(500)),
                              format_duration_short(flown->lateness.max()));
    }
    // Otherwise the summary says it.
    if (const std::string& behind = flown->result.could_not_follow;
        arguments_.quiet && !behind.empty()) {
      fmt::print(stderr, "warning: {}: {}\n", flight.scenario.name, behind);
    }
    return std::move(flown->result);
  }
#else
  static Result<sim::RunResult> run_over_http(const Flight&, Observer*) {
    return fail(ErrorKind::environment, without_http("--stage http"));
  }
#endif

  sim::RunResult run(const Flight& flight, Observer* events, bool report_progress) {
    Progress progress(flight.scenario.duration, "simulated", report_progress && !arguments_.quiet);
    sim::RunOptions options;
    options.seed = arguments_.seed;
    options.ties = arguments_.what.random_ties ? TiePolicy::random : TiePolicy::fifo;
    options.events = events;
    options.detail = want_detail(arguments_.outputs);
    options.interrupt = interrupt_;
    options.progress = progress.callback();
    sim::RunResult result = sim::run(flight.scenario, flight.policy, flight.bound, options);
    progress.clear();
    return result;
  }

  ExitCode fly(const Flight& flight) {
    std::unique_ptr<sim::EventLog> log;
    if (OutputFile* events = arguments_.outputs.file("--events")) {
      log = std::make_unique<sim::EventLog>(
          events->stream(), sim::EventNames{flight.bound.routes, flight.bound.breakers});
    }
    std::unique_ptr<Metrics> metrics;
    OutputFile* const metrics_file = arguments_.outputs.file("--metrics");
    if (metrics_file != nullptr) {
      metrics = make_metrics(flight.scenario, flight.policy, flight.bound);
    }
    Traces traces(flight, arguments_.seed.value_or(flight.scenario.seed), window_,
                  arguments_.outputs);
    Observers observers(
        {log.get(), metrics ? &metrics->observer() : nullptr, traces.trace(), traces.otlp()});
    const auto begun = std::chrono::steady_clock::now();
    Observer* const events = observers.empty() ? nullptr : &observers;
    auto flown = arguments_.over_http ? run_over_http(flight, events)
                                      : Result<sim::RunResult>(run(flight, events, true));
    if (!flown) return print_errors(flown.error());
    sim::RunResult result = std::move(*flown);
    if (metrics) metrics_file->write(metrics->text());
    traces.finish(result);
    result.replay = replay("brownout", flight, result.seed);
    print(flight, result, std::chrono::steady_clock::now() - begun);
    ExitCode code = exit_code(result);
    if (arguments_.verify && result.end != sim::RunEnd::interrupted) {
      code = worse(code, verify(flight, result));
    }
    results_.push_back(std::move(result));
    return code;
  }

  void print(const Flight& flight, const sim::RunResult& result, Duration real_time) const {
    const reports::ConsoleOptions options{color_, replay(arguments_.program, flight, result.seed)};
    if (arguments_.quiet) {
      fmt::print(report_, "{}", reports::console_verdict(result, options));
      return;
    }
    if (!results_.empty()) fmt::print(report_, "\n");
    fmt::print(report_, "{}{}", reports::console_summary(result, options),
               arguments_.over_http ? sockets_ + "\n" : reports::console_speed(result, real_time));
    std::fflush(report_);
  }

  // Two runs of one seed must agree to the last event.
  ExitCode verify(const Flight& flight, const sim::RunResult& first) {
    const sim::RunResult second = run(flight, nullptr, true);
    if (second.end == sim::RunEnd::interrupted) return ExitCode::interrupted;
    const bool same = first.semantic_digest == second.semantic_digest &&
                      first.schedule_digest == second.schedule_digest;
    if (same) {
      if (!arguments_.quiet)
        fmt::print(report_, "  verified: a second run gave the same digests\n");
      return ExitCode::passed;
    }
    fmt::print(stderr,
               "internal error: two runs of {} with seed {} differ: digest {} and {}, schedule {} "
               "and {}\n",
               flight.scenario.name, first.seed, sim::format_digest(first.semantic_digest),
               sim::format_digest(second.semantic_digest),
               sim::format_digest(first.schedule_digest),
               sim::format_digest(second.schedule_digest));
    return ExitCode::internal;
  }

  RunArguments& arguments_;
  const std::atomic<bool>* interrupt_;
  std::FILE* report_;
  bool color_;
  reports::TimeWindow window_;
  std::vector<sim::RunResult> results_;
  std::string sockets_;  // of the last flight over HTTP: what it was like
};

}  // namespace

void add_run(CLI::App& program, Request& request) {
  const auto arguments = std::make_shared<RunArguments>();
  arguments->program = request.program;
  CLI::App* command =
      program.add_subcommand("run", "Fly a policy through scenarios and say whether it held");
  command->add_option("FILE", arguments->what.paths, "Scenario files, or folders of them")
      ->required();
  add_policy_option(*command, arguments->what.policy);
  add_bind_option(*command, arguments->what.bindings);
  add_seed_option(*command, arguments->seed);
  add_result_outputs(*command, arguments->outputs);
  arguments->outputs.add(*command, "--events", "Write every event there, one JSON object a line",
                         Outputs::Holds::one);
  if (metrics_are_built_in()) {
    arguments->outputs.add(*command, "--metrics",
                           "Write the engine's metrics there at the end, as Prometheus would read "
                           "them",
                           Outputs::Holds::one);
  }
  add_trace_outputs(*command, arguments->outputs, arguments->window);
  one_of(
      command->add_option_function<std::string>(
          "--ties",
          [arguments](const std::string& word) { arguments->what.random_ties = word == "random"; },
          "Order of simultaneous events: fifo (default), or random by seed"),
      {"fifo", "random"});
  one_of(command->add_option_function<std::string>(
             "--stage",
             [arguments](const std::string& word) { arguments->over_http = word == "http"; },
             "Where to fly: in virtual time (sim, the default), or over HTTP in real time"),
         {"sim", "http"});
  command
      ->add_option("--speed", arguments->speed,
                   "With --stage http: play the scenario so many times as fast (1)")
      ->check(CLI::Validator(check_speed, ""))
      ->type_name("N");
  command->add_flag("--verify", arguments->verify,
                    "Run everything twice and compare to the last event");
  command->add_flag("--quiet,-q", arguments->quiet, "One line per scenario");
  command->callback([arguments, &request] {
    request.action = [arguments] { return RunCommand(*arguments).execute(); };
  });
}

}  // namespace brownout::cli
