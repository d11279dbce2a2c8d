#pragma once

// The layers that limit, as a policy file names them: options of the machine and of its layer.

#include <string>

#include "engine/core/time.hpp"
#include "engine/policy/adaptive_concurrency.hpp"
#include "engine/policy/adaptive_rate.hpp"
#include "engine/policy/bulkhead.hpp"
#include "engine/policy/rate_limiter.hpp"
#include "engine/policy/throttle.hpp"
#include "engine/policy/token_limit.hpp"

namespace brownout {

struct RateLimitSpec {
  RateLimiterOptions limiter;

  /// Which tokens a request takes from the quota.
  enum class Count : std::uint8_t {
    /// Input plus max_tokens are reserved, and when the attempt has ended what was billed is
    /// settled (default).
    used,
    /// The larger of input and max_tokens, whatever is used of it: how OpenAI counts.
    asked,
  };
  Count count = Count::used;

  /// Output tokens reserved for a request without max_tokens. Default 1000.
  std::uint32_t output_reserve = 1000;
};

struct BulkheadSpec {
  BulkheadOptions bulkhead;

  /// Longest wait in line. Default: until the deadline.
  Duration max_wait = forever;
};

struct AdaptiveConcurrencySpec {
  AdaptiveConcurrencyOptions concurrency;
  std::uint32_t max_queued = 0;  ///< as in BulkheadOptions
  Duration max_wait = forever;   ///< as in BulkheadSpec
};

struct TokenLimitSpec {
  TokenLimitOptions limit;

  /// Tokens the model's window holds, input and output together. Default 0: what is known of the
  /// model (model_windows.hpp), and no limit where nothing is.
  std::uint32_t window = 0;
};

/// "rate_limit: 500 requests and 30000 tokens per minute, …": a line of describe(Policy).
std::string describe(const RateLimitSpec& spec);
std::string describe(const BulkheadSpec& spec);
std::string describe(const AdaptiveConcurrencySpec& spec);
std::string describe(const ThrottleOptions& options);
std::string describe(const AdaptiveRateOptions& options);
std::string describe(const TokenLimitSpec& spec);

}  // namespace brownout
