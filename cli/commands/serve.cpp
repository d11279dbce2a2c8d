#include "cli/commands/serve.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/flight.hpp"
#include "cli/interrupt.hpp"
#include "cli/journal_file.hpp"
#include "cli/options.hpp"
#include "cli/outputs.hpp"
#include "cli/print_errors.hpp"
#include "cli/result_outputs.hpp"
#include "cli/terminal.hpp"
#include "engine/core/document.hpp"
#include "mockserver/http/server.hpp"
#include "reports/console.hpp"
#include "sim/run_result.hpp"
#include "sim/scenario.hpp"
#include "sim/served.hpp"

namespace brownout::cli {
namespace {

using mock::http::Finding;
using mock::http::Server;

struct ServeArguments {
  std::string path;
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::optional<std::uint16_t> admin_port;
  double speed = 1;
  std::string start;
  std::optional<std::uint64_t> seed;
  std::string journal;
  bool expect = false;
  std::string lasts;
  Outputs outputs;
};

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

// What there is to be judged at the end.
class Judged final : public mock::http::CallListener {
 public:
  explicit Judged(const sim::Scenario& scenario) : recorder_(scenario) {}

  void on_call(std::string_view test, const mock::http::ServedCall& call,
               std::size_t phase) override {
    recorder_.add(test, call, phase);
  }
  void on_anew(std::string_view test) override { recorder_.forget(test); }
  void on_end(std::string_view test) override { recorder_.keep(test); }

  sim::ServedRecorder& recorder() { return recorder_; }

 private:
  sim::ServedRecorder recorder_;
};

class ServeCommand {
 public:
  explicit ServeCommand(ServeArguments& arguments)
      : arguments_(arguments),
        console_(arguments.journal == "-" || arguments.outputs.take_standard_output() ? stderr
                                                                                      : stdout) {}

  ExitCode execute() {
    const std::atomic<bool>* const interrupt = watch_interrupts();
    auto scenario = sim::load_scenario(arguments_.path);
    if (!scenario) return print_errors(scenario.error());
    Judged judged(*scenario);
    mock::http::ServerOptions options;
    if (auto understood = fill(options, *scenario); !understood) {
      return print_errors(understood.error());
    }
    const auto lasts = arguments_.lasts.empty() ? forever : *parse_duration(arguments_.lasts);
    JournalFile journal;
    if (auto opened = open_outputs(*scenario); !opened) return print_errors(opened.error());
    options.session.calls = &judged;
    options.session.on_line = [&](std::string_view line) { journal.write(line); };
    options.on_tick = [&] { journal.flush(); };

    auto server = Server::listen(options);
    if (!server) return print_errors(server.error());
    // Last, as it empties the file of an earlier run.
    if (auto opened = journal.open(arguments_.journal, interrupt); !opened) {
      return print_errors(opened.error());
    }
    introduce(*scenario, options, **server);
    const auto ran = (*server)->run(interrupt, lasts);
    ExitCode code = conclude(options, **server, judged.recorder());
    code = worse(code, arguments_.outputs.commit());
    if (!ran) code = worse(code, print_errors(ran.error()));
    return journal.close() ? code : worse(code, ExitCode::environment);
  }

 private:
  Result<void> open_outputs(const sim::Scenario& scenario) const {
    const std::string& journal = arguments_.journal;
    const bool both = journal == "-" && arguments_.outputs.take_standard_output();
    if (both) return fail(ErrorKind::invalid, "--journal and another option go to standard output");
    std::vector<std::string> apart{arguments_.path};
    if (!scenario.policy_path.empty()) apart.push_back(scenario.policy_path);
    for (const std::string& input : apart) {
      if (!same_place(journal, input)) continue;
      return fail(ErrorKind::invalid, journal + " would overwrite " + input);
    }
    if (journal != "-") apart.push_back(journal);
    return arguments_.outputs.open(1, apart);
  }

  Result<void> fill(mock::http::ServerOptions& options, const sim::Scenario& scenario) const {
    options.scenario = scenario.name;
    options.host = arguments_.host;
    options.port = arguments_.port;
    options.admin_port = arguments_.admin_port;
    options.session.script = &scenario.script;
    options.session.seed = arguments_.seed.value_or(scenario.seed);
    options.session.speed = arguments_.speed;
    options.session.output_tokens = &scenario.workload.output_tokens;
    if (arguments_.start.empty()) return {};
    std::vector<std::string_view> names;
    for (const mock::PhaseSpec& phase : scenario.script.phases) {
      names.push_back(phase.name);
      if (phase.name != arguments_.start) continue;
      options.session.start = phase.begin;
      return {};
    }
    return fail(ErrorKind::invalid,
                fmt::format("--start: the scenario has no phase \"{}\"; {}", arguments_.start,
                            expected_one_of(arguments_.start, names)));
  }

  void introduce(const sim::Scenario& scenario, const mock::http::ServerOptions& options,
                 const Server& server) const {
    const std::string url = server.url();
    fmt::print(console_, "serving {} at {}\n", scenario.name, url);
    fmt::print(console_,
               "  base URL for OpenAI     {0}/v1\n"
               "               Anthropic  {0}\n"
               "               Azure      {0}\n"
               "               Gemini     {0}\n",
               url);
    std::string models;
    for (const mock::ModelSpec& model : scenario.script.models) {
      models += (models.empty() ? "" : ", ") + model.name;
    }
    fmt::print(console_, "  models {}; any key will do\n", models);
    fmt::print(console_, "  phase {}, seed {}; {}/__brownout/state tells more\n",
               server.session().script().phases[phase_at(scenario, options.session.start)].name,
               options.session.seed, server.admin_url());
    if (arguments_.admin_port) {
      fmt::print(console_, "  while all models refuse connections, so does the port\n");
    }
    if (arguments_.speed != 1) {
      fmt::print(console_,
                 "  {} times as fast: phases, limits, delays and retry hints are; the clients' own "
                 "backoff and timeouts are not, nor is the network\n",
                 arguments_.speed);
    }
    if (!is_loopback(arguments_.host)) {
      fmt::print(
          stderr,
          "warning: listening at {}: whoever reaches this machine can use the server and its "
          "admin API, without a password\n",
          arguments_.host);
    }
    std::fflush(console_);
  }

  static std::size_t phase_at(const sim::Scenario& scenario, Duration start) {
    const auto& phases = scenario.script.phases;
    std::size_t phase = 0;
    while (phase + 1 < phases.size() && start >= phases[phase].until) ++phase;
    return phase;
  }

  static std::string refusals(const mock::http::SessionTotals& totals) {
    std::uint64_t sum = 0;
    std::string by_status;
    for (const auto& [status, count] : totals.refused) {
      sum += count;
      by_status += fmt::format("{}{} ×{}", by_status.empty() ? "" : ", ", status, count);
    }
    if (sum == 0) return {};
    return fmt::format("  {} {} refused before the script: {}\n", sum,
                       sum == 1 ? "request was" : "requests were", by_status);
  }

  ExitCode conclude(const mock::http::ServerOptions& options, const Server& server,
                    sim::ServedRecorder& recorder) const {
    const mock::http::ServerCounts& counts = server.counts();
    const mock::http::SessionTotals totals = server.totals();
    fmt::print(console_, "served {} requests over {} connections", counts.requests,
               counts.connections);
    if (counts.malformed > 0) fmt::print(console_, "; {} were malformed", counts.malformed);
    if (counts.shed > 0) fmt::print(console_, "; {} connections were shed", counts.shed);
    fmt::print(console_, "\n  {} calls in {} attempts\n{}", totals.calls, totals.attempts,
               refusals(totals));
    if (totals.guessed > 0) {
      fmt::print(
          console_, "  {} told by content alone; send x-brownout-call to be sure\n",
          totals.guessed == 1 ? "1 retry was" : fmt::format("{} retries were", totals.guessed));
    }
    for (const Finding finding :
         {Finding::retried_non_retryable, Finding::came_back_early, Finding::accepted_truncated}) {
      const std::uint64_t count = totals.findings[static_cast<std::size_t>(finding)];
      if (count > 0) fmt::print(console_, "  finding: {} {}\n", to_string(finding), count);
    }
    if (!arguments_.expect && !want_results(arguments_.outputs)) return ExitCode::passed;
    std::vector<std::string> not_judged;
    sim::RunResult result = recorder.finish(server.session().seed(), options.session.speed,
                                            server.ended_at(), not_judged);
    sim::report_faults(server.session().script(), totals.faults, result);
    write_results({result}, arguments_.outputs);
    if (!arguments_.expect) return ExitCode::passed;
    fmt::print(console_, "\n{}",
               reports::console_summary(result, {.color = wants_color(console_), .replay = {}}));
    for (const std::string& text : not_judged) {
      fmt::print(console_, "  not judged, because only a client can know: {}\n", text);
    }
    return exit_code(result);
  }

  ServeArguments& arguments_;
  std::FILE* console_;
};

std::string check_duration(const std::string& text) {
  const auto duration = parse_duration(text);
  return duration && *duration > Duration{0} ? "" : "expected a duration such as 90s or 1h30m";
}

}  // namespace

void add_serve(CLI::App& program, Request& request) {
  const auto arguments = std::make_shared<ServeArguments>();
  CLI::App* command = program.add_subcommand(
      "serve", "Play a scenario's provider on a local port, for clients in any language");
  command->add_option("SCENARIO", arguments->path, "Scenario file")->required();
  command->add_option("--port", arguments->port, "Port to listen at; 0 takes a free one (8080)")
      ->type_name("N");
  command
      ->add_option("--admin-port", arguments->admin_port,
                   "Port for the admin API alone, so that outages can refuse connections; 0 takes "
                   "a free one")
      ->type_name("N");
  command
      ->add_option("--host", arguments->host,
                   "Address to listen at (127.0.0.1: this machine alone)")
      ->type_name("ADDRESS");
  command->add_option("--speed", arguments->speed, "Play the scenario so many times as fast (1)")
      ->check(CLI::Validator(check_speed, ""))
      ->type_name("N");
  command->add_option("--start", arguments->start, "Begin with this phase")->type_name("PHASE");
  add_seed_option(*command, arguments->seed);
  command
      ->add_option("--journal", arguments->journal,
                   "Write what became of every request there, one JSON object a line")
      ->type_name("FILE");
  command->add_flag("--expect", arguments->expect,
                    "At the end judge the scenario's expectations on what the clients did");
  add_result_outputs(*command, arguments->outputs);
  command
      ->add_option("--for", arguments->lasts,
                   "End after so much of the scenario's time (default: when interrupted)")
      ->check(CLI::Validator(check_duration, ""))
      ->type_name("DURATION");
  command->callback([arguments, &request] {
    request.action = [arguments] { return ServeCommand(*arguments).execute(); };
  });
}

}  // namespace brownout::cli
