#pragma once

#include <mutex>
#include <unordered_map>
#include <vector>

#include "engine/pipeline/layer.hpp"
#include "engine/policy/cache.hpp"

namespace brownout {

/// Answers from the store when it can; otherwise rides down and stores what comes back.
///
/// With single_flight, the first call for a prompt leads and the calls for the same prompt that
/// arrive meanwhile follow: parked, each under its own deadline, until the leader's outcome is
/// theirs too. When the leader is abandoned, or runs out of a time that was only its own, the first
/// follower leads instead. No draws.
class CacheLayer final : public Layer {
 public:
  /// `keep_for` is how long anybody in the pipeline will have a use for a stored reply.
  CacheLayer(const CacheOptions& options, Duration keep_for)
      : options_(options), keep_for_(keep_for) {}

  FrameLayout frame() const override { return FrameLayout::of<Frame>(); }
  Action enter(Visit& visit, Outcome& outcome) override;
  Action resume(Visit& visit, Signal signal, Outcome& outcome) override;
  Action leave(Visit& visit, Outcome& outcome) override;
  void abandon(Visit& visit, Cut cut) noexcept override;

 private:
  enum class Role : std::uint8_t {
    alone,     // looking, or asking without single-flight
    leader,    // asking for everyone in its flight
    follower,  // parked in the flight's list
    granted,   // woken: with an outcome
    promoted,  // woken: to lead
  };
  struct Frame;
  // Everyone who wants one prompt: who leads is known by role, the others wait in order of arrival.
  struct Flight {
    Frame* first = nullptr;
    Frame* last = nullptr;
  };
  struct Frame {
    Role role = Role::alone;
    Call* call = nullptr;
    CacheKey key{};
    Flight* flight = nullptr;
    Frame* before = nullptr;  // in the flight's list
    Frame* behind = nullptr;
    Outcome grant;
  };
  struct KeyHash {
    std::size_t operator()(const CacheKey& key) const { return key.low; }
  };

  using Flights = std::unordered_map<CacheKey, Flight, KeyHash>;

  Action ask(Visit& visit, Frame& frame);
  bool join(Frame& frame);
  Action on_grant(Frame& frame, Outcome& outcome);
  static void report(Visit& visit, LookupEvent::Result result);
  static Action end(Frame& frame);

  // These require the lock.
  void share(const Frame& leader, const Outcome& outcome);
  void hand_over(const Frame& leader);
  void land(const CacheKey& key);
  static void append(Flight& flight, Frame& follower);
  static void unlink(Frame& follower);

  const CacheOptions options_;
  const Duration keep_for_;
  std::mutex mutex_;  // of the flights and of what the frames in them say
  Flights flights_;
  std::vector<Flights::node_type> spare_flights_;  // as many as were ever under way at once
};

}  // namespace brownout
