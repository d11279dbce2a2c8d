#pragma once

// A breaker of a pipeline, with everything that lets many calls on several threads use it.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/draw.hpp"
#include "engine/core/request.hpp"
#include "engine/policy/breaker.hpp"
#include "engine/telemetry/observer.hpp"

namespace brownout {

/// One breaker, or with scope key one for each credential, behind a lock. The observer is called
/// after the lock has been left; BreakerEvent::nth tells the order of what two threads report at
/// once.
///
/// While the breaker is quiet (closed, nothing counted, and no rule that counts successes) calls
/// that succeed take no lock: they read one word and compare it, so threads do not slow each other
/// down.
///
/// *Ownership*: owns its breakers. *Threads*: any. *Determinism*: as Breaker; the family of draws
/// is named by the seed and `name`, one for each credential.
class SharedBreaker {
 public:
  /// What a call holds while it is admitted.
  struct Pass {
    Breaker::Permit permit;
    std::uint32_t entry = 0;   // of the table
    std::uint32_t serial = 0;  // of what was there
  };

  /// Why a call is not let through, and for how long; no time when nobody knows.
  struct Refusal {
    std::optional<Duration> retry_after;
  };

  SharedBreaker(const BreakerOptions& options, BreakerId id, std::uint64_t seed,
                std::string_view name);

  /// A pass, or nothing: then `refusal` is set. Every pass must be given to exactly one of
  /// record(), release() and forget().
  std::optional<Pass> acquire(std::uint32_t credential, Instant now, Observer& observer,
                              Refusal& refusal);
  void record(const Pass& pass, const Outcome& outcome, CallId call, Instant now,
              Observer& observer);
  /// The call was abandoned by its caller.
  void release(const Pass& pass, Instant now, Observer& observer);
  /// As if the call had never been.
  void forget(const Pass& pass, Instant now);

  /// Breaker::set_mode() of all credentials, also those yet to come.
  void set_mode(Breaker::Mode mode, Instant now, Observer& observer);
  void isolate(Instant now, Observer& observer) {
    set_mode(Breaker::Mode::forced_open, now, observer);
  }
  /// Breaker::close() of all credentials.
  void close(Instant now, Observer& observer);

  /// Goes on where `other` stands: see Breaker::adopt(). Requires: no pass of this one is out.
  void adopt(const SharedBreaker& other);

  /// Of a credential without a breaker of its own: closed, or what the mode makes of it.
  BreakerState state(std::uint32_t credential = 0) const;
  BreakerId id() const { return id_; }
  const BreakerOptions& options() const { return options_; }

  /// The breaker of credential 0, for tests and reports. Not to be read while calls are under way
  /// on other threads.
  const Breaker& breaker() const { return entries_.front()->breaker; }

 private:
  struct Entry {
    Breaker breaker;
    std::uint32_t credential;
    std::uint32_t serial;
    std::uint64_t last_used;
  };

  using Change = std::optional<BreakerEvent>;

  // The function changes the entry's breaker. What became of it, to be told once the lock is left.
  template <class Function>
  Change change(Entry& entry, Instant now, Function function);
  template <class Function>
  void change_all(Instant now, Observer& observer, Function function);

  std::size_t index_of(std::uint32_t credential) const;  // entries_.size() when there is none
  std::size_t find_or_add(std::uint32_t credential);
  std::size_t add_entry(std::uint32_t credential);
  std::size_t to_forget() const;
  Entry* entry_of(const Pass& pass);
  void publish();

  const BreakerOptions options_;
  const BreakerId id_;
  const std::uint64_t seed_;
  const std::string name_;

  mutable std::mutex mutex_;
  Breaker::Mode mode_;
  std::vector<std::unique_ptr<Entry>> entries_;  // the first is that of credential 0 and stays
  std::uint32_t serials_ = 0;
  std::uint64_t uses_ = 0;

  // generation * 2 + 1 while the only breaker is quiet, else 0. A pass given out by reading it is
  // of the first entry, whose serial is 0.
  std::atomic<std::uint64_t> quiet_{0};
};

}  // namespace brownout
