#include "engine/policy/backoff.hpp"

#include <algorithm>

#include "engine/core/check.hpp"
#include "engine/core/math.hpp"

namespace brownout {
namespace {

struct Bounds {
  Duration low;
  Duration high;
};

Bounds bounds(const BackoffOptions& options, std::uint32_t n) {
  if (options.shape == BackoffOptions::Shape::fixed) {
    return {Duration{0}, options.multiplier};
  }
  BROWNOUT_CHECK(options.min <= options.max);
  return {options.min, std::max(options.min, doubled(options.multiplier, n, options.max))};
}

const char* name(Jitter jitter) {
  switch (jitter) {
    case Jitter::none:
      return "no jitter";
    case Jitter::full:
      return "full jitter";
    case Jitter::equal:
      return "equal jitter";
  }
  return "";
}

}  // namespace

Duration backoff_delay(const BackoffOptions& options, std::uint32_t n, Draws& draws) {
  const auto [low, high] = bounds(options, n);
  switch (options.jitter) {
    case Jitter::none:
      return high;
    case Jitter::full:
      return draws.between(low, high);
    case Jitter::equal:
      return draws.between(std::max(low, high / 2), high);
  }
  return high;
}

std::string describe(const BackoffOptions& options) {
  std::string text = options.shape == BackoffOptions::Shape::fixed ? "fixed " : "exponential ";
  text += format_duration(options.multiplier);
  if (options.shape == BackoffOptions::Shape::exponential) {
    text += " doubling, " + format_duration(options.min) + " to " + format_duration(options.max);
  }
  return text + ", " + name(options.jitter);
}

}  // namespace brownout
