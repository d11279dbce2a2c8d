#pragma once

// Small scripts for tests: three models whose every duration is constant, and a timeline.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "mockserver/scripted_provider.hpp"

namespace brownout::mock::testing {

using namespace std::chrono_literals;

inline constexpr ModelId gpt4 = 0;
inline constexpr ModelId gpt35 = 1;
inline constexpr ModelId claude = 2;

inline Instant at(Duration time) {
  return Instant{time};
}

/// Time to first token 100 ms, then a token every 10 ms; errors take 50 ms.
inline constexpr std::string_view steady = R"("ttft": "100ms", "inter_token": "10ms")";

/// What `openai/gpt-4` has beyond `steady`, the same for `anthropic/claude`, and the faults of a
/// single phase of an hour.
struct Scene {
  std::string gpt4_limits = "{}";
  std::string claude_limits = "{}";
  std::string faults = "[]";
};

inline std::string providers_json(const Scene& scene) {
  return fmt::format(
      R"({{"openai": {{"dialect": "openai", "models": {{
              "gpt-4": {{{0}, "limits": {1}}},
              "gpt-3.5": {{{0}}} }} }},
           "anthropic": {{"dialect": "anthropic", "models": {{
              "claude": {{{0}, "limits": {2}}} }} }} }})",
      steady, scene.gpt4_limits, scene.claude_limits);
}

inline std::string hour_json(const Scene& scene) {
  return fmt::format(R"([{{"phase": "hour", "until": "1h", "faults": {}}}])", scene.faults);
}

inline Script load(const std::string& providers, const std::string& timeline, Duration duration) {
  Script script;
  Problems problems;
  const auto one = Document::parse("providers.json", providers);
  const auto two = Document::parse("timeline.json", timeline);
  EXPECT_TRUE(one && two) << providers << timeline;
  if (one && two) {
    read_providers((*one)->root(), problems, script);
    read_timeline((*two)->root(), duration, problems, script);
  }
  for (const Error& error : problems.take()) ADD_FAILURE() << error.to_string();
  return script;
}

/// A provider together with the script it refers to.
class World {
 public:
  explicit World(const Scene& scene, std::uint64_t seed = 1)
      : World(load(providers_json(scene), hour_json(scene), 1h), seed) {}
  explicit World(Script script, std::uint64_t seed = 1)
      : script_(std::make_unique<Script>(std::move(script))), provider_(*script_, seed) {}

  ScriptedProvider& provider() { return provider_; }
  const Script& script() const { return *script_; }

  Arrival arrive(const ProviderRequest& request, Duration time) {
    return provider_.arrive(request, at(time));
  }

  /// Arrives and, if it starts at once, is played to its end on the spot.
  Plan serve(const ProviderRequest& request, Duration time) {
    const Arrival arrival = arrive(request, time);
    EXPECT_FALSE(arrival.queued);
    provider_.finish(arrival.plan, at(time));
    return arrival.plan;
  }

 private:
  std::unique_ptr<Script> script_;
  ScriptedProvider provider_;
};

/// A streamed request of 100 input and 11 output tokens.
inline ProviderRequest request(CallId call, ModelId model = gpt4) {
  ProviderRequest result;
  result.model = model;
  result.call = call;
  result.input_tokens = 100;
  result.output_tokens = 11;
  result.stream = true;
  return result;
}

}  // namespace brownout::mock::testing
