#include "engine/policy/timeout.hpp"

#include <algorithm>

namespace brownout {

Limits narrow(const Limits& limits, const TimeoutOptions& options, Instant now) {
  Limits narrowed = limits;
  narrowed.end = std::min(limits.end, after(now, std::min(options.attempt, options.total)));
  narrowed.connect = std::min(limits.connect, options.connect);
  narrowed.first_token = std::min(limits.first_token, options.first_token);
  narrowed.idle = std::min(limits.idle, options.idle);
  return narrowed;
}

}  // namespace brownout
