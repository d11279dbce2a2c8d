#include "sim/call_sampler.hpp"

#include <algorithm>
#include <limits>

namespace brownout::sim {
namespace {

// Spreads consecutive numbers over all of 64 bits (the finalizer of SplitMix64: Steele, Lea and
// Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
std::uint64_t spread(std::uint64_t number) {
  number += 0x9E3779B97F4A7C15U;
  number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9U;
  number = (number ^ (number >> 27)) * 0x94D049BB133111EBU;
  return number ^ (number >> 31);
}

}  // namespace

bool CallSampler::Least::wants(Entry entry) const {
  return heap_.size() < most_ || entry < heap_.front();
}

std::optional<CallId> CallSampler::Least::add(Entry entry) {
  std::optional<CallId> gone;
  if (heap_.size() == most_) {
    std::ranges::pop_heap(heap_);
    gone = heap_.back().second;
    heap_.pop_back();
  }
  heap_.push_back(entry);
  std::ranges::push_heap(heap_);
  return gone;
}

SampledCall& CallSampler::under_way(CallId call) {
  const auto [place, is_new] = slots_.try_emplace(call, trails_.size());
  if (is_new) {
    if (free_.empty()) {
      trails_.emplace_back();
    } else {
      place->second = free_.back();
      free_.pop_back();
    }
    SampledCall& trail = trails_[place->second];
    trail.call = call;
    trail.attempts.clear();
    trail.waits.clear();
    trail.rejections.clear();
  }
  return trails_[place->second];
}

void CallSampler::on_attempt(const AttemptEvent& event, const Outcome& outcome) {
  SampledAttempt& attempt = under_way(event.call).attempts.emplace_back();
  attempt.number = event.number;
  attempt.route = event.route;
  attempt.hedge = event.hedge;
  attempt.started = event.started;
  attempt.ended = event.ended;
  attempt.first_output = outcome.first_output;
  attempt.outcome = outcome.kind;
  attempt.status = outcome.status;
  attempt.retry_after = outcome.retry_after;
  attempt.input_tokens = outcome.billed_input_tokens;
  attempt.output_tokens = outcome.billed_output_tokens;
}

void CallSampler::on_wait(const WaitEvent& event) {
  under_way(event.call).waits.push_back({event.route, event.from, event.until, event.reason});
}

void CallSampler::on_rejection(const RejectionEvent& event) {
  under_way(event.call).rejections.push_back({event.breaker, event.at, event.kind});
}

void CallSampler::on_call(const CallEvent& event, const Outcome& outcome) {
  SampledCall& call = under_way(event.call);
  call.started = event.started;
  call.ended = event.ended;
  call.end = end_of(outcome);
  call.outcome = outcome.kind;
  call.served = outcome.served;
  call.route = outcome.route;

  const std::uint64_t rank = spread(event.call);
  keep(random_, &SampledCall::is_random, {rank, event.call}, call);
  if (call.end == CallEnd::failed) {
    keep(failed_, &SampledCall::is_failed, {rank, event.call}, call);
  } else {
    const auto latency = static_cast<std::uint64_t>((event.ended - event.started).count());
    const std::uint64_t slowness = std::numeric_limits<std::uint64_t>::max() - latency;
    keep(slowest_, &SampledCall::is_slowest, {slowness, event.call}, call);
  }
  forget(event.call);
}

void CallSampler::forget(CallId call) {
  const auto slot = slots_.find(call);
  if (slot == slots_.end()) return;
  free_.push_back(slot->second);
  slots_.erase(slot);
}

void CallSampler::keep(Least& set, bool SampledCall::*why, Least::Entry entry,
                       const SampledCall& call) {
  if (!set.wants(entry)) return;
  kept_.try_emplace(entry.second, call).first->second.*why = true;
  const auto gone = set.add(entry);
  if (!gone) return;
  const auto found = kept_.find(*gone);
  found->second.*why = false;
  const SampledCall& left = found->second;
  if (!left.is_failed && !left.is_slowest && !left.is_random) kept_.erase(found);
}

std::vector<SampledCall> CallSampler::finish() const {
  std::vector<SampledCall> calls;
  for (const auto& [number, call] : kept_) {
    SampledCall& copy = calls.emplace_back(call);
    // Of hedged attempts the loser may be told of after the winner.
    std::ranges::stable_sort(copy.attempts, {}, &SampledAttempt::number);
  }
  return calls;
}

}  // namespace brownout::sim
