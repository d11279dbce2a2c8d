#include "cli/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace brownout::cli {

Progress::Progress(Duration scenario, std::string_view done, bool enabled)
    : duration_(scenario), done_(done), enabled_(enabled && ::isatty(STDERR_FILENO) == 1) {}

std::function<void(Instant)> Progress::callback() {
  if (!enabled_) return {};
  return [this](Instant at) { show(at); };
}

void Progress::clear() const {
  if (shown_) fmt::print(stderr, "\r\033[K");
}

void Progress::show(Instant at) {
  const auto now = Clock::now();
  if (now - last_ < std::chrono::milliseconds{200}) return;
  last_ = now;
  shown_ = true;
  fmt::print(stderr, "\r\033[K{:3}%  {} {}", (at - Instant{}) / (duration_ / 100 + Duration{1}),
             format_duration_short(at - Instant{}), done_);
}

}  // namespace brownout::cli
