#include "cli/run_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/input_files.hpp"
#include "cli/interrupt.hpp"
#include "cli/metrics.hpp"
#include "cli/output_file.hpp"
#include "cli/print_errors.hpp"
#include "engine/telemetry/observers.hpp"
#include "reports/console.hpp"
#include "reports/result_document.hpp"
#include "sim/event_log.hpp"
#include "sim/run.hpp"

namespace brownout::cli {
namespace {

struct RunArguments {
  std::string program;  // as it was called, for replay commands
  std::vector<std::string> paths;
  std::string policy;                 // empty: the scenario's own
  std::vector<std::string> bindings;  // "route=provider/model"
  std::optional<std::uint64_t> seed;
  std::string json;     // file for the results; "-" is standard output; empty: none
  std::string events;   // file for the event log; likewise
  std::string metrics;  // file for the engine's metrics; likewise
  bool random_ties = false;
  bool verify = false;
  bool quiet = false;
};

// One flight, ready to begin.
struct Plan {
  sim::Scenario scenario;
  Policy policy;
  sim::BoundPolicy bound;
};

Result<Plan> load(const std::string& path, const RunArguments& arguments,
                  const std::vector<sim::Binding>& bindings) {
  auto scenario = sim::load_scenario(path);
  if (!scenario) return tl::unexpected(scenario.error());
  if (arguments.policy.empty() && scenario->policy_path.empty()) {
    return fail(ErrorKind::invalid, path + " names no policy; choose one with --policy FILE");
  }
  auto policy =
      arguments.policy.empty() ? load_policy_of(*scenario) : load_policy(arguments.policy);
  if (!policy) return tl::unexpected(policy.error());
  auto bound = sim::bind(*scenario, *policy, bindings);
  if (!bound) return tl::unexpected(bound.error());
  return Plan{std::move(*scenario), std::move(*policy), std::move(*bound)};
}

Result<std::vector<Plan>> load_all(const RunArguments& arguments) {
  const auto bindings = parse_bindings(arguments.bindings);
  if (!bindings) return tl::unexpected(bindings.error());
  const auto files = expand(arguments.paths, {FileKind::scenario});
  if (!files) return tl::unexpected(files.error());
  std::vector<Plan> plans;
  Errors errors;
  for (const std::string& file : *files) {
    auto plan = load(file, arguments, *bindings);
    if (plan) {
      plans.push_back(std::move(*plan));
    } else {
      errors.insert(errors.end(), plan.error().begin(), plan.error().end());
    }
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  return plans;
}

// Rewrites one line on a terminal while a run takes longer than a moment.
class Progress {
 public:
  Progress(const Plan& plan, bool enabled)
      : duration_(plan.scenario.duration), enabled_(enabled && ::isatty(STDERR_FILENO) == 1) {}

  std::function<void(Instant)> callback() {
    if (!enabled_) return {};
    return [this](Instant at) { show(at); };
  }
  void clear() const {
    if (shown_) fmt::print(stderr, "\r\033[K");
  }

 private:
  using Clock = std::chrono::steady_clock;

  void show(Instant at) {
    const auto now = Clock::now();
    if (now - last_ < std::chrono::milliseconds{200}) return;
    last_ = now;
    shown_ = true;
    fmt::print(stderr, "\r\033[K{:3}%  {} simulated",
               (at - Instant{}) / (duration_ / 100 + Duration{1}),
               format_duration_short(at - Instant{}));
  }

  Duration duration_;
  bool enabled_;
  bool shown_ = false;
  Clock::time_point last_ = Clock::now();
};

std::string quoted(const std::string& word) {
  const bool plain = word.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                         "-_./=:,#+@%") == std::string::npos;
  if (plain && !word.empty()) return word;
  std::string text = "'";
  for (const char letter : word)
    text += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return text + "'";
}

std::string replay_command(const std::string& program, const Plan& plan,
                           const RunArguments& arguments, const sim::RunResult& result) {
  std::string command = quoted(program) + " run " + quoted(plan.scenario.path) + " --seed " +
                        std::to_string(result.seed);
  if (!arguments.policy.empty()) command += " --policy " + quoted(arguments.policy);
  for (const std::string& binding : arguments.bindings) command += " --bind " + quoted(binding);
  if (arguments.random_ties) command += " --ties random";
  return command;
}

bool same_place(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty() || (a == "-") != (b == "-")) return false;
  std::error_code ignored;
  return a == b || std::filesystem::weakly_canonical(std::filesystem::absolute(a), ignored) ==
                       std::filesystem::weakly_canonical(std::filesystem::absolute(b), ignored);
}

class RunCommand {
 public:
  explicit RunCommand(const RunArguments& arguments)
      : arguments_(arguments), interrupt_(watch_interrupts()) {
    // Results on standard output must not be mixed with a document there.
    const bool taken = arguments.json == "-" || arguments.events == "-" || arguments.metrics == "-";
    report_ = taken ? stderr : stdout;
    const char* no_color = std::getenv("NO_COLOR");
    color_ = ::isatty(::fileno(report_)) == 1 && (no_color == nullptr || *no_color == '\0');
  }

  ExitCode execute() {
    const auto plans = load_all(arguments_);
    if (!plans) return print_errors(plans.error());
    if (plans->empty()) {
      fmt::print(stderr, "no scenarios found\n");
      return ExitCode::nothing_ran;
    }
    const auto opened = open_outputs(*plans);
    if (!opened) return print_errors(opened.error());

    ExitCode code = ExitCode::passed;
    for (const Plan& plan : *plans) {
      code = worse(code, fly(plan));
      if (*interrupt_) break;
    }
    return worse(code, close_outputs());
  }

 private:
  struct Output {
    std::string_view option;
    const std::string& path;
    OutputFile& file;
  };

  Result<void> open_outputs(const std::vector<Plan>& plans) {
    const Output outputs[] = {{"--json", arguments_.json, json_},
                              {"--events", arguments_.events, events_},
                              {"--metrics", arguments_.metrics, metrics_}};
    for (const Output& output : outputs) {
      if (output.path.empty()) continue;
      if (auto fits = check_output(output, outputs, plans); !fits) return fits;
    }
    for (const Output& output : outputs) {
      if (output.path.empty()) continue;
      if (auto opened = output.file.open(output.path); !opened) return opened;
    }
    return {};
  }

  static Result<void> check_output(const Output& output, std::span<const Output> all,
                                   const std::vector<Plan>& plans) {
    const bool holds_many = output.option == "--json";
    if (!holds_many && plans.size() > 1) {
      return fail(ErrorKind::invalid,
                  fmt::format("{} takes one scenario, not {}", output.option, plans.size()));
    }
    for (const Plan& plan : plans) {
      for (const std::string& input : {plan.scenario.path, plan.policy.document->name()}) {
        std::error_code ignored;
        if (!std::filesystem::equivalent(output.path, input, ignored)) continue;
        return fail(ErrorKind::invalid, output.path + " would overwrite " + input);
      }
    }
    for (const Output& other : all) {
      if (&other == &output) break;
      if (!same_place(other.path, output.path)) continue;
      return fail(ErrorKind::invalid, fmt::format("{} and {} cannot go to the same place",
                                                  other.option, output.option));
    }
    return {};
  }

  sim::RunResult run(const Plan& plan, Observer* events, bool report_progress) {
    Progress progress(plan, report_progress && !arguments_.quiet);
    sim::RunOptions options;
    options.seed = arguments_.seed;
    options.ties = arguments_.random_ties ? TiePolicy::random : TiePolicy::fifo;
    options.events = events;
    options.detail = json_.is_open();
    options.interrupt = interrupt_;
    options.progress = progress.callback();
    sim::RunResult result = sim::run(plan.scenario, plan.policy, plan.bound, options);
    progress.clear();
    return result;
  }

  ExitCode fly(const Plan& plan) {
    std::unique_ptr<sim::EventLog> log;
    if (events_.is_open()) {
      log = std::make_unique<sim::EventLog>(
          events_.stream(), sim::EventNames{plan.bound.routes, plan.bound.breakers});
    }
    std::unique_ptr<Metrics> metrics;
    if (metrics_.is_open()) metrics = make_metrics(plan.scenario, plan.policy, plan.bound);
    Observers observers({log.get(), metrics ? &metrics->observer() : nullptr});
    const auto begun = std::chrono::steady_clock::now();
    sim::RunResult result = run(plan, log || metrics ? &observers : nullptr, true);
    if (metrics) metrics_.write(metrics->text());
    result.replay = replay_command("brownout", plan, arguments_, result);
    print(plan, result, std::chrono::steady_clock::now() - begun);
    ExitCode code = exit_code(result);
    if (arguments_.verify && result.end != sim::RunEnd::interrupted) {
      code = worse(code, verify(plan, result));
    }
    results_.push_back(std::move(result));
    return code;
  }

  void print(const Plan& plan, const sim::RunResult& result, Duration real_time) const {
    const reports::ConsoleOptions options{
        color_, replay_command(arguments_.program, plan, arguments_, result)};
    if (arguments_.quiet) {
      fmt::print(report_, "{}", reports::console_verdict(result, options));
      return;
    }
    if (!results_.empty()) fmt::print(report_, "\n");
    fmt::print(report_, "{}{}", reports::console_summary(result, options),
               reports::console_speed(result, real_time));
    std::fflush(report_);
  }

  // Two runs of one seed must agree to the last event.
  ExitCode verify(const Plan& plan, const sim::RunResult& first) {
    const sim::RunResult second = run(plan, nullptr, true);
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
               plan.scenario.name, first.seed, sim::format_digest(first.semantic_digest),
               sim::format_digest(second.semantic_digest),
               sim::format_digest(first.schedule_digest),
               sim::format_digest(second.schedule_digest));
    return ExitCode::internal;
  }

  ExitCode close_outputs() {
    ExitCode code = ExitCode::passed;
    if (json_.is_open()) json_.write(reports::to_json(results_));
    for (OutputFile* file : {&json_, &events_, &metrics_}) {
      if (!file->is_open()) continue;
      if (const auto written = file->commit(); !written) {
        code = worse(code, print_errors(written.error()));
      }
    }
    return code;
  }

  const RunArguments& arguments_;
  const std::atomic<bool>* interrupt_;
  std::FILE* report_;
  bool color_;
  OutputFile json_;
  OutputFile events_;
  OutputFile metrics_;
  std::vector<sim::RunResult> results_;
};

// As a scenario's own seed: exact in every JSON reader. Without this, -1 would be taken for 2^64
// - 1.
std::string check_seed(const std::string& text) {
  constexpr std::string_view most = "9007199254740991";
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  const bool small = text.size() < most.size() || (text.size() == most.size() && text <= most);
  return digits && small ? "" : fmt::format("expected a whole number from 0 to {}", most);
}

}  // namespace

void add_run(CLI::App& program, Request& request) {
  const auto arguments = std::make_shared<RunArguments>();
  arguments->program = request.program;
  CLI::App* command =
      program.add_subcommand("run", "Fly a policy through scenarios and say whether it held");
  command->add_option("FILE", arguments->paths, "Scenario files, or folders of them")->required();
  command->add_option("--policy", arguments->policy, "Policy file, instead of the scenario's own")
      ->type_name("FILE");
  command->add_option("--bind", arguments->bindings, "Where a route goes, instead of by its role")
      ->type_name("ROUTE=PROVIDER/MODEL")
      ->allow_extra_args(false);
  command
      ->add_option("--seed", arguments->seed, "Seed of every draw, instead of the scenario's own")
      ->check(CLI::Validator(check_seed, ""))
      ->type_name("N");
  command->add_option("--json", arguments->json, "Write the results there; - is standard output")
      ->type_name("OUT");
  command
      ->add_option("--events", arguments->events, "Write every event there, one JSON object a line")
      ->type_name("OUT");
  if (metrics_are_built_in()) {
    command
        ->add_option("--metrics", arguments->metrics,
                     "Write the engine's metrics there at the end, as Prometheus would read them")
        ->type_name("OUT");
  }
  command
      ->add_option_function<std::string>(
          "--ties",
          [arguments](const std::string& word) { arguments->random_ties = word == "random"; },
          "Order of simultaneous events: fifo (default), or random by seed")
      ->check(CLI::IsMember({"fifo", "random"}))
      ->type_name("fifo|random");
  command->add_flag("--verify", arguments->verify,
                    "Run everything twice and compare to the last event");
  command->add_flag("--quiet,-q", arguments->quiet, "One line per scenario");
  command->callback([arguments, &request] {
    request.action = [arguments] { return RunCommand(*arguments).execute(); };
  });
}

}  // namespace brownout::cli
