#include "cli/seed_range.hpp"

#include <fmt/format.h>

#include "cli/flight.hpp"

namespace brownout::cli {

Result<SeedRange> parse_seed_range(const std::string& text) {
  const auto dots = text.find("..");
  const std::string first = text.substr(0, dots);
  const std::string last = dots == text.npos ? first : text.substr(dots + 2);
  for (const std::string& end : {first, last}) {
    if (const std::string wanted = check_seed(end); !wanted.empty()) {
      return fail(ErrorKind::invalid,
                  fmt::format("--seeds {}: {}, or two of them as in 1..20", text, wanted));
    }
  }
  const SeedRange range{std::stoull(first), std::stoull(last)};
  if (range.last < range.first) {
    return fail(ErrorKind::invalid,
                fmt::format("--seeds {}: the range is reversed; did you mean {}..{}?", text,
                            range.last, range.first));
  }
  if (range.last - range.first >= seeds_max) {
    return fail(ErrorKind::invalid,
                fmt::format("--seeds {}: at most {} seeds can be run", text, seeds_max));
  }
  return range;
}

}  // namespace brownout::cli
