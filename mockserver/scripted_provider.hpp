#pragma once

// The scripted provider: all models of a script, with their limits, queues and faults. No I/O and
// no timers: it is told what arrives and when, and answers with the plan of what will happen.
//
// A request passes, in this order:
//   1. faults of the phase it arrives in (those without `after_limits`). One draw per request is
//      partitioned by the shares of all faults in file order; `first` and `sequence` count the
//      requests that match, whichever fault hits them. The first fault in the file that wants a
//      request gets it.
//   2. the buckets: requests per minute, then tokens. Charged on arrival, all or nothing.
//   3. faults with `after_limits`.
//   4. a slot, or the queue.
// Only generation takes buckets and slots: a fault that answers in the model's place (an error, an
// outage, a hang) does neither before the limits, and no slot after them. A fault that breaks a
// reply off is decided in step 1 or 3 like any other, but its request goes on to the end: the model
// works on it. If a limit refuses it, it is not injected.
// Latency faults slow down whatever answers: every time to the first byte becomes
// time * product of `multiply` + sum of `add`, and generation is multiplied alike.

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/core/draw.hpp"
#include "engine/core/request.hpp"
#include "engine/core/time.hpp"
#include "mockserver/bucket.hpp"
#include "mockserver/plan.hpp"
#include "mockserver/script.hpp"

namespace brownout::mock {

struct ProviderRequest {
  ModelId model = 0;
  CallId call = 0;
  std::uint32_t nth = 0;  ///< the call's attempt at this model, from 0
  std::uint32_t input_tokens = 0;
  std::uint32_t output_tokens = 0;  ///< what the model would say if nobody stopped it
  std::uint32_t max_tokens = 0;     ///< cap on the output; 0: none
  bool stream = false;
};

/// A place in the queue of a model.
struct Ticket {
  ModelId model = 0;
  std::uint64_t number = 0;
  bool operator==(const Ticket&) const = default;
};

/// What becomes of an arrival: a plan that starts now or, if `queued`, one that waits.
struct Arrival {
  bool queued = false;
  Ticket ticket{};  ///< meaningful when queued
  Plan plan{};      ///< meaningful when not queued
};

/// A queued request that has been given a slot: its plan starts now.
struct Start {
  Ticket ticket;
  Plan plan;
};

/// What a fault did, against what it was asked to do.
struct FaultCount {
  std::uint64_t matched = 0;          ///< requests it could have hit
  std::uint64_t injected = 0;         ///< requests it decided
  std::int64_t asked_billionths = 0;  ///< sum of its share over the matched ones
  double asked() const {
    return static_cast<double>(asked_billionths) / static_cast<double>(billion);
  }
};

/// *Ownership*: the Script must outlive it. *Threads*: none of its own; one at a time.
/// *Determinism*: draws are keyed by (seed, purpose, "provider/model", call, nth): fault,
/// fault_latency (one family for each further latency fault of a phase on the model), ttft (also
/// the latency of errors), inter_token, cut_point. Buckets, queues, `first` and `sequence` depend
/// on the order of arrivals. Instants count from the scenario's start at Instant{} and must not go
/// backwards; the last phase goes on after its end. After a warm-up, nothing allocates.
class ScriptedProvider {
 public:
  /// Requires: at least one model and one phase.
  ScriptedProvider(const Script& script, std::uint64_t seed);

  Arrival arrive(const ProviderRequest& request, Instant now);

  /// A plan has been played to its `complete`. Settles its tokens and frees its slot, which may
  /// start the next request in the queue.
  std::optional<Start> finish(const Plan& plan, Instant now);

  /// The client of a running plan left, `elapsed` after the plan's start: bills and settles what
  /// was generated until now, and frees the slot.
  std::optional<Start> abandon(const Plan& plan, Duration elapsed, Instant now);

  /// The client of a queued request left. What its arrival was charged stays charged. Requires: the
  /// ticket is still queued.
  void abandon(const Ticket& ticket);

  const Script& script() const { return *script_; }
  const FaultCount& count(FaultId fault) const { return counts_[fault]; }

  /// The bucket behind a limit, or null if the model has no such limit.
  const Bucket* bucket(ModelId model, LimitKind limit) const;
  std::size_t running(ModelId model) const { return models_[model].running; }
  std::size_t queued(ModelId model) const { return models_[model].queue.waiting(); }

 private:
  // Requests in order of arrival. An abandoned one leaves a gap until the front reaches it, so that
  // a ticket's number gives its place.
  class Queue {
   public:
    std::uint64_t push(const Plan& plan);
    void erase(std::uint64_t number);
    std::size_t waiting() const { return waiting_; }
    /// Requires: waiting() > 0.
    std::pair<std::uint64_t, Plan> pop();

   private:
    struct Entry {
      Plan plan;
      bool waiting = false;
    };
    Entry& entry(std::uint64_t number) { return ring_[number & (ring_.size() - 1)]; }
    void drop_gaps();
    void grow();

    std::vector<Entry> ring_;  // a power of two
    std::uint64_t front_ = 0;  // number of the oldest entry
    std::uint64_t back_ = 0;   // number of the next entry
    std::size_t waiting_ = 0;
  };

  struct Model {
    const ModelSpec* spec = nullptr;
    const Accounting* accounting = nullptr;
    std::optional<Bucket> requests;
    std::optional<Bucket> tokens;  // input and output, or input alone
    std::optional<Bucket> output;
    DrawFamily fault;
    DrawFamily ttft;
    DrawFamily inter_token;
    DrawFamily cut_point;
    std::vector<DrawFamily> fault_latency;  // for the first, second, … latency fault of a phase
    std::size_t running = 0;
    Queue queue;
  };

  struct Rule {
    const FaultSpec* spec;
    FaultId fault;
  };
  // The faults of one phase on one model, in file order.
  struct Rules {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    bool before_limits = false;
    bool after_limits = false;
    bool latency = false;
  };
  // A request's fault; no spec: it has none.
  struct Claim {
    const FaultSpec* spec = nullptr;
    FaultId fault = no_fault;
    OutcomeKind kind = OutcomeKind::success;
    bool replaces_reply() const { return spec != nullptr && !spec->breaks_off(kind); }
  };
  struct Slowdown {
    double multiply = 1;
    Duration add{};
  };

  void compile_rules();
  void enter_phase(Duration at);
  // Below, `at` counts from the beginning of the current phase.
  Claim claim(const Rules& rules, bool after_limits, std::int64_t draw, Duration at);
  Slowdown slowdown(const Rules& rules, const ProviderRequest& request, Duration at);
  LimitHit charge(Model& model, const ProviderRequest& request, Instant now);
  static void give_back(Model& model, const ProviderRequest& request, Instant now);
  static bool may_wait(const Model& model);

  Plan plan_claimed(const Claim& claim, const Rules& rules, const ProviderRequest& request,
                    Duration at);
  Plan plan_refused(const LimitHit& hit, const Rules& rules, const ProviderRequest& request,
                    Duration at);
  Plan plan_answer(OutcomeKind kind, const Rules& rules, const ProviderRequest& request,
                   Duration at);
  Plan plan_reply(const Claim& claim, const Rules& rules, const ProviderRequest& request,
                  Duration at);
  void break_off(Plan& plan, const Claim& claim, const ProviderRequest& request);
  std::optional<Start> release(const Plan& plan, std::uint32_t generated, Instant now);

  const Script* script_;
  std::vector<Model> models_;
  std::vector<Rule> rules_;
  std::vector<Rules> rules_of_;  // by phase, then model
  std::vector<FaultCount> counts_;
  std::size_t phase_ = 0;
};

}  // namespace brownout::mock
