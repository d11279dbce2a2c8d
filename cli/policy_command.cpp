#include "cli/policy_command.hpp"

#include <fmt/format.h>

#include "cli/input_files.hpp"
#include "cli/print_errors.hpp"
#include "engine/policy_file/policy_traps.hpp"

namespace brownout::cli {

ExitCode policy_show_command(const std::vector<std::string>& paths) {
  const auto files = expand(paths, {FileKind::policy});
  if (!files) return print_errors(files.error());
  if (files->empty()) {
    fmt::print(stderr, "no policies found\n");
    return ExitCode::nothing_ran;
  }
  ExitCode code = ExitCode::passed;
  bool first = true;
  for (const std::string& file : *files) {
    const auto policy = load_policy(file);
    if (!policy) {
      code = worse(code, print_errors(policy.error()));
      continue;
    }
    fmt::print("{}{}", first ? "" : "\n", describe(*policy));
    first = false;
    print_warnings(find_traps(*policy).take());
  }
  return code;
}

}  // namespace brownout::cli
