#include "cli/commands/test.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/baseline_file.hpp"
#include "cli/fleet.hpp"
#include "cli/flight.hpp"
#include "cli/in_parallel.hpp"
#include "cli/input_files.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/print_errors.hpp"
#include "cli/result_outputs.hpp"
#include "cli/seed_range.hpp"
#include "cli/step_summary.hpp"
#include "cli/terminal.hpp"
#include "cli/tolerance_option.hpp"
#include "reports/gate/github.hpp"
#include "reports/gate/markdown.hpp"
#include "reports/gate/suite_console.hpp"

namespace brownout::cli {
namespace {

using reports::Suite;

struct TestArguments {
  FlightOptions what;
  std::string seeds = "1..20";
  std::string baseline;
  bool update_baseline = false;
  std::vector<std::string> tolerances;
  std::size_t jobs = default_jobs();
  std::size_t max_failures = 0;  // 0: no limit
  bool github = false;
  bool quiet = false;
  Outputs outputs;
};

// The scenario files, each once. A folder without any leaves nothing to do, and is told: whoever
// names it means to test something.
Result<std::vector<std::string>> scenario_files(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    const auto found = expand({path}, {FileKind::scenario});
    if (!found) return tl::unexpected(found.error());
    if (found->empty()) {
      fmt::print(stderr, "no scenarios found in {}\n", path);
      return std::vector<std::string>{};
    }
    for (const std::string& file : *found) {
      if (std::ranges::find(files, file) == files.end()) files.push_back(file);
    }
  }
  return files;
}

// A baseline tells scenarios by their names.
Result<void> check_names(const std::vector<Flight>& flights) {
  std::map<std::string, std::string> paths;
  for (const Flight& flight : flights) {
    const auto [known, is_new] = paths.emplace(flight.scenario.name, flight.scenario.path);
    if (is_new) continue;
    return fail(ErrorKind::invalid,
                fmt::format("{} and {} are both named {}, and a baseline tells scenarios by name",
                            known->second, flight.scenario.path, flight.scenario.name));
  }
  return {};
}

std::vector<std::string> measured_in(const std::vector<Flight>& flights) {
  std::vector<std::string> names = reports::names_always_measured();
  for (const Flight& flight : flights) {
    for (const sim::Expectation& expectation : flight.scenario.expectations) {
      sim::ExpectationResult asked;
      asked.expression = expectation.text;
      asked.comparison = to_string(expectation.comparison);
      const std::string claim = reports::claim_of(asked);
      if (std::ranges::find(names, claim) == names.end()) names.push_back(claim);
    }
  }
  return names;
}

class TestCommand {
 public:
  explicit TestCommand(TestArguments& arguments)
      : arguments_(arguments),
        interrupt_(watch_interrupts()),
        report_(arguments.outputs.take_standard_output() ? stderr : stdout) {
    console_.color = wants_color(report_);
  }

  ExitCode execute() {
    const auto ready = prepare();
    if (!ready) return print_errors(ready.error());
    if (flights_.empty()) return ExitCode::nothing_ran;
    try {
      fly_all();
      fly_for_detail();
    } catch (const std::exception& error) {
      fmt::print(stderr, "internal error: {}\n", error.what());
      return ExitCode::internal;
    }
    return conclude();
  }

 private:
  Result<void> prepare() {
    const auto files = scenario_files(arguments_.what.paths);
    if (!files) return tl::unexpected(files.error());
    const auto seeds = parse_seed_range(arguments_.seeds);
    if (!seeds) return tl::unexpected(seeds.error());
    seeds_ = *seeds;
    FlightOptions what = arguments_.what;
    what.paths = *files;
    auto flights = load_flights(what);
    if (!flights) return tl::unexpected(flights.error());
    flights_ = std::move(*flights);
    if (flights_.empty()) return {};
    return open_files();
  }

  Result<void> open_files() {
    const auto tolerances = parse_tolerances(arguments_.tolerances, measured_in(flights_));
    if (!tolerances) return tl::unexpected(tolerances.error());
    tolerances_ = *tolerances;
    if (!arguments_.baseline.empty()) {
      if (auto distinct = check_names(flights_); !distinct) return distinct;
    }
    std::vector<std::string> inputs{arguments_.what.policy};
    if (!arguments_.baseline.empty()) inputs.push_back(arguments_.baseline);
    for (const Flight& flight : flights_) inputs.push_back(flight.scenario.path);
    if (auto opened = arguments_.outputs.open(flights_.size(), inputs); !opened) return opened;
    return baseline_.open(arguments_.baseline, arguments_.update_baseline);
  }

  // ----------------------------------------------------------------------------- runs

  void fly_all() {
    begin_suites();
    if (!arguments_.quiet) fmt::print(report_, "{}", reports::console_suite_head(console_));
    fly(flights_, every_seed(flights_.size(), seeds_), {arguments_.jobs, false, interrupt_},
        [this](Flown&& flown) { return take(std::move(flown)); });
    for (; lines_ < suites_.size(); ++lines_) cut_short(suites_[lines_]);
  }

  void begin_suites() {
    for (const Flight& flight : flights_) {
      Suite& suite = suites_.emplace_back();
      suite.scenario = flight.scenario.name;
      suite.scenario_path = flight.scenario.path;
      suite.policy = flight.policy.name;
      suite.policy_path = flight.policy.document->name();
      suite.planned = seeds_.size();
      suite.real_time = Duration{};
      console_.name_width = std::max(console_.name_width, suite.scenario.size());
    }
    kept_.resize(suites_.size());
  }

  bool take(Flown&& flown) {
    Suite& suite = suites_[flown.flight];
    flown.result.replay =
        replay_command("brownout", flights_[flown.flight], arguments_.what, flown.result.seed);
    add_run(suite, flown.result);
    *suite.real_time += flown.real_time;
    code_ = worse(code_, exit_code(flown.result));
    const bool passed = suite.runs.back().verdict == sim::Verdict::passed;
    failures_ += passed ? 0 : 1;
    keep(kept_[flown.flight], std::move(flown.result));
    if (suite.runs.size() == suite.planned) print_line(suite);
    report_progress();
    return !*interrupt_ && (arguments_.max_failures == 0 || failures_ < arguments_.max_failures);
  }

  // One run stands for its scenario in forms that show detail: the one that failed first.
  void keep(std::optional<sim::RunResult>& kept, sim::RunResult&& result) const {
    if (!want_detail(arguments_.outputs)) return;
    const auto gravity = [](const sim::RunResult& run) {
      const sim::Verdict verdict = run.verdict();
      return verdict == sim::Verdict::failed ? 2 : verdict == sim::Verdict::undecided ? 1 : 0;
    };
    if (!kept || gravity(result) > gravity(*kept)) kept = std::move(result);
  }

  void print_line(const Suite& suite) {
    if (!arguments_.quiet || suite.verdict() != sim::Verdict::passed) {
      fmt::print(report_, "{}", reports::console_suite_line(suite, console_));
      std::fflush(report_);
    }
    ++lines_;
  }

  void cut_short(Suite& suite) const {
    suite.cut_short =
        *interrupt_ ? "interrupted" : fmt::format("stopped after {} failed runs", failures_);
    if (!suite.runs.empty()) {
      fmt::print(report_, "{}", reports::console_suite_line(suite, console_));
    }
  }

  void report_progress() {
    ++flown_;
    const std::size_t tenth = 10 * flown_ / (flights_.size() * seeds_.size());
    if (tenth == tenths_ || arguments_.quiet || ::isatty(STDERR_FILENO) != 1) return;
    tenths_ = tenth;
    fmt::print(stderr, "{:3}%  {} runs\n", 10 * tenth, flown_);
  }

  // A run is a pure function, so the same one can be had again with everything that happened.
  void fly_for_detail() {
    std::vector<Sortie> sorties;
    for (std::size_t i = 0; i < kept_.size() && !*interrupt_; ++i) {
      if (kept_[i]) sorties.push_back({i, kept_[i]->seed});
    }
    fly(flights_, sorties, {arguments_.jobs, true, interrupt_}, [this](Flown&& flown) {
      sim::RunResult& kept = *kept_[flown.flight];
      if (flown.result.end == sim::RunEnd::interrupted && *interrupt_) return false;
      if (flown.result.semantic_digest != kept.semantic_digest) {
        throw std::runtime_error(
            fmt::format("two runs of {} with seed {} differ", kept.scenario_path, kept.seed));
      }
      flown.result.replay = std::move(kept.replay);
      kept = std::move(flown.result);
      return true;
    });
  }

  // --------------------------------------------------------------------------- findings

  ExitCode conclude() {
    const bool complete = std::ranges::all_of(
        suites_, [](const Suite& suite) { return suite.runs.size() == suite.planned; });
    if (!complete) {
      code_ = worse(code_, *interrupt_ ? ExitCode::interrupted : ExitCode::undecided);
    }
    std::optional<reports::BaselineReview> review = baseline_.compare(suites_, tolerances_);
    fmt::print(report_, "{}", reports::console_failures(suites_, console_));
    if (review) fmt::print(report_, "{}", console_review(*review, console_));
    if (baseline_.is_updated()) {
      update_baseline(complete);
      review.reset();  // it is history now, and fails nothing
    }
    judge(review);
    write(review ? &*review : nullptr);
    return code_;
  }

  void judge(const std::optional<reports::BaselineReview>& review) {
    if (!review) return;
    if (review->verdict() == sim::Verdict::failed) code_ = worse(code_, ExitCode::failed);
    if (review->verdict() == sim::Verdict::undecided) {
      code_ = worse(code_, ExitCode::undecided);
    }
  }

  void update_baseline(bool complete) {
    const bool decided = complete && std::ranges::all_of(suites_, [](const Suite& suite) {
                           return suite.count(sim::Verdict::undecided) == 0;
                         });
    if (!decided) {
      fmt::print(report_, "\n{} was not written: not everything was decided\n",
                 arguments_.baseline);
      return;
    }
    if (const auto said = baseline_.update(suites_)) {
      fmt::print(report_, "\n{}\n", *said);
    } else {
      code_ = worse(code_, print_errors(said.error()));
    }
  }

  void write(const reports::BaselineReview* review) {
    std::vector<sim::RunResult> results;
    for (std::optional<sim::RunResult>& kept : kept_) {
      if (kept) results.push_back(std::move(*kept));
    }
    write_detailed(results, arguments_.outputs);
    write_findings(suites_, review, arguments_.outputs);
    code_ = worse(code_, arguments_.outputs.commit());
    if (const std::string path = step_summary_path(); !path.empty()) {
      const auto written = append_to(path, to_markdown(suites_, {.review = review}));
      if (!written) code_ = worse(code_, print_errors(written.error()));
    }
    if (arguments_.github || is_github_job()) {
      fmt::print(report_, "{}", reports::to_github(suites_, review));
    }
    fmt::print(report_, "\n{}", console_suites_verdict(suites_, review, console_));
  }

  TestArguments& arguments_;
  const std::atomic<bool>* interrupt_;
  std::FILE* report_;
  reports::SuiteConsoleOptions console_;
  SeedRange seeds_;
  reports::Tolerances tolerances_;
  BaselineFile baseline_;
  std::vector<Flight> flights_;
  std::vector<Suite> suites_;                        // by flight
  std::vector<std::optional<sim::RunResult>> kept_;  // by flight
  std::size_t lines_ = 0;                            // suites whose line was printed
  std::size_t flown_ = 0;
  std::size_t tenths_ = 0;
  std::size_t failures_ = 0;
  ExitCode code_ = ExitCode::passed;
};

}  // namespace

void add_test(CLI::App& program, Request& request) {
  const auto arguments = std::make_shared<TestArguments>();
  CLI::App* command = program.add_subcommand(
      "test", "Fly a policy through scenarios with many seeds, and judge it: a gate for CI");
  command->add_option("POLICY", arguments->what.policy, "Policy file")->required();
  command->add_option("--scenarios", arguments->what.paths, "Scenario files, or folders of them")
      ->required()
      ->type_name("PATH");
  command->add_option("--seeds", arguments->seeds, "Seeds to fly each scenario with")
      ->capture_default_str()
      ->type_name("A..B");
  auto* const baseline = command
                             ->add_option("--baseline", arguments->baseline,
                                          "What an earlier policy came to: to be worse fails")
                             ->type_name("FILE");
  command
      ->add_flag("--update-baseline", arguments->update_baseline,
                 "Put what is found now in the baseline's place")
      ->needs(baseline);
  command
      ->add_option("--tolerance", arguments->tolerances,
                   "Difference from the baseline that does not matter; 1% by default")
      ->needs(baseline)
      ->allow_extra_args(false)
      ->type_name("[MEASURE=]PERCENT");
  add_bind_option(*command, arguments->what.bindings);
  command
      ->add_option("--jobs,-j", arguments->jobs, "Threads; as many as there are cores by default")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
  command
      ->add_option("--max-failures", arguments->max_failures,
                   "Stop after so many runs that did not pass")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N");
  add_result_outputs(*command, arguments->outputs);
  command->add_flag("--github", arguments->github,
                    "Print annotations for GitHub, as is done in its jobs anyway");
  command->add_flag("--quiet,-q", arguments->quiet, "Only what did not pass, and the verdict");
  command->callback([arguments, &request] {
    request.action = [arguments] { return TestCommand(*arguments).execute(); };
  });
}

}  // namespace brownout::cli
