#include "mockserver/script.hpp"

#include <gtest/gtest.h>

#include "tests/mockserver/scripts.hpp"

namespace brownout::mock {
namespace {

using namespace testing;

constexpr std::string_view providers = R"({
  "openai": { "dialect": "openai", "models": {
    "gpt-4": {
      "ttft": { "mixture": [ [0.97, { "lognormal": { "median": "640ms", "sigma": 0.33 } }],
                             [0.03, { "lognormal": { "median": "3.8s", "sigma": 0.3 } }] ] },
      "inter_token": { "normal": { "mean": "13ms", "stddev": "2ms" } },
      "limits": { "rpm": 5000, "tpm": 2000000, "concurrent": 512, "queue": 100 },
      "price": { "input_per_million": 30, "output_per_million": 60 },
      "error_latency": "80ms" } } },
  "anthropic": { "dialect": "anthropic", "models": {
    "claude": {
      "ttft": "1s", "inter_token": "20ms",
      "limits": { "itpm": 80000, "otpm": 16000, "concurrent": 2, "when_full": "refuse" },
      "price": { "input_per_million": 0.0375, "output_per_million": 0.15 } } } } })";

constexpr std::string_view timeline = R"([
    { "phase": "healthy",  "until": "1h" },
    { "phase": "collapse", "until": "3h20m",
      "faults": [ { "on": "openai/*", "error": "server_error", "share": 0.97 },
                  { "on": "*", "latency": { "add": "30s", "multiply": 1.5 }, "first": 10 } ] },
    { "phase": "recovery", "until": "6h",
      "faults": [ { "on": "openai/*", "error": "overloaded", "share": { "ramp": [0.5, 0] } },
                  { "on": "anthropic", "hang": true,
                    "share": { "flap": { "on": "1m", "off": "4m", "share": 0.5 } } },
                  { "on": "*/claude", "sequence": ["server_error", "success"],
                    "repeat": true } ] } ])";

Script loaded() {
  return load(std::string(providers), std::string(timeline), 6h);
}

TEST(Script, ModelsComeInFileOrderWithTheirNumbers) {
  const Script script = loaded();
  ASSERT_EQ(script.models.size(), 2u);
  const ModelSpec& gpt = script.models[0];
  EXPECT_EQ(gpt.full_name, "openai/gpt-4");
  EXPECT_EQ(gpt.dialect, DialectId::openai);
  EXPECT_EQ(gpt.ttft.to_string(),
            "0.97 of lognormal(median 640ms, sigma 0.33) + "
            "0.03 of lognormal(median 3.8s, sigma 0.3)");
  EXPECT_EQ(gpt.error_latency.to_string(), "80ms");
  EXPECT_EQ(gpt.limits.rpm, 5000);
  EXPECT_EQ(gpt.limits.tpm, 2'000'000);
  EXPECT_EQ(gpt.limits.concurrent, 512);
  EXPECT_EQ(gpt.limits.queue, 100);
  EXPECT_EQ(gpt.limits.when_full, WhenFull::queue);
  const ModelSpec& other = script.models[1];
  EXPECT_EQ(other.dialect, DialectId::anthropic);
  EXPECT_EQ(other.limits.itpm, 80'000);
  EXPECT_EQ(other.limits.otpm, 16'000);
  EXPECT_EQ(other.limits.when_full, WhenFull::refuse);
  EXPECT_EQ(other.error_latency.to_string(), "50ms");
  EXPECT_EQ(script.find_model("anthropic/claude"), ModelId{1});
  EXPECT_EQ(script.find_model("claude"), std::nullopt);
}

TEST(Script, PricesAreExactDownToTheCheapestModels) {
  const Script script = loaded();
  EXPECT_EQ(script.models[0].price.input, 30'000'000);
  EXPECT_EQ(script.models[0].price.output, 60'000'000);
  EXPECT_EQ(script.models[1].price.input, 37'500);
}

TEST(Script, PhasesFollowEachOtherWithoutGaps) {
  const Script script = loaded();
  ASSERT_EQ(script.phases.size(), 3u);
  EXPECT_EQ(script.phases[0].begin, 0s);
  EXPECT_EQ(script.phases[0].until, 1h);
  EXPECT_EQ(script.phases[1].begin, 1h);
  EXPECT_EQ(script.phases[2].begin, 3h + 20min);
  EXPECT_EQ(script.phases[2].until, 6h);
}

TEST(Script, FaultsAreNumberedThroughAllPhases) {
  const Script script = loaded();
  EXPECT_EQ(script.fault_count(), 5u);
  EXPECT_EQ(script.fault(0).kind, OutcomeKind::server_error);
  EXPECT_EQ(script.fault(1).effect, FaultEffect::latency);
  EXPECT_EQ(script.fault(3).effect, FaultEffect::hang);
  EXPECT_EQ(script.phase_of(1).name, "collapse");
  EXPECT_EQ(script.phase_of(2).name, "recovery");
}

TEST(Script, FaultsDescribeThemselves) {
  const Script script = loaded();
  EXPECT_EQ(script.fault(0).to_string(), "server_error on openai/*, share 0.97");
  EXPECT_EQ(script.fault(1).to_string(), "latency on *, add 30s, multiply 1.5, first 10");
  EXPECT_EQ(script.fault(2).to_string(), "overloaded on openai/*, share ramp 0.5 to 0");
  EXPECT_EQ(script.fault(3).to_string(), "hang on anthropic, share 0.5 flapping 1m on, 4m off");
  EXPECT_EQ(script.fault(4).to_string(), "sequence on */claude, 2 entries repeated");
}

TEST(Script, ASequenceEndsOrRepeats) {
  const Script script = loaded();
  FaultSpec fault = script.fault(4);
  EXPECT_EQ(fault.entry(0)->kind, OutcomeKind::server_error);
  EXPECT_TRUE(fault.entry(3)->is_none());
  EXPECT_EQ(fault.entry(4)->kind, OutcomeKind::server_error);
  fault.repeat = false;
  EXPECT_EQ(fault.entry(4), nullptr);
}

TEST(Script, ProvidersCauseEveryFailureButOurs) {
  const auto& words = provider_failures();
  EXPECT_EQ(words.size(), outcome_kind_count - 8);
  for (const char* ours : {"success", "timed_out", "breaker_open", "cancelled", "deadline_exceeded",
                           "throttled", "bulkhead_full", "client_rate_limited"}) {
    EXPECT_EQ(std::count(words.begin(), words.end(), ours), 0) << ours;
  }
}

}  // namespace
}  // namespace brownout::mock
