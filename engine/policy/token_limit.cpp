#include "engine/policy/token_limit.hpp"

#include <algorithm>
#include <limits>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

std::uint64_t input_of(const TokenLimitOptions& options, const TokenNeed& need) {
  const std::uint64_t input = need.input_tokens;
  if (!need.estimated) return input;
  return input + (input * options.estimate_margin_percent + 99) / 100;
}

}  // namespace

std::uint32_t estimate_tokens(std::string_view text) {
  std::uint64_t quarters = 0;
  for (const char letter : text) quarters += static_cast<unsigned char>(letter) < 0x80 ? 1 : 2;
  constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::min(most, (quarters + 3) / 4));
}

std::string_view to_string(TokenVerdict verdict) {
  switch (verdict) {
    case TokenVerdict::fits:
      return "fits";
    case TokenVerdict::reduce:
      return "reduce";
    case TokenVerdict::too_long:
      return "too_long";
    case TokenVerdict::route:
      return "route";
  }
  return "";
}

TokenDecision check_tokens(const TokenLimitOptions& options, const TokenNeed& need,
                           std::uint32_t window) {
  BROWNOUT_CHECK(options.reserve > 0);
  const std::uint64_t input = input_of(options, need);
  const std::uint64_t output = need.max_tokens != 0 ? need.max_tokens : options.reserve;
  TokenDecision decision{TokenVerdict::fits, need.max_tokens, input + output};
  if (window == 0 || decision.needed <= window) return decision;
  decision.verdict = TokenVerdict::too_long;
  switch (options.on_too_long) {
    case TokenLimitOptions::OnTooLong::fail:
      return decision;
    case TokenLimitOptions::OnTooLong::reduce:
      // Without max_tokens the reserve itself does not fit, and the room is too small here as well.
      if (input + options.reserve > window) return decision;
      decision.verdict = TokenVerdict::reduce;
      decision.max_tokens = static_cast<std::uint32_t>(window - input);
      return decision;
    case TokenLimitOptions::OnTooLong::route:
      decision.verdict = TokenVerdict::route;
      return decision;
  }
  return decision;
}

}  // namespace brownout
