#include "cli/step_summary.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace brownout::cli {

bool is_github_job() {
  const char* value = std::getenv("GITHUB_ACTIONS");
  return value != nullptr && std::string_view(value) == "true";
}

std::string step_summary_path() {
  const char* path = std::getenv("GITHUB_STEP_SUMMARY");
  return path != nullptr ? path : "";
}

Result<void> append_to(const std::string& path, const std::string& text) {
  errno = 0;
  std::FILE* const file = std::fopen(path.c_str(), "ab");
  bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file != nullptr) written = std::fclose(file) == 0 && written;
  if (written) return {};
  return fail(ErrorKind::environment,
              "cannot write " + path + ": " + std::strerror(errno != 0 ? errno : EIO));
}

}  // namespace brownout::cli
