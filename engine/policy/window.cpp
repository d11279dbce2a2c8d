#include "engine/policy/window.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

constexpr std::uint8_t failed_bit = 1;
constexpr std::uint8_t slow_bit = 2;

WindowCounts counts_of(WindowEntry entry) {
  return {1, entry.failed ? 1U : 0U, entry.slow ? 1U : 0U};
}

}  // namespace

CountWindow::CountWindow(std::uint32_t size) : ring_(size) {
  BROWNOUT_CHECK(size >= 1);
}

void CountWindow::record(WindowEntry entry) {
  if (filled_ == ring_.size()) {
    const std::uint8_t oldest = ring_[next_];
    counts_ -= counts_of({(oldest & failed_bit) != 0, (oldest & slow_bit) != 0});
  } else {
    ++filled_;
  }
  ring_[next_] =
      static_cast<std::uint8_t>((entry.failed ? failed_bit : 0) | (entry.slow ? slow_bit : 0));
  next_ = next_ + 1 == ring_.size() ? 0 : next_ + 1;
  counts_ += counts_of(entry);
}

void CountWindow::clear() {
  filled_ = 0;
  next_ = 0;
  counts_ = {};
}

TimeWindow::TimeWindow(Duration length) : slice_length_(length / slices) {
  BROWNOUT_CHECK(slice_length_.count() > 0);
}

WindowCounts& TimeWindow::slice(std::int64_t number) {
  return ring_[static_cast<std::size_t>((number % slices + slices) % slices)];
}

void TimeWindow::advance(Instant now) {
  const Duration since = now - Instant{};
  std::int64_t reached = since / slice_length_;
  if (since % slice_length_ < Duration{0}) --reached;
  if (reached <= current_) return;
  const bool all = current_ == before_all || reached - current_ >= slices;
  for (std::int64_t number = all ? reached - slices + 1 : current_ + 1; number <= reached;
       ++number) {
    counts_ -= slice(number);
    slice(number) = {};
  }
  current_ = reached;
}

void TimeWindow::record(WindowEntry entry, Instant now) {
  advance(now);
  slice(current_) += counts_of(entry);
  counts_ += counts_of(entry);
}

const WindowCounts& TimeWindow::counts(Instant now) {
  advance(now);
  return counts_;
}

void TimeWindow::clear() {
  ring_ = {};
  counts_ = {};
}

}  // namespace brownout
