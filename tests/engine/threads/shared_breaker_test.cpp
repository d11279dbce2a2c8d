// One breaker for the calls of many threads.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/engine/breaker_witness.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;

// Eight threads; whoever opens it, there are never more probes at once than permits, every pass
// comes back, and the changes are numbered without a gap.
TEST(SharedBreaker, KeepsItsLawsOnManyThreads) {
  BreakerOptions options{.consecutive_failures = 3, .open_for = 1us, .close_after = 2, .probes = 2};
  options.probe_lease = 1h;
  SharedBreaker breaker(options, 0, 1, "x");
  Witness witness;
  std::atomic<std::int64_t> clock{0};
  const auto work = [&](int number) {
    SharedBreaker::Refusal refusal;
    for (int i = 0; i < 5000; ++i) {
      const Instant now{Duration{clock.fetch_add(100)}};
      const auto pass = breaker.acquire(0, now, witness, refusal);
      if (!pass) continue;
      Outcome outcome;
      if ((i / 50 + number) % 3 == 0) outcome.kind = server_error;
      breaker.record(*pass, outcome, 1, now, witness);
    }
  };
  std::vector<std::thread> threads;
  for (int number = 0; number < 8; ++number) threads.emplace_back(work, number);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(breaker.breaker().probes_in_flight(), 0U);
  ASSERT_GT(witness.changes.size(), 10U);
  std::ranges::sort(witness.changes, {}, &BreakerEvent::nth);
  for (std::size_t i = 0; i < witness.changes.size(); ++i) {
    ASSERT_EQ(witness.changes[i].nth, i + 1);
    const auto before = i == 0 ? BreakerState::closed : witness.changes[i - 1].to;
    ASSERT_EQ(witness.changes[i].from, before);
  }
}

}  // namespace
}  // namespace brownout::testing
