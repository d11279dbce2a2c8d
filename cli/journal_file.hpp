#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"

namespace brownout::cli {

/// Where serve writes its journal: a file, a pipe or standard output. Whoever writes never waits,
/// so that a reader who is slow, or gone, does not slow down what is measured. *Threads*: one.
class JournalFile {
 public:
  /// What is kept for a reader who takes nothing; beyond it the journal has failed.
  static constexpr std::size_t most_kept = std::size_t{64} * 1024 * 1024;

  JournalFile() = default;
  JournalFile(const JournalFile&) = delete;
  JournalFile& operator=(const JournalFile&) = delete;
  ~JournalFile() { close(); }

  /// Empties the file. An empty path: no journal. "-" is standard output. A named pipe waits for
  /// its reader, until `interrupt` becomes true. Errors: environment.
  Result<void> open(const std::string& path, const std::atomic<bool>* interrupt);

  void write(std::string_view line);
  /// Hands on what can be without waiting.
  void flush();
  /// The same, and waits some seconds for a reader who is slow. False when not everything could be
  /// written, which was told on standard error when it showed.
  bool close();

 private:
  void hand_on(int patience_ms);
  void fail_with(std::string_view reason);

  std::string name_;
  int file_ = -1;
  bool is_ours_ = false;    // to be closed
  bool may_block_ = false;  // a pipe, a terminal
  bool failed_ = false;
  std::string kept_;
  std::size_t written_ = 0;  // of kept_
};

}  // namespace brownout::cli
