#pragma once

// How a call or an attempt ended. Outcomes are values: an enumerator with the facts policies need.
// What each provider sends on the wire for each of them is docs/reference/outcomes.md.

#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/core/time.hpp"

namespace brownout {

/// The numbers are part of every digest: append, never renumber.
enum class OutcomeKind : std::uint8_t {
  success = 0,

  // The five things "429" can mean.
  rate_limited = 1,       ///< over requests or tokens per minute; passes by waiting
  slow_down = 2,          ///< traffic grew too fast inside the limits; passes by growing slower
  request_too_large = 3,  ///< one request above the whole limit; never succeeds
  quota_exhausted = 4,    ///< money: credit, spend limit or billing; waiting does not help
  daily_limited = 5,      ///< a quota of the day; passes tomorrow, whatever the hint says

  // The provider is in trouble.
  overloaded = 6,    ///< 503 server_is_overloaded, 529 overloaded_error
  server_error = 7,  ///< 500 and every 5xx that is not one of its neighbours here
  bad_gateway = 8,   ///< 502, 504, 52x, 530: a proxy answered for the provider, often in HTML

  // The wire.
  connection = 9,         ///< refused, reset or closed before a complete answer began
  timed_out = 10,         ///< a limit of ours passed: attempt, first token, idle or the deadline
  malformed_reply = 11,   ///< 200 with a body that is not a reply
  stream_truncated = 12,  ///< the stream ended without its finish frame

  // The caller's request, or the operator's account, is at fault.
  authentication = 13,   ///< 401
  permission = 14,       ///< 403
  not_found = 15,        ///< 404: no such model
  context_length = 16,   ///< 400: prompt longer than the model's window
  content_policy = 17,   ///< refused by a content filter
  invalid_request = 18,  ///< every other 4xx

  // Decided here, without asking the provider.
  breaker_open = 19,         ///< a circuit breaker refused the call
  cancelled = 20,            ///< the caller no longer wants it
  deadline_exceeded = 21,    ///< the deadline passed before anybody could be asked
  throttled = 22,            ///< adaptive throttling refused it: the provider refuses too many
  bulkhead_full = 23,        ///< too many calls at once, or in line for a place
  client_rate_limited = 24,  ///< our own quota of requests or tokens would make it wait too long
};
inline constexpr std::size_t outcome_kind_count = 25;

/// Whether a policy of ours refused the call before anybody was asked. Such an outcome says nothing
/// about a provider: it never feeds a breaker, a budget or a throttle.
bool is_own_refusal(OutcomeKind kind);

struct Outcome;
/// The same for an outcome: some refusals of ours use a provider's word, because it would have said
/// so (context_length, request_too_large); see Outcome::refused.
bool is_own_refusal(const Outcome& outcome);

/// What a policy may do about a failure (the guide's three classes).
enum class ErrorClass : std::uint8_t {
  retryable,      ///< the same request may succeed later
  non_retryable,  ///< the same request fails again, here or everywhere
  critical,       ///< stop at once and tell a person: the account or its keys are at fault
};

/// Whose failure it is, for whoever keeps score of a provider's health.
enum class Blame : std::uint8_t {
  provider,  ///< counts against the provider
  neutral,   ///< says nothing about the provider's health
};

/// "rate_limited" and so on: the spelling in files, metrics and reports.
std::string_view to_string(OutcomeKind kind);
std::optional<OutcomeKind> parse_outcome_kind(std::string_view text);

/// Defined for failures. Requires: kind != success.
ErrorClass classify(OutcomeKind kind);
std::string_view to_string(ErrorClass error_class);

/// Defined for every kind; success blames nobody.
Blame blame(OutcomeKind kind);

/// Text shared between a reply, the cache and every caller who gets it; never modified.
using SharedText = std::shared_ptr<const std::string>;

/// What a successful attempt brought back.
struct Reply {
  SharedText text;  ///< may be null where only sizes matter
  std::uint32_t input_tokens = 0;
  std::uint32_t output_tokens = 0;
};

/// Where the answer a caller got came from.
enum class Served : std::uint8_t {
  nothing = 0,   ///< the call failed
  live = 1,      ///< a provider's reply to this call
  shared = 2,    ///< a provider's reply to another call for the same prompt (single-flight)
  cached = 3,    ///< a fresh cached reply
  fallback = 4,  ///< the default reply of a fallback chain
  stale = 5,     ///< a cached reply past its time, because everything else failed
};
inline constexpr std::size_t served_count = 6;
/// "nothing", "live", "shared", "cached", "default" or "stale".
std::string_view to_string(Served served);

/// How a call ended, in the words of the scenario's expectations.
enum class CallEnd : std::uint8_t { success = 0, cached = 1, degraded = 2, failed = 3 };
inline constexpr std::size_t call_end_count = 4;
std::string_view to_string(CallEnd end);

/// Index of a route in its pipeline; `no_route` where none was involved.
using RouteId = std::uint16_t;
inline constexpr RouteId no_route = 0xFFFF;

/// What a provider told of one of its limits; -1 where it did not.
struct RateLimit {
  std::int64_t limit = -1;      ///< what fits when nothing is used
  std::int64_t remaining = -1;  ///< of it, free when the provider took the request
  std::int64_t reset_ns = -1;   ///< from then until all of it is free again, in nanoseconds

  bool operator==(const RateLimit&) const = default;
};

/// What an answer told of the provider's limits per minute.
struct RateLimits {
  RateLimit requests;
  RateLimit tokens;

  bool operator==(const RateLimits&) const = default;
};

struct Outcome {
  OutcomeKind kind = OutcomeKind::success;
  Served served = Served::nothing;
  RouteId route = no_route;                ///< the route that produced it
  std::uint16_t status = 0;                ///< HTTP status; 0 where no answer came
  bool committed = false;                  ///< output already reached the caller: never start again
  bool refused = false;                    ///< by a policy of ours, before anybody was asked
  std::uint32_t billed_input_tokens = 0;   ///< charged by the provider for this attempt
  std::uint32_t billed_output_tokens = 0;  ///< charged by the provider for this attempt
  std::optional<Duration> retry_after;  ///< the server's hint, or a refusal of ours: when to return
  Instant first_output = never;  ///< when a stream's first output reached us; never: it had none
  std::optional<bool> should_retry;  ///< the server's own word on it (`x-should-retry`)
  Reply reply;                       ///< meaningful when `served` is not `nothing`
  RateLimits limits;                 ///< as the answer told them; of a live answer only

  bool ok() const { return kind == OutcomeKind::success; }
  static Outcome failure(OutcomeKind kind, std::uint16_t status = 0) {
    Outcome outcome;
    outcome.kind = kind;
    outcome.status = status;
    return outcome;
  }
};

/// Success, cached, degraded or failed: see `Served`.
CallEnd end_of(const Outcome& outcome);

/// A set of failures, as policies name them: kinds, classes and HTTP status ranges.
class OutcomeSet {
 public:
  OutcomeSet() = default;

  static OutcomeSet none() { return {}; }
  static OutcomeSet any();  ///< every failure
  static OutcomeSet of(std::initializer_list<OutcomeKind> kinds);
  static OutcomeSet of(ErrorClass error_class);
  static OutcomeSet blamed_on_provider();

  OutcomeSet& add(OutcomeKind kind);
  OutcomeSet& add(const OutcomeSet& other);
  /// Every failure whose HTTP status lies in [first, last]. Requires: first <= last <= 599.
  OutcomeSet& add_status(std::uint16_t first, std::uint16_t last);

  /// Requires: !outcome.ok().
  bool contains(const Outcome& outcome) const;
  bool contains(OutcomeKind kind) const { return kinds_[static_cast<std::size_t>(kind)]; }

  /// "rate_limited, timed_out, status 500-599", or "any", or "none"; for descriptions.
  std::string to_string() const;

  bool operator==(const OutcomeSet&) const = default;

 private:
  std::bitset<outcome_kind_count> kinds_;
  std::bitset<600> statuses_;
};

}  // namespace brownout
