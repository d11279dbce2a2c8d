// Writes the pages that report_test.mjs opens: report_pages OUT. Prints a line "NAME BYTES MS" for
// each.

#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <string>

#include "reports/html/html.hpp"
#include "reports/result_document.hpp"
#include "sim/run.hpp"
#include "tests/reports/results.hpp"

namespace brownout {
namespace {

using sim::RunResult;

RunResult run(const std::string& scenario_path, const std::string& policy_path) {
  const auto scenario = sim::load_scenario(scenario_path).value();
  const auto policy = load_policy(policy_path.empty() ? scenario.policy_path : policy_path).value();
  const auto bound = sim::bind(scenario, policy, {}).value();
  sim::RunOptions options;
  options.detail = true;
  RunResult result = sim::run(scenario, policy, bound, options);
  result.replay = fmt::format("brownout run {} --seed {}", scenario_path, result.seed);
  return result;
}

// Whatever text a scenario may bring along tries to be more than text.
RunResult evil() {
  const std::string text = "</script><img src=x onerror=\"document.title='owned'\">";
  RunResult result = reports::testing::failing();
  for (std::string* where :
       {&result.scenario, &result.scenario_description, &result.policy, &result.policy_description,
        &result.scenario_source, &result.replay, &result.routes[0], &result.phases[0].name,
        &result.breakers[0].name, &result.expectations[0].expression,
        &result.expectations[0].actual, &result.timeline.series[2].of}) {
    *where = text;
  }
  return result;
}

void write(const std::string& folder, const std::string& name,
           const std::vector<RunResult>& results) {
  const auto begun = std::chrono::steady_clock::now();
  const std::string page = reports::to_html(results);
  const auto took = std::chrono::steady_clock::now() - begun;
  std::ofstream(folder + "/" + name + ".html", std::ios::binary) << page;
  std::ofstream(folder + "/" + name + ".json", std::ios::binary) << reports::to_json(results);
  fmt::print("{} {} {:.1f}\n", name, page.size(),
             std::chrono::duration<double, std::milli>(took).count());
}

}  // namespace
}  // namespace brownout

int main(int argc, char** argv) {
  using namespace brownout;
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  const std::string guide = "scenarios/policies/guide-layered.json";
  write(folder, "flagship", {run("scenarios/openai-control-plane-collapse.json", "")});
  const RunResult failing = run("scenarios/dns-30s-stall.json", guide);
  write(folder, "failing", {failing});
  const RunResult hedged = run("scenarios/museum/C57-everything-is-hedged.json", "");
  write(folder, "hedged", {hedged});
  write(folder, "several", {hedged, failing, reports::testing::deadlocked()});
  write(folder, "evil", {evil()});
}
