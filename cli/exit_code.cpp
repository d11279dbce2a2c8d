#include "cli/exit_code.hpp"

#include <algorithm>

namespace brownout::cli {

ExitCode worse(ExitCode a, ExitCode b) {
  return *std::min(std::ranges::find(exit_codes, a), std::ranges::find(exit_codes, b));
}

ExitCode exit_code(const Errors& errors) {
  ExitCode code = ExitCode::passed;
  for (const Error& error : errors) {
    code = worse(code,
                 error.kind == ErrorKind::environment ? ExitCode::environment : ExitCode::invalid);
  }
  return code;
}

ExitCode exit_code(const sim::RunResult& result) {
  if (result.end == sim::RunEnd::interrupted) return ExitCode::interrupted;
  switch (result.verdict()) {
    case sim::Verdict::passed:
      return ExitCode::passed;
    case sim::Verdict::failed:
      return ExitCode::failed;
    case sim::Verdict::undecided:
      return ExitCode::undecided;
  }
  return ExitCode::internal;
}

}  // namespace brownout::cli
