#include "cli/commands/compare.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/fleet.hpp"
#include "cli/flight.hpp"
#include "cli/in_parallel.hpp"
#include "cli/input_files.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/outputs.hpp"
#include "cli/print_errors.hpp"
#include "cli/seed_range.hpp"
#include "cli/terminal.hpp"
#include "reports/comparison/comparison.hpp"
#include "reports/html/comparison_page.hpp"
#include "reports/html/html.hpp"

namespace brownout::cli {
namespace {

namespace fs = std::filesystem;

struct CompareArguments {
  std::vector<std::string> policies;
  std::vector<std::string> scenarios;
  std::vector<std::string> bindings;
  std::string seeds = "1";
  std::size_t jobs = default_jobs();
  std::string reports;  // folder for the page of every pair; empty: none
  Outputs outputs;
};

// What a file is called in the comparison: by its name, or by its path where two have one name.
template <class File>
std::vector<std::string> labels_of(const std::vector<File>& files) {
  std::vector<std::string> labels;
  for (const File& file : files) {
    const auto same = std::ranges::count(files, file.name, &File::name);
    labels.push_back(same > 1 ? file.path : file.name);
  }
  return labels;
}

struct Named {
  std::string name;
  std::string path;
};

// As a part of a path: what a label may hold that a file name should not becomes '-'.
std::string file_name_of(std::string label) {
  for (char& letter : label) {
    const bool is_plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                          (letter >= '0' && letter <= '9') || letter == '_' || letter == '.';
    if (!is_plain) letter = '-';
  }
  return label.starts_with('.') ? "-" + label : label;
}

// Labels as file names, each another one.
std::vector<std::string> file_names_of(const std::vector<Named>& files) {
  std::vector<std::string> names;
  for (const std::string& label : labels_of(files)) {
    const std::string name = file_name_of(label);
    std::string unique = name;
    for (int i = 2; std::ranges::find(names, unique) != names.end(); ++i) {
      unique = fmt::format("{}-{}", name, i);
    }
    names.push_back(unique);
  }
  return names;
}

class CompareCommand {
 public:
  explicit CompareCommand(CompareArguments& arguments)
      : arguments_(arguments),
        interrupt_(watch_interrupts()),
        report_(arguments.outputs.take_standard_output() ? stderr : stdout) {}

  ExitCode execute() {
    const auto ready = prepare();
    if (!ready) return print_errors(ready.error());
    if (flights_.empty()) {
      fmt::print(stderr, "nothing to compare: no policy found that can be flown in a scenario{}\n",
                 first_refusal_.empty() ? "" : "; the first: " + first_refusal_);
      return ExitCode::nothing_ran;
    }
    try {
      fly_all();
    } catch (const std::exception& error) {
      fmt::print(stderr, "internal error: {}\n", error.what());
      return ExitCode::internal;
    }
    return conclude();
  }

 private:
  // A scenario and a policy that can be flown together.
  struct Pair {
    std::size_t scenario;
    std::size_t policy;
  };

  Result<void> prepare() {
    const auto seeds = parse_seed_range(arguments_.seeds);
    if (!seeds) return tl::unexpected(seeds.error());
    seeds_ = *seeds;
    if (auto read = read_names(); !read) return read;
    builder_.emplace(labels_of(policies_), labels_of(scenarios_));
    policy_files_ = file_names_of(policies_);
    scenario_files_ = file_names_of(scenarios_);
    std::vector<std::string> inputs;
    for (const Named& file : policies_) inputs.push_back(file.path);
    for (const Named& file : scenarios_) inputs.push_back(file.path);
    if (auto opened = arguments_.outputs.open(1, inputs); !opened) return opened;
    if (auto made = make_folders(); !made) return made;
    return bind_all();
  }

  // Every file is read once before anything flies: what is wrong with it is told first.
  Result<void> read_names() {
    const auto policies = expand(arguments_.policies, {FileKind::policy});
    if (!policies) return tl::unexpected(policies.error());
    const auto scenarios = expand(arguments_.scenarios, {FileKind::scenario});
    if (!scenarios) return tl::unexpected(scenarios.error());
    Errors errors;
    const auto read = [&](const std::string& path, auto&& loaded, std::vector<Named>& names) {
      if (loaded) {
        names.push_back({loaded->name, path});
      } else {
        errors.insert(errors.end(), loaded.error().begin(), loaded.error().end());
      }
    };
    for (const std::string& path : *policies) read(path, load_policy(path), policies_);
    for (const std::string& path : *scenarios) read(path, sim::load_scenario(path), scenarios_);
    if (!errors.empty()) return tl::unexpected(std::move(errors));
    return {};
  }

  Result<void> make_folders() const {
    if (arguments_.reports.empty()) return {};
    for (std::size_t policy = 0; policy < policies_.size(); ++policy) {
      std::error_code failure;
      fs::create_directories(report_path(0, policy).parent_path(), failure);
      if (failure) {
        return fail(ErrorKind::environment,
                    fmt::format("cannot make {}: {}", report_path(0, policy).parent_path().string(),
                                failure.message()));
      }
    }
    return {};
  }

  Result<void> bind_all() {
    FlightOptions what;
    what.bindings = arguments_.bindings;
    what.foreign = sim::ForeignRoutes::ignore;
    for (std::size_t scenario = 0; scenario < scenarios_.size(); ++scenario) {
      for (std::size_t policy = 0; policy < policies_.size(); ++policy) {
        what.policy = policies_[policy].path;
        auto flight = load_flight(scenarios_[scenario].path, what);
        if (flight) {
          flights_.push_back(std::move(*flight));
          pairs_.push_back({scenario, policy});
        } else {
          const std::string& reason = flight.error().front().message;
          if (first_refusal_.empty()) first_refusal_ = reason;
          builder_->refuse(scenario, policy, reason);
        }
      }
    }
    return {};
  }

  // The first seed of every pair first: its run has a page, if pages were asked for.
  void fly_all() {
    std::vector<Sortie> first;
    std::vector<Sortie> others;
    for (const Sortie& sortie : every_seed(flights_.size(), seeds_)) {
      (sortie.seed == seeds_.first ? first : others).push_back(sortie);
    }
    planned_ = first.size() + others.size();
    const bool pages = !arguments_.reports.empty();
    fly(flights_, first, {arguments_.jobs, pages, interrupt_},
        [this, pages](Flown&& flown) { return take(std::move(flown), pages); });
    if (code_ == ExitCode::passed) {
      fly(flights_, others, {arguments_.jobs, false, interrupt_},
          [this](Flown&& flown) { return take(std::move(flown), false); });
    }
  }

  bool take(Flown&& flown, bool has_page) {
    if (flown.result.end == sim::RunEnd::interrupted) {
      code_ = ExitCode::interrupted;
      return false;
    }
    const Pair& pair = pairs_[flown.flight];
    FlightOptions what;
    what.policy = policies_[pair.policy].path;
    what.bindings = arguments_.bindings;
    flown.result.replay =
        replay_command("brownout", flights_[flown.flight], what, flown.result.seed);
    builder_->add(pair.scenario, pair.policy, flown.result);
    if (has_page && !write_page(pair, flown.result)) return false;
    report_progress();
    return true;
  }

  bool write_page(const Pair& pair, const sim::RunResult& result) {
    const fs::path path = report_path(pair.scenario, pair.policy);
    OutputFile file;
    auto done = file.open(path.string());
    if (done) {
      file.write(reports::to_html({result}));
      done = file.commit();
    }
    if (!done) {
      code_ = print_errors(done.error());
      return false;
    }
    std::error_code failure;
    const fs::path page = fs::absolute(arguments_.outputs.path("--html")).parent_path();
    const fs::path relative = fs::relative(fs::absolute(path), page, failure);
    builder_->link(pair.scenario, pair.policy, (failure ? path : relative).generic_string());
    return true;
  }

  fs::path report_path(std::size_t scenario, std::size_t policy) const {
    return fs::path(arguments_.reports) / policy_files_[policy] /
           (scenario_files_[scenario] + ".html");
  }

  void report_progress() {
    const std::size_t tenth = 10 * ++flown_ / planned_;
    if (tenth == tenths_ || ::isatty(STDERR_FILENO) != 1) return;
    tenths_ = tenth;
    fmt::print(stderr, "{:3}%  {} runs\n", 10 * tenth, flown_);
  }

  ExitCode conclude() {
    const reports::Comparison comparison = builder_->finish();
    if (*interrupt_) code_ = ExitCode::interrupted;
    if (code_ != ExitCode::passed) return code_;  // a comparison of some is none
    fmt::print(report_, "{}", reports::console_comparison(comparison, wants_color(report_)));
    const auto write = [&](std::string_view option, auto render) {
      if (OutputFile* file = arguments_.outputs.file(option)) file->write(render(comparison));
    };
    write("--html", reports::comparison_page);
    write("--json", reports::json_comparison);
    write("--markdown", reports::markdown_comparison);
    return arguments_.outputs.commit();
  }

  CompareArguments& arguments_;
  const std::atomic<bool>* interrupt_;
  std::FILE* report_;
  SeedRange seeds_;
  std::vector<Named> policies_;
  std::vector<Named> scenarios_;
  std::vector<std::string> policy_files_;    // names of the folders of pages
  std::vector<std::string> scenario_files_;  // names of the pages in them
  std::vector<Flight> flights_;
  std::string first_refusal_;
  std::vector<Pair> pairs_;  // by flight
  std::optional<reports::ComparisonBuilder> builder_;
  std::size_t planned_ = 0;
  std::size_t flown_ = 0;
  std::size_t tenths_ = 0;
  ExitCode code_ = ExitCode::passed;
};

}  // namespace

void add_compare(CLI::App& program, Request& request) {
  const auto arguments = std::make_shared<CompareArguments>();
  CLI::App* command =
      program.add_subcommand("compare", "Fly many policies through scenarios, side by side");
  command->add_option("--policies", arguments->policies, "Policy files, or folders of them")
      ->required()
      ->type_name("PATH");
  command->add_option("--scenarios", arguments->scenarios, "Scenario files, or folders of them")
      ->required()
      ->type_name("PATH");
  command->add_option("--seeds", arguments->seeds, "Seeds to fly each pair with")
      ->capture_default_str()
      ->type_name("A..B");
  add_bind_option(*command, arguments->bindings);
  command
      ->add_option("--jobs,-j", arguments->jobs, "Threads; as many as there are cores by default")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
  CLI::Option* const page = arguments->outputs.add(
      *command, "--html", "Write the comparison as a page for browsers there",
      Outputs::Holds::many);
  command
      ->add_option("--reports", arguments->reports,
                   "Write a page for every pair into this folder; the comparison's leads there")
      ->needs(page)
      ->type_name("FOLDER");
  arguments->outputs.add(*command, "--json", "Write the comparison there, for programs",
                         Outputs::Holds::many);
  arguments->outputs.add(*command, "--markdown", "Write it as tables there", Outputs::Holds::many);
  command->callback([arguments, &request] {
    request.action = [arguments] { return CompareCommand(*arguments).execute(); };
  });
}

}  // namespace brownout::cli
