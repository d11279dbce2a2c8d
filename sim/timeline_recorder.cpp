#include "sim/timeline_recorder.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t buckets_in_scenario_max = 240;
constexpr std::int64_t no_data = -1;

Duration round_width(Duration scenario) {
  const Duration least{(scenario.count() + buckets_in_scenario_max - 1) / buckets_in_scenario_max};
  for (Duration decade = 1us; decade < 1s; decade *= 10) {
    for (const int step : {1, 2, 5}) {
      if (decade * step >= least) return decade * step;
    }
  }
  for (const Duration width :
       std::initializer_list<Duration>{1s, 2s, 5s, 10s, 15s, 30s, 1min, 2min, 5min, 10min, 15min,
                                       30min, 1h, 2h, 3h, 6h, 12h, 24h, 48h}) {
    if (width >= least) return width;
  }
  return (least / 24h + 1) * Duration{24h};
}

template <class Items>
void reach(Items& items, std::size_t bucket) {
  if (bucket >= items.size()) items.resize(bucket + 1);
}

Series counted(std::string metric, std::string of, const std::vector<std::int64_t>& values) {
  return {std::move(metric), std::move(of), "count", std::nullopt, values};
}

// Time under way per time passed: how many there were on average, in thousandths.
Series mean_in_flight(std::string of, const std::vector<std::int64_t>& time, Duration width) {
  Series series{"in_flight", std::move(of), "thousandths", std::nullopt, {}};
  for (const std::int64_t value : time) {
    __extension__ using Wide = __int128;
    series.values.push_back(static_cast<std::int64_t>(Wide{value} * 1000 / width.count()));
  }
  return series;
}

Series quantiles(std::string metric, std::string of, std::uint32_t per_mille,
                 const std::vector<Histogram>& histograms) {
  Series series{std::move(metric), std::move(of), "ns", std::nullopt, {}};
  for (const Histogram& histogram : histograms) {
    series.values.push_back(histogram.count() == 0 ? no_data
                                                   : histogram.quantile(per_mille).count());
  }
  return series;
}

}  // namespace

TimelineRecorder::TimelineRecorder(Duration scenario_duration)
    : width_(round_width(scenario_duration)),
      buckets_max_(static_cast<std::size_t>(scenario_duration * 5 / 4 / width_ + 1)) {}

std::size_t TimelineRecorder::bucket_of(Instant at) const {
  return static_cast<std::size_t>((at - Instant{}) / width_);
}

void TimelineRecorder::count(Column& column, Instant at) {
  const std::size_t bucket = bucket_of(at);
  if (bucket >= buckets_max_) return;
  reach(column, bucket);
  ++column[bucket];
}

void TimelineRecorder::add_time(Column& column, Instant from, Instant until) {
  until = std::min(until, ends());
  if (from >= until) return;
  const std::size_t last = bucket_of(until - Duration{1});
  reach(column, last);
  for (std::size_t bucket = bucket_of(from); bucket <= last; ++bucket) {
    const Instant begin = Instant{} + width_ * static_cast<std::int64_t>(bucket);
    column[bucket] += (std::min(until, begin + width_) - std::max(from, begin)).count();
  }
}

void TimelineRecorder::on_attempt(const AttemptEvent& event, const Outcome& outcome) {
  count(attempts_, event.started);
  if (!outcome.ok()) count(failed_attempts_, event.started);
  add_time(attempt_time_, event.started, event.ended);
}

void TimelineRecorder::on_wait(const WaitEvent& event) {
  count(waits_, event.from);
}

void TimelineRecorder::on_hedge(const HedgeEvent& event) {
  count(hedges_, event.at);
}

void TimelineRecorder::on_rejection(const RejectionEvent& event) {
  count(rejected_, event.at);
}

void TimelineRecorder::on_call(const CallEvent& event, const Outcome& outcome) {
  const CallEnd end = end_of(outcome);
  count(calls_, event.started);
  count(ended_[static_cast<std::size_t>(end)], event.started);
  add_time(call_time_, event.started, event.ended);
  if (end == CallEnd::failed) {
    count(failed_as_[static_cast<std::size_t>(outcome.kind)], event.started);
  }
  const std::size_t bucket = bucket_of(event.started);
  if (end != CallEnd::success || bucket >= buckets_max_) return;
  reach(latency_, bucket);
  latency_[bucket].record(event.ended - event.started);
  if (outcome.served != Served::live || outcome.first_output == never) return;
  reach(first_token_, bucket);
  first_token_[bucket].record(outcome.first_output - event.started);
}

std::size_t TimelineRecorder::add_level(Series level) {
  levels_.push_back(std::move(level));
  return levels_.size() - 1;
}

void TimelineRecorder::set_level(std::size_t level, std::size_t bucket, std::int64_t value) {
  BROWNOUT_CHECK(bucket < buckets_max_);
  Column& values = levels_[level].values;
  if (bucket >= values.size()) values.resize(bucket + 1, no_data);
  values[bucket] = value;
}

Timeline TimelineRecorder::finish() const {
  Timeline timeline{width_, 0, {}};
  auto& series = timeline.series;
  series.push_back(counted("calls", "", calls_));
  for (std::size_t i = 0; i < ended_.size(); ++i) {
    series.push_back(counted("ended", std::string(to_string(static_cast<CallEnd>(i))), ended_[i]));
  }
  for (std::size_t i = 0; i < failed_as_.size(); ++i) {
    if (failed_as_[i].empty()) continue;
    series.push_back(
        counted("failed", std::string(to_string(static_cast<OutcomeKind>(i))), failed_as_[i]));
  }
  series.push_back(counted("attempts", "", attempts_));
  series.push_back(counted("failed_attempts", "", failed_attempts_));
  series.push_back(counted("hedges", "", hedges_));
  series.push_back(counted("waits", "", waits_));
  series.push_back(counted("rejected", "", rejected_));
  series.push_back(mean_in_flight("calls", call_time_, width_));
  series.push_back(mean_in_flight("attempts", attempt_time_, width_));
  for (const auto& [name, per_mille] : std::initializer_list<std::pair<const char*, std::uint32_t>>{
           {"p50", 500}, {"p90", 900}, {"p99", 990}, {"max", 1000}}) {
    series.push_back(quantiles("latency", name, per_mille, latency_));
  }
  for (const auto& [name, per_mille] :
       std::initializer_list<std::pair<const char*, std::uint32_t>>{{"p50", 500}, {"p99", 990}}) {
    series.push_back(quantiles("first_token", name, per_mille, first_token_));
  }
  // Levels are read until the end, whether or not anything happens: they do not count.
  for (const Series& one : series) {
    timeline.buckets = std::max(timeline.buckets, one.values.size());
  }
  for (Series& one : series) {
    one.values.resize(timeline.buckets, one.unit == "ns" ? no_data : 0);
  }
  for (const Series& level : levels_) {
    series.push_back(level);
    series.back().values.resize(timeline.buckets, no_data);
  }
  return timeline;
}

}  // namespace brownout::sim
