#include "reports/text/numbers.hpp"

#include <fmt/format.h>

namespace brownout::reports {

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.2f}%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string time_of(Instant at) {
  return format_duration_short(at - Instant{});
}

std::string clock_time(Instant at) {
  const auto ms = (at - Instant{}) / std::chrono::milliseconds{1};
  return fmt::format("{:02}:{:02}:{:02}.{:03}", ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60,
                     ms % 1000);
}

std::string quantile(const sim::Histogram& durations, std::uint32_t per_mille) {
  return durations.count() == 0 ? "-" : format_duration_short(durations.quantile(per_mille));
}

std::string attempts_per_call(const sim::CallStats& stats) {
  if (stats.calls == 0) return "-";
  return fmt::format("{:.2f}",
                     static_cast<double>(stats.attempts) / static_cast<double>(stats.calls));
}

std::string opened(std::uint64_t times) {
  if (times == 0) return "never opened";
  return times == 1 ? "opened once" : fmt::format("opened {} times", grouped(times));
}

std::string count_of(std::uint64_t number, const std::string& noun) {
  return grouped(number) + " " + noun + (number == 1 ? "" : "s");
}

std::string stage_of(sim::RunStage stage, double speed) {
  if (stage == sim::RunStage::sim) return "simulated";
  return speed == 1 ? "over HTTP in real time" : fmt::format("over HTTP, {} times as fast", speed);
}

std::string dollars(std::uint64_t nanodollars) {
  return fmt::format("${:.2f}", static_cast<double>(nanodollars) * 1e-9);
}

}  // namespace brownout::reports
