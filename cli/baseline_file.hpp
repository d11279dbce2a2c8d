#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/output_file.hpp"
#include "engine/core/result.hpp"
#include "reports/gate/baseline.hpp"
#include "reports/gate/regression.hpp"

namespace brownout::cli {

/// The file a gate compares with, and renews where it was told to.
class BaselineFile {
 public:
  /// Reads it, and with `update` makes sure that it can be written. An empty path: no baseline.
  /// Errors: those of reports::load_baseline(), but a file that is not there yet may be updated.
  Result<void> open(const std::string& path, bool update);

  bool is_updated() const { return update_; }

  /// How the suites compare with it; nothing without a baseline, or one that is not there yet.
  std::optional<reports::BaselineReview> compare(const std::vector<reports::Suite>& suites,
                                                 const reports::Tolerances& tolerances) const;

  /// Puts the suites in its place. What changed, in one line. Errors: environment.
  Result<std::string> update(const std::vector<reports::Suite>& suites);

 private:
  std::string path_;
  bool update_ = false;
  std::optional<reports::Baseline> old_;
  OutputFile file_;
};

}  // namespace brownout::cli
