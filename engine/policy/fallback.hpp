#pragma once

// Where a call goes when a route has failed it: the next route, a cached reply, a default reply.

#include <cstdint>

#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"

namespace brownout {

struct FallbackOptions {
  /// Routes, tried in order. At least 1.
  std::uint8_t routes = 1;

  /// Which failures move on. Default: everything except what is critical (a person must look) and
  /// what the request itself causes (it would fail elsewhere too).
  OutcomeSet on = default_on();
  static OutcomeSet default_on();

  /// After the last route: a cached reply no older than `cached_ttl`. Default: no; 1 h.
  bool cached = false;
  Duration cached_ttl = std::chrono::hours{1};

  /// After that: this reply. Null for none (default).
  SharedText default_reply{};
};

/// What to do after a failure.
enum class FallbackStep : std::uint8_t {
  next_route,
  look_in_cache,
  default_reply,
  give_up,  ///< with the first failure that a provider caused, else the first
};

/// Decides after the route number `failed` (0-based) ended with the failure `outcome` at `now`. No
/// route is begun at or after `deadline`, but a stored or default reply may still answer.
FallbackStep after_route(const FallbackOptions& options, std::uint8_t failed,
                         const Outcome& outcome, Instant now, Instant deadline);

/// Decides after the cache had nothing.
FallbackStep after_cache_miss(const FallbackOptions& options);

/// The outcome of a call answered by the default reply.
Outcome answer_by_default(const FallbackOptions& options);

/// Keeps the failure to give back: the first that a provider caused, else the first.
bool is_better_to_give_back(const Outcome& candidate, const Outcome& kept);

}  // namespace brownout
