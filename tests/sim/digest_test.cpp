// The semantic digests of the bundled scenarios, pinned.
//
// A semantic digest covers every attempt, wait, transition, rejection and outcome of a run, and
// nothing of how they came about. It is the same on every machine, compiler and build type, with
// and without sanitizers; a difference between two of those is a bug in the one place where
// determinism is never to be had back: find it first.
//
// A digest that moves in one commit means that behaviour moved. It may be pinned anew only when the
// cause is known and meant:
//   - a bundled scenario or policy file changed what happens in it;
//   - a policy, the driver, the provider or the workload decides something differently on purpose,
//     and the commit says what;
//   - draws are addressed or shaped differently on purpose.
// A refactoring, a new feature that these files do not use, or a faster queue is no such cause.
// To see what moved, write the event logs of the commit before and after (brownout run --events)
// and compare them: the first line that differs is where to look.

#include <gtest/gtest.h>

#include <string>

#include "tests/sim/bundled.hpp"

namespace brownout::sim {
namespace {

struct Pin {
  const char* scenario;
  const char* policy;
  const char* digest;
};

constexpr Pin pins[] = {
    {"healthy", "recommended", "f9b7a17d91e1f1e3"},
    {"healthy", "guide-layered", "5e5073973da48fd1"},
    {"incidents/openai-control-plane-collapse", "recommended", "6e2f48632796c657"},
    {"incidents/openai-control-plane-collapse", "guide-layered", "766c4524921a7891"},
    {"incidents/tpm-30k", "recommended", "19e7c15b50bcb622"},
    {"incidents/tpm-30k", "guide-layered", "cffc2c732c021770"},
    {"incidents/dns-30s-stall", "recommended", "dd4330f41693c739"},
    {"incidents/dns-30s-stall", "guide-layered", "3fbb9193ac3a346c"},
};

// With a twentieth of the calls.
constexpr Pin thinned_pins[] = {
    {"healthy", "recommended", "4f8d181550395229"},
    {"healthy", "guide-layered", "a59611b1cc389f46"},
    {"incidents/openai-control-plane-collapse", "recommended", "e92840b1a9d92621"},
    {"incidents/openai-control-plane-collapse", "guide-layered", "28c06aa21bb6bc14"},
    {"incidents/dns-30s-stall", "recommended", "f69ad537afa652b9"},
    {"incidents/dns-30s-stall", "guide-layered", "9408180da48e784a"},
};

void expect_pinned(const Pin& pin, const Scenario& scenario) {
  const RunResult result = testing::fly(scenario, testing::bundled_policy(pin.policy));
  EXPECT_EQ(format_digest(result.semantic_digest), pin.digest)
      << pin.scenario << ", " << pin.policy;
}

TEST(PinnedDigestsAtLength, OfTheBundledScenarios) {
  for (const Pin& pin : pins) expect_pinned(pin, testing::bundled_scenario(pin.scenario));
}

// tpm-30k is small enough as it is.
TEST(PinnedDigests, OfTheBundledScenariosThinned) {
  for (const Pin& pin : pins) {
    if (std::string(pin.scenario) == "incidents/tpm-30k") {
      expect_pinned(pin, testing::bundled_scenario(pin.scenario));
    }
  }
  for (const Pin& pin : thinned_pins) {
    expect_pinned(pin, testing::thinned_scenario(pin.scenario));
  }
}

}  // namespace
}  // namespace brownout::sim
