#pragma once

// Which stored replies may answer a call, and which replies are worth storing.

#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"
#include "engine/store/reply_store.hpp"

namespace brownout {

struct CacheOptions {
  /// How long a stored reply may answer calls. More than 0. Default 1 h.
  Duration ttl = std::chrono::hours{1};

  /// Whether calls for a prompt that is already being asked wait for that answer instead of asking
  /// again. A waiting call keeps its own deadline. Default false.
  bool single_flight = false;
};

/// A reply answers until, but not at, the instant it is `ttl` old.
bool is_fresh(const StoredReply& stored, Instant now, Duration ttl);

/// Only complete live replies: never an error, a truncated stream, or what came from a cache or a
/// default.
bool is_worth_storing(const Outcome& outcome);

/// The outcome of a call answered by a stored reply.
Outcome answer_from_cache(const StoredReply& stored);

}  // namespace brownout
