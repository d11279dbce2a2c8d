#include "cli/outputs.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "cli/print_errors.hpp"
#include "engine/core/check.hpp"

namespace brownout::cli {

bool same_place(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty() || (a == "-") != (b == "-")) return false;
  std::error_code ignored;
  return a == b || std::filesystem::equivalent(a, b, ignored) ||
         std::filesystem::weakly_canonical(std::filesystem::absolute(a), ignored) ==
             std::filesystem::weakly_canonical(std::filesystem::absolute(b), ignored);
}

CLI::Option* Outputs::add(CLI::App& command, std::string_view option,
                          const std::string& description, Holds holds) {
  Output& output = outputs_.emplace_back();
  output.option = option;
  output.holds = holds;
  return command.add_option(std::string(option), output.path, description)->type_name("OUT");
}

const Outputs::Output& Outputs::find(std::string_view option) const {
  const auto found = std::ranges::find(outputs_, option, &Output::option);
  BROWNOUT_CHECK(found != outputs_.end());
  return *found;
}

bool Outputs::is_given(std::string_view option) const {
  return !find(option).path.empty();
}

OutputFile* Outputs::file(std::string_view option) {
  if (!is_given(option)) return nullptr;
  return &std::ranges::find(outputs_, option, &Output::option)->file;
}

bool Outputs::take_standard_output() const {
  return std::ranges::find(outputs_, "-", &Output::path) != outputs_.end();
}

Result<void> Outputs::open(std::size_t runs, const std::vector<std::string>& inputs) {
  for (const Output& output : outputs_) {
    if (output.path.empty()) continue;
    if (auto fits = check(output, runs, inputs); !fits) return fits;
  }
  for (Output& output : outputs_) {
    if (output.path.empty()) continue;
    if (auto opened = output.file.open(output.path); !opened) return opened;
  }
  return {};
}

Result<void> Outputs::check(const Output& output, std::size_t runs,
                            const std::vector<std::string>& inputs) const {
  if (output.holds == Holds::one && runs > 1) {
    return fail(ErrorKind::invalid,
                fmt::format("{} takes one scenario, not {}", output.option, runs));
  }
  for (const std::string& input : inputs) {
    if (!same_place(output.path, input)) continue;
    return fail(ErrorKind::invalid, output.path + " would overwrite " + input);
  }
  for (const Output& other : outputs_) {
    if (&other == &output) break;
    if (!same_place(other.path, output.path)) continue;
    return fail(ErrorKind::invalid,
                fmt::format("{} and {} cannot go to the same place", other.option, output.option));
  }
  return {};
}

ExitCode Outputs::commit() {
  ExitCode code = ExitCode::passed;
  for (Output& output : outputs_) {
    if (!output.file.is_open()) continue;
    if (const auto written = output.file.commit(); !written) {
      code = worse(code, print_errors(written.error()));
    }
  }
  return code;
}

}  // namespace brownout::cli
