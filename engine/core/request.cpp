#include "engine/core/request.hpp"

#include <xxhash.h>

namespace brownout {

CacheKey cache_key(std::string_view prompt, std::string_view parameters) {
  const XXH128_hash_t of_prompt = XXH3_128bits(prompt.data(), prompt.size());
  // Seeding the second hash with the first keeps ("ab", "c") apart from ("a", "bc").
  const XXH128_hash_t both =
      XXH3_128bits_withSeed(parameters.data(), parameters.size(), of_prompt.low64 ^ prompt.size());
  return {both.high64 ^ of_prompt.high64, both.low64};
}

}  // namespace brownout
