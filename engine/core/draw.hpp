#pragma once

// Randomness with an address. A draw is not "the next number" of a shared generator but a pure
// function of what it is for: (seed, purpose, entity, call, nth). Adding, removing or reordering
// draws in one place therefore moves no other draw, and concurrency cannot change an outcome.
//
// Source: Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC'11),
// as shipped in Random123.

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/core/time.hpp"

namespace brownout {

/// What a draw decides. The numbers are part of every digest: append, never renumber.
enum class Purpose : std::uint32_t {
  backoff_jitter = 1,
  arrival = 2,
  prompt = 3,
  input_tokens = 4,
  output_tokens = 5,
  stream = 6,
  network_out = 7,
  network_back = 8,
  fault = 9,
  fault_latency = 10,
  ttft = 11,
  inter_token = 12,
  think_time = 13,
  cut_point = 14,
  tie = 15,
  store_latency = 16,
  breaker_jitter = 17,
  route_order = 18,
  throttle = 19,
  cancel = 20,
  patience = 21,
};

/// The numbers drawn at one address, in order. Satisfies UniformRandomBitGenerator.
class Draws {
 public:
  using result_type = std::uint64_t;

  Draws(std::uint64_t key, std::uint64_t call, std::uint32_t nth)
      : key_(key), call_(call), nth_(nth) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }
  result_type operator()() { return position_ < words_.size() ? words_[position_++] : refill(); }

  /// Uniform in [0, bound). Requires: bound > 0. One word; the bias is below bound / 2^64.
  std::uint64_t below(std::uint64_t bound);

  /// Uniform in [low, high], both ends included. Requires: 0 <= low <= high. One word.
  Duration between(Duration low, Duration high);

  /// True with probability millionths / 1,000,000. One word.
  bool chance(std::uint32_t millionths) { return below(1'000'000) < millionths; }

 private:
  result_type refill();

  std::uint64_t key_;
  std::uint64_t call_;
  std::uint32_t nth_;
  std::uint32_t block_ = 0;
  std::array<std::uint64_t, 2> words_{};
  std::size_t position_ = 2;
};

/// All draws of one purpose by one entity; made once, when a world or a pipeline is built.
class DrawFamily {
 public:
  DrawFamily() = default;

  /// `entity` is the stable name of what draws: "openai/gpt-4", a route, a phase.
  DrawFamily(std::uint64_t seed, Purpose purpose, std::string_view entity);

  /// The draws for the `nth` decision of this kind within `call`.
  Draws at(std::uint64_t call, std::uint32_t nth = 0) const { return {key_, call, nth}; }

 private:
  std::uint64_t key_ = 0;
};

}  // namespace brownout
