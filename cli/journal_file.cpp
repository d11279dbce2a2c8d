#include "cli/journal_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace brownout::cli {
namespace {

constexpr std::size_t written_at_once = std::size_t{64} * 1024;
constexpr int last_patience_ms = 5000;
constexpr int look_up_ms = 50;

// A named pipe can be opened for writing once somebody reads it.
int open_to_write(const std::string& path, const std::atomic<bool>* interrupt) {
  for (;;) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK,
                            S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH);
    const bool waits = file < 0 && errno == ENXIO && std::filesystem::is_fifo(path);
    if (!waits || (interrupt != nullptr && *interrupt)) return file;
    ::poll(nullptr, 0, look_up_ms);
  }
}

}  // namespace

Result<void> JournalFile::open(const std::string& path, const std::atomic<bool>* interrupt) {
  if (path.empty()) return {};
  is_ours_ = path != "-";
  name_ = is_ours_ ? path : "standard output";
  file_ = is_ours_ ? open_to_write(path, interrupt) : STDOUT_FILENO;
  if (file_ < 0) {
    return fail(ErrorKind::environment,
                fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  }
  struct stat status {};
  may_block_ = ::fstat(file_, &status) != 0 || !S_ISREG(status.st_mode);
  return {};
}

void JournalFile::write(std::string_view line) {
  if (file_ < 0 || failed_) return;
  kept_ += line;
  if (kept_.size() - written_ >= written_at_once) flush();
  if (kept_.size() - written_ > most_kept) fail_with("nobody reads it");
}

void JournalFile::flush() {
  if (file_ >= 0 && !failed_) hand_on(0);
}

void JournalFile::hand_on(int patience_ms) {
  while (written_ < kept_.size()) {
    std::size_t size = kept_.size() - written_;
    if (may_block_) {
      pollfd room{.fd = file_, .events = POLLOUT, .revents = 0};
      if (::poll(&room, 1, patience_ms) <= 0) return;
      // So much a pipe takes without blocking once it says that there is room.
      size = std::min<std::size_t>(size, PIPE_BUF);
    }
    const ssize_t count = ::write(file_, &kept_[written_], size);
    if (count < 0 && errno != EINTR && errno != EAGAIN) return fail_with(std::strerror(errno));
    written_ += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    if (written_ < kept_.size() / 2) continue;
    kept_.erase(0, written_);
    written_ = 0;
  }
}

void JournalFile::fail_with(std::string_view reason) {
  failed_ = true;
  kept_ = {};
  written_ = 0;
  fmt::print(stderr, "error: cannot write all of {}: {}; the journal ends here\n", name_, reason);
}

bool JournalFile::close() {
  if (file_ < 0) return true;
  if (!failed_) hand_on(last_patience_ms);
  if (!failed_ && !kept_.empty()) fail_with("nobody reads it");
  if (is_ours_ && ::close(file_) != 0 && !failed_) fail_with(std::strerror(errno));
  file_ = -1;
  return !failed_;
}

}  // namespace brownout::cli
