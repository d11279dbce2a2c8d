#include "cli/print_errors.hpp"

#include <fmt/format.h>

namespace brownout::cli {

ExitCode print_errors(const Errors& errors) {
  for (const Error& error : errors) fmt::print(stderr, "{}", error.to_string());
  return exit_code(errors);
}

}  // namespace brownout::cli
