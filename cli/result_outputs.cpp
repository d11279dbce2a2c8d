#include "cli/result_outputs.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "reports/html/html.hpp"
#include "reports/result_document.hpp"

namespace brownout::cli {
namespace {

struct Form {
  const char* option;
  const char* description;
  std::string (*render)(const std::vector<sim::RunResult>&);
  bool shows_detail;
};

constexpr std::array forms{
    Form{"--json", "Write the results there; - is standard output", reports::to_json, true},
    Form{"--html", "Write a page for browsers there, which needs no network", reports::to_html,
         true},
};

}  // namespace

void add_result_outputs(CLI::App& command, Outputs& outputs) {
  for (const Form& form : forms) {
    outputs.add(command, form.option, form.description, Outputs::Holds::many);
  }
}

bool want_detail(const Outputs& outputs) {
  return std::ranges::any_of(
      forms, [&](const Form& form) { return form.shows_detail && outputs.is_given(form.option); });
}

void write_results(const std::vector<sim::RunResult>& results, Outputs& outputs) {
  for (const Form& form : forms) {
    if (OutputFile* file = outputs.file(form.option)) file->write(form.render(results));
  }
}

}  // namespace brownout::cli
