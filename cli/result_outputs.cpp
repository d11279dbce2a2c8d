#include "cli/result_outputs.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "reports/gate/junit.hpp"
#include "reports/gate/markdown.hpp"
#include "reports/html/html.hpp"
#include "reports/result/result_document.hpp"

namespace brownout::cli {
namespace {

struct DetailedForm {
  const char* option;
  const char* description;
  std::string (*render)(const std::vector<sim::RunResult>&);
};

constexpr std::array detailed_forms{
    DetailedForm{"--json", "Write the results there; - is standard output", reports::to_json},
    DetailedForm{"--html", "Write a page for browsers there, which needs no network",
                 reports::to_html},
};

struct FindingsForm {
  const char* option;
  const char* description;
  std::string (*render)(const std::vector<reports::Suite>&, const reports::BaselineReview*);
};

constexpr std::array findings_forms{
    FindingsForm{"--junit", "Write a JUnit file there, for CI systems",
                 [](const auto& suites, const auto* review) {
                   return reports::to_junit(suites, {BROWNOUT_VERSION, review});
                 }},
    FindingsForm{"--markdown", "Write a summary there, for comments on merge requests",
                 [](const auto& suites, const auto* review) {
                   return reports::to_markdown(suites, {.review = review});
                 }},
};

}  // namespace

void add_result_outputs(CLI::App& command, Outputs& outputs) {
  const auto add = [&](const auto& form) {
    outputs.add(command, form.option, form.description, Outputs::Holds::many);
  };
  std::ranges::for_each(detailed_forms, add);
  std::ranges::for_each(findings_forms, add);
}

bool want_results(const Outputs& outputs) {
  return want_detail(outputs) || std::ranges::any_of(findings_forms, [&](const FindingsForm& form) {
           return outputs.is_given(form.option);
         });
}

bool want_detail(const Outputs& outputs) {
  return std::ranges::any_of(
      detailed_forms, [&](const DetailedForm& form) { return outputs.is_given(form.option); });
}

void write_detailed(const std::vector<sim::RunResult>& results, Outputs& outputs) {
  for (const DetailedForm& form : detailed_forms) {
    if (OutputFile* file = outputs.file(form.option)) file->write(form.render(results));
  }
}

void write_findings(const std::vector<reports::Suite>& suites,
                    const reports::BaselineReview* review, Outputs& outputs) {
  for (const FindingsForm& form : findings_forms) {
    if (OutputFile* file = outputs.file(form.option)) {
      file->write(form.render(suites, review));
    }
  }
}

void write_results(const std::vector<sim::RunResult>& results, Outputs& outputs) {
  write_detailed(results, outputs);
  write_findings(reports::suites_of(results), nullptr, outputs);
}

}  // namespace brownout::cli
