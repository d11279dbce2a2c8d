#pragma once

#include <array>

#include "engine/core/result.hpp"
#include "sim/result.hpp"

namespace brownout::cli {

/// What the process ends with; docs/reference/exit-codes.md.
enum class ExitCode : int {
  passed = 0,
  failed = 1,       ///< an expectation was not met
  invalid = 2,      ///< bad usage, or an invalid scenario or policy: nothing was run
  nothing_ran = 3,  ///< no scenario was found
  undecided = 4,    ///< no data, a deadlock or a livelock
  environment = 5,  ///< a file could not be read or written
  internal = 70,    ///< a bug of ours
  interrupted = 130,
};

/// All of them, the gravest first: 70, 130, 5, 2, 1, 4, 3, 0.
inline constexpr std::array exit_codes{
    ExitCode::internal, ExitCode::interrupted, ExitCode::environment, ExitCode::invalid,
    ExitCode::failed,   ExitCode::undecided,   ExitCode::nothing_ran, ExitCode::passed};

/// Of two results of one invocation, the one to report: the graver.
ExitCode worse(ExitCode a, ExitCode b);

ExitCode exit_code(const Errors& errors);
ExitCode exit_code(const sim::RunResult& result);

}  // namespace brownout::cli
