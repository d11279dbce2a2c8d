#pragma once

#include <cstdint>
#include <string>

#include "engine/core/result.hpp"

namespace brownout::cli {

/// Seeds from `first` to `last`, both included.
struct SeedRange {
  std::uint64_t first = 1;
  std::uint64_t last = 20;

  std::size_t size() const { return static_cast<std::size_t>(last - first) + 1; }
  std::uint64_t operator[](std::size_t i) const { return first + i; }
};

/// How many seeds one range may have.
inline constexpr std::uint64_t seeds_max = 1'000'000;

/// "1..20" or "7"; each as check_seed() takes them. Errors: invalid, also of a range that is
/// reversed or has more than seeds_max.
Result<SeedRange> parse_seed_range(const std::string& text);

}  // namespace brownout::cli
