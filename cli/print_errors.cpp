#include "cli/print_errors.hpp"

#include <fmt/format.h>

namespace brownout::cli {

ExitCode print_errors(const Errors& errors) {
  for (const Error& error : errors) fmt::print(stderr, "{}", error.to_string());
  return exit_code(errors);
}

void print_warnings(const Errors& warnings) {
  for (const Error& warning : warnings) fmt::print(stderr, "{}", warning.to_string("warning"));
}

}  // namespace brownout::cli
