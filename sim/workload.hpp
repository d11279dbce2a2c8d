#pragma once

// The calls a scenario makes: when they arrive and what they ask for.

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/core/draw.hpp"
#include "engine/core/request.hpp"
#include "engine/core/time.hpp"
#include "mockserver/distribution.hpp"
#include "sim/rate.hpp"

namespace brownout::sim {

/// Draws prompt numbers 0 … distinct - 1 with probability proportional to 1 / (number +
/// 1)^exponent: few prompts are asked often, most hardly ever. Without it a cache is never
/// exercised.
class ZipfLaw {
 public:
  /// Requires: 1 <= distinct <= distinct_max, 0 <= exponent <= 10; 0 makes all equally likely.
  ZipfLaw(std::uint32_t distinct, double exponent);
  static constexpr std::uint32_t distinct_max = 10'000'000;

  /// One word of `draws`. By inversion over a table of integers, exact to 2^-32.
  std::uint32_t draw(Draws& draws) const;

 private:
  std::vector<std::uint64_t> cumulative_;  // scaled so that the last is 2^63
  std::vector<std::uint32_t> first_;       // by the top bits of a draw: where to begin looking
};

enum class ArrivalKind : std::uint8_t {
  constant,  ///< evenly spaced
  poisson,   ///< independent of each other
  clients,   ///< closed loop: each client calls, waits for the end, thinks, and calls again
};

struct WorkloadSpec {
  ArrivalKind arrivals = ArrivalKind::poisson;
  RateCurve rate;                 ///< for constant and poisson
  std::uint32_t clients = 0;      ///< for clients
  mock::Distribution think_time;  ///< for clients

  mock::Distribution input_tokens;
  mock::Distribution output_tokens;
  std::uint32_t max_tokens = 0;        ///< 0: not sent
  std::uint32_t distinct_prompts = 0;  ///< 0: every prompt is new
  double zipf = 0;
  std::uint32_t stream_millionths = 0;  ///< share of calls that stream
  Duration deadline = forever;          ///< of each call, from its arrival
  std::uint32_t cancel_millionths = 0;  ///< share of callers that may leave before the end
  mock::Distribution patience;          ///< how long those stay
};

bool read_workload(const Node& node, Duration duration, Problems& problems, WorkloadSpec& out);

/// What one call asks for.
struct CallShape {
  Request request;
  std::uint32_t output_tokens = 0;  ///< what the model will have to say
  Duration patience = forever;      ///< after which the caller leaves, if the call is not over
};

/// *Determinism*: draws are keyed by the call's number and purposes arrival, prompt, input_tokens,
/// output_tokens, stream, think_time, cancel and patience; two policies under one seed meet the
/// same calls.
class Workload {
 public:
  Workload(const WorkloadSpec& spec, std::uint64_t seed);

  const WorkloadSpec& spec() const { return spec_; }

  /// When the open-loop call `number` arrives, given the arrival of the one before it. Requires: an
  /// open loop.
  Instant arrival(std::uint64_t number, Instant previous) const;

  /// How long a client thinks before the call `number`. Requires: a closed loop.
  Duration think(std::uint64_t number) const;

  CallShape shape(std::uint64_t number) const;

 private:
  WorkloadSpec spec_;
  std::optional<ZipfLaw> zipf_;
  DrawFamily arrival_;
  DrawFamily think_;
  DrawFamily prompt_;
  DrawFamily input_;
  DrawFamily output_;
  DrawFamily stream_;
  DrawFamily cancel_;
  DrawFamily patience_;
};

}  // namespace brownout::sim
