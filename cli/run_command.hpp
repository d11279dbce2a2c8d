#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/exit_code.hpp"

namespace brownout::cli {

struct RunArguments {
  std::string program;  ///< as it was called, for replay commands
  std::vector<std::string> paths;
  std::string policy;                 ///< empty: the scenario's own
  std::vector<std::string> bindings;  ///< "route=provider/model"
  std::optional<std::uint64_t> seed;
  std::string json;     ///< file for the results; "-" is standard output; empty: none
  std::string events;   ///< file for the event log; likewise
  std::string metrics;  ///< file for the engine's metrics; likewise
  bool random_ties = false;
  bool verify = false;
  bool quiet = false;
};

/// brownout run: flies a policy through scenarios and says whether it held. All files are loaded
/// and bound before the first run begins.
ExitCode run_command(const RunArguments& arguments);

}  // namespace brownout::cli
