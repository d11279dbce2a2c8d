#pragma once

// What a caller asks for, as far as policies care.

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/core/outcome.hpp"

namespace brownout {

/// Identity of a prompt and its parameters: equal keys may share a reply.
struct CacheKey {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  bool operator==(const CacheKey&) const = default;
};

/// The key of a prompt sent with these parameters (XXH3-128 over both, lengths included).
CacheKey cache_key(std::string_view prompt, std::string_view parameters);

/// Number of a call, unique within one engine. Draws are addressed by it.
using CallId = std::uint64_t;

struct Request {
  CacheKey key{};
  std::uint32_t input_tokens = 0;  ///< known or estimated size of the prompt
  std::uint32_t max_tokens = 0;    ///< cap on the output; 0 = the model's own
  std::uint32_t credential = 0;    ///< which API key or account the call uses; 0 = the only one
  bool tokens_estimated = false;   ///< `input_tokens` is an estimate
  bool stream = false;             ///< the caller takes output as it comes
  std::uint8_t priority = 0;       ///< who goes first in line for a place; 0 is the most urgent
  SharedText body{};               ///< what the transport's dialect encodes; opaque to policies
  std::uint64_t tag = 0;           ///< the caller's own; carried to the transport, never read here
};

}  // namespace brownout
