#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"

namespace brownout::cli {

/// A file to be written in full or not at all: text goes to a neighbour of it, which takes its
/// place when everything has been written. "-" is standard output.
class OutputFile {
 public:
  OutputFile() = default;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  /// Errors: environment.
  Result<void> open(const std::string& path);
  bool is_open() const { return file_ != nullptr; }
  std::FILE* stream() { return file_; }

  void write(std::string_view text);

  /// Errors: environment, when anything could not be written; the old file is then untouched.
  Result<void> commit();

 private:
  std::string path_;
  std::string temporary_;
  std::FILE* file_ = nullptr;
  int error_ = 0;  // of the first write that failed
};

}  // namespace brownout::cli
