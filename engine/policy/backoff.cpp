#include "engine/policy/backoff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/core/check.hpp"
#include "engine/core/math.hpp"

namespace brownout {
namespace {

using Shape = BackoffOptions::Shape;

// Far above every sensible wait, and far enough below the end of the range to be multiplied.
constexpr Duration huge = forever / 1024;

Duration scaled(Duration wait, std::uint64_t per_mille) {
  __extension__ using Wide = __int128;
  const Wide product = Wide{wait.count()} * static_cast<std::int64_t>(per_mille) / 1000;
  return product > huge.count() ? huge : Duration{static_cast<std::int64_t>(product)};
}

Duration exponential(const BackoffOptions& options, std::uint32_t n) {
  if (options.factor_per_mille == 2000) return doubled(options.multiplier, n, huge);
  Duration wait = std::min(options.multiplier, huge);
  if (options.factor_per_mille == 1000) return wait;
  for (; n > 0 && wait < huge && wait.count() > 0; --n) {
    const Duration next = scaled(wait, options.factor_per_mille);
    if (next == wait) break;  // too small to grow: a nanosecond by a thousandth
    wait = next;
  }
  return wait;
}

Duration fibonacci(Duration unit, std::uint32_t n) {
  Duration before{0};
  Duration wait = std::min(unit, huge);
  for (; n > 0 && wait < huge; --n) {
    const Duration next = std::min(before + wait, huge);
    before = wait;
    wait = next;
  }
  return wait;
}

// The wait that the shape asks for, before bounds and jitter.
Duration computed(const BackoffOptions& options, std::uint32_t n) {
  switch (options.shape) {
    case Shape::fixed:
      return options.multiplier;
    case Shape::linear:
      return scaled(std::min(options.multiplier, huge), (std::uint64_t{n} + 1) * 1000);
    case Shape::exponential:
      return exponential(options, n);
    case Shape::fibonacci:
      return fibonacci(options.multiplier, n);
    case Shape::random:
      return options.max;
    case Shape::listed:
      return options.list[std::min<std::size_t>(n, options.list.size() - 1)];
  }
  return {};
}

struct Bounds {
  Duration low;
  Duration high;
  Duration clamp(Duration wait) const { return std::clamp(wait, low, high); }
};

Bounds bounds_of(const BackoffOptions& options) {
  const bool bounded = options.shape != Shape::fixed && options.shape != Shape::listed;
  if (!bounded) return {Duration{0}, forever};
  BROWNOUT_CHECK(options.min <= options.max);
  return {options.min, options.max};
}

Duration proportional(const BackoffOptions& options, Duration wait, Draws& draws) {
  return draws.between(scaled(wait, options.spread_low_per_mille),
                       scaled(wait, options.spread_high_per_mille));
}

// Jitters that spread the computed wait to both sides or upwards, where the order of jitter and
// bounds matters.
Duration spread(const BackoffOptions& options, Duration wait, Draws& draws) {
  const Bounds bounds = bounds_of(options);
  if (!options.bound_after_jitter) wait = bounds.clamp(wait);
  wait = options.jitter == Jitter::additive
             ? std::min(wait, huge) + draws.between(Duration{0}, options.addition)
             : proportional(options, wait, draws);
  return options.bound_after_jitter ? bounds.clamp(wait) : wait;
}

Duration decorrelated_wait(const BackoffOptions& options, const BackoffState& state, Draws& draws) {
  const Duration base = std::min(options.multiplier, huge);
  const Duration before = state.n == 0 ? base : std::min(state.previous, huge);
  return bounds_of(options).clamp(draws.between(base, std::max(base, 3 * before)));
}

Duration decorrelated_v2_wait(const BackoffOptions& options, BackoffState& state, Draws& draws) {
  constexpr double t_max = 900;  // 2^900 of anything is above every bound
  const Bounds bounds = bounds_of(options);
  const double t = state.n + static_cast<double>(draws() >> 11) * 0x1p-53;
  if (t >= t_max) return bounds.clamp(huge);
  const double reached = decorrelated_v2(t);
  const double unit = static_cast<double>(options.multiplier.count());
  const double wait = (reached - state.reached) / 1.4 * unit;
  state.reached = reached;
  if (!(wait < static_cast<double>(huge.count()))) return bounds.clamp(huge);
  return bounds.clamp(Duration{std::max<std::int64_t>(0, static_cast<std::int64_t>(wait + 0.5))});
}

Duration jittered(const BackoffOptions& options, BackoffState& state, Draws& draws) {
  const Bounds bounds = bounds_of(options);
  if (options.shape == Shape::random) return draws.between(bounds.low, bounds.high);
  const Duration wait = computed(options, state.n);
  const bool exact = state.n == 0 && !options.jitter_first;
  switch (exact ? Jitter::none : options.jitter) {
    case Jitter::none:
      return bounds.clamp(wait);
    case Jitter::full:
      return draws.between(bounds.low, bounds.clamp(wait));
    case Jitter::equal:
      return draws.between(std::max(bounds.low, bounds.clamp(wait) / 2), bounds.clamp(wait));
    case Jitter::proportional:
    case Jitter::additive:
      return spread(options, wait, draws);
    case Jitter::decorrelated:
      return decorrelated_wait(options, state, draws);
    case Jitter::decorrelated_v2:
      return decorrelated_v2_wait(options, state, draws);
  }
  return {};
}

std::string describe_shape(const BackoffOptions& options) {
  const std::string unit = format_duration(options.multiplier);
  switch (options.shape) {
    case Shape::fixed:
      return "fixed " + unit;
    case Shape::linear:
      return "linear " + unit;
    case Shape::exponential:
      if (options.factor_per_mille == 2000) return "exponential " + unit + " doubling";
      return fmt::format("exponential {} times {}", unit, options.factor_per_mille * 1e-3);
    case Shape::fibonacci:
      return "fibonacci " + unit;
    case Shape::random:
      return "random";
    case Shape::listed: {
      std::string text = "listed";
      for (const Duration wait : options.list) text += " " + format_duration(wait);
      return text;
    }
  }
  return {};
}

std::string describe_jitter(const BackoffOptions& options) {
  switch (options.jitter) {
    case Jitter::none:
      return "no jitter";
    case Jitter::full:
      return "full jitter";
    case Jitter::equal:
      return "equal jitter";
    case Jitter::proportional:
      return fmt::format("jitter times {} to {}", options.spread_low_per_mille * 1e-3,
                         options.spread_high_per_mille * 1e-3);
    case Jitter::additive:
      return "jitter up to " + format_duration(options.addition) + " more";
    case Jitter::decorrelated:
      return "decorrelated jitter";
    case Jitter::decorrelated_v2:
      return "decorrelated jitter v2";
  }
  return {};
}

}  // namespace

double decorrelated_v2(double t) {
  return power_of_two(t) * hyperbolic_tangent(std::sqrt(4 * t));
}

Duration next_backoff(const BackoffOptions& options, BackoffState& state, Draws& draws) {
  const Duration wait = jittered(options, state, draws);
  state.previous = wait;
  ++state.n;
  return wait;
}

std::string describe(const BackoffOptions& options) {
  std::string text = describe_shape(options);
  if (options.shape != Shape::fixed && options.shape != Shape::listed) {
    text += ", " + format_duration(options.min) + " to " + format_duration(options.max);
  }
  if (options.shape == Shape::random) return text;
  text += ", " + describe_jitter(options);
  if (!options.bound_after_jitter) text += " on top";
  if (!options.jitter_first) text += " but for the first";
  return text;
}

}  // namespace brownout
