#pragma once

// Files that are compiled in: brownout_embed() in cmake/embed.cmake.

#include <optional>
#include <span>
#include <string_view>

namespace brownout::embedded {

/// *Ownership*: both views live as long as the program. *Threads*: immutable.
struct File {
  std::string_view name;   ///< without folders
  std::string_view bytes;  ///< any; a zero follows them
};

/// The bytes of the file of that name.
inline std::optional<std::string_view> find(std::span<const File> files, std::string_view name) {
  for (const File& file : files) {
    if (file.name == name) return file.bytes;
  }
  return std::nullopt;
}

}  // namespace brownout::embedded
