#include "cli/output_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace brownout::cli {
namespace {

tl::unexpected<Errors> cannot_write(const std::string& path, int error) {
  return fail(ErrorKind::environment, "cannot write " + path + ": " + std::strerror(error));
}

}  // namespace

OutputFile::~OutputFile() {
  if (file_ == nullptr || file_ == stdout) return;
  std::fclose(file_);
  if (!temporary_.empty()) std::remove(temporary_.c_str());
}

Result<void> OutputFile::open(const std::string& path) {
  path_ = path;
  if (path == "-") {
    file_ = stdout;
    return {};
  }
  // Devices, pipes and what a link leads to are written in place.
  std::error_code ignored;
  const auto type = std::filesystem::symlink_status(path, ignored).type();
  const bool replaceable =
      type == std::filesystem::file_type::not_found || type == std::filesystem::file_type::regular;
  if (replaceable) temporary_ = path + ".partial-" + std::to_string(::getpid());
  file_ = std::fopen(replaceable ? temporary_.c_str() : path.c_str(), "wb");
  if (file_ == nullptr) return cannot_write(path, errno);
  return {};
}

void OutputFile::write(std::string_view text) {
  errno = 0;
  const bool written = std::fwrite(text.data(), 1, text.size(), file_) == text.size();
  if (!written && error_ == 0) error_ = errno != 0 ? errno : EIO;
}

Result<void> OutputFile::commit() {
  std::FILE* file = file_;
  file_ = nullptr;
  errno = 0;
  const bool written = std::ferror(file) == 0 && std::fflush(file) == 0 && error_ == 0;
  const int error = error_ != 0 ? error_ : errno;
  const bool closed = file == stdout || std::fclose(file) == 0;
  const bool done = written && closed &&
                    (temporary_.empty() || std::rename(temporary_.c_str(), path_.c_str()) == 0);
  if (done) return {};
  if (!temporary_.empty()) std::remove(temporary_.c_str());
  return cannot_write(path_, error != 0 ? error : errno != 0 ? errno : EIO);
}

}  // namespace brownout::cli
