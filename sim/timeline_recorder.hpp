#pragma once

// Watches an engine and keeps what happened when: counts and latencies in buckets of time.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/telemetry/observer.hpp"
#include "sim/histogram.hpp"
#include "sim/result.hpp"

namespace brownout::sim {

/// Memory depends on the length of the run and the spread of its latencies, not on the number of
/// calls. *Threads*: one.
class TimelineRecorder final : public Observer {
 public:
  /// A bucket is the shortest of a row of round durations (…, 1s, 2s, 5s, 10s, …) of which at most
  /// 240 fill the scenario.
  explicit TimelineRecorder(Duration scenario_duration);

  void on_attempt(const AttemptEvent& event, const Outcome& outcome) override;
  void on_wait(const WaitEvent& event) override;
  void on_hedge(const HedgeEvent& event) override;
  void on_rejection(const RejectionEvent& event) override;
  void on_call(const CallEvent& event, const Outcome& outcome) override;

  /// A bucket's width; levels are to be told at multiples of it.
  Duration width() const { return width_; }
  /// No level is kept after this.
  Instant ends() const { return Instant{} + width_ * static_cast<std::int64_t>(buckets_max_); }

  /// Adds a level such as a quota, to be told with set_level(). Returns its number.
  std::size_t add_level(Series level);
  /// What level number `level` is at the end of bucket `bucket`. Requires: bucket end <= ends().
  void set_level(std::size_t level, std::size_t bucket, std::int64_t value);

  /// What was kept, cut after the last bucket in which something happened.
  Timeline finish() const;

 private:
  using Column = std::vector<std::int64_t>;

  std::size_t bucket_of(Instant at) const;
  void count(Column& column, Instant at);
  void add_time(Column& column, Instant from, Instant until);

  Duration width_;
  std::size_t buckets_max_;
  Column calls_;
  std::array<Column, call_end_count> ended_;
  std::array<Column, outcome_kind_count> failed_as_;
  Column attempts_;
  Column failed_attempts_;
  Column hedges_;
  Column waits_;
  Column rejected_;
  Column call_time_;     // nanoseconds that calls spent under way in each bucket
  Column attempt_time_;  // the same for attempts
  std::vector<Histogram> latency_;
  std::vector<Histogram> first_token_;
  std::vector<Series> levels_;
};

}  // namespace brownout::sim
