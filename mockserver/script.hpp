#pragma once

// The provider side of a scenario file: which models there are, how fast they are, what they limit,
// and what goes wrong when.
//
// *Ownership*: plain values; nothing refers to the Document they were read from.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/document.hpp"
#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"
#include "mockserver/dialect.hpp"
#include "mockserver/distribution.hpp"
#include "mockserver/plan.hpp"
#include "mockserver/wire_fault.hpp"

namespace brownout::mock {

/// Shares and fractions are counted in billionths, so that they add up exactly.
inline constexpr std::int64_t billion = 1'000'000'000;

/// What happens to a request when all slots are taken.
enum class WhenFull : std::uint8_t {
  queue,   ///< waits its turn (first in, first out); `overloaded` once the queue is full
  refuse,  ///< `overloaded` at once
};

/// Absent limits do not limit.
struct ModelLimits {
  std::optional<std::int64_t> rpm;         ///< requests per minute
  std::optional<std::int64_t> tpm;         ///< tokens per minute (openai)
  std::optional<std::int64_t> itpm;        ///< input tokens per minute (anthropic)
  std::optional<std::int64_t> otpm;        ///< output tokens per minute (anthropic)
  std::optional<std::int64_t> concurrent;  ///< requests being generated at once
  WhenFull when_full = WhenFull::queue;
  std::optional<std::int64_t> queue;  ///< longest queue
};

/// In picodollars per token: one dollar per million tokens is 10^6 of them, and the cheapest
/// models (a few cents per million) still come out whole.
struct Price {
  std::int64_t input = 0;
  std::int64_t output = 0;
};

struct ModelSpec {
  std::string name;       ///< "gpt-4"
  std::string full_name;  ///< "openai/gpt-4"; keys its draws
  std::uint16_t provider = 0;
  DialectId dialect = DialectId::openai;
  Distribution ttft;         ///< time to first token
  Distribution inter_token;  ///< between two tokens
  Distribution error_latency = Distribution::constant(std::chrono::milliseconds{50});
  ModelLimits limits;
  Price price;
};

struct ProviderSpec {
  std::string name;
  DialectId dialect = DialectId::openai;
};

/// A share of requests as a function of time within its phase.
struct Share {
  enum class Shape : std::uint8_t { constant, ramp, flap };
  Shape shape = Shape::constant;
  std::int64_t from = billion;  ///< billionths; the share itself unless a ramp
  std::int64_t to = billion;    ///< at the phase's end, for a ramp
  Duration on{};                ///< for a flap, which starts on
  Duration off{};

  /// In billionths. Before the phase as at its beginning, after it as at its end (a flap goes on).
  std::int64_t at(Duration elapsed, Duration phase_length) const;
  /// The most it can be at the beginning (or the end) of a phase.
  std::int64_t at_begin() const { return from; }
  std::int64_t at_end() const { return shape == Shape::ramp ? to : from; }

  std::string to_string() const;
};

/// What a fault does to the requests it hits.
enum class FaultEffect : std::uint8_t {
  error,        ///< answers with an error, or breaks the reply off
  outage,       ///< connection refused
  unreachable,  ///< no connection comes about, nor a refusal: packets are lost
  hang,         ///< accepts and never answers
  latency,      ///< slows the answer down, whatever it is
  wire,         ///< something happens to the answer on its way
};

/// Which of the requests that match it a fault hits.
enum class FaultTrigger : std::uint8_t {
  share,     ///< a random share
  first,     ///< the first n of the phase
  sequence,  ///< as a list says, in order of arrival
};

/// What becomes of a request that is hit.
struct FaultAction {
  FaultEffect effect = FaultEffect::error;
  OutcomeKind kind = OutcomeKind::server_error;  ///< for error
  std::uint16_t status = 0;                      ///< for error; 0 means the dialect's own
  std::optional<Duration> retry_after;           ///< for error
  std::optional<bool> should_retry;              ///< for error: `x-should-retry`

  /// The reply begins normally and breaks off: always for stream_truncated, for other errors when
  /// `after_share` is given.
  bool mid_stream = false;
  std::optional<std::int64_t> after_share;  ///< billionths of the output; absent: drawn uniformly
  std::optional<WirePoint> at;              ///< instead of a share of the output
  WireWord wire = WireWord::none;           ///< for wire

  /// An entry of a sequence that leaves its request alone.
  bool is_none() const { return effect == FaultEffect::error && kind == OutcomeKind::success; }

  /// Whether it breaks a reply off, or changes it, instead of replacing it.
  bool breaks_off() const {
    if (effect == FaultEffect::wire && !mid_stream) return !replaces_reply(wire, wire_point());
    return mid_stream || kind == OutcomeKind::stream_truncated;
  }
  /// Where `wire` happens, unless after a share of the output. Requires: effect is wire.
  WirePoint wire_point() const {
    return at.value_or(wire_rule(wire).standard.value_or(WirePoint{}));
  }
};

/// As an action it is what becomes of every request it hits, unless a sequence says.
struct FaultSpec : FaultAction {
  std::string on;               ///< the pattern as written
  std::vector<ModelId> models;  ///< the models it matches, ascending

  Distribution add;     ///< for latency
  double multiply = 1;  ///< for latency

  FaultTrigger trigger = FaultTrigger::share;
  Share share;
  std::int64_t first = 0;
  std::vector<FaultAction> sequence;  ///< errors and wire faults
  bool repeat = false;                ///< begin again when the sequence is used up

  bool after_limits = false;  ///< only requests that passed the limits can be hit

  /// What becomes of the n-th matching request (from 0); null once the sequence is used up.
  /// Requires: trigger is sequence.
  const FaultAction* entry(std::int64_t n) const;
  bool affects(ModelId model) const;

  /// "server_error on openai/*, share 0.97": how reports name it.
  std::string to_string() const;
};

struct PhaseSpec {
  std::string name;
  Duration begin{};
  Duration until{};
  FaultId first_fault = 0;  ///< the id of faults[0]
  std::vector<FaultSpec> faults;
};

struct Script {
  std::vector<ProviderSpec> providers;
  std::vector<ModelSpec> models;  ///< in file order; a ModelId indexes them
  std::vector<PhaseSpec> phases;  ///< without gaps from 0 to the scenario's duration

  /// The model of that full name.
  std::optional<ModelId> find_model(std::string_view full_name) const;
  std::size_t fault_count() const;
  const FaultSpec& fault(FaultId id) const;
  const PhaseSpec& phase_of(FaultId id) const;
};

/// Reads a scenario's `providers`. Models that have problems are still listed by name, so that
/// whoever reads the rest of the file can resolve them. False when something was wrong.
bool read_providers(const Node& node, Problems& problems, Script& script);

/// Reads a scenario's `timeline`; `script` must hold its providers. A duration of 0 means it is not
/// known and is not compared with the end of the last phase. False when something was wrong.
bool read_timeline(const Node& node, Duration scenario_duration, Problems& problems,
                   Script& script);

/// The kinds of failure a provider can cause, as files spell them.
const std::vector<std::string_view>& provider_failures();

}  // namespace brownout::mock
