#include "engine/policy/window.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>

namespace brownout {
namespace {

using namespace std::chrono_literals;

constexpr WindowEntry good{};
constexpr WindowEntry failed{.failed = true};
constexpr WindowEntry slow{.slow = true};

Instant at(Duration time) {
  return Instant{} + time;
}

TEST(CountWindow, ForgetsTheOldestCall) {
  CountWindow window(3);
  window.record(failed);
  window.record(slow);
  window.record(good);
  EXPECT_EQ(window.counts(), (WindowCounts{3, 1, 1}));
  window.record(good);  // the failure leaves
  EXPECT_EQ(window.counts(), (WindowCounts{3, 0, 1}));
  window.record(failed);  // the slow one leaves
  EXPECT_EQ(window.counts(), (WindowCounts{3, 1, 0}));
}

RC_GTEST_PROP(CountWindow, CountsTheLastSizeCalls, ()) {
  const auto size = *rc::gen::inRange<std::uint32_t>(1, 20);
  CountWindow window(size);
  std::deque<WindowEntry> last;
  for (const auto& [fails, is_slow] : *rc::gen::arbitrary<std::vector<std::pair<bool, bool>>>()) {
    window.record({fails, is_slow});
    last.push_back({fails, is_slow});
    if (last.size() > size) last.pop_front();
    WindowCounts expected;
    for (const WindowEntry& entry : last) {
      expected += {1, entry.failed ? 1U : 0U, entry.slow ? 1U : 0U};
    }
    RC_ASSERT(window.counts() == expected);
  }
}

// 10 s in 10 slices: a failure at 0.5 s is counted until slice 0 leaves at 10 s.
TEST(TimeWindow, ForgetsASliceAtATime) {
  TimeWindow window(10s);
  window.record(failed, at(500ms));
  window.record(slow, at(1500ms));
  EXPECT_EQ(window.counts(at(9999ms)), (WindowCounts{2, 1, 1}));
  EXPECT_EQ(window.counts(at(10s)), (WindowCounts{1, 0, 1}));
  EXPECT_EQ(window.counts(at(11s)), (WindowCounts{}));
}

TEST(TimeWindow, IsEmptyAfterIdlingLongerThanItself) {
  TimeWindow window(10s);
  for (int i = 0; i < 10; ++i) window.record(failed, at(i * 1s));
  EXPECT_EQ(window.counts(at(24h)), (WindowCounts{}));
  window.record(failed, at(24h));
  EXPECT_EQ(window.counts(at(24h)), (WindowCounts{1, 1, 0}));
}

TEST(TimeWindow, FilesWhatComesFromThePastUnderNow) {
  TimeWindow window(10s);
  window.record(good, at(20s));
  window.record(failed, at(1s));
  EXPECT_EQ(window.counts(at(20s)), (WindowCounts{2, 1, 0}));
}

// The same as from 0 s, wherever time begins.
TEST(TimeWindow, DoesNotCareWhereTimeBegins) {
  for (const Duration origin : std::vector<Duration>{-1h, -5s, -500ms, 0s, 1000h}) {
    TimeWindow window(10s);
    window.record(failed, at(origin));
    EXPECT_EQ(window.counts(at(origin + 9s)), (WindowCounts{1, 1, 0})) << format_duration(origin);
    EXPECT_EQ(window.counts(at(origin + 10s)), (WindowCounts{})) << format_duration(origin);
  }
}

RC_GTEST_PROP(TimeWindow, CountsWhatIsYoungerThanNineSlicesAndNothingOlderThanTen, ()) {
  TimeWindow window(10s);
  std::vector<Instant> recorded;
  Instant now{};
  for (const int gap : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 15'000))) {
    now += std::chrono::milliseconds{gap};
    window.record(failed, now);
    recorded.push_back(now);
    std::uint32_t young = 0;
    std::uint32_t alive = 0;
    for (const Instant then : recorded) {
      young += now - then < 9s ? 1 : 0;
      alive += now - then < 10s ? 1 : 0;
    }
    const WindowCounts counts = window.counts(now);
    RC_ASSERT(counts.failures >= young);
    RC_ASSERT(counts.failures <= alive);
    RC_ASSERT(counts.failures == counts.calls);
  }
}

}  // namespace
}  // namespace brownout
