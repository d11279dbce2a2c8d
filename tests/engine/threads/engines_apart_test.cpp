// Engines that share nothing, each on a thread of its own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;

// Calls that retry with jitter, open a breaker, share replies and end in a default one.
std::vector<std::string> play(std::uint64_t seed) {
  Stage stage(policy_of(R"([
    { "cache": { "ttl": "1h", "single_flight": true } },
    { "fallback": {
        "routes": [ { "name": "main", "to": "openai/gpt-4", "pipeline": [
          { "retry": { "max_attempts": 4, "wait": { "exponential": {
              "multiplier": "1s", "max": "8s", "jitter": "full" } } } },
          { "breaker": { "consecutive_failures": 5, "open_for": "30s" } } ] } ],
        "then": [ { "default": { "text": "later" } } ] } } ])",
                        R"("deadline": "1m")"),
              seed);
  std::vector<Answer> answers;
  for (int i = 0; i < 40; ++i) {
    answers.push_back(i % 8 == 0 ? succeeds(1s) : fails(server_error, 1s));
  }
  stage.script("gpt-4", answers);
  for (CallId id = 1; id <= 40; ++id) {
    stage.call_at(std::chrono::seconds{id * 2}, {.id = id, .prompt = id / 2});
  }
  stage.run();
  return stage.full_log();
}

TEST(EnginesOnTwoThreads, EachDoWhatTheyDoAlone) {
  const std::array alone{play(1), play(2)};
  ASSERT_NE(alone[0], alone[1]) << "the seed must matter, or mixed up draws would go unseen";

  std::array<std::vector<std::string>, 2> together;
  {
    const std::jthread first([&] { together[0] = play(1); });
    const std::jthread second([&] { together[1] = play(2); });
  }
  EXPECT_EQ(together, alone);
}

}  // namespace
}  // namespace brownout::testing
