#include "cli/commands/new.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.hpp"
#include "cli/output_file.hpp"
#include "cli/print_errors.hpp"
#include "cli/shell_word.hpp"
#include "engine/core/check.hpp"
#include "engine/core/document_text.hpp"
#include "engine/policy_file/policy.hpp"
#include "reports/embedded.hpp"
#include "sim/scenario.hpp"

namespace brownout::embedded {
std::span<const File> scenario_templates();
}

namespace brownout::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view policy_file = "policy.json";  // among the templates
constexpr std::string_view first_route = "gpt-4";        // of that policy

struct NewArguments {
  std::string program;  // as it was called, for the command to go on with
  std::string name;
  std::string pattern = "outage";
  std::string policy;  // a file to fly instead of one of our own; empty: none
  bool force = false;
};

struct NewFile {
  std::string path;
  std::string text;
};

std::vector<std::string> template_names() {
  std::vector<std::string> names;
  for (const embedded::File& file : embedded::scenario_templates()) {
    if (file.name != policy_file) names.emplace_back(file.name.substr(0, file.name.rfind('.')));
  }
  return names;
}

std::string template_text(std::string_view file) {
  const auto text = embedded::find(embedded::scenario_templates(), file);
  BROWNOUT_CHECK(text.has_value());
  return std::string(*text);
}

// Replaces every `from` in `text`.
std::string with(std::string text, std::string_view from, const std::string& to) {
  for (auto at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string name_member(std::string_view name) {
  return fmt::format("\"name\": \"{}\"", name);
}

// A path as JSON spells it.
std::string json_string(const std::string& text) {
  std::string spelled = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') spelled += '\\';
    spelled += letter;
  }
  return spelled + "\"";
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

class NewCommand {
 public:
  explicit NewCommand(const NewArguments& arguments) : arguments_(arguments) {
    fs::path path(arguments.name);
    if (path.extension() == ".json") path.replace_extension();
    folder_ = path.parent_path();
    name_ = path.filename().string();
    scenario_.path = (folder_ / (name_ + ".json")).string();
    policy_.path = (folder_ / (name_ + "-policy.json")).string();
  }

  ExitCode execute() {
    if (const auto free = check_place(); !free) return print_errors(free.error());
    if (const auto composed = compose(); !composed) return print_errors(composed.error());
    if (const auto written = write(); !written) return print_errors(written.error());
    for (const NewFile* file : files_) fmt::print("wrote {}\n", file->path);
    if (kept_) fmt::print("kept {}, which was there\n", policy_.path);
    fmt::print("next: {} run {}\n", shell_word(arguments_.program), shell_word(scenario_.path));
    return ExitCode::passed;
  }

 private:
  Result<void> check_place() {
    if (!is_name(name_) || name_ == "." || name_ == "..") {
      return fail(ErrorKind::invalid, fmt::format("{} cannot be a scenario's name: {}",
                                                  brownout::quoted(name_), name_letters));
    }
    std::error_code ignored;
    if (!folder_.empty() && !fs::is_directory(folder_, ignored)) {
      return fail(ErrorKind::environment,
                  fmt::format("there is no folder {} to write {} into", folder_.string(),
                              fs::path(scenario_.path).filename().string()));
    }
    if (is_there(scenario_.path) && !arguments_.force) {
      return fail(ErrorKind::invalid, scenario_.path + " is already there; --force overwrites it");
    }
    if (fs::equivalent(scenario_.path, arguments_.policy, ignored)) {
      return fail(ErrorKind::invalid, scenario_.path + " would overwrite the policy it is to fly");
    }
    return {};
  }

  // Decides what to write, and makes sure that it loads and fits.
  Result<void> compose() {
    files_ = {&scenario_};
    kept_ = arguments_.policy.empty() && is_there(policy_.path) && !arguments_.force;
    auto policy = [&]() -> Result<Policy> {
      if (!arguments_.policy.empty()) return load_policy(arguments_.policy);
      if (kept_) return load_policy(policy_.path);
      policy_.text = with(template_text(policy_file), name_member("policy"),
                          name_member(fs::path(policy_.path).stem().string()));
      files_.insert(files_.begin(), &policy_);
      return parse_policy(policy_.path, policy_.text);
    }();
    if (!policy) return tl::unexpected(policy.error());

    scenario_.text = with(template_text(arguments_.pattern + ".json"),
                          name_member(arguments_.pattern), name_member(name_));
    scenario_.text = with(scenario_.text, fmt::format("\"policy\": \"{}\"", policy_file),
                          "\"policy\": " + json_string(path_to_policy()));
    auto route = route_to_ask_about(*policy);
    if (!route) return tl::unexpected(route.error());
    scenario_.text =
        with(scenario_.text, fmt::format("({})", first_route), fmt::format("({})", *route));
    const auto scenario = sim::parse_scenario(scenario_.path, scenario_.text);
    if (!scenario) return tl::unexpected(scenario.error());
    const auto bound = sim::bind(*scenario, *policy, {});
    if (!bound) return tl::unexpected(bound.error());
    return {};
  }

  // From the scenario's folder, as scenarios have it, unless an absolute path was given.
  std::string path_to_policy() const {
    if (arguments_.policy.empty()) return fs::path(policy_.path).filename().string();
    const fs::path path(arguments_.policy);
    if (path.is_absolute()) return path.string();
    std::error_code failure;
    const fs::path relative = fs::proximate(path, folder_.empty() ? "." : folder_, failure);
    return failure ? fs::absolute(path).string() : relative.string();
  }

  // The template's expectations ask about the route to the primary model; policies of others call
  // it what they like. It is their first that leads anywhere.
  Result<std::string> route_to_ask_about(const Policy& policy) const {
    auto scenario = sim::parse_scenario(scenario_.path, scenario_.text);
    if (!scenario) return tl::unexpected(scenario.error());
    scenario->expectations.clear();
    const auto bound = sim::bind(*scenario, policy, {});
    if (!bound) return tl::unexpected(bound.error());
    for (std::size_t i = 0; i < bound->routes.size(); ++i) {
      if (bound->target_ids[i] != no_target) return bound->routes[i];
    }
    return std::string(first_route);
  }

  // All or nothing, as far as files go: both are written before either takes its place.
  Result<void> write() {
    std::vector<OutputFile> outputs(files_.size());
    for (std::size_t i = 0; i < files_.size(); ++i) {
      if (auto opened = outputs[i].open(files_[i]->path); !opened) return opened;
      outputs[i].write(files_[i]->text);
    }
    for (OutputFile& output : outputs) {
      if (auto committed = output.commit(); !committed) return committed;
    }
    return {};
  }

  const NewArguments& arguments_;
  fs::path folder_;
  std::string name_;
  NewFile scenario_;
  NewFile policy_;
  std::vector<const NewFile*> files_;  // in the order of writing
  bool kept_ = false;                  // a policy that was there
};

}  // namespace

void add_new(CLI::App& program, Request& request) {
  const auto arguments = std::make_shared<NewArguments>();
  arguments->program = request.program;
  CLI::App* command = program.add_subcommand("new", "Write a scenario and a policy to begin with");
  command->add_option("NAME", arguments->name, "Path of the scenario, with or without .json")
      ->required();
  one_of(command->add_option("--template", arguments->pattern,
                             "What happens in it; outage by default"),
         template_names());
  command->add_option("--policy", arguments->policy, "Fly this policy instead of writing one")
      ->type_name("FILE");
  command->add_flag("--force", arguments->force, "Overwrite files that are there");
  command->callback([arguments, &request] {
    request.action = [arguments] { return NewCommand(*arguments).execute(); };
  });
}

}  // namespace brownout::cli
