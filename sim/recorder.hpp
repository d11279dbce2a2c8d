#pragma once

// Watches an engine and turns what it sees into numbers while they stream by: memory does not grow
// with the number of calls. Also computes the semantic digest.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/pipeline/pipeline.hpp"
#include "engine/telemetry/observer.hpp"
#include "mockserver/script.hpp"
#include "sim/result.hpp"

struct XXH3_state_s;

namespace brownout::sim {

/// A digest over records of integers, byte for byte the same on every machine.
class SemanticDigest {
 public:
  SemanticDigest();
  SemanticDigest(const SemanticDigest&) = delete;
  SemanticDigest& operator=(const SemanticDigest&) = delete;
  ~SemanticDigest();

  /// Adds one record: its kind and its fields.
  template <class... Fields>
  void add(char kind, Fields... fields) {
    constexpr std::size_t size = 1 + (sizeof(Fields) + ... + 0);
    static_assert(size <= 128);
    if (size_ + size > buffer_.size()) flush();
    put(static_cast<std::uint8_t>(kind));
    (put(fields), ...);
  }

  std::uint64_t value();

 private:
  template <class Field>
  void put(Field field) {
    static_assert(std::is_integral_v<Field>);
    auto rest = static_cast<std::uint64_t>(field);
    for (std::size_t i = 0; i < sizeof(Field); ++i, rest >>= 8) {
      buffer_[size_++] = static_cast<std::uint8_t>(rest);
    }
  }
  void flush();

  XXH3_state_s* state_;
  std::array<std::uint8_t, 4096> buffer_;
  std::size_t size_ = 0;
};

/// *Ownership*: refers to the script and to `next`. *Threads*: one.
class Recorder final : public Observer {
 public:
  /// Every event is passed on to `next` too, if it is not null.
  Recorder(const mock::Script& script, const Pipeline& pipeline, Observer* next);

  void on_call_start(const CallStartEvent& event) override;
  void on_attempt_start(const AttemptStartEvent& event) override;
  void on_attempt(const AttemptEvent& event, const Outcome& outcome) override;
  void on_wait(const WaitEvent& event) override;
  void on_hedge(const HedgeEvent& event) override;
  void on_lookup(const LookupEvent& event) override;
  void on_breaker(const BreakerEvent& event) override;
  void on_breaker_failure(const BreakerFailureEvent& event) override;
  void on_rejection(const RejectionEvent& event) override;
  void on_call(const CallEvent& event, const Outcome& outcome) override;
  void on_give_up(const GiveUpEvent& event) override;

  /// Moves what was found out into `result`: phases, total, breakers, errors, semantic
  /// digest.
  void finish(RunResult& result);

 private:
  CallStats& stats_at(Instant arrival);
  void count_error(const AttemptEvent& event, const Outcome& outcome);

  const mock::Script& script_;
  Observer* next_;
  std::vector<PhaseResult> phases_;
  std::vector<BreakerResult> breakers_;
  std::vector<AttemptError> errors_;  // few: kinds of failure that differ
  SemanticDigest digest_;
};

}  // namespace brownout::sim
