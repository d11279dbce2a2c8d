#include "engine/policy/timeout.hpp"

#include <algorithm>

namespace brownout {

Limits narrow(const Limits& limits, const TimeoutOptions& options, Instant now) {
  return {std::min(limits.end, after(now, options.attempt)),
          std::min(limits.first_token, options.first_token), std::min(limits.idle, options.idle)};
}

}  // namespace brownout
