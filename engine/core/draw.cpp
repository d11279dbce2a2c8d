#include "engine/core/draw.hpp"

#include <Random123/philox.h>
#include <xxhash.h>

#include "engine/core/check.hpp"

namespace brownout {

Draws::result_type Draws::refill() {
  const auto low = [](std::uint64_t word) { return static_cast<std::uint32_t>(word); };
  const auto high = [](std::uint64_t word) { return static_cast<std::uint32_t>(word >> 32); };
  const r123::Philox4x32::ctr_type counter{{low(call_), high(call_), nth_, block_++}};
  const r123::Philox4x32::key_type key{{low(key_), high(key_)}};
  const auto random = r123::Philox4x32{}(counter, key);
  words_[0] = std::uint64_t{random[1]} << 32 | random[0];
  words_[1] = std::uint64_t{random[3]} << 32 | random[2];
  position_ = 1;
  return words_[0];
}

std::uint64_t Draws::below(std::uint64_t bound) {
  BROWNOUT_CHECK(bound > 0);
  // Lemire's multiply-shift without the rejection step: one word per draw, always.
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(Wide{(*this)()} * bound >> 64);
}

Duration Draws::between(Duration low, Duration high) {
  BROWNOUT_CHECK(low.count() >= 0 && low <= high);
  const auto width = static_cast<std::uint64_t>((high - low).count());
  return low + Duration{static_cast<std::int64_t>(below(width + 1))};
}

DrawFamily::DrawFamily(std::uint64_t seed, Purpose purpose, std::string_view entity)
    : key_(XXH3_64bits_withSeed(entity.data(), entity.size(),
                                seed ^ static_cast<std::uint64_t>(purpose) * 0x9E3779B97F4A7C15U)) {
}

}  // namespace brownout
