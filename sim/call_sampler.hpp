#pragma once

// Watches an engine and keeps some calls with everything that happened to them: failed ones, the
// slowest, and some drawn by number.

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/telemetry/observer.hpp"
#include "sim/result.hpp"

namespace brownout::sim {

/// A call is drawn by a hash of its number alone: runs of different seeds and policies keep the
/// same ones, and of a number of failed calls above the most that are kept, every time of the run
/// has its share. Memory grows with the calls under way. *Threads*: one.
class CallSampler final : public Observer {
 public:
  static constexpr std::size_t failed_max = 200;
  static constexpr std::size_t slowest_max = 30;
  static constexpr std::size_t random_max = 100;

  void on_attempt(const AttemptEvent& event, const Outcome& outcome) override;
  void on_wait(const WaitEvent& event) override;
  void on_rejection(const RejectionEvent& event) override;
  void on_call(const CallEvent& event, const Outcome& outcome) override;
  void on_give_up(const GiveUpEvent& event) override { forget(event.call); }

  /// The calls that were kept, by number.
  std::vector<SampledCall> finish() const;

 private:
  // The calls with the least ranks seen so far.
  class Least {
   public:
    explicit Least(std::size_t most) : most_(most) {}
    using Entry = std::pair<std::uint64_t, CallId>;  // rank, call
    bool wants(Entry entry) const;
    /// Adds one that it wants; what has to go for it, if anything.
    std::optional<CallId> add(Entry entry);

   private:
    std::size_t most_;
    std::vector<Entry> heap_;  // the largest first
  };

  SampledCall& under_way(CallId call);
  void forget(CallId call);
  void keep(Least& set, bool SampledCall::*why, Least::Entry entry, const SampledCall& call);

  std::unordered_map<CallId, std::size_t> slots_;  // in trails_
  std::vector<SampledCall> trails_;                // of calls under way; pooled
  std::vector<std::size_t> free_;
  std::map<CallId, SampledCall> kept_;
  Least failed_{failed_max};
  Least slowest_{slowest_max};
  Least random_{random_max};
};

}  // namespace brownout::sim
