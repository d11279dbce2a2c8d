#pragma once

// What providers say about their rate limits in the headers of every answer.
//
// Sources: OpenAI's rate limits guide (x-ratelimit-limit-requests: 60, x-ratelimit-reset-tokens:
// 6m0s, in the notation of Go's time.Duration), Anthropic's (anthropic-ratelimit-tokens-reset:
// 2025-08-21T12:40:59Z, RFC 3339), and answers of Azure OpenAI, which spell it x-rate-limit-, give
// plain seconds, leave most of them out and sometimes send -1.

#include <cstdint>
#include <optional>
#include <span>

#include "engine/core/time.hpp"
#include "engine/policy/server_hint.hpp"

namespace brownout {

/// One quota, as far as the headers told it.
struct LimitHeader {
  std::optional<std::int64_t> limit{};      ///< what fits when nothing is used; 1 to 10^12
  std::optional<std::int64_t> remaining{};  ///< of it, free when the provider answered; 0 to 10^12
  std::optional<Duration> reset{};  ///< from now until all of it is free again; 0 to 366 days

  bool operator==(const LimitHeader&) const = default;
};

/// Anthropic counts input and output apart as well as together; the others only together.
struct LimitHeaders {
  LimitHeader requests{};
  LimitHeader tokens{};
  LimitHeader input_tokens{};
  LimitHeader output_tokens{};

  bool operator==(const LimitHeaders&) const = default;
};

/// Picks the limits out of an answer's headers. Names are compared without regard to case; of a
/// header that comes twice the first usable value counts. A value that is negative, out of range or
/// not understood is as good as absent. A reset that has passed is 0. `now`: calendar time, against
/// which resets given as a date are measured.
LimitHeaders parse_limit_headers(std::span<const HeaderView> fields, SystemTime now);

}  // namespace brownout
