#include "cli/baseline_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "reports/text/numbers.hpp"

namespace brownout::cli {
namespace {

// "2 scenarios added, 1 removed, 5 changed"
std::string difference(const reports::Baseline& before, const reports::Baseline& after) {
  std::size_t added = 0;
  std::size_t changed = 0;
  for (const reports::BaselineScenario& scenario : after.scenarios) {
    const reports::BaselineScenario* const old = before.find(scenario.name);
    added += old == nullptr ? 1 : 0;
    const bool same = old != nullptr && *old == scenario;
    changed += old != nullptr && !same ? 1 : 0;
  }
  const auto removed = std::ranges::count_if(
      before.scenarios,
      [&](const reports::BaselineScenario& old) { return after.find(old.name) == nullptr; });
  if (added == 0 && changed == 0 && removed == 0) {
    return before.policy_digest == after.policy_digest ? "nothing changed"
                                                       : "nothing but the policy's text changed";
  }
  return fmt::format("{} changed, {} added, {} removed", reports::count_of(changed, "scenario"),
                     added, removed);
}

}  // namespace

Result<void> BaselineFile::open(const std::string& path, bool update) {
  path_ = path;
  update_ = update;
  if (path.empty()) return {};
  std::error_code ignored;
  if (!update || std::filesystem::exists(path, ignored)) {
    auto read = reports::load_baseline(path);
    if (!read) return tl::unexpected(read.error());
    old_ = std::move(*read);
  }
  if (!update) return {};
  // Through a link it would be written in place, and be lost when the suite decides nothing.
  const auto target = std::filesystem::weakly_canonical(std::filesystem::absolute(path), ignored);
  return file_.open(ignored ? path : target.string());
}

std::optional<reports::BaselineReview> BaselineFile::compare(
    const std::vector<reports::Suite>& suites, const reports::Tolerances& tolerances) const {
  if (!old_) return std::nullopt;
  return reports::compare_with(*old_, suites, tolerances);
}

Result<std::string> BaselineFile::update(const std::vector<reports::Suite>& suites) {
  const reports::Baseline made = reports::baseline_of(suites);
  file_.write(to_text(made));
  if (auto written = file_.commit(); !written) return tl::unexpected(written.error());
  if (!old_) {
    return fmt::format("{} was written: {}", path_,
                       reports::count_of(made.scenarios.size(), "scenario"));
  }
  return fmt::format("{} was renewed: {}", path_, difference(*old_, made));
}

}  // namespace brownout::cli
