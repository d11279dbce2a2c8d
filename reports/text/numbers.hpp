#pragma once

// Numbers as people read them, the same in every report.

#include <cstdint>
#include <string>

#include "engine/core/time.hpp"
#include "sim/result.hpp"

namespace brownout::reports {

/// 432011 as "432,011".
std::string grouped(std::uint64_t number);

/// "97.25%"; "-" of nothing.
std::string percent(std::uint64_t part, std::uint64_t whole);

/// "1h00m": the time since the beginning of the run, rounded.
std::string time_of(Instant at);

/// "01:00:02.656": columns of instants line up, and none is too coarse to be told from the next.
std::string clock_time(Instant at);

/// "1.23s"; "-" where there are no values. Requires: per_mille <= 1000.
std::string quantile(const sim::Histogram& durations, std::uint32_t per_mille);

/// "1.02"; "-" without calls.
std::string attempts_per_call(const sim::CallStats& stats);

/// "opened once", "opened 12 times"; "never opened".
std::string opened(std::uint64_t times);

/// "1 call", "12 calls": for nouns whose plural takes an s.
std::string count_of(std::uint64_t number, const std::string& noun);

/// "simulated", "over HTTP in real time" or "over HTTP, 5 times as fast".
std::string stage_of(sim::RunStage stage, double speed);

/// Dollars, as "$4567.89".
std::string dollars(std::uint64_t nanodollars);

}  // namespace brownout::reports
