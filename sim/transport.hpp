#pragma once

// The engine's Transport inside the simulation: carries attempts over a network with latency to the
// scripted provider and plays its plans in virtual time.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/core/draw.hpp"
#include "engine/runtime/runtime.hpp"
#include "engine/transport/transport.hpp"
#include "mockserver/distribution.hpp"
#include "mockserver/scripted_provider.hpp"

namespace brownout::sim {

/// An attempt costs three events: the request arrives, the provider is done, the reply is back.
/// Limits cost none of their own: what happens first is known as soon as the plan is.
///
/// The request's `tag` is the number of tokens the model would say. *Ownership*: refers to its
/// runtime and provider. Attempts are pooled. *Threads*: one. *Determinism*: draws network_out and
/// network_back, keyed by the model, the call and the nth attempt there; TargetId is ModelId.
class SimTransport final : public Transport {
 public:
  SimTransport(Runtime& runtime, mock::ScriptedProvider& provider,
               const mock::Distribution& network_latency);
  ~SimTransport() override;

  Handle start(const Attempt& attempt, AttemptListener& listener) override;
  Outcome detach(Handle handle) override;

  /// The most attempts that were under way to a model at once, looked at whenever one began in that
  /// phase. Requires: both exist.
  std::uint32_t peak(std::size_t phase, TargetId target) const { return peaks_[phase][target]; }

 private:
  class Flight;

  void count_start(TargetId target);
  void started(const mock::Start& start);
  Flight* acquire();
  void recycle(Flight* flight);

  Runtime& runtime_;
  mock::ScriptedProvider& provider_;
  const mock::Distribution network_latency_;
  std::vector<DrawFamily> network_out_;   // by model
  std::vector<DrawFamily> network_back_;  // by model
  std::vector<std::unique_ptr<Flight>> flights_;
  std::vector<Flight*> free_;
  std::vector<std::uint32_t> under_way_;               // by model
  std::vector<std::vector<std::uint32_t>> peaks_;      // by phase and model
  std::unordered_map<std::uint64_t, Flight*> queued_;  // by ticket: waiting for a slot
};

}  // namespace brownout::sim
