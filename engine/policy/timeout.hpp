#pragma once

// How long an attempt, or all of them, may take. Timeouts only narrow the limits an attempt
// inherits; the transport honours them, and the outcome is an ordinary timed_out.

#include "engine/core/time.hpp"
#include "engine/transport/transport.hpp"

namespace brownout {

struct TimeoutOptions {
  /// From where this layer stands to the end of everything below it; below a retry that is each
  /// attempt. Default: no bound.
  Duration attempt = forever;

  /// From an attempt's start to an established connection. Default: no bound.
  Duration connect = forever;

  /// From an attempt's start to its first output. Ignored by replies that are not streamed, whose
  /// first output is the whole. Default: no bound.
  Duration first_token = forever;

  /// Between two pieces of output of a stream. Default: no bound.
  Duration idle = forever;

  /// The same bound as `attempt`, for where it stands above a retry or a fallback and covers their
  /// attempts and waits; the shorter of the two counts. Default: no bound.
  Duration total = forever;
};

/// `limits` narrowed by `options` for what begins at `now`; never widened.
Limits narrow(const Limits& limits, const TimeoutOptions& options, Instant now);

}  // namespace brownout
