#pragma once

#include <chrono>
#include <functional>
#include <string_view>

#include "engine/core/time.hpp"

namespace brownout::cli {

/// Rewrites one line on a terminal while a run takes longer than a moment.
class Progress {
 public:
  /// `done`: what is said of the time reached, "simulated" or "flown". Shows nothing unless
  /// `enabled`, nor where standard error is no terminal.
  Progress(Duration scenario, std::string_view done, bool enabled);

  /// For the options of a run, which must not outlive this. Empty where nothing is shown.
  std::function<void(Instant)> callback();

  void clear() const;

 private:
  using Clock = std::chrono::steady_clock;

  void show(Instant at);

  Duration duration_;
  std::string_view done_;
  bool enabled_;
  bool shown_ = false;
  Clock::time_point last_ = Clock::now();
};

}  // namespace brownout::cli
