#pragma once

// Whether a request fits the context window of a model, decided before it is sent: a prompt that is
// too long fails everywhere it is tried again, and some providers charge it against the rate limit.

#include <cstdint>
#include <string_view>

namespace brownout {

/// How many tokens a text will be, without a tokenizer: one for every four bytes of ASCII and one
/// for every two other bytes of UTF-8, rounded up. English prose and code come out close (OpenAI's
/// rule of thumb is four characters per token); Cyrillic at one token per letter, Chinese and
/// Japanese at one and a half per character, which is more than current tokenizers need. Long runs
/// of digits or base64 are underestimated: see `estimate_margin_percent`. Saturates at 2^32 - 1.
std::uint32_t estimate_tokens(std::string_view text);

struct TokenLimitOptions {
  /// What to do with a request that does not fit.
  enum class OnTooLong : std::uint8_t {
    fail,    ///< fail it here (default)
    reduce,  ///< allow less output, if enough of it remains
    route,   ///< send it to a model with a larger window
  };
  OnTooLong on_too_long = OnTooLong::fail;

  /// Output tokens for which there must be room: the least to which `reduce` goes, and what a
  /// request without `max_tokens` is taken to need. At least 1. Default 256.
  std::uint32_t reserve = 256;

  /// How much larger than estimated a prompt is taken to be; for estimates only. Default 10.
  std::uint32_t estimate_margin_percent = 10;
};

/// What a request asks of a window.
struct TokenNeed {
  std::uint32_t input_tokens = 0;
  bool estimated = false;        ///< `input_tokens` came from estimate_tokens()
  std::uint32_t max_tokens = 0;  ///< cap on the output; 0 = the model's own
};

enum class TokenVerdict : std::uint8_t {
  fits,      ///< send it as it is
  reduce,    ///< send it with `max_tokens` of the decision
  too_long,  ///< do not send it: the outcome is context_length
  route,     ///< send it to a model whose window holds `needed`
};
std::string_view to_string(TokenVerdict verdict);

struct TokenDecision {
  TokenVerdict verdict = TokenVerdict::fits;
  std::uint32_t max_tokens = 0;  ///< what to send: as asked, or less with `reduce`
  std::uint64_t needed = 0;      ///< the smallest window that holds the request as asked
};

/// Decides for a model whose window holds `window` tokens, input and output together; 0 where it is
/// not known, which everything fits. Providers that check count input and max_tokens as a sum.
TokenDecision check_tokens(const TokenLimitOptions& options, const TokenNeed& need,
                           std::uint32_t window);

}  // namespace brownout
