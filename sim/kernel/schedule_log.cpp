#include "sim/kernel/schedule_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

namespace brownout::sim {

std::size_t ScheduleLog::kept() const {
  return std::min<std::size_t>(events_, remembered);
}

const ScheduleLog::Event& ScheduleLog::nth_oldest(std::size_t nth) const {
  return last_[(events_ - kept() + nth) % remembered];
}

std::string ScheduleLog::describe_recent() const {
  std::string text;
  for (std::size_t begin = 0, end = 0; begin < kept(); begin = end) {
    const Event& event = nth_oldest(begin);
    const auto same = [&event](const Event& other) {
      return other.at == event.at && other.name == event.name;
    };
    while (end < kept() && same(nth_oldest(end))) ++end;
    fmt::format_to(std::back_inserter(text), "  {}  {}",
                   format_duration(event.at.time_since_epoch()), event.name->text);
    if (end - begin > 1) fmt::format_to(std::back_inserter(text), " (x {})", end - begin);
    text += '\n';
  }
  return text;
}

std::string ScheduleLog::describe_mix() const {
  std::vector<std::pair<std::string_view, std::size_t>> counts;
  for (std::size_t nth = 0; nth < kept(); ++nth) {
    const std::string_view name = nth_oldest(nth).name->text;
    const auto known = std::find_if(counts.begin(), counts.end(),
                                    [name](const auto& entry) { return entry.first == name; });
    if (known == counts.end()) {
      counts.emplace_back(name, 1);
    } else {
      ++known->second;
    }
  }
  std::string text;
  for (const auto& [name, count] : counts) {
    fmt::format_to(std::back_inserter(text), "{}{} x \"{}\"", text.empty() ? "" : ", ", count,
                   name);
  }
  return text;
}

}  // namespace brownout::sim
