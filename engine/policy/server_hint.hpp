#pragma once

// What a server says about coming back: how long to stay away, and whether to come back at all.
//
// Reading and obeying are two things. Reading is the same for every client: the forms that HTTP
// (RFC 9110, 10.2.3), OpenAI, Azure, Anthropic, Gemini and gRPC (proposal A6) use become one exact
// wait, rounded up, so that nobody returns early. Obeying is where clients differ, and where they
// go wrong: a hint above their own limit is slept on for hours (openai-node), or dropped in favour
// of a far shorter wait (Vercel AI SDK, LiteLLM). Here a hint that is too long stops the retry
// unless a policy explicitly says otherwise.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"

namespace brownout {

struct HeaderView {
  std::string_view name;
  std::string_view value;
};

struct ServerHint {
  /// Where the wait was found, in order of precedence.
  enum class Source : std::uint8_t {
    nothing,              ///< there is no wait
    retry_after_ms,       ///< `retry-after-ms`
    x_ms_retry_after_ms,  ///< `x-ms-retry-after-ms`
    retry_after,          ///< `retry-after`: seconds or an HTTP date
    grpc_pushback,        ///< `grpc-retry-pushback-ms`
    retry_delay,          ///< google.rpc.RetryInfo in an error body: "retryDelay": "58s"
    message,              ///< the words of an error message: "Please try again in 644ms."
  };

  /// How long to stay away. `forever` for a number beyond what a Duration holds: such a hint is
  /// long, not invalid. Never negative.
  std::optional<Duration> wait;

  /// `x-should-retry`; also false when gRPC's pushback forbids a retry. False wins over true.
  std::optional<bool> should_retry;

  Source source = Source::nothing;  ///< of `wait`
};
std::string_view to_string(ServerHint::Source source);

/// The hint in a response, or an empty one; whatever the bytes are, the wait is valid or absent.
///
/// `error_text` is the provider's error message or the whole error body as it came; it is searched,
/// not parsed. `now` turns dates into waits.
///
/// Precedence is that of the official clients: milliseconds before seconds, headers before text.
/// The first source that asks for more than nothing is taken; zero is the result only when no
/// source asks for more. Of a header sent twice, and of several hints in a text (Gemini's
/// `retryDelay` drops the fraction that its message shows), the longest counts.
///
/// - Numbers: decimal, optionally with fraction and exponent; below a nanosecond rounded up. Signs,
///   "nan", "inf", units and everything else are no hint.
/// - Dates: IMF-fixdate, RFC 850 and asctime; rounded up to a whole second from `now`, the grain in
///   which they are written. A date that has passed asks for nothing.
/// - `grpc-retry-pushback-ms`: whole milliseconds; negative or unreadable forbids the retry (A6).
/// - Text: "try again in", "try again after", "retry in", "retry after" or `retryDelay`, followed
///   by durations like "1m2.5s", "20s" or "86400 seconds". A number without a unit is no hint.
ServerHint read_server_hint(std::span<const HeaderView> headers, std::string_view error_text,
                            SystemTime now);

/// What a hint does to the computed wait.
enum class HintPolicy : std::uint8_t {
  ignore,    ///< nothing
  verbatim,  ///< replaces it, also by a shorter one
  at_least,  ///< the longer of the two
  stretch,   ///< as at_least, but longer than computed by `stretch_by` at most (AWS SDKs, 2026)
};

/// What `x-should-retry` does.
enum class ObeyShouldRetry : std::uint8_t {
  ignore,      ///< nothing
  when_false,  ///< false stops
  always,      ///< false stops, true makes the failure retryable whatever it is (OpenAI, Anthropic)
};

/// What becomes of a hint above the cap.
enum class AboveCap : std::uint8_t {
  stop,    ///< no retry: the caller gets the error, and with it the hint
  clamp,   ///< it counts as the cap: the retry is sooner than the server asked
  ignore,  ///< as if it had not been sent: sooner still; what several clients do
};

struct HintOptions {
  /// Default at_least.
  HintPolicy policy = HintPolicy::at_least;

  /// The longest hint that is obeyed. Default 120 s, as openai-python. Ignored by `ignore`.
  Duration cap = std::chrono::seconds{120};

  /// Default stop.
  AboveCap above_cap = AboveCap::stop;

  /// By how much a hint lengthens the computed wait at most; for `stretch` alone. Default 5 s.
  Duration stretch_by = std::chrono::seconds{5};

  /// With `verbatim`, whether a hint of zero means a retry at once, as for openai-node and the
  /// Vercel AI SDK, or nothing, as for openai-python and Anthropic. Default: nothing.
  bool zero_is_now = false;

  /// Default when_false: a provider that says no knows, and one that says yes to a failure that the
  /// policy does not list may be asked for nothing.
  ObeyShouldRetry obey_should_retry = ObeyShouldRetry::when_false;

  /// Failures whose hint is read; that of any other is as if it had not been sent. Some clients
  /// read it on 429 only. Default: any.
  OutcomeSet of = OutcomeSet::any();

  /// Failures that are not retried unless a hint says when. Default: none.
  OutcomeSet required_of{};
};

/// Why a hint allows no retry.
enum class HintStop : std::uint8_t {
  no,        ///< it allows one
  refused,   ///< the server said not to retry
  too_long,  ///< it is above the cap
};
std::string_view to_string(HintStop stop);

struct HintDecision {
  HintStop stop = HintStop::no;
  Duration wait{};  ///< meaningful when stop is `no`

  bool retries() const { return stop == HintStop::no; }
};

/// The wait before a retry for which backoff computed `computed`. Requires: computed >= 0.
///
/// With verbatim or at_least, and above_cap stop, the wait is never shorter than the hint. Whether
/// the failure is retryable at all is decided elsewhere, with makes_retryable() as an argument; so
/// is whether the wait fits the deadline, and what `of` and `required_of` say of the failure. A
/// hint is about one attempt: it is not remembered for later waits.
HintDecision apply_hint(const HintOptions& options, Duration computed, const ServerHint& hint);

/// Whether the server's word is enough to retry a failure that a policy does not list.
bool makes_retryable(const HintOptions& options, std::optional<bool> should_retry);

}  // namespace brownout
