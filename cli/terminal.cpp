#include "cli/terminal.hpp"

#include <unistd.h>

#include <cstdlib>

namespace brownout::cli {

bool wants_color(std::FILE* stream) {
  const char* no_color = std::getenv("NO_COLOR");
  return ::isatty(::fileno(stream)) == 1 && (no_color == nullptr || *no_color == '\0');
}

}  // namespace brownout::cli
