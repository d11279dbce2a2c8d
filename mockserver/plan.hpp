#pragma once

// What a provider will do with one request: decided in full when it starts, played afterwards. The
// simulator plays it in virtual time, a server on a socket.

#include <cstdint>
#include <optional>

#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"
#include "mockserver/bucket.hpp"
#include "mockserver/dialect.hpp"
#include "mockserver/wire_fault.hpp"

namespace brownout::mock {

/// Index of a model in its Script.
using ModelId = std::uint16_t;

/// Index of a fault in its Script, counted through all phases in file order.
using FaultId = std::uint16_t;
inline constexpr FaultId no_fault = 0xFFFF;

/// What happened to a reply on the wire; no word: nothing did, or the outcome itself says it.
struct WireFault {
  WireWord word = WireWord::none;
  WirePoint point{};
};

/// A token's text is so many bytes of UTF-8, whichever token it is.
inline constexpr std::int64_t token_bytes = 8;

/// All durations count from the plan's start: the arrival of the request, or the instant it left
/// the queue. Trivially copyable.
///
/// Tokens leave evenly spaced between `first_token` and `last_token`: their total time is drawn,
/// not each gap, because no policy can tell and a draw per token would dominate the cost.
struct Plan {
  OutcomeKind kind = OutcomeKind::success;  ///< for a hang `timed_out`: what the client will see
  std::uint16_t status = 200;               ///< HTTP status; 0 where no answer comes
  ModelId model = 0;
  bool stream = false;
  bool hang = false;        ///< never answered: first_byte and complete are `forever`
  bool connects = true;     ///< false for a hang without a connection
  bool holds_slot = false;  ///< counts against the concurrency limit until finish or abandon
  bool generates = false;   ///< the model works on it: tokens are generated, billed and settled

  std::uint32_t billed_input_tokens = 0;
  std::uint32_t output_tokens = 0;     ///< of the whole reply
  std::uint32_t delivered_tokens = 0;  ///< generated before the reply ends or breaks off

  Duration first_token{};  ///< when generation yields its first token, streamed or not
  Duration last_token{};   ///< when the whole reply would be generated
  Duration first_byte{};   ///< without streaming the same as `complete`
  Duration complete{};     ///< the last byte, the error, or the cut; `forever` for a stall

  std::optional<Duration> retry_after{};
  std::optional<bool> should_retry{};
  FaultId fault = no_fault;  ///< the fault that decided the outcome
  LimitHit hit{};            ///< the limit that refused it
  RateLimits told{};         ///< what the answer's headers tell of the limits
  RateLimit told_input{};    ///< of `told.tokens`, the part of input, where it is limited apart
  RateLimit told_output{};   ///< of `told.tokens`, the part of output
  WireFault wire{};

  bool cut() const { return generates && kind != OutcomeKind::success; }
};

/// When token `k` (from 0) is generated, after the plan's start. Requires: k < output_tokens.
Duration token_at(const Plan& plan, std::uint32_t k);

/// How many tokens have been generated `elapsed` after the plan's start: what a provider bills when
/// the client leaves then. Never more than `delivered_tokens`.
std::uint32_t tokens_generated(const Plan& plan, Duration elapsed);

}  // namespace brownout::mock
